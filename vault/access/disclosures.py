"""Disclosures: asked for and decided field by field, approved by another person, and decided again in the deed that releases.

Invariants: a third party gets data on a written consent that names it or on an order, and on nothing else; what is released is exactly what
was granted, and only while all of it still holds; a package is sealed to the key that was confirmed when the disclosure was approved; once
a disclosure is revoked no package leaves on it, after a restore neither.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

import msgspec

from keys.container import Sealed
from vault.access import enclosing, orders
from vault.access.approving import Approver
from vault.access.door import give_out, take_sealed
from vault.access.enclosing import Document
from vault.access.shapes import DISCLOSURE, ORDER, Arrival, DisclosureFact, OrderFact, Part, Refusal
from vault.access.verdicts import Asked, Judged, Weighed, enter, weigh
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from vault.identity.callers import is_engaged
from vault.identity.recipients import key_of
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecipientFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.people import Known

MOST_RECORDS: Final = 500
CREATED: Final = 201
APPROVAL_LASTS: Final = 7 * 24 * 3_600_000_000
DECIDED: Final = "disclosure.decided"
REQUESTED: Final = "disclosure.requested"
APPROVED: Final = "disclosure.approved"
DISCLOSE: Final = "disclose"
REVOKED: Final = "disclosure.revoked"
RELEASED: Final = "disclosure.released"
RECEIVED: Final = "disclosure.received"
BARRED: Final = "disclosure.barred"
LAW_OF_BARS: Final = "sa-pdpl:16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A disclosure as it is asked for; ids of 16 bytes."""

    basis: Literal["consent", "order"]
    order: bytes | None
    recipient: str
    records: tuple[bytes, ...]
    fields: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, slots=True)
class Releasing:
    """What a committed release rests on: each record's verdict with what is sealed of it, the recipient, and the number of the package."""

    disclosure: DisclosureFact
    recipient: RecipientFact
    order: OrderFact | None
    book: Book
    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    at: int
    documents: Sequence[Document] = ()

    def values(self) -> list[dict[str, Any]]:
        """The values of every record through the door, once. Raises Unavailable `integrity`."""
        return [give_out(judged, sealed) for judged, sealed in zip(self.judged, self.sealed, strict=True)]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was granted does not hold any more: how many verdicts said no, and the leaf hash of the entry that says so."""

    refused: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Matter:
    """A disclosure in the deed it is dealt with, for whom, and the rulebook inside that deed."""

    deed: Deed
    errand: Errand
    book: Book
    found: DisclosureFact

    def refusal(self, kind: str, reason: str, article: int) -> EntryRefusal:
        """The refusal of the whole, for a reason that is nobody's own."""
        return EntryRefusal(self._entry(kind=kind, outcome="refuse", reason=reason, article=self._article(article)))

    def tell(self, **members: object) -> bytes:
        """Append an entry about the disclosure as a whole; its leaf hash."""
        return self.deed.append(self._entry(**members)).leaf_hash

    def close(self, **members: object) -> None:
        """Append the entry that ends the disclosure."""
        self.deed.append(self._entry(**members), closes=Closing("disclosure", self.found.id))

    def moved(self, count: int) -> Moved:
        """Append that so many of the verdicts say no by now."""
        told = {"kind": DISCLOSE, "outcome": "refuse", "reason": "DECISION_STALE", "article": self._article(7), "count": count}
        return Moved(count, self.tell(**told))

    def _article(self, article: int) -> str:
        return f"{self.book.association.pack}:{article}"

    def _entry(self, **members: object) -> Entry:
        """What nobody laid down is not named: a caller typed it."""
        found, book = self.found, self.book
        own = {
            "outcome": "allow",
            "purpose": found.purpose if found.purpose in book.purposes else None,
            "recipient": found.recipient if found.recipient in book.recipients else None,
            "order": found.order or None,
            "count": len(found.granted),
        }
        return self.errand.entry(**{**own, "flags": self.errand.asker.flags, **members})


