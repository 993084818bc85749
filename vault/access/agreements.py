"""Data sharing agreements with parties outside: registered by one person, approved by another, revoked by one alone.

Invariants: a party's own system reads only under one that two people made, while it is in force, for the purposes, record types and classes
it names; an agreement stands in for nobody's consent, and what covers anything else is another agreement; its end before its time is in the
journal before it is committed.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import msgspec

from vault.access.approving import Approver
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import AGREEMENT, PROCESSOR, AgreementFact, ProcessingTerms, PurposeFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing

CREATED: Final = 201
ARTICLE: Final = "6.2"
REGISTERED: Final = "agreement.registered"
APPROVED: Final = "agreement.approved"
REVOKED: Final = "agreement.revoked"
LONGEST: Final = 5 * 366 * 24 * 3_600_000_000
"""No agreement lasts longer: one that nobody looks at any more has to end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An agreement as it was signed; times in microseconds UTC, the end exclusive."""

    recipient: str
    purposes: tuple[str, ...]
    types: tuple[str, ...]
    classes: tuple[str, ...]
    valid_from: int
    valid_to: int
    reference: str
    reason: str
    processing: ProcessingTerms | None = None


def register(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> AgreementFact:
    """Write an agreement down; nothing is read under it yet. A repeat of the same request gives the one it made.

    Raises Invalid by member: an unknown recipient, purpose, type or class, a purpose nothing is disclosed for (for a processor, one that
    is for anything else than work in the association's name), the terms of processing missing or out of place, an end that is no end;
    Conflict `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return of(deed, errand, made)
    wrong = list(_wrong(errand.book(deed), wanted, deed.now))
    if wrong:
        raise Invalid(wrong)
    made = os.urandom(16)
    said = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    agreement = AgreementFact(**said, id=made.hex(), registered_by=errand.asker.ref, registered_at=deed.now)
    written = facts.write(deed, AGREEMENT, agreement.id, agreement)
    deed.append(_entry(errand, REGISTERED, agreement, (written,)), changes_law=True)
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return agreement


def approve(deed: Deed, approver: Approver, agreement: bytes) -> AgreementFact:
    """Approve an agreement that another person registered: from this answer on it counts, and from its first day on it is in force.

    Raises NotFound, Conflict `agreement-revoked`, `agreement-ended`, `recipient-revoked` or where it is approved, refusals `same-person`
    and `step-up-required`, TooMany.
    """
    approver = approver.still(deed)
    found = of(deed, approver.errand, agreement)
    if found.revoked_at is not None:
        raise Conflict("agreement-revoked")
    if found.approved_by:
        raise Conflict
    if found.valid_to <= deed.now:
        raise Conflict("agreement-ended")
    if approver.errand.book(deed).recipients[found.recipient].revoked_at is not None:
        raise Conflict("recipient-revoked")
    approval = approver.approve(deed, found.registered_by, APPROVED)
    approved = msgspec.structs.replace(found, approved_by=approver.caller.ref, approved_at=deed.now)
    written = (*approval.facts, facts.write(deed, AGREEMENT, found.id, approved))
    deed.append(replace(_entry(approver.errand, APPROVED, approved, written), flags=approval.flags), changes_law=True)
    return approved


def revoke(deed: Deed, errand: Errand, agreement: bytes) -> AgreementFact:
    """Revoke an agreement: from this answer on nothing is read under it. Raises NotFound."""
    errand = errand.still(deed)
    found = of(deed, errand, agreement)
    if found.revoked_at is not None:
        return found
    revoked, written = end(deed, found, errand.asker.ref)
    deed.append(_entry(errand, REVOKED, revoked, (written,)), changes_law=True, closes=Closing("agreement", found.id))
    return revoked


def end(deed: Deed, agreement: AgreementFact, by: str) -> tuple[AgreementFact, WrittenFact]:
    """Write the agreement as revoked now; the caller puts what is returned into the entry of the same deed."""
    revoked = msgspec.structs.replace(agreement, revoked_by=by, revoked_at=deed.now)
    return revoked, facts.write(deed, AGREEMENT, agreement.id, revoked)


def listed(deed: Deed, errand: Errand) -> list[AgreementFact]:
    """Every agreement there ever was, by recipient, the newest of each first."""
    found = errand.still(deed).book(deed).agreements.values()
    return sorted(found, key=lambda one: (one.recipient, -one.registered_at, one.id))


def shown(deed: Deed, errand: Errand, agreement: bytes) -> AgreementFact:
    """The agreement as it stands. Raises NotFound."""
    return of(deed, errand.still(deed), agreement)


def of(deed: Deed, errand: Errand, agreement: bytes) -> AgreementFact:
    """The agreement of this id in the book of this deed. Raises NotFound, Unavailable `integrity`."""
    found = errand.book(deed).agreements.get(agreement.hex())
    if found is None:
        raise NotFound
    return found


def _entry(errand: Errand, kind: str, agreement: AgreementFact, written: tuple[WrittenFact, ...]) -> Entry:
    """Whose agreement it is, and by its id which; what it is called and covers stands in the sealed fact."""
    recipient, id_ = agreement.recipient, agreement.id
    return errand.entry(kind=kind, outcome="allow", recipient=recipient, agreement=id_, facts=written, flags=errand.asker.flags)


def _wrong(book: Book, wanted: Wanted, now: int) -> Iterator[FieldError]:
    recipient = book.recipients.get(wanted.recipient)
    if recipient is None or recipient.revoked_at is not None:
        yield FieldError("recipient", "unknown-recipient")
    processes = recipient is not None and recipient.kind == PROCESSOR
    if processes != (wanted.processing is not None):
        yield FieldError("processing", "missing" if processes else "out-of-range")
    for number, code in enumerate(wanted.purposes):
        purpose = book.purposes.get(code)
        if purpose is None:
            yield FieldError(f"purposes.{number}", "unknown-purpose")
        elif not (_is_worked_for if processes else _is_disclosed_for)(purpose):
            yield FieldError(f"purposes.{number}", "action-mismatch")
    yield from _unknown("record_types", wanted.types, book.types, "unknown-type")
    classes = {field.field_class for type_ in book.types.values() for field in type_.fields}
    yield from _unknown("classes", wanted.classes, classes, "unknown-class")
    if not max(wanted.valid_from, now) < wanted.valid_to <= wanted.valid_from + LONGEST:
        yield FieldError("until", "out-of-range")


def _is_disclosed_for(purpose: PurposeFact) -> bool:
    """A third party's system may ask for disclosure to itself only, and an order needs no agreement."""
    return purpose.action == "disclose" and purpose.basis == "consent"


def _is_worked_for(purpose: PurposeFact) -> bool:
    """A processor works for what people agreed to with the association; what is the association's alone stays with it (6.3)."""
    return purpose.action in {"use", "contact"} and purpose.basis == "consent" and not purpose.internal_only


def _unknown(member: str, names: tuple[str, ...], known: Collection[str], code: str) -> Iterator[FieldError]:
    return (FieldError(f"{member}.{number}", code) for number, name in enumerate(names) if name not in known)
