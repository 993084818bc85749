"""User names: one spelling each, stored only as a keyed hash.

A user name is `name@association`; letters are ASCII and case does not matter, so that one person cannot stand in two rows.
"""

import re
from typing import Final

from keys.cabinet import Cabinet

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_CODE = re.compile(r"[a-z][a-z0-9-]{2,31}", re.ASCII)

RESERVED: Final = frozenset({"v1", "health", "metrics", "schema", "officer", "static", "public"})
"""Association codes that would hide a path of the service (CONTRACT 2)."""


def is_code(text: str) -> bool:
    """Say whether an association may have this code."""
    return _CODE.fullmatch(text) is not None and text not in RESERVED


def is_name(text: str) -> bool:
    """Say whether the part of a user name before the @ is one, in its one spelling."""
    return _NAME.fullmatch(text) is not None


def parse_username(text: str) -> tuple[str, str] | None:
    """Return name and association code in their one spelling, None for what is no user name."""
    name, at, code = text.strip().lower().partition("@")
    return (name, code) if at and is_name(name) and is_code(code) else None


def name_hash(cabinet: Cabinet, name: str, code: str) -> str:
    """Return the keyed hash, in hexadecimal, under which a user name is kept and looked up."""
    return cabinet.pepper.hash("username", f"{name}@{code}").hex()
