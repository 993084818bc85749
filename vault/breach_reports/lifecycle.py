"""What may happen to a report next, and the clock to the authority: pure functions of the fact and the moment.

Invariants: nobody alone stops a clock that runs, dismisses a report or moves the moment of awareness (promise 9); the first officer may set
that moment earlier than the report's arrival and never later; what was proposed ends with a new judgement; a clock counts calendar hours,
nights and feasts included (implementing regulation 24(1)).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from vault.breach_reports.shapes import MESSAGE, REPLY, Dismissal, Finding, Move, PartFact, Reason, ReportFact
from vault.errors import Conflict, FieldError, Invalid
from vault.web.times import RIYADH

EARLIEST: Final = 1_577_836_800_000_000
"""The first moment of 2020, UTC: no association was aware earlier of what this vault is told, whatever was typed."""
HOUR: Final = 3_600_000_000
PUBLIC_STATE: Final = {
    "received": "received",
    "quarantined": "received",
    "acknowledged": "acknowledged",
    "triaged": "in_review",
    "dismissed": "closed",
}
"""What a reporter is told; that a report lies in quarantine is nobody's business but the officers'."""


class ReportState(Conflict):
    """The report is not in a state for that."""

    code = "report-state"


class ClockRunning(Conflict):
    """The clock to the authority runs, and one person alone would stop it."""

    code = "clock-running"


def unanswered(fact: ReportFact) -> list[PartFact]:
    """The reporter's messages since the association's last reply, oldest first; nothing is opened for it."""
    waiting: list[PartFact] = []
    for part in fact.parts:
        if part.kind == MESSAGE:
            waiting.append(part)
        elif part.kind == REPLY:
            waiting.clear()
    return waiting


@dataclass(frozen=True, slots=True)
class Clock:
    """The time to tell the authority: since when the association is aware, until when; provisional until judged a breach."""

    aware_at: int
    due_at: int
    provisional: bool

    def left(self, now: int) -> int:
        """Microseconds left, negative once it is too late."""
        return self.due_at - now

    def is_overdue(self, now: int) -> bool:
        """Say whether the time is over; its last moment still counts."""
        return now > self.due_at


def clock(fact: ReportFact, hours: int) -> Clock | None:
    """The clock of a report, None once it is dismissed or linked to an incident, whose clock then is the report's.

    Provisional until somebody judged it a breach of personal data.

    `no_breach` is one person's word and stops nothing: that takes a dismissal, so two people.
    """
    if fact.state == "dismissed" or fact.incident:
        return None
    aware = fact.arrived_at if fact.aware_at is None else fact.aware_at
    return Clock(aware, aware + hours * HOUR, provisional=fact.finding != "breach")


def acknowledged(fact: ReportFact, by: str, now: int) -> ReportFact:
    """The report with a person's word that it is being looked at; it leaves quarantine by that. Raises ReportState."""
    if fact.state not in ("received", "quarantined"):
        raise ReportState
    return msgspec.structs.replace(fact, state="acknowledged", acknowledged_at=now, acknowledged_by=by, likeness="")


def triaged(fact: ReportFact, finding: Finding, aware_at: int | None, by: str, now: int) -> ReportFact:
    """The report as judged: `breach` where it is or may be a breach of personal data, which makes the clock the authority's.

    Awareness begins with the report, or earlier where the officer says so; once it is linked, that is a matter of its incident.
    Raises Invalid for a later moment and one before 2020, ClockRunning, ReportState.
    """
    if fact.state == "dismissed" or (fact.finding == finding == "breach") or (fact.incident and aware_at is not None):
        raise ReportState
    if fact.finding == "breach":
        raise ClockRunning
    aware = None
    if finding == "breach":
        aware = fact.arrived_at if aware_at is None else aware_at
    elif aware_at is not None:
        raise Invalid([FieldError("aware_at", "out-of-range")])
    if aware is not None and not EARLIEST <= aware <= fact.arrived_at:
        raise Invalid([FieldError("aware_at", "out-of-range")])
    fact = overtaken(fact, by, now)
    return msgspec.structs.replace(fact, state="triaged", finding=finding, aware_at=aware, triaged_at=now, triaged_by=by, likeness="")


