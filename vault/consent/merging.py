"""Says that two records are one person's: asked for by one person, approved by another, and never undone (promise 9).

Invariants: from the approval on each of the two sheets holds the stricter of both in every respect, and what is said of the person later,
through whichever record, is written in both; nothing becomes allowed by it; the journal knows it before it is answered, so that a restore
joins them again. Decided in docs/adr/0062-one-person-in-two-records.md.
"""

import os
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.consent.within import require_reach
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.rulebook import facts
from vault.rulebook.approving import Second
from vault.rulebook.asker import Errand
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects import people

CREATED: Final = 201
REQUESTED: Final = "merge.requested"
APPROVED: Final = "merge.approved"
JOURNAL: Final = "merge"


class MergeFact(Fact, frozen=True):
    """Two records that are said to be one person's (ids in hex), their people, why, and who said and approved it."""

    id: str
    kept: str
    absorbed: str
    subjects: tuple[str, str]
    reason: str
    requested_by: str
    requested_at: int
    approved_by: str = ""
    approved_at: int = 0


MERGE: Final[Kind[MergeFact]] = Kind("merge", MergeFact, in_book=False)


def request(deed: Deed, errand: Errand, records: tuple[bytes, bytes], reason: str, once: Once | None) -> MergeFact:
    """Ask for two records to be taken for one person's; nothing changes yet. A repeat of the same request gives the one it made.

    Raises NotFound, Invalid where they are one person's already, Conflict `erasure-pending`, `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _of(deed, made)
    kept, absorbed = _two(deed, records)
    for known, record in zip((kept, absorbed), records, strict=True):
        require_reach(deed, errand, known, record, REQUESTED)
    made = os.urandom(16)
    merge = MergeFact(
        id=made.hex(),
        kept=records[0].hex(),
        absorbed=records[1].hex(),
        subjects=(kept.subject.hex(), absorbed.subject.hex()),
        reason=reason,
        requested_by=errand.asker.ref,
        requested_at=deed.now,
    )
    about = (About(kept.subject, records[0]), About(absorbed.subject, records[1]))
    written = facts.write(deed, MERGE, merge.id, merge)
    deed.append(errand.entry(kind=REQUESTED, outcome="allow", about=about, facts=(written,), flags=errand.asker.flags))
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return merge


def approve(deed: Deed, second: Second, merge: bytes) -> MergeFact:
    """Approve that two records are one person's: from this answer on what either was forbidden is forbidden for both.

    Raises NotFound, Conflict where it is approved, where one of them is another's since or `erasure-pending`, refusals `same-person` and
    `step-up-required`, TooMany.
    """
    second = second.still(deed)
    found = _of(deed, merge)
    if found.approved_by:
        raise Conflict
    records = bytes.fromhex(found.kept), bytes.fromhex(found.absorbed)
    kept, absorbed = _two(deed, records)
    approval = second.approve(deed, found.requested_by, APPROVED)
    settled = msgspec.structs.replace(found, approved_by=second.asker.ref, approved_at=deed.now)
    written = (*approval.facts, facts.write(deed, MERGE, found.id, settled))
    told = second.errand.entry(kind=APPROVED, outcome="allow", facts=written, flags=approval.flags)
    closing = Closing(JOURNAL, found.subjects[0], found.subjects[1])
    people.join(deed, kept, absorbed, told, by=second.asker.ref, closes=closing)
    return settled


def join_again(deed: Deed, subjects: tuple[str, str], told: Entry, *, by: str) -> int:
    """Join two people whom the journal says were joined, where both are here and are not one yet; how many doors stood open.

    Raises NotFound where one of them is not here, Unavailable `integrity`.
    """
    one, other = (people.of_subject(deed, bytes.fromhex(subject)) for subject in subjects)
    if _is_one(one, other):
        return 0
    people.join(deed, one, other, told, by=by, closes=Closing(JOURNAL, *subjects))
    return 1


def listed(deed: Deed, errand: Errand) -> list[MergeFact]:
    """All there were, those that wait first, the newest before. The look is an entry. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    found = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, MERGE).values()
    deed.append(errand.entry(kind="merge.listed", outcome="allow", basis="law", count=len(found)))
    return sorted(found, key=lambda one: (bool(one.approved_by), -one.requested_at, one.id))


def _of(deed: Deed, merge: bytes) -> MergeFact:
    found = facts.read(deed, MERGE, merge.hex())
    if found is None:
        raise NotFound
    return found


def _two(deed: Deed, records: tuple[bytes, bytes]) -> tuple[people.Known, people.Known]:
    kept, absorbed = (people.of_record(deed, record) for record in records)
    if _is_one(kept, absorbed):
        raise Invalid([FieldError("absorbed", "same-subject")])
    people.unlocked(kept)
    people.unlocked(absorbed)
    return kept, absorbed


def _is_one(one: people.Known, other: people.Known) -> bool:
    return one.subject == other.subject or (one.sheet is not None and other.subject.hex() in one.sheet.others)
