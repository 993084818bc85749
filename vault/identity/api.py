"""HTTP in and out of the identity room: sessions, clients, staff, acknowledgements (CONTRACT 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from vault.errors import FieldError, Invalid, NotFound
from vault.identity import bodies, clients, declarations_api, pack_api, staff
from vault.identity.bounds import Changes
from vault.identity.callers import Caller
from vault.identity.cookie import NO_COOKIE, cookie_of
from vault.identity.policy_version import has_acknowledged, policy_sha256
from vault.identity.proposals import ClientProposal
from vault.identity.recipients_api import recipient_routes
from vault.identity.recovery import Recovery
from vault.identity.recovery_api import recovery_routes
from vault.identity.scopes import OWN
from vault.identity.service import Identity
from vault.rulebook.asker import once_for
from vault.storage.idempotency import Once
from vault.web import Answer, Call, Person, Public, Query, Rate, Route, parse_id, write_id
from vault.web.route import KIBIBYTE
from vault.web.times import parse_time, write_time

PAGE: Final = {"after": Query(kind="id"), "limit": Query(kind="integer", low=1, high=500, default=50)}
CREATES: Final = frozenset({"Idempotency-Key"})

T = TypeVar("T")

SIGNING_IN: Final = Rate(bucket="sign-in-posts", burst=200, per_second=4.0)
"""Taken before the body is read; what is a sign-in is counted besides, by account and by network."""


def routes(identity: Identity) -> list[Route]:
    """Return the calls of this room over one Identity."""
    api = _Api(identity)
    return [
        *_session_routes(api),
        *_client_routes(api),
        *_staff_routes(api),
        *recovery_routes(Recovery(identity.factor, identity.sessions)),
        *recipient_routes(identity.recipients),
        *declarations_api.routes(identity.declarations),
        *pack_api.routes(identity.packs),
    ]


def _session_routes(api: "_Api") -> list[Route]:
    own = Person(OWN)
    return [
        Route(
            method="POST",
            path="/v1/sessions",
            name="session.open",
            handler=api.sign_in,
            access=Public(),
            body=bodies.SignIn,
            max_body=8 * KIBIBYTE,
            limit=SIGNING_IN,
            answer=bodies.Session,
            status=201,
            summary="Sign in with user name, password and one-time code.",
        ),
        Route(
            method="DELETE",
            path="/v1/sessions/current",
            name="session.end",
            handler=api.sign_out,
            access=own,
            status=204,
            summary="End this session.",
        ),
        Route(
            method="POST",
            path="/v1/sessions/current/step-up",
            name="session.step-up",
            handler=api.step_up,
            access=own,
            body=bodies.StepUp,
            answer=bodies.SteppedUp,
            summary="Open five minutes in which this session approves.",
        ),
        Route(
            method="POST",
            path="/v1/credentials",
            name="credentials.set",
            handler=api.set_credentials,
            access=own,
            body=bodies.Credentials,
            status=204,
            summary="Replace your own password and code secret; every session of yours ends.",
        ),
        Route(
            method="GET",
            path="/v1/acknowledgements",
            name="acknowledgement.ask",
            handler=api.policy,
            access=own,
            answer=bodies.Policy,
            summary="The policy in force by its hash, and whether you have acknowledged it.",
        ),
        Route(
            method="POST",
            path="/v1/acknowledgements",
            name="acknowledgement.give",
            handler=api.acknowledge,
            access=own,
            body=bodies.Acknowledge,
            answer=bodies.Acknowledged,
            status=201,
            summary="Acknowledge the policy in person.",
        ),
    ]


def _client_routes(api: "_Api") -> list[Route]:
    write, approve = Person("clients:write"), Person("approve")
    return [
        Route(
            method="POST",
            path="/v1/clients",
            name="client.propose",
            handler=api.propose_client,
            access=write,
            body=bodies.NewClient,
            answer=bodies.ClientMade,
            status=201,
            headers=CREATES,
            summary="Propose an API client; its key is told once and opens after another person's approval.",
        ),
        Route(
            method="GET",
            path="/v1/clients",
            name="client.list",
            handler=api.list_clients,
            access=Person("clients:read"),
            answer=bodies.ClientList,
            query=PAGE,
            summary="List API clients and what they may.",
        ),
        Route(
            method="POST",
            path="/v1/clients/{client}/approval",
            name="client.approve",
            handler=api.approve_client,
            access=approve,
            body=bodies.ApproveClient,
            optional_body=True,
            answer=bodies.Stands,
            summary="Approve a client, change or key that another person proposed.",
        ),
        Route(
            method="POST",
            path="/v1/clients/{client}/change",
            name="client.change",
            handler=api.change_client,
            access=write,
            body=bodies.ClientChange,
            answer=bodies.Stands,
            summary="Change what a client may: at once where it is narrower in every respect, else after another person's approval.",
        ),
        Route(
            method="POST",
            path="/v1/clients/{client}/rotation",
            name="client.rotate",
            handler=api.rotate_client,
            access=write,
            body=bodies.NewKey,
            optional_body=True,
            answer=bodies.ClientMade,
            status=201,
            headers=CREATES,
            summary="Propose a new key for a client; told once, in force after another person's approval.",
        ),
        Route(
            method="POST",
            path="/v1/clients/{client}/revocation",
            name="client.revoke",
            handler=api.revoke_client,
            access=write,
            answer=bodies.Stands,
            summary="Revoke a client and all its keys at once.",
        ),
    ]


def _staff_routes(api: "_Api") -> list[Route]:
    return [
        Route(
            method="POST",
            path="/v1/staff",
            name="staff.propose",
            handler=api.propose_staff,
            access=Person("staff:write"),
            body=bodies.NewStaff,
            answer=bodies.StaffMade,
            status=201,
            headers=CREATES,
            summary="Propose an account; the beginning of its first password is told once.",
        ),
        Route(
            method="GET",
            path="/v1/staff",
            name="staff.list",
            handler=api.list_staff,
            access=Person("staff:read"),
            answer=bodies.StaffList,
            query=PAGE,
            summary="List accounts by id: roles and standing, no names.",
        ),
        Route(
            method="POST",
            path="/v1/staff/{staff}/approval",
            name="staff.approve",
            handler=api.approve_staff,
            access=Person("approve"),
            body=bodies.Approve,
            optional_body=True,
            answer=bodies.StaffApproved,
            summary="Approve an account that another person proposed; the rest of its first secrets is told once.",
        ),
        Route(
            method="POST",
            path="/v1/staff/{staff}/end",
            name="staff.end",
            handler=api.end_staff,
            access=Person("staff:write"),
            answer=bodies.Stands,
            summary="End an account; its sessions open nothing from this answer on.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    identity: Identity

    async def sign_in(self, call: Call) -> Answer:
        body: bodies.SignIn = call.body
        opened = await self.identity.sessions.sign_in(body.username, body.password, body.code, network=call.neighbourhood)
        # For pages only: under /v1 a cookie counts for nothing (DESIGN 3, doors to the world).
        told = bodies.Session(opened.token, write_time(opened.expires_at), opened.recovery_left)
        return Answer(told, headers=cookie_of(opened, call.now))

    async def sign_out(self, call: Call) -> Answer:
        await self.identity.sessions.sign_out(call.caller)
        return Answer(headers=NO_COOKIE)

    async def step_up(self, call: Call) -> Answer:
        body: bodies.StepUp = call.body
        return Answer(bodies.SteppedUp(write_time(await self.identity.sessions.step_up(call.caller, body.code))))

    async def set_credentials(self, call: Call) -> Answer:
        body: bodies.Credentials = call.body
        new = staff.NewCredentials(password=body.new_password, totp_secret=body.totp_secret, totp_code=body.totp_code)
        await self.identity.staff.set_credentials(call.caller, body.password, body.code, new)
        return Answer()

    async def policy(self, call: Call) -> Answer:
        caller: Caller = call.caller
        book = await caller.association.refresh()
        own, member = book.association, book.staff[caller.id]
        return Answer(bodies.Policy(own.pack, own.law_pack, policy_sha256(own), has_acknowledged(own, member)))

    async def acknowledge(self, call: Call) -> Answer:
        body: bodies.Acknowledge = call.body
        told = await self.identity.staff.acknowledge(call.caller, body.policy_sha256)
        return Answer(bodies.Acknowledged(_uuid(call.caller.id), told))

    async def propose_client(self, call: Call) -> Answer:
        body: bodies.NewClient = call.body
        wanted = clients.Wanted(
            name=body.name,
            party=body.party,
            kind=body.kind,
            scopes=body.scopes,
            purposes=body.purposes,
            expires_at=None if body.expires_at is None else _time(body.expires_at, "expires_at"),
            networks=body.networks,
            types=body.record_types,
        )
        return _client_made(await self.identity.clients.propose(call.caller, wanted, _once(call)))

    async def list_clients(self, call: Call) -> Answer:
        found = await self.identity.clients.listed(call.caller)
        return Answer(bodies.ClientList(*_page(call, [each.client.id for each in found], [_client_item(each) for each in found])))

    async def approve_client(self, call: Call) -> Answer:
        client = call.path_id("client")
        body: bodies.ApproveClient = call.body
        change = None if body.proposal is None else _proposal(body.proposal)
        await self.identity.clients.approve(call.caller, client, body.code, change)
        return Answer(bodies.Stands(write_id(client), "approved"))

    async def change_client(self, call: Call) -> Answer:
        body: bodies.ClientChange = call.body
        client, end = call.path_id("client"), None if body.expires_at is None else _time(body.expires_at, "expires_at")
        changes = Changes(body.scopes, body.purposes, body.record_types, body.networks, end)
        return Answer(bodies.Stands(write_id(client), await self.identity.clients.change(call.caller, client, changes)))

    async def rotate_client(self, call: Call) -> Answer:
        body: bodies.NewKey = call.body
        until = None if body.old_valid_until is None else _time(body.old_valid_until, "old_valid_until")
        return _client_made(await self.identity.clients.propose_key(call.caller, call.path_id("client"), until, _once(call)))

    async def revoke_client(self, call: Call) -> Answer:
        client = call.path_id("client")
        await self.identity.clients.revoke(call.caller, client)
        return Answer(bodies.Stands(write_id(client), "revoked"))

    async def propose_staff(self, call: Call) -> Answer:
        body: bodies.NewStaff = call.body
        until = None if body.valid_to is None else _time(body.valid_to, "valid_to")
        try:
            record = None if body.record is None else parse_id(body.record)
        except NotFound:
            raise Invalid([FieldError("record", "unknown-record")]) from None
        wanted = staff.Wanted(
            username=body.username,
            engagement=body.engagement,
            roles=body.roles,
            valid_to=until,
            unit=body.unit,
            record=record,
        )
        made = await self.identity.staff.propose(call.caller, wanted, _once(call))
        told = bodies.StaffMade(_uuid(made.id), "proposed", made.password_start, made.already)
        return Answer(told, status=200 if made.already else None)

    async def list_staff(self, call: Call) -> Answer:
        found = await self.identity.staff.listed(call.caller)
        return Answer(bodies.StaffList(*_page(call, [each.member.id for each in found], [_staff_item(each) for each in found])))

    async def approve_staff(self, call: Call) -> Answer:
        person = call.path_id("staff")
        told = await self.identity.staff.approve(call.caller, person, _code(call))
        return Answer(bodies.StaffApproved(write_id(person), "approved", told.password_end, told.totp_secret))

    async def end_staff(self, call: Call) -> Answer:
        person = call.path_id("staff")
        await self.identity.staff.end(call.caller, person)
        return Answer(bodies.Stands(write_id(person), "ended"))


def _client_made(made: clients.Proposed) -> Answer:
    told = bodies.ClientMade(_uuid(made.id), "proposed", made.key, made.already)
    return Answer(told, status=200 if made.already else None)


def _client_item(listed: clients.Listed) -> bodies.ClientItem:
    client = listed.client
    return bodies.ClientItem(
        id=_uuid(client.id),
        name=client.name,
        party=client.party,
        kind=client.kind,
        scopes=client.scopes,
        purposes=client.purposes,
        networks=client.networks,
        expires_at=None if client.expires_at is None else write_time(client.expires_at),
        state=listed.state,
        ceremony=client.ceremony,
        record_types=client.types,
        last_used=None if listed.last_used is None else write_time(listed.last_used),
        waits=None if listed.waits is None else _waits(listed.waits),
    )


def _waits(proposal: ClientProposal) -> bodies.ClientWaits:
    client = proposal.client
    return bodies.ClientWaits(
        id=_uuid(proposal.change),
        scopes=client.scopes,
        purposes=client.purposes,
        record_types=client.types,
        networks=client.networks,
        expires_at=None if client.expires_at is None else write_time(client.expires_at),
        proposed_by=proposal.proposed_by,
    )


def _proposal(text: str) -> str:
    """The id of a proposal in hexadecimal. Raises Invalid for a text that is none."""
    try:
        return parse_id(text).hex()
    except NotFound:
        raise Invalid([FieldError("proposal", "wrong-type")]) from None


def _staff_item(listed: staff.Listed) -> bodies.StaffItem:
    member = listed.member
    return bodies.StaffItem(
        id=_uuid(member.id),
        engagement=member.engagement,
        unit=member.unit or None,
        record=_uuid(member.record) if member.record else None,
        roles=member.roles,
        active=listed.state == "active",
        state=listed.state,
        valid_to=None if member.valid_to is None else write_time(member.valid_to),
        acknowledged=listed.acknowledged,
        ceremony=member.ceremony,
    )


def _page(call: Call, ids: Sequence[str], items: Sequence[T]) -> tuple[list[T], str | None]:
    """One page of a list in the order of ids: those after `after`, at most `limit`, and the id to go on from."""
    after, limit = call.query.get("after"), call.query.get("limit") or 50
    start = 0 if after is None else sum(each <= after.hex() for each in ids)
    end = start + limit
    return list(items[start:end]), _uuid(ids[end - 1]) if end < len(ids) else None


def _once(call: Call) -> Once | None:
    """The request's idempotency key, hashed with caller, route, path and body; None without one."""
    route = " ".join((call.route.name, *call.path.values()))
    return once_for(call.caller, route=route, key=call.idempotency_key, body=call.body)


def _time(text: str, name: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError(name, "wrong-type")]) from None


def _code(call: Call) -> str | None:
    body: bodies.Approve = call.body
    return body.code


def _uuid(text: str) -> str:
    return write_id(bytes.fromhex(text))
