"""What may happen to an incident next: pure functions of the fact and the moment.

Invariants: what lets a clock run on takes one person, what stops it without anybody having been told takes two (promise 9); by rule the
moment of awareness only ever goes earlier, and by two people wherever they say, with what it was before; what was proposed ends with what
it rested on, so that the second person agrees to what the first one knew; nothing that was decided is overwritten.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from vault.breach_reports.incident_shapes import (
    TRACKS,
    Act,
    Aware,
    IncidentFact,
    Moved,
    Proposal,
    Settled,
    State,
    Step,
    Track,
    Unlinked,
    Weight,
)
from vault.breach_reports.lifecycle import EARLIEST, HOUR
from vault.breach_reports.shapes import ReportFact
from vault.errors import Conflict, FieldError, Invalid

OVER: Final[frozenset[State]] = frozenset({"closed", "ruled_out"})
NEXT: Final[dict[State, frozenset[Moved]]] = {
    "suspected": frozenset({"confirmed"}),
    "confirmed": frozenset({"contained", "remediating", "closed"}),
    "contained": frozenset({"remediating", "closed"}),
    "remediating": frozenset({"contained", "closed"}),
    "closed": frozenset({"remediating"}),
    "ruled_out": frozenset({"suspected"}),
}
LINKABLE: Final = frozenset({"acknowledged", "triaged"})


class IncidentState(Conflict):
    """The incident, or the report it is to be linked to, is not in a state for that."""

    code = "incident-state"


class TracksOpen(Conflict):
    """Somebody is still to be told, so the incident cannot be closed."""

    code = "tracks-open"


def settled(fact: IncidentFact, track: Track) -> Settled | None:
    """How a track is settled now, None while it is open."""
    return next((each for each in fact.settled if each.track == track and each.reopened_at is None), None)


def open_tracks(fact: IncidentFact) -> tuple[Track, ...]:
    """Who is still to be told: nobody once the incident is ruled out or closed."""
    return () if fact.state in OVER else tuple(track for track in TRACKS if settled(fact, track) is None)


def aware_of(report: ReportFact) -> int:
    """When the association was aware of what a report tells: at its arrival, or earlier where an officer said so."""
    return report.arrived_at if report.aware_at is None else min(report.aware_at, report.arrived_at)


def require_moment(at: int, now: int, field: str) -> int:
    """The moment. Raises Invalid for one before 2020, and `future-dated`."""
    if at > now:
        raise Invalid([FieldError(field, "future-dated")], "future-dated")
    if at < EARLIEST:
        raise Invalid([FieldError(field, "out-of-range")])
    return at


def opened(fact: IncidentFact, reports: Iterable[ReportFact], aware_at: int | None, now: int) -> IncidentFact:
    """A new incident with its moment of awareness: the earliest of its reports and of what the officer says, else this moment."""
    told = [] if aware_at is None else [require_moment(aware_at, now, "aware_at")]
    found = min([*told, *map(aware_of, reports)], default=now)
    return msgspec.structs.replace(fact, aware_at=found, awareness=(Aware(to=found, why="opened", by=fact.opened_by, at=now),))


def require_linkable(fact: IncidentFact, report: ReportFact) -> None:
    """Raise IncidentState unless the report is nobody's yet and somebody looks at it, and the authority is still to be told.

    A report that comes later has a clock of its own: linking it to what is settled would stop that by one hand. One whose reporter may mean
    somebody whom nobody has named yet stays alone: an incident would show it to her.
    """
    if report.incident or report.held or report.state not in LINKABLE or "authority" not in open_tracks(fact):
        raise IncidentState


def linked(fact: IncidentFact, report: ReportFact, by: str, now: int) -> IncidentFact:
    """The incident with that report; awareness goes to the report's where that is earlier, and never later."""
    fact = overtaken(fact, by, now)
    reports, to = (*fact.reports, report.id), aware_of(report)
    if to >= fact.aware_at:
        return msgspec.structs.replace(fact, reports=reports)
    event = Aware(to=to, why="linked", by=by, at=now, was=fact.aware_at)
    return msgspec.structs.replace(fact, reports=reports, aware_at=to, awareness=(*fact.awareness, event))


def unlinked(fact: IncidentFact, event: Unlinked) -> IncidentFact:
    """The incident without that report; its awareness stays. Raises IncidentState."""
    if event.report not in fact.reports or fact.state in OVER:
        raise IncidentState
    kept = tuple(each for each in fact.reports if each != event.report)
    return msgspec.structs.replace(overtaken(fact, event.by, event.at), reports=kept, unlinked=(*fact.unlinked, event))


def moved(fact: IncidentFact, state: Moved, note: int | None, by: str, now: int) -> IncidentFact:
    """The incident in its next state. Raises IncidentState, TracksOpen."""
    if state not in NEXT[fact.state]:
        raise IncidentState
    if state == "closed" and open_tracks(fact):
        raise TracksOpen
    return msgspec.structs.replace(overtaken(fact, by, now), state=state, steps=(*fact.steps, Step(state, by, now, note=note)))


def assessed(fact: IncidentFact, weight: Weight) -> IncidentFact:
    """The incident with another answer to the questions of weight; the earlier ones stay. No answer stops a clock."""
    if fact.state in OVER:
        raise IncidentState
    return msgspec.structs.replace(overtaken(fact, weight.by, weight.at), weights=(*fact.weights, weight))


