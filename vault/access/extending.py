"""Orders and disclosures that name more people than one deed carries: page by page, each of at most 500 records, before the approval.

Invariants: only who registered or asked may add a page, and only while nobody approved, so that what the second person approves is the
whole; no record stands on two pages; each page is an entry that names its people, and a disclosure's page is decided field by field as its
first one was, on the order or on what each person agreed to.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from vault.access import disclosures, orders
from vault.access.disclosures import Matter, Wanted
from vault.access.orders import EXTENDED
from vault.access.paging import MOST_PAGES, each_page, named_by, pages_of, place, plan_of
from vault.access.shapes import (
    DISCLOSURE,
    DISCLOSURE_PAGE,
    ORDER,
    ORDER_PAGE,
    DisclosureFact,
    DisclosurePage,
    Further,
    OrderFact,
    OrderPage,
)
from vault.access_log.deed import Deed, EntryRefusal
from vault.errors import Conflict, FieldError, Gone, Invalid
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.storage.idempotency import Once, made_before, remember

Page = TypeVar("Page", OrderPage, DisclosurePage)
ADDED: Final = "disclosure.extended"
PLAN_BEGINS: Final = "00" * 32
"""Where the plan of an order's disclosure begins; one on consents begins at random, so that nobody tries whether somebody was on it."""


def extend_order(deed: Deed, errand: Errand, order: bytes, records: Sequence[bytes], once: Once | None) -> tuple[OrderFact, int]:
    """Let an order name further records, on a page of their own; the order and the page's number. A repeat gives the page it made.

    Raises NotFound, Conflict `order-revoked` or where it is approved, Invalid by member, and a refusal `out-of-scope` for who did not
    register it.
    """
    errand = errand.still(deed)
    found = orders.of(deed, order)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return found, _order_page_made(deed, found, made)
    book = errand.book(deed)
    if errand.asker.ref != found.registered_by:
        raise _not_hers(errand, EXTENDED, f"{book.association.pack}:1", found.id)
    if found.revoked_at is not None:
        raise Conflict("order-revoked")
    if found.approved_by:
        raise Conflict
    named = orders.everybody(deed, records)
    written = [record.hex() for record in records]
    _require_new(written, named_by(deed, found, written))
    page = OrderPage(order=found.id, number=_next(found.pages), id=os.urandom(16).hex(), records=tuple(written))
    extended = msgspec.structs.replace(found, pages=page.number, further=found.further + len(written))
    orders.add_to_index(deed, order, records)
    told = errand.entry(
        kind=EXTENDED,
        outcome="allow",
        fields=found.fields,
        recipient=found.recipient,
        article=f"{book.association.pack}:{orders.ARTICLE}",
        order=found.id,
        facts=(facts.write(deed, ORDER_PAGE, place(found.id, page.number), page), facts.write(deed, ORDER, found.id, extended)),
        flags=errand.asker.flags,
    )
    orders.tell_of(deed, told, records, named)
    if once is not None:
        remember(deed.transaction, deed.association, once, bytes.fromhex(page.id), orders.CREATED)
    return extended, page.number


def extend_disclosure(
    deed: Deed, errand: Errand, disclosure: bytes, records: Sequence[bytes], once: Once | None
) -> tuple[DisclosureFact, DisclosurePage]:
    """Decide the same disclosure for further records, on a page of their own; a repeat gives the page it made.

    Raises NotFound, Conflict `disclosure-revoked` or where it is approved, Invalid by member, and a refusal `out-of-scope` for who did not
    ask for it.
    """
    errand = errand.still(deed)
    found = disclosures.of(deed, disclosure)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return found, _the_one(each_page(deed, found), made)
    matter = Matter(deed, errand, errand.book(deed), found)
    if errand.asker.ref != found.requested_by:
        raise matter.refusal(ADDED, "OUT_OF_SCOPE", 1)
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_by:
        raise Conflict
    number, named = _next(pages_of(found)), orders.everybody(deed, records)
    written = [record.hex() for record in records]
    _require_new(written, _asked_before(deed, found, {*written}))
    wanted = Wanted(
        basis=found.basis,
        order=bytes.fromhex(found.order) if found.order else None,
        recipient=found.recipient,
        records=tuple(records),
        fields=_fields(found),
        purpose=found.purpose,
    )
    granted, refused = disclosures.decided(deed, errand, wanted, named)
    page = DisclosurePage(disclosure=found.id, number=number, id=os.urandom(16).hex(), granted=granted, refused=refused)
    extended = msgspec.structs.replace(found, further=_further(found, page))
    told = (facts.write(deed, DISCLOSURE_PAGE, place(found.id, number), page), facts.write(deed, DISCLOSURE, found.id, extended))
    matter.tell(kind=ADDED, facts=told, count=len(granted))
    if once is not None:
        remember(deed.transaction, deed.association, once, bytes.fromhex(page.id), disclosures.CREATED)
    return extended, page


def _further(found: DisclosureFact, page: DisclosurePage) -> Further:
    """What the disclosure's pages behind the first come to with this one."""
    begins = PLAN_BEGINS if found.basis == "order" else os.urandom(32).hex()
    before = found.further or Further(pages=1, granted=0, refused=0, fields=(), plan=plan_of(begins, found.granted))
    return Further(
        pages=page.number,
        granted=before.granted + len(page.granted),
        refused=before.refused + len(page.refused),
        fields=tuple(sorted({*before.fields, *(name for part in page.granted for name in part.fields)})),
        plan=plan_of(before.plan, page.granted),
    )


def _fields(found: DisclosureFact) -> tuple[str, ...]:
    """The fields the disclosure was asked for: of every record each of them is granted or refused."""
    return tuple(sorted({name for part in found.granted for name in part.fields} | {one.field for one in found.refused}))


def _asked_before(deed: Deed, found: DisclosureFact, written: set[str]) -> frozenset[str]:
    """Which of these records stand on a page that is there already; the pages are looked at one by one."""
    there: frozenset[str] = frozenset()
    for page in each_page(deed, found):
        there |= written & _records(page)
    return there


def _records(page: DisclosurePage) -> set[str]:
    return {part.record for part in page.granted} | {one.record for one in page.refused}


def _require_new(written: Sequence[str], there: frozenset[str]) -> None:
    again = [FieldError(f"records.{number}", "out-of-range") for number, record in enumerate(written) if record in there]
    if again:
        raise Invalid(again)


def _next(pages: int) -> int:
    if pages >= MOST_PAGES:
        raise Invalid([FieldError("records", "out-of-range")])
    return pages + 1


def _not_hers(errand: Errand, kind: str, article: str, order: str) -> EntryRefusal:
    return EntryRefusal(errand.entry(kind=kind, outcome="refuse", reason="OUT_OF_SCOPE", article=article, order=order))


def _order_page_made(deed: Deed, found: OrderFact, made: bytes) -> int:
    pages = (facts.read(deed, ORDER_PAGE, place(found.id, number)) for number in range(2, found.pages + 1))
    return _the_one((page for page in pages if page is not None), made).number


def _the_one(pages: Iterable[Page], made: bytes) -> Page:
    """The page that an earlier request of the same key made. Raises Gone where it is none of these."""
    found = next((page for page in pages if page.id == made.hex()), None)
    if found is None:
        raise Gone
    return found
