"""The outbox of recalls: which are due, which process has one in hand, and when one that could not be told is tried again.

Invariants: a row is an index to a sealed fact and tells no recipient anything by itself; one in hand is nobody else's until its lease ends,
so that a process that dies loses nothing and two tell nothing twice at once; a recipient is told at its confirmed address only.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, and_, delete, select, update

from vault.access.recall_facts import RECALL, RecallFact
from vault.access.tables import recall_outbox
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.rulebook import facts
from vault.rulebook.book import Book

LEASE: Final = 60_000_000
FIRST_PAUSE: Final = 60_000_000
LONGEST_PAUSE: Final = 6 * 3_600_000_000
AT_ONCE: Final = 1_000
DELIVERED: Final = "recall.delivered"
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Job:
    """One recall in hand: what is told, where to, and how often it was tried before."""

    recall: RecallFact
    address: str
    attempts: int


def claim(deed: Deed, book: Book, busy: Collection[str], only: str | None = None) -> list[Job]:
    """Take in hand the first recall that is due for each recipient who has an address and is not busy; of `only` one where it is given.

    Raises Unavailable `integrity` where a recall's fact does not hold.
    """
    addresses = {code: one.webhook for code, one in book.recipients.items() if one.webhook and one.confirmed_by and one.revoked_at is None}
    wanted = [code for code in addresses if code not in busy and only in {None, code}]
    if not wanted:
        return []
    place = recall_outbox
    due = select(place.c.recall, place.c.recipient, place.c.attempts).where(
        place.c.association_id == deed.association,
        place.c.recipient.in_(wanted),
        place.c.due <= deed.now,
        place.c.claimed_until <= deed.now,
    )
    jobs: dict[str, Job] = {}
    for row in deed.transaction.connection.execute(due.order_by(place.c.due, place.c.recall).limit(AT_ONCE)).all():
        if row.recipient in jobs:
            continue
        recall = facts.read(deed, RECALL, bytes(row.recall).hex())
        if recall is None or not recall.is_open or recall.told_at is not None:
            _drop(deed, bytes(row.recall))
        else:
            # Told to whom the fact names, whatever the row says.
            jobs[row.recipient] = Job(recall, addresses.get(recall.recipient, ""), row.attempts)
            _change(deed, recall, claimed_until=deed.now + LEASE)
    return [job for job in jobs.values() if job.address]


def delivered(deed: Deed, job: Job) -> None:
    """Note that the recipient's system took the message. Raises Unavailable `integrity`."""
    recall = facts.read(deed, RECALL, job.recall.id)
    if recall is None or recall.told_at is not None:
        return
    written = facts.write(deed, RECALL, recall.id, msgspec.structs.replace(recall, told_at=deed.now))
    deed.append(Entry(kind=DELIVERED, outcome="allow", actor=SYSTEM, recipient=recall.recipient, facts=(written,)))
    _drop(deed, bytes.fromhex(recall.id))


def failed(deed: Deed, job: Job) -> None:
    """Put a recall back that could not be told: it is tried again after a minute, then two, four, and so on up to six hours."""
    pause = min(FIRST_PAUSE << min(job.attempts, 10), LONGEST_PAUSE)
    _change(deed, job.recall, claimed_until=0, due=deed.now + pause, attempts=job.attempts + 1)


def settled(deed: Deed, recall: RecallFact) -> None:
    """Tell nobody any more: it was confirmed."""
    _drop(deed, bytes.fromhex(recall.id))


def _change(deed: Deed, recall: RecallFact, **members: int) -> None:
    deed.transaction.connection.execute(update(recall_outbox).where(_row(deed, bytes.fromhex(recall.id))).values(**members))


def _drop(deed: Deed, recall: bytes) -> None:
    deed.transaction.connection.execute(delete(recall_outbox).where(_row(deed, recall)))


def _row(deed: Deed, recall: bytes) -> ColumnElement[bool]:
    return and_(recall_outbox.c.association_id == deed.association, recall_outbox.c.recall == recall)
