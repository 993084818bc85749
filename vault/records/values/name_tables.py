"""The tables about Arabic names that no rule can replace, read once from `names_data.toml`."""

import tomllib
from importlib.resources import files

_DATA = tomllib.loads((files("vault.records.values") / "names_data.toml").read_text(encoding="utf-8"))


def words(table: str, entry: str) -> frozenset[str]:
    """The words of one entry of the data file, written there with spaces and line ends between them."""
    return frozenset(_DATA[table][entry].split())


def pairs(table: str, entry: str) -> dict[str, str]:
    """The pairs of one entry, written there as `long=short`."""
    return dict(pair.split("=") for pair in _DATA[table][entry].split())
