"""The calls about whose case a person is, and the one that opens a case in an emergency."""

from typing import Annotated, Literal

import msgspec

from vault.access import assignments
from vault.access.assignments import STAFF, UNIT, Because, Told, Wanted
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Code, Time, Word
from vault.identity.second_factor import SecondFactor
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.subjects.meant import by_record
from vault.subjects.sheet import Assignment
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Route
from vault.web.times import parse_time, write_time

Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class AssigneeBody(Body, frozen=True, omit_defaults=True):
    """Either a member of staff, by id, or a unit, by code."""

    staff: Word | None = None
    unit: Word | None = None


class AssignmentBody(Body, frozen=True, kw_only=True, rename={"since": "from"}):
    """Whose the case is to be, from when (now) until when (until it is ended), and why; a hand-over by a caseworker must have an end."""

    to: AssigneeBody
    reason: Reason
    since: Time | None = None
    until: Time | None = None


class EndBody(Body, frozen=True):
    """Why an assignment ends before its time."""

    reason: Reason


class BreakGlassBody(Body, frozen=True):
    """Why the case must be opened now, and a one-time code of the person at the screen."""

    reason: Reason
    code: Code


class AssignmentAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """An assignment as it was made."""

    id: str
    kind: str
    to: AssigneeBody
    since: str
    until: str | None


class AssignmentShown(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """An assignment with its reason, who gave it, and its end before its time."""

    id: str
    kind: str
    to: AssigneeBody
    since: str
    until: str | None
    reason: str
    by: str
    made_at: str
    state: Literal["to-come", "in-force", "over", "ended"]
    ended_at: str | None
    ended_by: str | None
    ended_because: str | None


class AssignmentsAnswer(msgspec.Struct, frozen=True):
    """Every assignment there ever was of the record's person, oldest first."""

    items: list[AssignmentShown]


class AssignmentEnded(msgspec.Struct, frozen=True):
    """An assignment that ended."""

    id: str
    state: str


async def assign(call: Call) -> Answer:
    """Give a case."""
    asker: Asker = call.caller
    record, body = call.path_id("record"), call.body
    wanted = Wanted(_assignee(body.to), _moment(body.since, "from"), _moment(body.until, "until"), body.reason)
    errand = Errand(asker, call.request_id)
    once = once_for(asker, route=f"{call.route.name} {record.hex()}", key=call.idempotency_key, body=body)

    async def assigned() -> Assignment:
        return await asker.association.run(lambda deed: assignments.assign(deed, errand, record, wanted, once), weight=2)

    return Answer(_made(await heard(errand, assigned, by_record(record))))


async def listed(call: Call) -> Answer:
    """Who has and had the case."""
    asker: Asker = call.caller
    record, errand = call.path_id("record"), Errand(asker, call.request_id)
    found = await heard(errand, lambda: asker.association.run(lambda deed: assignments.listed(deed, errand, record)), by_record(record))
    return Answer(AssignmentsAnswer([_shown(one, call.now) for one in found]))


async def end(call: Call) -> Answer:
    """End an assignment."""
    asker: Asker = call.caller
    record, assignment, reason = call.path_id("record"), call.path_id("assignment"), call.body.reason
    errand = Errand(asker, call.request_id)

    async def ended() -> None:
        await asker.association.run(lambda deed: assignments.end(deed, errand, record, assignment, reason), weight=2)

    await heard(errand, ended, by_record(record))
    return Answer(AssignmentEnded(write_id(assignment), "ended"))


class _BreakGlass:
    def __init__(self, factor: SecondFactor) -> None:
        self._factor = factor

    async def call(self, call: Call) -> Answer:
        """Open a case in an emergency."""
        asker: Asker = call.caller
        record, errand = call.path_id("record"), Errand(asker, call.request_id)
        because = Because(call.body.reason, call.body.code)

        async def broken() -> Assignment:
            return await asker.association.run(lambda deed: assignments.break_glass(deed, errand, self._factor, record, because), weight=2)

        return Answer(_made(await heard(errand, broken, by_record(record))))


def _assignee(body: AssigneeBody) -> str:
    if (body.staff is None) == (body.unit is None):
        raise Invalid([FieldError("to", "missing" if body.staff is None else "out-of-range")])
    if body.staff is None:
        return f"{UNIT}{body.unit}"
    try:
        return f"{STAFF}{parse_id(body.staff).hex()}"
    except NotFound:
        raise Invalid([FieldError("to", "unknown-staff")]) from None


def _moment(text: str | None, member: str) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise Invalid([FieldError(member, "wrong-type")]) from None


def _to(assignment: Assignment) -> AssigneeBody:
    if assignment.to.startswith(UNIT):
        return AssigneeBody(unit=assignment.to.removeprefix(UNIT))
    return AssigneeBody(staff=write_id(bytes.fromhex(assignment.to.removeprefix(STAFF))))


def _made(one: Assignment) -> AssignmentAnswer:
    until = None if one.until is None else write_time(one.until)
    return AssignmentAnswer(id=write_id(bytes.fromhex(one.id)), kind=one.kind, to=_to(one), since=write_time(one.since), until=until)


def _shown(told: Told, now: int) -> AssignmentShown:
    one = told.assignment
    state: Literal["to-come", "in-force", "over", "ended"] = "in-force" if one.lasts(now) else "to-come" if now < one.since else "over"
    return AssignmentShown(
        id=write_id(bytes.fromhex(one.id)),
        kind=one.kind,
        to=_to(one),
        since=write_time(one.since),
        until=None if one.until is None else write_time(one.until),
        reason=told.reason,
        by=told.by,
        made_at=write_time(told.at),
        state=state if told.ended_at is None else "ended",
        ended_at=None if told.ended_at is None else write_time(told.ended_at),
        ended_by=told.ended_by or None,
        ended_because=told.ended_because or None,
    )


def assignment_routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    screen = frozenset({"Amanah-On-Behalf-Of"})
    return [
        Route(
            method="POST",
            path="/v1/records/{record}/assignments",
            name="assignments.make",
            handler=assign,
            access=Needs("assignments:write"),
            body=AssignmentBody,
            answer=AssignmentAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key", *screen}),
            summary="Give the case of the record's person to a member of staff or a unit; by a caseworker it is a hand-over for a time.",
        ),
        Route(
            method="GET",
            path="/v1/records/{record}/assignments",
            name="assignments.list",
            handler=listed,
            access=Needs("assignments:read"),
            answer=AssignmentsAnswer,
            headers=screen,
            summary="Who has and had the case of the record's person, since when and why; the look is an entry itself.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/assignments/{assignment}/end",
            name="assignments.end",
            handler=end,
            access=Needs("assignments:write"),
            body=EndBody,
            answer=AssignmentEnded,
            headers=screen,
            summary="End an assignment before its time.",
        ),
        Route(
            method="POST",
            path="/v1/records/{record}/break-glass",
            name="assignments.break_glass",
            handler=_BreakGlass(factor).call,
            access=Needs("assignments:write"),
            body=BreakGlassBody,
            answer=AssignmentAnswer,
            status=201,
            headers=screen,
            summary="Open a case for one hour in an emergency, with the caseworker's code and reason; an alert asks for review.",
        ),
    ]
