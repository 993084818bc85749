"""Disclosures: asked for and decided field by field, approved by another person, and decided again in the deed that releases.

Invariants: a third party gets data on a written consent that names it or on an order, and on nothing else; what is released is exactly what
was granted, and only while all of it still holds; a package is sealed to the key that was confirmed when the disclosure was approved; once
a disclosure is revoked no package leaves on it, after a restore neither.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

import msgspec

from vault.access import orders
from vault.access.approving import Approver
from vault.access.paging import disclosure_page, grants, named_by, page_out, pages_of, require_as_seen
from vault.access.shapes import DISCLOSURE, ORDER, Arrival, DisclosureFact, DisclosurePage, OrderFact, PageOut, Part, Refusal
from vault.access.verdicts import Asked, Weighed, enter, weigh
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.identity.recipients import key_of
from vault.policy.facts import Order
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecipientFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects.people import Known

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


@dataclass(frozen=True, slots=True)
class Covering:
    """The order that verdicts may rest on, and which of the records asked about it names."""

    order: Order | None = None
    records: frozenset[str] = frozenset()

    @classmethod
    def of(cls, deed: Deed, order: OrderFact | None, records: Sequence[str], *, under_way: bool = False) -> "Covering":
        """What this order covers of these records. Raises Unavailable `integrity`."""
        if order is None:
            return cls()
        return cls(orders.as_asked(order, under_way=under_way), named_by(deed, order, records))

    def weighed(self, deed: Deed, errand: Errand, known: Known, asked: Asked) -> Weighed:
        """The verdict of this moment; the order counts where it names the record."""
        named = [self.order] if self.order is not None and asked.record.hex() in self.records else []
        return weigh(deed, errand, asked, known, named)


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
    granted, refused = decided(deed, errand, wanted, named)
    made = os.urandom(16)
    disclosure = DisclosureFact(
        id=made.hex(),
        basis=wanted.basis,
        recipient=wanted.recipient,
        purpose=wanted.purpose,
        granted=granted,
        refused=refused,
        requested_by=errand.asker.ref,
        requested_at=deed.now,
        order=wanted.order.hex() if wanted.order else "",
    )
    written = facts.write(deed, DISCLOSURE, disclosure.id, disclosure)
    Matter(deed, errand, book, disclosure).tell(kind=REQUESTED, facts=(written,))
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return disclosure


def decided(deed: Deed, errand: Errand, wanted: Wanted, named: Sequence[Known]) -> tuple[tuple[Part, ...], tuple[Refusal, ...]]:
    """What is granted and refused of what is wanted of these people, each outcome an entry; nothing leaves on it yet."""
    order = facts.read(deed, ORDER, wanted.order.hex()) if wanted.order else None
    covers = Covering.of(deed, order, [record.hex() for record in wanted.records])
    parts: list[Part] = []
    refused: list[Refusal] = []
    for record, known in zip(wanted.records, named, strict=True):
        asked = Asked(record, "disclose", wanted.purpose, wanted.fields, wanted.recipient, DECIDED)
        given, not_given = _field_by_field(deed, errand, asked, partial(covers.weighed, deed, errand, known))
        parts += given
        refused += not_given
    return tuple(parts), tuple(refused)


def approve(
    deed: Deed, approver: Approver, disclosure: bytes, bars: tuple[str, ...] | None = None, seen: int | None = None
) -> DisclosureFact:
    """Approve what another person asked for, for the recipient's key as it is confirmed now.

    `bars` are those of law 16 that stand against it, by the approver's judgment: where there is one, the disclosure ends instead.
    `seen` are the pages she was shown. Raises NotFound, Invalid for bars where an authority ordered it, Conflict `nothing-granted`,
    `disclosure-revoked`, `pages-unseen`, `bars-unsaid` for one of several pages on consents where she says nothing of the bars, or where
    it is approved, TooMany, and refusals: `same-person`, `step-up-required`, and what stands against the recipient (`unknown-recipient`,
    `recipient-unconfirmed`).
    """
    approver = approver.still(deed)
    found = of(deed, disclosure)
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_by:
        raise Conflict
    require_as_seen(seen, pages_of(found))
    if not grants(found):
        raise Conflict("nothing-granted")
    if bars is not None and found.basis == "order":
        raise Invalid([FieldError("bars", "out-of-range")])
    if bars is None and found.basis != "order" and found.further is not None:
        # Nobody is silent on what stands against giving thousands of people's data away.
        raise Conflict("bars-unsaid")
    matter = Matter(deed, approver.errand, approver.errand.book(deed), found)
    if bars:
        approval = approver.approve(deed, found.requested_by, BARRED)
        barred, written = end(deed, msgspec.structs.replace(found, bars=bars), approver.caller.ref)
        matter.close(kind=BARRED, facts=(*approval.facts, written), law=LAW_OF_BARS, flags=approval.flags)
        return barred
    recipient = recipient_of(matter, APPROVED)
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


def receive(deed: Deed, errand: Errand, disclosure: bytes, serial: int, at: int) -> DisclosureFact:
    """Note that the recipient says it received a package; a repeat gives what was noted. Raises NotFound, Invalid by member."""
    errand = errand.still(deed)
    found = of(deed, disclosure)
    left = serial <= found.released if found.further is None else page_out(deed, found, serial) is not None
    if not left:
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


def shown_page(deed: Deed, errand: Errand, disclosure: bytes, number: int) -> tuple[DisclosureFact, DisclosurePage, PageOut | None]:
    """The same with one of its pages, and when that left where there are several. Raises NotFound, Invalid where there is no such page."""
    found = shown(deed, errand, disclosure)
    return found, disclosure_page(deed, found, number), page_out(deed, found, number)


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


def recipient_of(matter: Matter, kind: str) -> RecipientFact:
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
