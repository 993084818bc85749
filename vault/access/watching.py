"""Looks through new entries of the log by the rules and raises alerts: after the commit of what it looks at, never on the way of a read.

Invariants: an alert and how far the log was looked through are written in one deed, and an alert for an entry before that place is never
raised again: whichever process dies, and however many look, each alert is raised once and none is lost; what is not written down is looked
through again after a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from vault.access.alert_facts import ALERT, OWN, WATCH, AlertFact, WatchFact, in_force, padded
from vault.access.detection import DAY, HOUR, QUESTION, RIYADH_AHEAD, WITHDRAWN, DetectionFact, Finding, Watch, day_of
from vault.access.withholding import cases_of
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, EntryRefused, parse
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.storage.transaction import Transaction

SYSTEM: Final = "system"
RAISED: Final = "alert.raised"
WATCHED: Final = "alerts.watched"
AT_ONCE: Final = 1000
"""Entries that are looked at in one go."""
ROUNDS: Final = 100
"""So many goes there are in one pass; the next pass goes on."""
REMEMBERED: Final = 10_000
"""So many entries are looked through before the place is written down where nothing fired."""


@dataclass(slots=True)
class Watcher:
    """Looks through one association's log, for this process."""

    association: Association
    _watch: Watch | None = None
    _next: int = 0
    _found: list[Finding] = field(default_factory=list)

    async def look_through(self) -> int:
        """Look through what is new and raise what fires; how many alerts. Raises Unavailable, and looks again the next time."""
        raised = 0
        try:
            for _ in range(ROUNDS):
                more, looked_at = await self._round()
                raised += more
                if looked_at < AT_ONCE:
                    break
        except BaseException:
            self._watch = None  # what was found and not written is found again
            raise
        return raised

    async def _round(self) -> tuple[int, int]:
        """Look at the next entries; how many alerts were raised, and how many entries there were."""
        rules, through = await self.association.run(_standing)
        looked_at = await self.association.look(partial(self._go, rules, through))
        if not self._found and self._next - through < REMEMBERED:
            return 0, looked_at
        return await self.association.run(partial(self._raise, self._found, self._next)), looked_at

    def _go(self, rules: DetectionFact, through: int, transaction: Transaction) -> int:
        """Look at the next entries; how many there were."""
        watch = self._watch
        if watch is None or watch.rules != rules:
            watch, self._next = Watch(rules), through
            for number, encoded in _before(transaction, self.association.id, through, rules):
                _see(watch, number, encoded)
        self._found = []
        entries = _entries(transaction, self.association.id, self._next)
        for number, encoded in entries:
            self._next = number + 1
            self._found += _see(watch, number, encoded)
        self._watch = watch
        return len(entries)

    def _raise(self, found: list[Finding], end: int, deed: Deed) -> int:
        """Write the alerts that no other process has written, and how far the log was looked through."""
        stands = facts.read(deed, WATCH, OWN) or WatchFact(through=0)
        fresh = [finding for finding in found if finding.indexes[-1] >= stands.through]
        article = f"{self.association.pack}:7"
        for finding in fresh:
            alert = AlertFact(rule=finding.rule, hand=finding.hand, indexes=finding.indexes, limit=finding.limit, raised_at=deed.now)
            written = facts.write(deed, ALERT, deed.size.to_bytes(16, "big").hex(), padded(alert))
            about = cases_of(deed, finding.indexes)
            deed.append(Entry(kind=RAISED, outcome="error", actor=SYSTEM, about=about, article=article, facts=(written,)))
        if fresh or end - stands.through >= REMEMBERED:
            place = facts.write(deed, WATCH, OWN, WatchFact(through=max(end, stands.through)))
            deed.append(Entry(kind=WATCHED, outcome="allow", actor=SYSTEM, article=article, facts=(place,)))
        return len(fresh)


def _standing(deed: Deed) -> tuple[DetectionFact, int]:
    """The thresholds in force and how far the log was looked through."""
    stands = facts.read(deed, WATCH, OWN)
    return in_force(deed), 0 if stands is None else stands.through


def _entries(transaction: Transaction, association: bytes, first: int, *which: ColumnElement[bool]) -> list[tuple[int, bytes]]:
    """The next entries from a place on, a go of them."""
    place = tables.entry
    query = select(place.c.number, place.c.body).where(place.c.association_id == association, place.c.number >= first, *which)
    rows = transaction.connection.execute(query.order_by(place.c.number).limit(AT_ONCE)).all()
    return [(row.number, row.body) for row in rows]


def _before(transaction: Transaction, association: bytes, through: int, rules: DetectionFact) -> Iterator[tuple[int, bytes]]:
    """The entries before a place that count beside what follows: the last hour's, withdrawals with what came after, the day's questions."""
    place, subject, connection = tables.entry, tables.subject, transaction.connection
    here = (place.c.association_id == association, place.c.number < through)
    newest = connection.execute(select(place.c.time).where(*here).order_by(place.c.number.desc()).limit(1)).scalar()
    if newest is None:
        return
    # A window is one of the clock, so one hour back is enough to begin at the beginning of it; and time never goes back in the log.
    earlier = select(place.c.number).where(*here, place.c.time < newest // HOUR * HOUR)
    last = connection.execute(earlier.order_by(place.c.number.desc()).limit(1)).scalar()
    begins = 0 if last is None else last + 1
    since = newest - rules.hours_after_withdrawal * HOUR
    withdrawn = select(place.c.number).where(*here, place.c.kind == WITHDRAWN, place.c.time >= since)
    people = select(subject.c.subject).where(subject.c.association_id == association, subject.c.number.in_(withdrawn))
    named = select(subject.c.number).where(subject.c.association_id == association, subject.c.subject.in_(people))
    today = day_of(newest) * DAY - RIYADH_AHEAD
    asked = and_(place.c.kind == QUESTION, place.c.time >= today)
    earlier_too = or_(asked, and_(place.c.time >= since, place.c.number.in_(named)))
    yield from _one_by_one(transaction, association, 0, place.c.number < begins, earlier_too)
    yield from _one_by_one(transaction, association, begins, place.c.number < through)


def _one_by_one(transaction: Transaction, association: bytes, first: int, *which: ColumnElement[bool]) -> Iterator[tuple[int, bytes]]:
    """Every entry from a place on for which this holds, in order; no more of them are here at once than one go takes."""
    while some := _entries(transaction, association, first, *which):
        yield from some
        first = some[-1][0] + 1


def _see(watch: Watch, number: int, encoded: bytes) -> list[Finding]:
    """What an entry makes fire; nothing where its bytes are none of ours, which `amanah log verify` names: the others are looked at."""
    try:
        return watch.see(number, parse(bytes(encoded)))
    except (EntryRefused, TypeError, ValueError, AttributeError, OverflowError):
        return []
