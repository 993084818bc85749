"""The calls about lost secrets, a person's sessions, and who has not acknowledged the policy."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from vault.errors import NotFound
from vault.identity import bodies, own_sessions
from vault.identity.callers import Caller, is_engaged
from vault.identity.policy_version import has_acknowledged, policy_sha256
from vault.identity.recovery import Recovery
from vault.identity.scopes import OWN
from vault.web import Answer, Body, Call, Person, Route, write_id
from vault.web.times import write_time

SESSION_ID = 16


class MakeCodes(Body):
    """A person's password and a one-time code: whoever finds her session open makes no codes."""

    password: bodies.Secret
    code: bodies.Code


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Ten codes, told once; each opens one session, or sets new credentials, in the place of a one-time code."""

    codes: tuple[str, ...]


class ResetProposed(msgspec.Struct, frozen=True):
    """A proposed reset; the beginning of the new first password is told once."""

    id: str
    state: str
    password_start: str


class OpenSession(msgspec.Struct, frozen=True):
    """A session that is open."""

    id: str
    opened_at: str
    expires_at: str
    approves_until: str | None
    current: bool


class OpenSessions(msgspec.Struct, frozen=True):
    """One's own open sessions, the newest first."""

    items: list[OpenSession]


class SessionsEnded(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    ended: Annotated[int, msgspec.Meta(ge=0)]


class Unacknowledged(msgspec.Struct, frozen=True):
    """Somebody who has not acknowledged the policy as it now stands; `earlier` where she has acknowledged a version before it."""

    staff: str
    engagement: str
    unit: str | None
    roles: tuple[str, ...]
    earlier: bool


class UnacknowledgedReport(msgspec.Struct, frozen=True):
    """The policy by its hash, who of how many has not acknowledged it, and how many of each unit."""

    policy_sha256: str
    people: int
    items: list[Unacknowledged]
    units: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers."""

    recovery: Recovery

    async def make_codes(self, call: Call) -> Answer:
        body: MakeCodes = call.body
        return Answer(RecoveryCodes(await self.recovery.make_codes(call.caller, body.password, body.code)))

    async def propose_reset(self, call: Call) -> Answer:
        staff = call.path_id("staff")
        return Answer(ResetProposed(write_id(staff), "proposed", await self.recovery.propose(call.caller, staff)))

    async def approve_reset(self, call: Call) -> Answer:
        staff = call.path_id("staff")
        code = None if call.body is None else call.body.code
        told = await self.recovery.approve(call.caller, staff, code)
        return Answer(bodies.StaffApproved(write_id(staff), "reset", told.password_end, told.totp_secret))


async def _sessions(call: Call) -> Answer:
    found = await own_sessions.listed(call.caller)
    return Answer(OpenSessions([_session(one, call.now) for one in found]))


def _session(one: own_sessions.Open, now: int) -> OpenSession:
    approves = write_time(one.stepped_up_until) if one.stepped_up_until > now else None
    return OpenSession(one.id, write_time(one.opened_at), write_time(one.expires_at), approves, one.is_current)


async def _end_session(call: Call) -> Answer:
    session = call.path["session"].lower()
    if len(session) != SESSION_ID:
        raise NotFound
    await own_sessions.end_one(call.caller, session)
    return Answer(SessionsEnded(1))


async def _end_others(call: Call) -> Answer:
    return Answer(SessionsEnded(await own_sessions.end_others(call.caller)))


async def _end_staff_sessions(call: Call) -> Answer:
    return Answer(SessionsEnded(await own_sessions.end_all_of(call.caller, call.path_id("staff"))))


async def _missing(call: Call) -> Answer:
    caller: Caller = call.caller
    book = await caller.association.run(lambda deed: caller.still(deed).association.books.at(deed))
    people = [member for _, member in sorted(book.staff.items()) if is_engaged(member, call.now)]
    late = [member for member in people if not has_acknowledged(book.association, member)]
    units: dict[str, int] = {}
    for member in late:
        units[member.unit] = units.get(member.unit, 0) + 1
    items = [
        Unacknowledged(write_id(bytes.fromhex(member.id)), member.engagement, member.unit or None, member.roles, bool(member.acknowledged))
        for member in late
    ]
    return Answer(UnacknowledgedReport(policy_sha256(book.association), len(people), items, dict(sorted(units.items()))))


def recovery_routes(recovery: Recovery) -> list[Route]:
    """The calls of this file."""
    api, own = _Api(recovery), Person(OWN)
    return [
        Route(
            method="POST",
            path="/v1/credentials/recovery-codes",
            name="recovery.codes",
            handler=api.make_codes,
            access=own,
            body=MakeCodes,
            answer=RecoveryCodes,
            status=201,
            summary="Make ten recovery codes in the place of those there are; told once.",
        ),
        Route(
            method="POST",
            path="/v1/staff/{staff}/reset",
            name="recovery.reset.propose",
            handler=api.propose_reset,
            access=Person("staff:write"),
            answer=ResetProposed,
            status=201,
            summary="Propose to reset somebody's password and second factor; half of the new first password is told once.",
        ),
        Route(
            method="POST",
            path="/v1/staff/{staff}/reset/approval",
            name="recovery.reset.approve",
            handler=api.approve_reset,
            access=Person("approve"),
            body=bodies.Approve,
            optional_body=True,
            answer=bodies.StaffApproved,
            summary="Approve a reset that another person proposed; the rest of the new first secrets is told once.",
        ),
        Route(
            method="GET",
            path="/v1/sessions",
            name="session.list",
            handler=_sessions,
            access=own,
            answer=OpenSessions,
            summary="List your own open sessions.",
        ),
        Route(
            method="POST",
            path="/v1/sessions/{session}/end",
            name="session.end-one",
            handler=_end_session,
            access=own,
            answer=SessionsEnded,
            summary="End one of your own sessions.",
        ),
        Route(
            method="POST",
            path="/v1/sessions/end-others",
            name="session.end-others",
            handler=_end_others,
            access=own,
            answer=SessionsEnded,
            summary="End every session of yours but this one.",
        ),
        Route(
            method="POST",
            path="/v1/staff/{staff}/sessions/end",
            name="session.end-staff",
            handler=_end_staff_sessions,
            access=Person("staff:write"),
            answer=SessionsEnded,
            summary="End every session of a member of staff.",
        ),
        Route(
            method="GET",
            path="/v1/acknowledgements/missing",
            name="acknowledgement.missing",
            handler=_missing,
            access=Person("staff:read"),
            answer=UnacknowledgedReport,
            summary="Who has not acknowledged the policy as it now stands, and how many of each unit.",
        ),
    ]
