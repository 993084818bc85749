"""What keeps classes of a person's data from being destroyed alone: an order that names a field of them, and what is to leave on it.

Invariants: which orders and disclosures name her is taken from the log's own entries, so that no row taken out of an index lets data go
that an authority waits for; what has run out, was revoked or can give nothing any more holds nothing.
"""

from collections.abc import Collection, Iterator
from typing import Final

from sqlalchemy import Select, and_, func, select

from vault.access.disclosures import APPROVAL_LASTS, DECIDED, REQUESTED
from vault.access.extending import ADDED
from vault.access.orders import EXTENDED, REGISTERED
from vault.access.paging import each_page, named_by
from vault.access.shapes import DISCLOSURE, ORDER, DisclosureFact, OrderFact
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, EntryRefused, parse
from vault.errors import Conflict, Unavailable
from vault.policy.facts import Caller
from vault.rulebook import facts
from vault.subjects.people import Known

UNDER_ORDER: Final = "classes-under-order"
UNDER_DISCLOSURE: Final = "classes-under-disclosure"
UNSAID: Final = "classes-in-use"


def require_free(deed: Deed, known: Known, fields: Collection[str], hearing: Caller) -> None:
    """Raise Conflict where an order in force, or one that awaits approval, names one of these fields of a record of hers.

    The code is `classes-under-disclosure` where something is to leave on the order, else `classes-under-order`; who may not hear of orders
    hears `classes-in-use`. Raises Unavailable `integrity`.
    """
    records = set(known.sheet.records) if known.sheet is not None else set()
    named = [one for one in _orders(deed, known.subject) if {*fields} & {*one.fields} and named_by(deed, one, records)]
    holding = {one.id for one in named if _holds(deed, one)}
    if not holding:
        return
    leaving = any(one.order in holding and _is_open(deed, one, records, fields) for one in _disclosures(deed, known.subject))
    raise Conflict((UNDER_DISCLOSURE if leaving else UNDER_ORDER) if hearing.sees_reasons or hearing.may_ask_orders else UNSAID)


def _holds(deed: Deed, order: OrderFact) -> bool:
    """Whether the order is in force or may come to be: registered or approved, not revoked, not run out."""
    return order.revoked_at is None and deed.now < order.valid_to


def _is_open(deed: Deed, disclosure: DisclosureFact, records: Collection[str], fields: Collection[str]) -> bool:
    """Whether the disclosure may still give one of these fields: granted, and waiting for approval or within the time that lasts."""
    lasts = disclosure.approved_at is None or deed.now < disclosure.approved_at + APPROVAL_LASTS
    return (
        disclosure.revoked_at is None
        and lasts
        and any(part.record in records and {*fields} & {*part.fields} for page in each_page(deed, disclosure) for part in page.granted)
    )


def _orders(deed: Deed, subject: bytes) -> Iterator[OrderFact]:
    """Every order that was ever registered for a record of hers."""
    place, about = log_tables.entry, log_tables.subject
    same = and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number)
    hers = (about.c.association_id == deed.association, about.c.subject == subject, place.c.kind.in_((REGISTERED, EXTENDED)))
    for entry in _parsed(deed, select(place.c.body).select_from(place.join(about, same)).where(*hers).order_by(place.c.number)):
        order = facts.read(deed, ORDER, entry.order or "")
        if order is None:
            raise Unavailable("integrity")
        yield order


def _disclosures(deed: Deed, subject: bytes) -> Iterator[DisclosureFact]:
    """Every disclosure that something of hers was granted for; a verdict does not name it, the entry of the request right after it does."""
    decided, about, asked = log_tables.entry, log_tables.subject, log_tables.entry.alias()
    same = and_(about.c.association_id == decided.c.association_id, about.c.number == decided.c.number)
    follows = (asked.c.association_id == decided.c.association_id, asked.c.kind.in_((REQUESTED, ADDED)), asked.c.number > decided.c.number)
    next_ = select(func.min(asked.c.number)).where(*follows).correlate(decided).scalar_subquery()
    hers = (about.c.association_id == deed.association, about.c.subject == subject)
    granted = select(next_).select_from(decided.join(about, same)).where(*hers, decided.c.kind == DECIDED, decided.c.outcome == "allow")
    numbers = {number for number in deed.transaction.connection.execute(granted).scalars() if number is not None}
    place = log_tables.entry
    bodies = select(place.c.body).where(place.c.association_id == deed.association, place.c.number.in_(sorted(numbers)))
    for entry in _parsed(deed, bodies.order_by(place.c.number)):
        for told in (one for one in entry.facts if one.kind == DISCLOSURE.name):
            found = facts.read(deed, DISCLOSURE, told.key)
            if found is None:
                raise Unavailable("integrity")
            yield found


def _parsed(deed: Deed, bodies: Select[bytes]) -> Iterator[Entry]:
    for body in deed.transaction.connection.execute(bodies).scalars().all():
        try:
            yield parse(bytes(body)).entry
        except EntryRefused as error:
            raise Unavailable("integrity") from error
