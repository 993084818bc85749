"""The policy packs that ship, read once and frozen.

Nothing else in `policy` touches a file. The law's duties stand over every pack; the stricter of the two wins.
"""

from functools import cache
from importlib import resources

from vault.policy.facts import Purpose
from vault.policy.narrowing import type_within, within
from vault.policy.pack_facts import Channel, Field, NoticeText, Pack, RecordType, Review, Switches, Text
from vault.policy.pack_file import PARTS, parse
from vault.policy.reader import PackRefused

__all__ = [
    "PARTS",
    "Channel",
    "Field",
    "NoticeText",
    "Pack",
    "PackRefused",
    "RecordType",
    "Review",
    "Switches",
    "Text",
    "lint",
    "load",
    "names",
    "parse",
    "together",
    "type_within",
    "within",
]


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


def _text_of(name: str) -> str:
    if name not in names():
        raise PackRefused("extends", "unknown-pack")
    return resources.files("vault.policy.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def together(pack: Pack) -> dict[str, Purpose]:
    """All purposes in force under this pack: the law's duties and the pack's own; a pack cannot take a duty of the law away or over."""
    return {**pack.purposes, **(load(pack.law).purposes if pack.law else {})}
