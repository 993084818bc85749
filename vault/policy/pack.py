"""The policy packs that ship, read once and frozen.

Nothing else in `policy` touches a file. The law's duties stand over every pack; the stricter of the two wins.
"""

from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

from vault.policy.facts import Purpose
from vault.policy.narrowing import same_deed, type_within, within
from vault.policy.pack_facts import Channel, Field, NoticeText, Pack, Predicate, RecordType, Review, Switches, Text
from vault.policy.pack_file import PARTS, parse
from vault.policy.reader import PackRefused

__all__ = [
    "PARTS",
    "Channel",
    "Field",
    "NoticeText",
    "Pack",
    "PackRefused",
    "Predicate",
    "RecordType",
    "Review",
    "Source",
    "Switches",
    "Text",
    "kept",
    "lint",
    "load",
    "names",
    "parse",
    "same_deed",
    "shipped",
    "source",
    "together",
    "type_within",
    "within",
]


class Source(NamedTuple):
    """The words a pack was read from: its own file, and that of the pack it is laid over, empty for none."""

    own: str
    below: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 (hexadecimal) over both files: two packs of one hash say the same."""
        return sha256(b"\x00".join((self.own.encode(), self.below.encode()))).hexdigest()


def names() -> tuple[str, ...]:
    """The names of all packs that ship, sorted."""
    folder = resources.files("vault.policy.packs")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@cache
def load(name: str) -> Pack:
    """The pack of this name, with the law's classes where it names a law; PackRefused for an unknown name or an unsound file."""
    if name not in names():
        raise PackRefused("", "unknown-pack")
    return parse(_text_of(name), load, _text_of)


def lint(text: str) -> Pack:
    """The pack of a file that does not ship, over those that do. Raises PackRefused."""
    return parse(text, load, _text_of)


def source(text: str) -> Source:
    """The words of a pack that holds, with those of the one it is laid over as it ships. Raises PackRefused."""
    below = lint(text).extends
    return Source(text, _text_of(below) if below else "")


@cache
def shipped(name: str) -> Source:
    """The words of the pack of this name as it ships. Raises PackRefused for an unknown name."""
    return source(_text_of(name))


@lru_cache(maxsize=32)
def kept(words: Source) -> Pack:
    """The pack of words that two people approved, over the pack below as it was then. Raises PackRefused.

    It was held against the floor when it was approved; a floor that rose since is for a new version to meet, and refuses that one.
    """
    base = parse(words.below, load, floor=False) if words.below else None

    def named(name: str) -> Pack:
        return base if base is not None and name == base.name else load(name)

    return parse(words.own, named, lambda _: words.below, floor=False)


def _text_of(name: str) -> str:
    if name not in names():
        raise PackRefused("extends", "unknown-pack")
    return resources.files("vault.policy.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def together(pack: Pack) -> dict[str, Purpose]:
    """All purposes in force under this pack: the law's duties and the pack's own; a pack cannot take a duty of the law away or over."""
    return {**pack.purposes, **(load(pack.law).purposes if pack.law else {})}
