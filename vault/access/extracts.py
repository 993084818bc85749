"""Asks for a month's extract of a study and approves it: two people, before anybody is looked at (promise 9).

Invariants: an approval is of one study and one month, counts for a week, and only while both people's accounts stand; nothing is given by
either of them: the extract goes to a system of the house.
"""

from dataclasses import replace
from typing import Final

import msgspec

from vault.access import studies
from vault.access.approving import Approver
from vault.access.study_shapes import EXTRACT_REQUEST, RELEASE, ExtractRequestFact, StudyFact
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, NotFound
from vault.identity.callers import is_engaged
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF

REQUESTED: Final = "research.requested"
APPROVED: Final = "research.approved"
TURNED_DOWN: Final = "research.turned-down"
LASTS: Final = 7 * 24 * 3_600_000_000


def request(deed: Deed, errand: Errand, code: str, month: str) -> ExtractRequestFact:
    """Ask for this month's extract; what was asked for before, was not turned down and is not over stands.

    Raises NotFound, Conflict `study-ended`, `no-extract` for a table, `release-given`.
    """
    errand = errand.still(deed)
    study = _study(deed, code, month)
    old = facts.read(deed, EXTRACT_REQUEST, studies.release_key(code, month))
    if old is not None and (old.waits or (old.approved_at is not None and deed.now < old.approved_at + LASTS)):
        return old
    made = ExtractRequestFact(study=code, month=month, requested_by=errand.asker.ref, requested_at=deed.now)
    deed.append(_entry(errand, REQUESTED, study, _write(deed, made)))
    return made


def approve(deed: Deed, approver: Approver, code: str, month: str) -> ExtractRequestFact:
    """Approve what another person asked for: from this answer on a system of the house may have it made, once.

    Raises NotFound where nobody asked, Conflict as `request` does and where it is approved or turned down, refusals `same-person` and
    `step-up-required`, TooMany.
    """
    approver = approver.still(deed)
    study = _study(deed, code, month)
    found = facts.read(deed, EXTRACT_REQUEST, studies.release_key(code, month))
    if found is None:
        raise NotFound
    if not found.waits:
        raise Conflict
    approval = approver.approve(deed, found.requested_by, APPROVED)
    approved = msgspec.structs.replace(found, approved_by=approver.caller.ref, approved_at=deed.now)
    written = (*approval.facts, _write(deed, approved))
    deed.append(replace(_entry(approver.errand, APPROVED, study, *written), flags=approval.flags))
    return approved


def turn_down(deed: Deed, errand: Errand, code: str, month: str) -> ExtractRequestFact:
    """Turn down what was asked for: nothing is made on it, and it may be asked for anew. Raises NotFound, Conflict where it is approved."""
    errand = errand.still(deed)
    study = studies.of(deed, code)
    found = facts.read(deed, EXTRACT_REQUEST, studies.release_key(code, month))
    if found is None:
        raise NotFound
    if found.approved_by:
        raise Conflict
    if found.turned_down_at is not None:
        return found
    turned = msgspec.structs.replace(found, turned_down_by=errand.asker.ref, turned_down_at=deed.now)
    deed.append(_entry(errand, TURNED_DOWN, study, _write(deed, turned)))
    return turned


def require_approved(deed: Deed, errand: Errand, study: StudyFact, month: str) -> None:
    """Raise Conflict `not-approved` or `approval-expired`, and a refusal `approver-ended` where one of the two does not stand any more."""
    found = facts.read(deed, EXTRACT_REQUEST, studies.release_key(study.code, month))
    if found is None or found.approved_at is None:
        raise Conflict("not-approved")
    if deed.now >= found.approved_at + LASTS:
        raise Conflict("approval-expired")
    book = errand.book(deed)
    if not all(_stands(book, ref, deed.now) for ref in (found.requested_by, found.approved_by)):
        article = f"{book.association.pack}:7"
        raise EntryRefusal(
            errand.entry(kind=APPROVED, outcome="refuse", purpose=study.purpose, basis="none", reason="APPROVER_ENDED", article=article)
        )


def _stands(book: Book, ref: str, now: int) -> bool:
    """Whether this person's account stands at this moment: two people answer for what is given."""
    member = book.staff.get(ref.removeprefix(STAFF))
    return member is not None and is_engaged(member, now)


def _study(deed: Deed, code: str, month: str) -> StudyFact:
    study = studies.of(deed, code)
    if not study.stands:
        raise Conflict("study-ended" if study.ended_at is not None else "not-approved")
    if study.form != "extract":
        raise Conflict("no-extract")
    if facts.read(deed, RELEASE, studies.release_key(code, month)) is not None:
        raise Conflict("release-given")
    return study


def _write(deed: Deed, made: ExtractRequestFact) -> WrittenFact:
    return facts.write(deed, EXTRACT_REQUEST, studies.release_key(made.study, made.month), made)


def _entry(errand: Errand, kind: str, study: StudyFact, *written: WrittenFact) -> Entry:
    fields = tuple(sorted(study.fields))
    return errand.entry(kind=kind, outcome="allow", purpose=study.purpose, fields=fields, facts=written, flags=errand.asker.flags)
