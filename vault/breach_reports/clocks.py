"""The clocks of an incident and of the work on reports: pure functions of a moment; hours run through nights and feasts, days do not.

Invariants: what rings is decided by the moment of awareness and by what rang before, never by when somebody looked; a clock that rang
does not ring again, whatever awareness is moved to (implementing regulation 24(1)).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from vault.breach_reports import lifecycle
from vault.breach_reports.incident_lifecycle import open_tracks
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.lifecycle import HOUR, Clock
from vault.breach_reports.shapes import REPLY, Fired, ReportFact
from vault.web.times import RIYADH

MARKS: Final = (24, 48, 60, 66, 71, 72)
"""Hours after awareness at which a clock rings; the last is the end of the time to tell the authority."""
ACKNOWLEDGED_WITHIN: Final = 2
"""Working days within which a person says that she looks at a report."""
WEEKEND: Final = frozenset({4, 5})
"""Friday and Saturday, as `date.weekday` counts."""
TRIAGED_WITHIN: Final = 24 * HOUR
"""Hours through nights and feasts within which a report is judged: that leaves the authority's 72 their room."""
ANSWERED_WITHIN: Final = 30 * 24 * HOUR
"""Days within which the reporter has an answer."""
Work = Literal["triage", "answer"]


@dataclass(frozen=True, slots=True)
class WorkClock:
    """A clock of the work on one report: what is to be done, and by when."""

    work: Work
    due_at: int

    @property
    def hours(self) -> int:
        """How many hours there are for it."""
        return (TRIAGED_WITHIN if self.work == "triage" else ANSWERED_WITHIN) // HOUR


@dataclass(frozen=True, slots=True)
class Due:
    """A clock that is to ring: so many hours after awareness, at this moment."""

    hours: int
    at: int


def marks(within: int) -> tuple[int, ...]:
    """The hours at which clocks ring where the authority is told within `within` hours: the usual ones before that, and that."""
    return (*(mark for mark in MARKS if mark < within), within)


def clock(fact: IncidentFact, within: int) -> Clock | None:
    """The time to tell the authority, None once that track is settled; provisional until two people have agreed on the awareness."""
    if "authority" not in open_tracks(fact):
        return None
    return Clock(fact.aware_at, fact.aware_at + within * HOUR, provisional=not fact.aware_confirmed)


def due(fact: IncidentFact, within: int, now: int) -> list[Due]:
    """The clocks that are to ring by now and have not rung, the earliest first; none where nothing is left to be told to anybody."""
    if not open_tracks(fact):
        return []
    return _due(fact.aware_at, fact.fired, within, now)


def authority_due(fact: ReportFact, within: int, now: int) -> list[Due]:
    """Those of the time to tell the authority of a report that was judged a breach, while it is in no incident whose clocks ring."""
    running = lifecycle.clock(fact, within)
    return [] if running is None or running.provisional else _due(running.aware_at, fact.authority_fired, within, now)


def _due(aware_at: int, fired: Iterable[Fired], within: int, now: int) -> list[Due]:
    rung_ = {each.hours for each in fired}
    every = [Due(mark, aware_at + mark * HOUR) for mark in marks(within) if mark not in rung_]
    return [each for each in every if each.at <= now]


def of_report(fact: ReportFact) -> list[WorkClock]:
    """The clocks that run for the work on a report, the earliest first.

    The one to judge it ends with triage, dismissal or an incident; the one to answer with the first reply, or the dismissal, which its
    reporter is shown as closed. A report in quarantine is looked at with its like and has neither (ADR 0031).
    """
    if fact.state in {"quarantined", "dismissed"}:
        return []
    judged = fact.state == "triaged" or bool(fact.incident)
    answered = any(part.kind == REPLY for part in fact.parts)
    running = [] if judged else [WorkClock("triage", fact.arrived_at + TRIAGED_WITHIN)]
    return running if answered else [*running, WorkClock("answer", fact.arrived_at + ANSWERED_WITHIN)]


def work_due(fact: ReportFact, now: int) -> list[WorkClock]:
    """The clocks of a report that are to ring by now and have not rung."""
    rung_ = {each.work for each in fact.fired}
    return [each for each in of_report(fact) if each.due_at <= now and each.work not in rung_]


def rung(due_: Due, now: int) -> Fired:
    """That this clock rang now."""
    return Fired(due_.hours, due_.at, now)


def working_deadline(since: int, days: int, holidays: Collection[date] = ()) -> int:
    """The end of the day that is so many working days (Sunday to Thursday, by Riyadh's calendar) after that of `since`, exclusive."""
    day = datetime.fromtimestamp(since // 1_000_000, UTC).astimezone(RIYADH).date()
    while days:
        day += timedelta(days=1)
        days -= day.weekday() not in WEEKEND and day not in holidays
    end = datetime(day.year, day.month, day.day, tzinfo=RIYADH) + timedelta(days=1)
    return int(end.timestamp()) * 1_000_000
