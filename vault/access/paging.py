"""The pages of an order and of a disclosure that name more records than one deed carries: read one by one, and never all at once.

Invariants: the first page lies in the fact of the order or the disclosure itself, so that one of a single page is what it always was; each
further page is a sealed fact of its own, and one that the whole counts and that is not there is an integrity failure.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from vault.access.shapes import DISCLOSURE_PAGE, ORDER_PAGE, PAGE_OUT, DisclosureFact, DisclosurePage, OrderFact, PageOut, Part
from vault.access_log.deed import Deed
from vault.errors import Conflict, FieldError, Invalid, Unavailable
from vault.rulebook import facts

MOST_PAGES: Final = 40
MOST_ON_A_PAGE: Final = 500
_encode: Final = msgspec.json.Encoder().encode


def place(whole: str, number: int) -> str:
    """Under which key a page of this order or disclosure stands."""
    return f"{whole}.{number}"


def pages_of(found: DisclosureFact) -> int:
    """How many pages a disclosure has."""
    return 1 if found.further is None else found.further.pages


def require_as_seen(seen: int | None, pages: int) -> None:
    """Raise Conflict `pages-unseen` unless who approves means so many pages, one where she says nothing: what counts is what she saw."""
    if pages != (1 if seen is None else seen):
        raise Conflict("pages-unseen")


def grants(found: DisclosureFact) -> bool:
    """Whether a disclosure grants anything, on whatever page."""
    return bool(found.granted) or (found.further is not None and found.further.granted > 0)


def order_page(deed: Deed, order: OrderFact, number: int) -> tuple[str, ...]:
    """The records on one page of an order. Raises Invalid where it has no such page, Unavailable `integrity`."""
    _require(number, order.pages)
    if number == 1:
        return order.records
    found = facts.read(deed, ORDER_PAGE, place(order.id, number))
    if found is None:
        raise Unavailable("integrity")
    return found.records


def named_by(deed: Deed, order: OrderFact, records: Collection[str]) -> frozenset[str]:
    """Which of these records the order names, on whatever page. Raises Unavailable `integrity`."""
    wanted = set(records)
    found = wanted & {*order.records}
    for number in range(2, order.pages + 1):
        if len(found) == len(wanted):
            break
        found |= wanted & {*order_page(deed, order, number)}
    return frozenset(found)


def disclosure_page(deed: Deed, found: DisclosureFact, number: int) -> DisclosurePage:
    """One page of a disclosure. Raises Invalid where it has no such page, Unavailable `integrity`."""
    _require(number, pages_of(found))
    if number == 1:
        return DisclosurePage(disclosure=found.id, number=1, id=found.id, granted=found.granted, refused=found.refused)
    page = facts.read(deed, DISCLOSURE_PAGE, place(found.id, number))
    if page is None:
        raise Unavailable("integrity")
    return page


def each_page(deed: Deed, found: DisclosureFact) -> Iterator[DisclosurePage]:
    """Every page of a disclosure in its turn. Raises Unavailable `integrity`."""
    return (disclosure_page(deed, found, number) for number in range(1, pages_of(found) + 1))


def page_out(deed: Deed, found: DisclosureFact, number: int) -> PageOut | None:
    """When a page left last, and what was left out of it; None for one that never left, and of a disclosure of a single page."""
    return facts.read(deed, PAGE_OUT, place(found.id, number))


def plan_of(before: str, granted: Sequence[Part]) -> str:
    """What a disclosure's pages up to this one grant, as one digest: SHA-256 over the one before and that of this page, in hexadecimal."""
    return hashlib.sha256(bytes.fromhex(before) + hashlib.sha256(_encode(granted)).digest()).hexdigest()


def _require(number: int, pages: int) -> None:
    if number > pages:
        raise Invalid([FieldError("page", "out-of-range")])
