"""How often what happened, day by day: counts out of the log's projection, for the month that a board is told of.

Invariants: counts only; the entry of the reading is committed before anything is counted; what is about a case the reader is excluded from
is counted on no day.
"""

from dataclasses import dataclass

from sqlalchemy import func, select

from vault.access.withholding import count, hidden_from, open_only
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.rulebook.asker import Errand
from vault.storage.transaction import Transaction

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Tally:
    """So many entries of one kind and outcome on one day (0 for the first), for one purpose and with one reason."""

    day: int
    kind: str
    outcome: str
    purpose: str | None
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What the reading leaves out: the cases its reader is excluded from, and how many entries of the whole log name one of them."""

    hidden: tuple[bytes, ...]
    withheld: int


def note(deed: Deed, errand: Errand) -> Noted:
    """Append the entry of the reading that follows. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    hidden = hidden_from(deed, errand.asker)
    deed.append(errand.entry(kind="access_log.read", outcome="allow", basis="law"))
    return Noted(hidden, count(deed, hidden))


def tallies(transaction: Transaction, association: bytes, since: int, until: int, hidden: tuple[bytes, ...] = ()) -> list[Tally]:
    """The counts from one moment up to another, in microseconds UTC; a look beside the queue of deeds, since a month may be long."""
    place = tables.entry
    day = ((place.c.time - since) // DAY).label("day")
    grouped = (day, place.c.kind, place.c.outcome, place.c.purpose, place.c.reason)
    query = (
        select(*grouped, func.count().label("count"))
        .where(place.c.association_id == association, place.c.time >= since, place.c.time < until, *open_only(hidden))
        .group_by(*grouped)
    )
    rows = transaction.connection.execute(query).all()
    found = [Tally(int(row.day), row.kind, row.outcome, row.purpose, row.reason, row[5]) for row in rows]
    return sorted(found, key=lambda each: (each.day, each.kind, each.outcome, each.purpose or "", each.reason or ""))