def overtaken(fact: ReportFact, by: str, now: int) -> ReportFact:
    """The report once that hand judged it otherwise, linked it or took it out of its incident: nothing proposed before waits any more."""
    gone = {"overtaken_by": by, "overtaken_at": now}
    dismissal, moves = fact.dismissal, fact.moves
    if dismissal is not None and dismissal.waits:
        dismissal = msgspec.structs.replace(dismissal, **gone)
    moves = tuple(msgspec.structs.replace(each, **gone) if each.waits else each for each in moves)
    return msgspec.structs.replace(fact, dismissal=dismissal, moves=moves)


def dismissal_proposed(fact: ReportFact, reason: Reason, by: str, now: int) -> ReportFact:
    """The report with a dismissal that waits for a second person; it takes the place of one that waited before. Raises ReportState."""
    if fact.state == "dismissed":
        raise ReportState
    return msgspec.structs.replace(fact, dismissal=Dismissal(reason=reason, proposed_by=by, proposed_at=now))


def waiting_dismissal(fact: ReportFact, reason: Reason) -> Dismissal:
    """The dismissal that waits, which must be the one the second person means. Raises ReportState."""
    found = fact.dismissal
    if fact.state == "dismissed" or found is None or not found.waits or found.reason != reason:
        raise ReportState
    return found


def dismissal_turned_down(fact: ReportFact, waiting: Dismissal, by: str, now: int) -> ReportFact:
    """The report as it was before that dismissal was proposed, which is kept as turned down."""
    return msgspec.structs.replace(fact, dismissal=msgspec.structs.replace(waiting, turned_down_by=by, turned_down_at=now))


def dismissed(fact: ReportFact, waiting: Dismissal, by: str, now: int) -> ReportFact:
    """The report with that dismissal in force."""
    settled = msgspec.structs.replace(waiting, settled_by=by, settled_at=now)
    return msgspec.structs.replace(fact, state="dismissed", dismissal=settled, likeness="")


def move_proposed(fact: ReportFact, to: int, by: str, now: int) -> ReportFact:
    """The report with a move of awareness that waits for a second person; it takes the place of one that waited before.

    Raises ReportState where no clock of the authority's runs, Invalid, and `future-dated`.
    """
    if fact.finding != "breach" or fact.aware_at is None or fact.state == "dismissed" or fact.incident:
        raise ReportState
    if to > now:
        raise Invalid([FieldError("aware_at", "future-dated")], "future-dated")
    if to < EARLIEST:
        raise Invalid([FieldError("aware_at", "out-of-range")])
    settled = tuple(move for move in fact.moves if not move.waits)
    return msgspec.structs.replace(fact, moves=(*settled, Move(was=fact.aware_at, to=to, proposed_by=by, proposed_at=now)))


def waiting_move(fact: ReportFact, to: int) -> Move:
    """The move that waits, which must be to the moment the second person means. Raises ReportState."""
    found = fact.moves[-1] if fact.moves else None
    if found is None or not found.waits or found.to != to or fact.state == "dismissed" or fact.incident:
        raise ReportState
    return found


def moved(fact: ReportFact, waiting: Move, by: str, now: int) -> ReportFact:
    """The report with that move in force; the history keeps both moments and both people."""
    settled = msgspec.structs.replace(waiting, settled_by=by, settled_at=now)
    return msgspec.structs.replace(fact, aware_at=waiting.to, moves=(*fact.moves[:-1], settled))


def move_turned_down(fact: ReportFact, waiting: Move, by: str, now: int) -> ReportFact:
    """The report with its moment of awareness where it was; the history keeps the move as turned down."""
    gone = msgspec.structs.replace(waiting, turned_down_by=by, turned_down_at=now)
    return msgspec.structs.replace(fact, moves=(*fact.moves[:-1], gone))


def in_riyadh(microseconds: int) -> datetime:
    """The moment on the clocks of Riyadh, whole seconds."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=microseconds // 1_000_000)).astimezone(RIYADH)
