"""Renews one person's keys: those of her classes and that of her sheet, in one deed with one entry.

Invariants: what was sealed opens under the new keys alone; no value leaves on the way; who is to be erased is not renewed.
"""

from dataclasses import dataclass
from typing import Final

from vault.access_log.deed import Deed
from vault.records import renewing
from vault.rulebook.asker import Errand
from vault.subjects import people

KIND: Final = "keys.renewed"


@dataclass(frozen=True, slots=True)
class Renewed:
    """Each record of hers (16-byte id) with the revision it has now."""

    records: tuple[tuple[bytes, int], ...]


def renew_keys(deed: Deed, errand: Errand, record: bytes) -> Renewed:
    """Renew the keys of the record's person. Raises NotFound, Conflict `erasure-pending`, Unavailable `integrity`."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    people.unlocked(known)
    own = errand.book(deed).association
    stored = renewing.renew(deed, errand, known)
    after, handed_down, wrapped = people.renewed(deed, known, errand.hand)
    told = errand.entry(kind=KIND, outcome="allow", article=f"{own.pack}:7", count=len(stored), flags=errand.asker.flags)
    people.change(deed, after, [handed_down, *stored], told, record=record, wrapped=wrapped)
    return Renewed(tuple((bytes.fromhex(one.record), one.revision) for one in stored))
