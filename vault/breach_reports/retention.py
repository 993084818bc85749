"""How long a report or an incident is kept after it was closed, and what stops its destruction: pure functions of the facts and the moment.

Invariants: a report that is linked goes with its incident and never alone; nothing goes whose matter is open, whose clock still runs, or on
which a legal hold stands, its own or that of a case it is linked with. Source: reference on breach reports, 3.12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from vault.breach_reports import clocks
from vault.breach_reports.incident_lifecycle import OVER, open_tracks
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.lifecycle import HOUR, in_riyadh
from vault.breach_reports.shapes import MESSAGE, Hold, ReportFact
from vault.errors import Conflict
from vault.rulebook.pinned import months_after
from vault.web.times import RIYADH

DISMISSED: Final = "breach_dismissed"
INCIDENT: Final = "breach_incident"
MONTHS: Final[Mapping[str, int]] = {DISMISSED: 12, INCIDENT: 60}
"""Months after a case was closed, where the pack names no others: five years as for records of processing (regulation 33(1))."""
LEAST: Final[Mapping[str, int]] = {DISMISSED: 1, INCIDENT: 60}
"""No pack keeps them for less: what documents a breach is not made to vanish by a change of the pack (regulation 24(3))."""
SPAM: Final = timedelta(days=14)
SHORTEST: Final = "spam"
"""The outcome that is kept for the shortest time."""
SOON: Final = 30 * 24 * HOUR
"""So long before it is due a case is told as due soon."""
What = Literal["report", "incident"]
Stop = Literal["", "legal-hold", "clock-open"]


class HoldState(Conflict):
    """A hold stands already or stands in the way, or none does that this could be said of."""

    code = "hold-state"


@dataclass(frozen=True, slots=True)
class Term:
    """A case that is closed: when it was, the first moment at which it may be destroyed, and what stops that ("" for nothing).

    `cases` are the ids (hex) of all that go with it, itself first.
    """

    what: What
    id: str
    reference: str
    closed_at: int
    due_at: int
    stop: Stop
    cases: tuple[str, ...]
    excluded: frozenset[str]

    def is_due(self, now: int) -> bool:
        """Whether it may be destroyed now."""
        return not self.stop and self.due_at <= now


def terms(reports: Mapping[str, ReportFact], incidents: Mapping[str, IncidentFact], months: Mapping[str, int]) -> list[Term]:
    """Every case that is closed, by when it is due; of reports that are linked their incident alone."""
    alone = (_of_report(fact, months) for fact in reports.values() if not fact.incident)
    found = [*alone, *(_of_incident(fact, reports, months) for fact in incidents.values())]
    return sorted((each for each in found if each is not None), key=lambda each: (each.due_at, each.id))


def due_at(what: What, closed: int, outcome: str, months: Mapping[str, int]) -> int:
    """The first moment at which a case that was closed then, with this outcome, may be destroyed."""
    if what == "incident":
        return _months_after(closed, _of(months, INCIDENT))
    return _days_after(closed) if outcome == SHORTEST else _months_after(closed, _of(months, DISMISSED))


def standing(holds: tuple[Hold, ...]) -> Hold | None:
    """The legal hold that stands, None for none."""
    return holds[-1] if holds and holds[-1].lifted_at is None else None


def _of_report(fact: ReportFact, months: Mapping[str, int]) -> Term | None:
    dismissal = fact.dismissal
    if fact.state != "dismissed" or dismissal is None or dismissal.settled_at is None:
        return None
    # What was part of an incident has its own time from when it was taken out: the incident kept it until then.
    closed = max(dismissal.settled_at, _last_message(fact), fact.unlinked_at or 0)
    due = due_at("report", closed, dismissal.reason, months)
    stop: Stop = "legal-hold" if standing(fact.holds) else ""
    return Term("report", fact.id, fact.reference, closed, due, stop, (fact.id,), frozenset((*fact.excluded, *fact.held)))


def _of_incident(fact: IncidentFact, reports: Mapping[str, ReportFact], months: Mapping[str, int]) -> Term | None:
    if fact.state not in OVER or open_tracks(fact):
        return None
    linked = [reports[each] for each in fact.reports if each in reports]
    closed = max(fact.steps[-1].at, *(_last_message(each) for each in linked), 0)
    stop: Stop = ""
    if any(clocks.of_report(each) for each in linked):
        stop = "clock-open"
    if standing(fact.holds) or any(standing(each.holds) for each in linked):
        stop = "legal-hold"
    cases = (fact.id, *(each.id for each in linked))
    excluded = frozenset(who for each in linked for who in (*each.excluded, *each.held)) | {*fact.excluded}
    return Term("incident", fact.id, fact.reference, closed, due_at("incident", closed, fact.state, months), stop, cases, excluded)


def _last_message(fact: ReportFact) -> int:
    """When the reporter last wrote: what she still says keeps her case."""
    return max((part.at for part in fact.parts if part.kind == MESSAGE), default=0)


def _of(months: Mapping[str, int], name: str) -> int:
    return max(months.get(name, MONTHS[name]), LEAST[name])


def _months_after(closed: int, months: int) -> int:
    """The end of the day, in Riyadh, so many months after that of the closing: never earlier than the months are over."""
    return _end_of(datetime.combine(months_after(in_riyadh(closed).date(), months), datetime.min.time(), RIYADH))


def _days_after(closed: int) -> int:
    return _end_of(in_riyadh(closed) + SPAM)


def _end_of(day: datetime) -> int:
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int(midnight.timestamp()) * 1_000_000