def proposed(fact: IncidentFact, made: Proposal, now: int) -> IncidentFact:
    """The incident with a proposal that waits; it takes the place of one like it that waited before. Raises IncidentState, Invalid."""
    _require_fits(fact, made.act, made.track)
    if made.to is not None:
        require_moment(made.to, now, "aware_at")
    kept = [
        msgspec.structs.replace(each, replaced=True) if each.waits and (each.act, each.track) == (made.act, made.track) else each
        for each in fact.proposals
    ]
    return msgspec.structs.replace(fact, proposals=(*kept, made))


def overtaken(fact: IncidentFact, by: str, now: int, track: Track | None = None) -> IncidentFact:
    """The incident once what its proposals rested on was changed by that hand: none of them waits any more.

    Where that is how a `track` stands, the other track's and a move of awareness wait on.
    """
    ended = [each for each in fact.proposals if each.waits and (track is None or each.track == track or each.act == "ruled_out")]
    gone = {"overtaken_by": by, "overtaken_at": now}
    kept = (msgspec.structs.replace(each, **gone) if each in ended else each for each in fact.proposals)
    return msgspec.structs.replace(fact, proposals=tuple(kept))


def waiting(fact: IncidentFact, number: int) -> Proposal:
    """The proposal that waits under this number, if what it proposes can still be done. Raises IncidentState."""
    found = next((each for each in fact.proposals if each.number == number and each.waits), None)
    if found is None:
        raise IncidentState
    _require_fits(fact, found.act, found.track)
    return found


def turned_down(fact: IncidentFact, number: int, by: str, now: int) -> IncidentFact:
    """The incident with the proposal that waits under this number turned down; nothing else of it changes. Raises IncidentState."""
    if not any(each.number == number and each.waits for each in fact.proposals):
        raise IncidentState
    gone = {"turned_down_by": by, "turned_down_at": now}
    kept = (msgspec.structs.replace(each, **gone) if each.number == number else each for each in fact.proposals)
    return msgspec.structs.replace(fact, proposals=tuple(kept))


def approved(fact: IncidentFact, waits: Proposal, by: str, now: int) -> IncidentFact:
    """The incident with that proposal in force."""
    done = msgspec.structs.replace(waits, settled_by=by, settled_at=now)
    fact = msgspec.structs.replace(fact, proposals=tuple(done if each.number == waits.number else each for each in fact.proposals))
    if waits.act == "not_required" and waits.track is not None:
        made = Settled(track=waits.track, how="not_required", at=now, by=waits.by, settled_by=by, reason=waits.number)
        return msgspec.structs.replace(overtaken(fact, by, now, waits.track), settled=(*fact.settled, made))
    fact = overtaken(fact, by, now)
    if waits.act == "ruled_out":
        step = Step("ruled_out", waits.by, now, settled_by=by, note=waits.number)
        return msgspec.structs.replace(fact, state="ruled_out", steps=(*fact.steps, step))
    to = fact.aware_at if waits.to is None else waits.to
    event = Aware(to=to, why="corrected", by=waits.by, at=now, was=fact.aware_at, settled_by=by, reason=waits.number)
    return msgspec.structs.replace(fact, aware_at=to, aware_confirmed=True, awareness=(*fact.awareness, event))


def filed(fact: IncidentFact, made: Settled, within: int, now: int) -> IncidentFact:
    """The incident with a track on which somebody was told. Raises IncidentState, Invalid for what is missing, `future-dated`.

    What is filed after its time needs a reason (regulation 24(2)).
    """
    _require_fits(fact, "not_required", made.track)
    at = require_moment(made.filed_at or 0, now, "filed_at")
    if at < fact.aware_at:
        raise Invalid([FieldError("filed_at", "out-of-range")])
    if made.track == "authority" and not made.reference:
        raise Invalid([FieldError("reference", "missing")])
    if is_late(fact, made, within) and made.reason is None:
        raise Invalid([FieldError("late_reason", "missing")])
    return msgspec.structs.replace(overtaken(fact, made.by, made.at, made.track), settled=(*fact.settled, made))


def is_late(fact: IncidentFact, made: Settled, within: int) -> bool:
    """Whether the authority was told after its time, by the moment of awareness as it stands; people have no fixed number of hours."""
    return made.track == "authority" and made.filed_at is not None and made.filed_at > fact.aware_at + within * HOUR


def reopened(fact: IncidentFact, track: Track, reason: int, by: str, now: int) -> IncidentFact:
    """The incident with that track open again: its clock runs on from the same awareness. Raises IncidentState."""
    stands = settled(fact, track)
    if stands is None or fact.state in OVER:
        raise IncidentState
    ended = msgspec.structs.replace(stands, reopened_at=now, reopened_by=by, reopened_reason=reason)
    return msgspec.structs.replace(
        overtaken(fact, by, now, track), settled=tuple(ended if each is stands else each for each in fact.settled)
    )


def _require_fits(fact: IncidentFact, act: Act, track: Track | None) -> None:
    """Raise IncidentState where this cannot be done now: only what is suspected is ruled out, only an open track is settled."""
    fits = {
        "awareness": fact.state not in OVER,
        "ruled_out": fact.state == "suspected",
        "not_required": track in open_tracks(fact),
    }
    if not fits[act]:
        raise IncidentState
