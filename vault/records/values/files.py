"""A file of a record: what names it, and what the vault knows of it."""

import re
from collections.abc import Mapping
from typing import Final

from vault.records.values.cleaning import ValueRefused, clean, text_of

UNKNOWN: Final = "unknown-attachment"
MEMBERS: Final = ("id", "type", "size", "sha256")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def attachment(value: object) -> dict[str, str | int]:
    """The file's id as it was told when the file was handed in; of `MEMBERS` the others may stand beside it as they were read.

    Whether there is such a file and the others are true is known only where it lies. Refuses `wrong-type`, `unknown-member` and
    `unknown-attachment`.
    """
    typed = value.get("id") if isinstance(value, Mapping) else value
    cleaned = clean(text_of(typed))
    if not isinstance(value, Mapping):
        raise ValueRefused("wrong-type")
    if not set(value) <= set(MEMBERS):
        raise ValueRefused("unknown-member")
    if _ID.fullmatch(cleaned) is None:
        raise ValueRefused(UNKNOWN)
    return {**{member: value[member] for member in MEMBERS if member in value}, "id": cleaned}
