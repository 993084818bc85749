"""Orders of judicial and regulatory authorities (article 4): registered by one officer, approved by another, revoked by one alone.

Invariants: an order opens exactly what it names; it counts once a second person approved it; whose paper and number it is stands in its
sealed fact and nowhere else; the index from a record to its orders can lose one and never make one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Select, insert, select, type_coerce
from sqlalchemy.types import NullType

from vault.access import paper_seen
from vault.access.approving import Approver
from vault.access.paging import named_by, order_page, require_as_seen
from vault.access.shapes import ORDER, OrderFact
from vault.access.tables import order_record
from vault.access.verdicts import Asked
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.facts import Order
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.people import Known

CREATED: Final = 201
ARTICLE: Final = 4
AUTHORITY: Final = "authority"
REGISTERED: Final = "order.registered"
EXTENDED: Final = "order.extended"
_APPROVED: Final = "order.approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order as it was received; ids of 16 bytes, times in microseconds UTC, the end exclusive."""

    authority: str
    kind: Literal["judicial", "regulatory"]
    number: str
    issued_on: str
    recipient: str
    records: tuple[bytes, ...]
    fields: tuple[str, ...]
    valid_from: int
    valid_to: int
    document_sha256: str
    statute: str = ""
    uses: int | None = None
    secret: bool = False