def request(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> DisclosureFact:
    """Decide a disclosure field by field and write it down; nothing leaves on it yet. A repeat of the same request gives the one it made.

    Raises Invalid by member, a field that no record of these has among them; Conflict `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return of(deed, made)
    book = errand.book(deed)
    purpose = book.purposes.get(wanted.purpose)
    if purpose is not None and purpose.basis != wanted.basis:
        raise Invalid([FieldError("basis", "out-of-range")])
    named = orders.everybody(deed, wanted.records)
    orders.require_fields(book, wanted.fields, wanted.records, named)
    order = facts.read(deed, ORDER, wanted.order.hex()) if wanted.order else None
    parts: list[Part] = []
    refused: list[Refusal] = []
    for record, known in zip(wanted.records, named, strict=True):
        asked = Asked(record, "disclose", wanted.purpose, wanted.fields, wanted.recipient, DECIDED)
        given, not_given = _field_by_field(deed, errand, asked, partial(_weighed, deed, errand, known, order))
        parts += given
        refused += not_given
    made = os.urandom(16)
    disclosure = DisclosureFact(
        id=made.hex(),
        basis=wanted.basis,
        recipient=wanted.recipient,
        purpose=wanted.purpose,
        granted=tuple(parts),
        refused=tuple(refused),
        requested_by=errand.asker.ref,
        requested_at=deed.now,
        order=wanted.order.hex() if wanted.order else "",
    )
    written = facts.write(deed, DISCLOSURE, disclosure.id, disclosure)
    Matter(deed, errand, book, disclosure).tell(kind=REQUESTED, facts=(written,))
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return disclosure


def approve(deed: Deed, approver: Approver, disclosure: bytes, bars: tuple[str, ...] | None = None) -> DisclosureFact:
    """Approve what another person asked for, for the recipient's key as it is confirmed now.

    `bars` are those of law 16 that stand against it, by the approver's judgment: where there is one, the disclosure ends instead. Raises
    NotFound, Invalid for bars where an authority ordered it, Conflict `nothing-granted`, `disclosure-revoked` or where it is approved,
    TooMany, and refusals: `same-person`, `step-up-required`, and what stands against the recipient (`unknown-recipient`,
    `recipient-unconfirmed`).
    """
    approver = approver.still(deed)
    found = of(deed, disclosure)
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_by:
        raise Conflict
    if not found.granted:
        raise Conflict("nothing-granted")
    if bars is not None and found.basis == "order":
        raise Invalid([FieldError("bars", "out-of-range")])
    matter = Matter(deed, approver.errand, approver.errand.book(deed), found)
    if bars:
        approval = approver.approve(deed, found.requested_by, BARRED)
        barred, written = end(deed, msgspec.structs.replace(found, bars=bars), approver.caller.ref)
        matter.close(kind=BARRED, facts=(*approval.facts, written), law=LAW_OF_BARS, flags=approval.flags)
        return barred
    recipient = _recipient(matter, APPROVED)
    approval = approver.approve(deed, found.requested_by, APPROVED)
    approved = msgspec.structs.replace(found, approved_by=approver.caller.ref, approved_at=deed.now, key=key_of(recipient), bars=bars)
    matter.tell(kind=APPROVED, facts=(*approval.facts, facts.write(deed, DISCLOSURE, found.id, approved)), flags=approval.flags)
    return approved


def revoke(deed: Deed, errand: Errand, disclosure: bytes) -> DisclosureFact:
    """Turn a disclosure down, or take its approval back: from this answer on no package leaves on it. Raises NotFound."""
    errand = errand.still(deed)
    found = of(deed, disclosure)
    if found.revoked_at is not None:
        return found
    revoked, written = end(deed, found, errand.asker.ref)
    matter = Matter(deed, errand, errand.book(deed), found)
    matter.close(kind=REVOKED, facts=(written,))
    return revoked


def end(deed: Deed, disclosure: DisclosureFact, by: str) -> tuple[DisclosureFact, WrittenFact]:
    """Write the disclosure as revoked now; the caller puts what is returned into the entry of the same deed."""
    revoked = msgspec.structs.replace(disclosure, revoked_by=by, revoked_at=deed.now)
    return revoked, facts.write(deed, DISCLOSURE, disclosure.id, revoked)


def release(deed: Deed, errand: Errand, disclosure: bytes) -> Releasing | Moved:
    """Decide again everything that was granted, and append the entries that release it; the values come out after the commit.

    Raises NotFound, Conflict `not-approved`, `approval-expired`, `disclosure-revoked`, and refusals: `out-of-scope` for who neither asked
    nor approved, `approver-ended` where one of the two does not stand any more, `recipient-key-changed` and what else stands against the
    recipient; `restored-unconfirmed`; Conflict `package-too-large` where the files are too many bytes.
    """
    errand = errand.still(deed)
    found, book = of(deed, disclosure), errand.book(deed)
    matter = Matter(deed, errand, book, found)
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_at is None:
        raise Conflict("not-approved")
    if errand.asker.ref not in {found.requested_by, found.approved_by}:
        raise matter.refusal(DISCLOSE, "OUT_OF_SCOPE", 1)
    if deed.now >= found.approved_at + APPROVAL_LASTS:
        raise Conflict("approval-expired")
    if not all(_stands(matter, ref) for ref in (found.requested_by, found.approved_by)):
        raise matter.refusal(DISCLOSE, "APPROVER_ENDED", 7)
    if book.restoration is not None and book.restoration.is_unconfirmed:
        raise matter.refusal(DISCLOSE, "RESTORED_UNCONFIRMED", 7)
    recipient = _recipient(matter, DISCLOSE)
    order = facts.read(deed, ORDER, found.order) if found.order else None
    weighed = _again(matter, order)
    failing = [one for one in weighed if one is None or not one.verdict.allowed]
    if failing:
        # Nothing of the others is released, so nothing is said of them.
        for one in failing:
            if one is not None:
                enter(deed, errand, one)
        return matter.moved(len(failing))
    files = enclosing.named(deed, errand, [one for one in weighed if one is not None])
    judged = [enter(deed, errand, one) for one in weighed if one is not None]
    documents = enclosing.entered(deed, errand, files)
    sealed = take_sealed(deed, book, judged)
    released = msgspec.structs.replace(found, released=found.released + 1)
    told = (facts.write(deed, DISCLOSURE, found.id, released), *([orders.executed(deed, order)] if order else []))
    matter.tell(kind=RELEASED, facts=told)
    return Releasing(released, recipient, order, book, judged, [sealed[number] for number in range(len(judged))], deed.now, documents)


def receive(deed: Deed, errand: Errand, disclosure: bytes, serial: int, at: int) -> DisclosureFact:
    """Note that the recipient says it received a package; a repeat gives what was noted. Raises NotFound, Invalid by member."""
    errand = errand.still(deed)
    found = of(deed, disclosure)
    if serial > found.released:
        raise Invalid([FieldError("serial", "out-of-range")])
    if found.approved_at is None or not found.approved_at <= at <= deed.now:
        raise Invalid([FieldError("received_at", "out-of-range")])
    if any(each.serial == serial for each in found.received):
        return found
    noted = Arrival(serial=serial, at=at, noted_by=errand.asker.ref, noted_at=deed.now)
    received = msgspec.structs.replace(found, received=(*found.received, noted))
    matter = Matter(deed, errand, errand.book(deed), found)
    matter.tell(kind=RECEIVED, facts=(facts.write(deed, DISCLOSURE, found.id, received),))
    return received


def shown(deed: Deed, errand: Errand, disclosure: bytes) -> DisclosureFact:
    """The disclosure as it stands, for who approves it; the look is an entry. Raises NotFound."""
    errand = errand.still(deed)
    found = of(deed, disclosure)
    Matter(deed, errand, errand.book(deed), found).tell(kind="disclosure.read", basis="law")
    return found


def of(deed: Deed, disclosure: bytes) -> DisclosureFact:
    """The disclosure of this id. Raises NotFound, Unavailable `integrity`."""
    found = facts.read(deed, DISCLOSURE, disclosure.hex())
    if found is None:
        raise NotFound
    return found


def _field_by_field(deed: Deed, errand: Errand, asked: Asked, judge: Callable[[Asked], Weighed]) -> tuple[list[Part], list[Refusal]]:
    """What is granted and refused of one record; an entry for each outcome, and what is granted is judged together as it would leave."""
    record = asked.record.hex()
    whole = judge(asked)
    if whole.verdict.allowed:
        enter(deed, errand, whole)
        return [Part(record=record, fields=asked.fields)], []
    alone = {name: judge(replace(asked, fields=(name,))).heard for name in asked.fields}
    outcomes: dict[tuple[str, str], list[str]] = {}
    for name, heard in alone.items():
        outcomes.setdefault((heard.reason, heard.article), []).append(name)
    judged = [enter(deed, errand, judge(replace(asked, fields=tuple(names)))) for names in outcomes.values()]
    granted = [Part(record=record, fields=one.asked.fields) for one in judged if one.verdict.allowed]
    given = {name for part in granted for name in part.fields}
    return granted, [
        Refusal(record=record, field=name, code=heard.reason.lower().replace("_", "-"), article=heard.article)
        for name, heard in alone.items()
        if name not in given
    ]


def _weighed(deed: Deed, errand: Errand, known: Known, order: OrderFact | None, asked: Asked) -> Weighed:
    """The verdict of this moment; the order counts where it names the record."""
    named = [orders.as_asked(order)] if order is not None and asked.record.hex() in order.records else []
    return weigh(deed, errand, asked, known, named)


def _again(matter: Matter, order: OrderFact | None) -> list[Weighed | None]:
    """The verdict of this moment on everything that was granted, None for a record that is gone. Raises Unavailable `integrity`."""
    deed, found = matter.deed, matter.found
    known = people.of_records(deed, [bytes.fromhex(part.record) for part in found.granted])
    weighed: list[Weighed | None] = []
    for part in found.granted:
        asked = Asked(bytes.fromhex(part.record), "disclose", found.purpose, part.fields, found.recipient, DISCLOSE)
        person = known[asked.record]
        if isinstance(person, Unavailable):
            raise person
        weighed.append(_weighed(deed, matter.errand, person, order, asked) if isinstance(person, Known) else None)
    return weighed


def _stands(matter: Matter, ref: str) -> bool:
    """Whether this person's account stands at this moment: two people answer for what leaves."""
    member = matter.book.staff.get(ref.removeprefix("staff:"))
    return member is not None and is_engaged(member, matter.deed.now)


def _recipient(matter: Matter, kind: str) -> RecipientFact:
    """The recipient, if something can be sealed for it; else the refusal that says why not."""
    found = matter.found
    recipient = matter.book.recipients.get(found.recipient)
    if recipient is None or recipient.revoked_at is not None:
        raise matter.refusal(kind, "UNKNOWN_RECIPIENT", 1)
    if found.key and key_of(recipient) != found.key:
        raise matter.refusal(kind, "RECIPIENT_KEY_CHANGED", 7)
    if not recipient.confirmed_by:
        raise matter.refusal(kind, "RECIPIENT_UNCONFIRMED", 7)
    return recipient