def register(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> OrderFact:
    """Write an order down; it opens nothing yet. A repeat of the same request gives the one it made.

    Raises Invalid by member: an unknown recipient or one that is no authority, an unknown record or field, an end that is no end; Conflict
    `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return of(deed, made)
    book = errand.book(deed)
    recipient = book.recipients.get(wanted.recipient)
    if recipient is None or recipient.revoked_at is not None:
        raise Invalid([FieldError("recipient", "unknown-recipient")])
    if recipient.kind != AUTHORITY:
        raise Invalid([FieldError("recipient", "no-authority")])
    if not max(wanted.valid_from, deed.now) < wanted.valid_to:
        raise Invalid([FieldError("valid_to", "out-of-range")])
    named = everybody(deed, wanted.records)
    require_fields(book, wanted.fields, wanted.records, named)
    made = os.urandom(16)
    members = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    records = tuple(record.hex() for record in wanted.records)
    order = OrderFact(**{**members, "records": records}, id=made.hex(), registered_by=errand.asker.ref, registered_at=deed.now)
    add_to_index(deed, made, wanted.records)
    told = errand.entry(
        kind=REGISTERED,
        outcome="allow",
        fields=wanted.fields,
        recipient=wanted.recipient,
        article=f"{book.association.pack}:{ARTICLE}",
        order=order.id,
        facts=(facts.write(deed, ORDER, order.id, order),),
        flags=errand.asker.flags,
    )
    tell_of(deed, told, wanted.records, named)
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return order


def tell_of(deed: Deed, told: Entry, records: Sequence[bytes], named: Sequence[Known]) -> None:
    """Append the entry with all it names, and a further one without its facts for each further record of a person: each names her once."""
    rounds: list[list[About]] = []
    turns: dict[bytes, int] = {}
    for record, known in zip(records, named, strict=True):
        turn = turns[known.subject] = turns.get(known.subject, -1) + 1
        rounds += [[]] if turn == len(rounds) else []
        rounds[turn].append(About(known.subject, record))
    for turn, about in enumerate(rounds):
        deed.append(replace(told, about=tuple(about), facts=() if turn else told.facts))


def add_to_index(deed: Deed, order: bytes, records: Sequence[bytes]) -> None:
    """Write down that the order names these records."""
    places = [{"association_id": deed.association, "record": record, "order_id": order} for record in records]
    deed.transaction.connection.execute(insert(order_record), places)


def approve(deed: Deed, approver: Approver, order: bytes, sha256: str | None = None, seen: int | None = None) -> OrderFact:
    """Approve an order that another person registered: from this answer on it counts. `sha256` is what she says of its paper.

    `seen` are the pages she was shown. Raises NotFound, Conflict `order-revoked`, `paper-unseen`, `pages-unseen` or where it is approved,
    Invalid `evidence-mismatch`, refusals `same-person` and `step-up-required`, TooMany.
    """
    approver = approver.still(deed)
    found = of(deed, order)
    if found.revoked_at is not None:
        raise Conflict("order-revoked")
    if found.approved_by:
        raise Conflict
    require_as_seen(seen, found.pages)
    paper_seen.require(deed, found, approver.caller.ref, sha256)
    approval = approver.approve(deed, found.registered_by, _APPROVED)
    approved = msgspec.structs.replace(found, approved_by=approver.caller.ref, approved_at=deed.now)
    told = approver.errand.entry(
        kind=_APPROVED,
        outcome="allow",
        recipient=found.recipient,
        order=found.id,
        facts=(*approval.facts, facts.write(deed, ORDER, found.id, approved)),
        flags=approval.flags,
    )
    deed.append(told)
    return approved


def revoke(deed: Deed, errand: Errand, order: bytes) -> OrderFact:
    """Revoke an order: from this answer on nothing is given on it. Raises NotFound."""
    errand = errand.still(deed)
    found = of(deed, order)
    if found.revoked_at is not None:
        return found
    revoked, written = end(deed, found)
    told = errand.entry(kind="order.revoked", outcome="allow", order=found.id, facts=(written,), flags=errand.asker.flags)
    deed.append(told, closes=Closing("order", found.id))
    return revoked


def end(deed: Deed, order: OrderFact) -> tuple[OrderFact, WrittenFact]:
    """Write the order as revoked now; the caller puts what is returned into the entry of the same deed."""
    revoked = msgspec.structs.replace(order, revoked_at=deed.now)
    return revoked, facts.write(deed, ORDER, order.id, revoked)


def executed(deed: Deed, order: OrderFact) -> WrittenFact:
    """Write that a package left on the order; with the last of its uses it is spent from now on. The caller puts it into the entry."""
    count = order.executed + 1
    spent = deed.now if order.uses is not None and count >= order.uses else None
    return facts.write(deed, ORDER, order.id, msgspec.structs.replace(order, executed=count, spent_at=spent))


def shown(deed: Deed, errand: Errand, order: bytes, page: int = 1) -> tuple[OrderFact, tuple[str, ...]]:
    """The order as it stands, and the records on one of its pages, for who approves it; the look is an entry.

    Raises NotFound, Invalid where it has no such page.
    """
    errand = errand.still(deed)
    found = of(deed, order)
    records = order_page(deed, found, page)
    deed.append(errand.entry(kind="order.read", outcome="allow", order=found.id, basis="law"))
    return found, records


def of(deed: Deed, order: bytes) -> OrderFact:
    """The order of this id. Raises NotFound, Unavailable `integrity`."""
    found = facts.read(deed, ORDER, order.hex())
    if found is None:
        raise NotFound
    return found


def naming(deed: Deed, errand: Errand, asked: Asked) -> list[Order]:
    """The orders that name the record of a question, where it is about orders and the asker may ask about them; else none."""
    purpose = errand.book(deed).purposes.get(asked.purpose)
    if purpose is None or purpose.basis != "order" or not errand.asker.asker.may_ask_orders:
        return []
    # Without SQLAlchemy's types: whatever lies in the index shall reach the comparison.
    query: Select[Any] = select(type_coerce(order_record.c.order_id, NullType())).where(
        order_record.c.association_id == deed.association, order_record.c.record == asked.record
    )
    listed = [bytes(found) for found in deed.transaction.connection.execute(query).scalars() if isinstance(found, bytes)]
    told = [facts.read(deed, ORDER, order.hex()) for order in sorted(listed)]
    return [as_asked(one) for one in told if one is not None and named_by(deed, one, [asked.record.hex()])]


def as_asked(order: OrderFact, *, under_way: bool = False) -> Order:
    """The order as a verdict takes it; what is revoked or spent has run out, but for the pages of an execution that is under way."""
    spent_at = None if under_way else order.spent_at
    end_ = min(end for end in (order.valid_to, order.revoked_at, spent_at) if end is not None)
    return Order(order.id, order.kind, order.recipient, frozenset(order.fields), order.valid_from, end_, bool(order.approved_by))


def told_of(deed: Deed, book: Book) -> Callable[[Entry], bool]:
    """Whether a person is told of an entry about her: not of what names an order that demands secrecy, nor of a question by such an order.

    A refused question names no order, so of who has such an order the person is told of no question about orders. Raises Unavailable.
    """
    known = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ORDER)
    secret = {id_: order.recipient for id_, order in known.items() if order.secret}
    parties, asked = frozenset(secret.values()), {code for code, purpose in book.purposes.items() if purpose.basis == "order"}

    def told(entry: Entry) -> bool:
        if entry.order is not None:
            return entry.order not in secret
        return not (entry.purpose in asked and entry.recipient in parties)

    return told


def everybody(deed: Deed, records: Sequence[bytes]) -> list[Known]:
    """The person of every record, in order. Raises Invalid naming the first that is nobody's here, Unavailable `integrity`."""
    found = people.of_records(deed, records)
    known = []
    for number, record in enumerate(records):
        one = found[record]
        if isinstance(one, NotFound):
            raise Invalid([FieldError(f"records.{number}", "unknown-record")])
        if isinstance(one, Exception):
            raise one
        known.append(one)
    return known


def require_fields(book: Book, fields: Sequence[str], records: Sequence[bytes], named: Sequence[Known]) -> None:
    """Check that each field belongs to the type of one of the records at least. Raises Invalid, by number and never by name."""
    types = {known.sheet.records[record.hex()].type for record, known in zip(records, named, strict=True) if known.sheet is not None}
    known = {field.name for name in types for field in book.types[name].fields}
    unknown = [FieldError(f"fields.{number}", "unknown-field") for number, name in enumerate(fields) if name not in known]
    if unknown:
        raise Invalid(unknown)
