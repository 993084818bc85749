"""The room over HTTP: sessions, clients, staff and acknowledgements as CONTRACT 3 shapes them."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pyotp
import pytest
import pytest_asyncio

from tests.simulator import SECOND, World
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.identity.api import routes
from vault.identity.proposals import STAFF_PROPOSAL
from vault.identity.scopes import OWN, ROLES
from vault.rulebook import facts
from vault.rulebook.book import Book
from vault.rulebook.shapes import RECIPIENT, RecipientFact
from vault.rulebook.two_people import same_person
from vault.web import Public
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")

DAY = 86_400 * SECOND


class Caller:
    """A person or system that calls the front; approvals carry a code of their own."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http
        self.tokens: dict[str, str] = {"key": world.ceremony.api_key}

    async def __call__(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return await self.http.request(method, path, json=body, headers={"Authorization": f"Bearer {self.tokens[who]}", **headers})

    async def approve(self, who: str, path: str) -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        return await self(who, "POST", path, {"code": self.world.one_time_code(who)})

    async def book(self) -> Book:
        return await self.world.association.refresh()


@pytest_asyncio.fixture
async def ask(vault: World) -> AsyncIterator[Caller]:
    async with vault.front() as http:
        yield Caller(vault, http)


@pytest_asyncio.fixture
async def ask_small(small: World) -> AsyncIterator[Caller]:
    async with small.front() as http:
        yield Caller(small, http)


def new_client(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "نظام المستفيدين",
        "party": "INTERNAL",
        "kind": "batch",
        "scopes": ["records:list", "records:read"],
        "purposes": ["service_delivery"],
        "expires_at": write_time(world.clock.now + 365 * DAY),
        **changes,
    }


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_a_session_over_http(ask: Caller):
    account = ask.world.ceremony.staff["admin"]
    shown = {"username": account.username, "password": account.password, "code": ask.world.one_time_code("admin")}
    answer = await ask.http.post("/v1/sessions", json=shown)
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expires_at"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-amanah={answer.json()['token']}; ")
    for part in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"):
        assert part in cookie
    assert code_of(await ask.http.post("/v1/sessions", json=shown)) == (401, "unauthenticated")
    # Under /v1 the cookie counts for nothing.
    assert (await ask.http.get("/v1/clients", headers={"Cookie": cookie.split(";")[0]})).status_code == 401
    ask.tokens["admin"] = answer.json()["token"]
    assert (await ask("admin", "GET", "/v1/clients")).status_code == 200
    stepped = await ask("admin", "POST", "/v1/sessions/current/step-up", {"code": ask.world.one_time_code("admin")})
    assert stepped.json() == {"approves_until": write_time(ask.world.clock.now + 300 * SECOND)}
    ended = await ask("admin", "DELETE", "/v1/sessions/current")
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await ask("admin", "GET", "/v1/clients")).status_code == 401


@pytest.mark.parametrize("body", [{}, {"username": "a", "password": "b"}, {"username": "a", "password": "b", "code": "c", "more": 1}])
async def test_a_sign_in_of_another_shape_is_unreadable(ask_small: Caller, body: dict[str, Any]):
    assert code_of(await ask_small.http.post("/v1/sessions", json=body)) == (422, "invalid")


async def test_every_route_of_the_room_but_sign_in_asks_for_a_person_with_a_scope(ask_small: Caller):
    for route in routes(ask_small.world.identity):
        path = route.path.replace("{client}", str(uuid.UUID(int=1))).replace("{staff}", str(uuid.UUID(int=1)))
        if isinstance(route.access, Public):
            assert route.path == "/v1/sessions"
            continue
        assert (await ask_small.http.request(route.method, path)).status_code == 401, route.name
        refused = await ask_small("key", route.method, path)
        assert code_of(refused) == (403, "out-of-scope"), route.name
        assert refused.json()["article"] == "cooperative:1"
        assert refused.json()["entry"]["leaf_hash"]


async def test_a_client_opens_only_after_another_person_approved_it(ask: Caller):
    answer = await ask("admin", "POST", "/v1/clients", new_client(ask.world))
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "state", "key"}
    assert made["state"] == "proposed"
    assert str(uuid.UUID(made["id"])) == made["id"]
    ask.tokens["new"] = made["key"]
    assert (await ask("new", "GET", "/v1/clients")).status_code == 401
    path = f"/v1/clients/{made['id']}/approval"
    assert code_of(await ask.approve("admin", path)) == (403, "out-of-scope")
    assert code_of(await ask("officer", "POST", path)) == (403, "step-up-required")
    approved = await ask.approve("officer", path)
    assert (approved.status_code, approved.json()) == (200, {"id": made["id"], "state": "approved"})
    assert code_of(await ask("new", "GET", "/v1/clients")) == (403, "out-of-scope")
    assert code_of(await ask.approve("second_officer", path)) == (409, "conflict")
    entries = [entry for entry in ask.world.entries() if entry.kind.startswith("client.") and entry.outcome == "allow"]
    assert [entry.kind for entry in entries] == ["client.made", "client.proposed", "client.approved"]
    assert entries[-1].flags == ("ceremony",)
    listed = (await ask("officer", "GET", "/v1/clients")).json()
    assert listed["next"] is None
    (item,) = [item for item in listed["items"] if item["id"] == made["id"]]
    assert (item["state"], item["ceremony"], item["scopes"], item["purposes"]) == (
        "active",
        False,
        ["records:list", "records:read"],
        ["service_delivery"],
    )
    assert "secret" not in str(listed)
    assert made["key"].split("_", 3)[-1] not in str(listed)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["log:read"]}, "scopes"),
        ({"scopes": ["approve"]}, "scopes"),
        ({"scopes": ["own"]}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": ["applications:write", "records:read"]}, "scopes"),
        ({"scopes": ["applications:write", "records:search"]}, "scopes"),
        ({"purposes": []}, "purposes"),
        ({"purposes": ["sale"]}, "purposes"),
        ({"purposes": ["intake"]}, "purposes"),
        ({"purposes": ["legal_record"]}, "purposes"),
        ({"party": "nobody", "scopes": ["records:read"]}, "party"),
        ({"party": "partner", "scopes": ["records:write"]}, "scopes"),
        ({"record_types": []}, "record_types"),
        ({"record_types": ["beneficiary", "dragon"]}, "record_types"),
        ({"networks": ["somewhere"]}, "networks"),
        ({"networks": ["192.0.2.1/24"]}, "networks"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow, or the day after"}, "expires_at"),
        ({"name": "a\tb"}, "name"),
        ({"networks": [f"192.0.2.{n}" for n in range(51)]}, "networks"),
    ],
)
async def test_a_client_that_cannot_be_is_not_proposed(ask_small: Caller, changes: dict[str, Any], field: str):
    answer = await ask_small("admin", "POST", "/v1/clients", new_client(ask_small.world, **changes))
    assert code_of(answer) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_duty_of_the_law_goes_with_its_own_scope(ask_small: Caller):
    body = new_client(ask_small.world, scopes=["intake", "records:read"], purposes=["intake"])
    assert (await ask_small("admin", "POST", "/v1/clients", body)).status_code == 201


async def test_a_repeated_request_makes_one_client_and_tells_no_secret_again(ask: Caller):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = new_client(ask.world)
    first = await ask("admin", "POST", "/v1/clients", body, **key)
    again = await ask("admin", "POST", "/v1/clients", body, **key)
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "state": "proposed", "already": True})
    other = await ask("admin", "POST", "/v1/clients", {**body, "name": "another"}, **key)
    assert code_of(other) == (409, "idempotency-mismatch")
    assert sum(entry.kind == "client.proposed" for entry in ask.world.entries()) == 1


async def approved_client(ask: Caller) -> tuple[str, str]:
    made = (await ask("admin", "POST", "/v1/clients", new_client(ask.world))).json()
    assert (await ask.approve("officer", f"/v1/clients/{made['id']}/approval")).status_code == 200
    return made["id"], made["key"]


async def test_a_new_key_is_approved_by_another_and_the_old_one_ends_when_it_was_said(ask: Caller):
    client, old = await approved_client(ask)
    path = f"/v1/clients/{client}"
    until = write_time(ask.world.clock.now + 10 * 3600 * SECOND)
    answer = await ask("admin", "POST", f"{path}/rotation", {"old_valid_until": until})
    assert answer.status_code == 201
    new = answer.json()["key"]
    assert answer.json()["id"] == client
    assert await ask.world.knock(new) is None
    assert code_of(await ask("admin", "POST", f"{path}/rotation")) == (409, "conflict")
    assert (await ask.approve("officer", f"{path}/approval")).status_code == 200
    both = [await ask.world.knock(token) for token in (old, new)]
    assert {caller.ref for caller in both} == {f"client:{uuid.UUID(client).hex}"}
    ask.world.clock.forward(10 * 3600)
    ask.tokens = {}
    assert await ask.world.knock(old) is None
    assert await ask.world.knock(new) is not None
    line = [line.closing for line in ask.world.association.log.journal.lines()][-1]
    assert (line.kind, line.reference) == ("client-key", old.split("_")[2])


async def test_without_a_time_the_old_key_ends_with_the_approval(ask: Caller):
    client, old = await approved_client(ask)
    new = (await ask("admin", "POST", f"/v1/clients/{client}/rotation")).json()["key"]
    assert await ask.world.knock(old) is not None
    await ask.approve("officer", f"/v1/clients/{client}/approval")
    assert await ask.world.knock(old) is None
    assert await ask.world.knock(new) is not None
    assert [item["state"] for item in (await ask("admin", "GET", "/v1/clients")).json()["items"]].count("active") == 2


async def test_a_repeated_rotation_proposes_one_key_and_tells_no_secret_again(ask_small: Caller):
    client, _ = await approved_client(ask_small)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    assert (await ask_small("admin", "POST", f"/v1/clients/{client}/rotation", {}, **key)).status_code == 201
    again = await ask_small("admin", "POST", f"/v1/clients/{client}/rotation", {}, **key)
    assert (again.status_code, again.json()) == (200, {"id": client, "state": "proposed", "already": True})


async def test_a_second_rotation_ends_every_key_before_it(ask: Caller):
    client, first = await approved_client(ask)
    tokens = [first]
    for _ in range(2):
        until = write_time(ask.world.clock.now + 3600 * SECOND)
        tokens.append((await ask("admin", "POST", f"/v1/clients/{client}/rotation", {"old_valid_until": until})).json()["key"])
        assert (await ask.approve("officer", f"/v1/clients/{client}/approval")).status_code == 200
    assert [await ask.world.knock(token) is not None for token in tokens] == [True, True, True]
    ask.world.clock.forward(3700)
    assert [await ask.world.knock(token) is not None for token in tokens] == [False, False, True]
    late = (await ask("admin", "POST", f"/v1/clients/{client}/rotation")).json()["key"]
    assert (await ask.approve("officer", f"/v1/clients/{client}/approval")).status_code == 200
    assert [await ask.world.knock(token) is not None for token in (*tokens, late)] == [False, False, False, True]


async def test_the_system_of_a_party_waits_for_the_party_to_be_registered_still(ask: Caller):
    partner = RecipientFact(code="partner", name={"ar": "جهة", "en": "Partner"}, kind="partner", country="SA")
    await lay_down(ask.world, partner)
    body = new_client(ask.world, party="partner", scopes=["records:read"], purposes=["partner_sharing"])
    made = (await ask("admin", "POST", "/v1/clients", body)).json()
    await lay_down(ask.world, msgspec.structs.replace(partner, revoked_at=ask.world.clock.now))
    path = f"/v1/clients/{made['id']}/approval"
    assert code_of(await ask.approve("officer", path)) == (422, "invalid")
    await lay_down(ask.world, partner)
    assert (await ask.approve("officer", path)).status_code == 200
    assert (await ask.world.knock(made["key"])).party == "partner"


async def lay_down(world: World, recipient: RecipientFact) -> None:
    """Write a recipient as its own room would."""

    def unit(deed: Deed) -> None:
        written = facts.write(deed, RECIPIENT, recipient.code, recipient)
        deed.append(Entry(kind="test.changed", outcome="allow", actor="system", facts=(written,)), changes_law=True)

    await world.association.run(unit)


async def test_an_old_key_is_not_kept_for_more_than_a_week(ask_small: Caller):
    client, _ = await approved_client(ask_small)
    until = write_time(ask_small.world.clock.now + 7 * DAY + SECOND)
    assert code_of(await ask_small("admin", "POST", f"/v1/clients/{client}/rotation", {"old_valid_until": until})) == (422, "invalid")


async def test_a_revoked_client_opens_nothing_with_any_key_from_that_answer_on(ask: Caller):
    client, old = await approved_client(ask)
    until = write_time(ask.world.clock.now + 3600 * SECOND)
    new = (await ask("admin", "POST", f"/v1/clients/{client}/rotation", {"old_valid_until": until})).json()["key"]
    await ask.approve("officer", f"/v1/clients/{client}/approval")
    third = (await ask("admin", "POST", f"/v1/clients/{client}/rotation")).json()["key"]
    answer = await ask("admin", "POST", f"/v1/clients/{client}/revocation")
    assert (answer.status_code, answer.json()) == (200, {"id": client, "state": "revoked"})
    for token in (old, new, third):
        assert await ask.world.knock(token) is None
    assert code_of(await ask.approve("officer", f"/v1/clients/{client}/approval")) == (409, "conflict")
    assert code_of(await ask("admin", "POST", f"/v1/clients/{client}/rotation")) == (404, "not-found")
    line = [line.closing for line in ask.world.association.log.journal.lines()][-1]
    assert (line.kind, line.reference) == ("client", uuid.UUID(client).hex)
    (item,) = [item for item in (await ask("admin", "GET", "/v1/clients")).json()["items"] if item["id"] == client]
    assert item["state"] == "revoked"


@pytest.mark.parametrize("path", ["/v1/clients/{}/revocation", "/v1/clients/{}/rotation", "/v1/staff/{}/end"])
async def test_nothing_by_that_id_is_not_found(ask_small: Caller, path: str):
    for name in (str(uuid.UUID(int=1)), "nobody"):
        assert code_of(await ask_small("admin", "POST", path.format(name))) == (404, "not-found")


@pytest.mark.parametrize("path", ["/v1/clients/{}/approval", "/v1/staff/{}/approval"])
async def test_nothing_waits_for_approval_by_that_id(ask_small: Caller, path: str):
    assert code_of(await ask_small.approve("officer", path.format(uuid.UUID(int=1)))) == (404, "not-found")


def new_staff(**changes: Any) -> dict[str, Any]:
    return {"username": "sara@probe", "engagement": "employee", "roles": ["officer"], **changes}


async def sign_in(ask: Caller, who: str, made: dict[str, Any], **changes: str) -> httpx.Response:
    secret = changes.pop("totp_secret", made["totp_secret"])
    code = ask.world.one_time_code(f"{who} {secret}", secret)
    shown = {"username": f"{who}@probe", "password": made["password"], "code": code, **changes}
    answer = await ask.http.post("/v1/sessions", json=shown)
    if answer.status_code == 201:
        ask.tokens[who] = answer.json()["token"]
    return answer


async def own_credentials(ask: Caller, who: str, made: dict[str, Any]) -> dict[str, Any]:
    """The person replaces her first secrets and signs in with her own, which are returned."""
    new, secret = pyotp.random_base32(), made["totp_secret"]
    body = {
        "password": made["password"],
        "code": ask.world.one_time_code(f"{who} {secret}", secret),
        "new_password": f"كلمات تخص {who} وحدها",
        "totp_secret": new,
        "totp_code": pyotp.TOTP(new).at(ask.world.clock.now // SECOND),
    }
    assert (await ask(who, "POST", "/v1/credentials", body)).status_code == 204
    ask.world.clock.forward(60)
    own = {**made, "password": body["new_password"], "totp_secret": new}
    assert (await sign_in(ask, who, own)).status_code == 201
    return own


def both_halves(made: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What the account's person was handed by the two who made it."""
    return {**made, **told, "password": made["password_start"] + told["password_end"]}


async def approved_staff(ask: Caller, by: str = "admin", approver: str = "officer", **changes: Any) -> dict[str, Any]:
    """An account proposed and approved, with its first secrets put together."""
    made = (await ask(by, "POST", "/v1/staff", new_staff(**changes))).json()
    told = await ask.approve(approver, f"/v1/staff/{made['id']}/approval")
    assert told.status_code == 200
    return both_halves(made, told.json())


async def acknowledge(ask: Caller, who: str) -> httpx.Response:
    policy = (await ask(who, "GET", "/v1/acknowledgements")).json()["policy_sha256"]
    return await ask(who, "POST", "/v1/acknowledgements", {"policy_sha256": policy})


async def test_whoever_was_told_an_accounts_first_secrets_opens_nothing_with_them(ask: Caller):
    made = await approved_staff(ask)
    proposal = (await ask("second_officer", "GET", "/v1/clients")).json()["items"][0]["id"]
    assert (await sign_in(ask, "sara", made)).status_code == 201
    for method, path in (("GET", "/v1/clients"), ("POST", f"/v1/clients/{proposal}/approval"), ("GET", "/v1/staff")):
        assert (await ask("sara", method, path)).status_code == 403, path
    assert code_of(await acknowledge(ask, "sara")) == (409, "credentials-first")
    assert (await ask.world.knock(ask.tokens["sara"])).scopes == {OWN}
    first = ask.tokens["sara"]
    own = await own_credentials(ask, "sara", made)
    assert await ask.world.knock(first) is None
    assert (await sign_in(ask, "sara", made)).status_code == 401
    assert (await sign_in(ask, "sara", own)).status_code == 201
    assert code_of(await ask("sara", "GET", "/v1/clients")) == (403, "not-acknowledged")
    assert (await acknowledge(ask, "sara")).status_code == 201
    assert (await ask.world.knock(ask.tokens["sara"])).scopes == {*ROLES["officer"], OWN}


async def test_an_account_works_after_another_person_approved_it_and_it_acknowledged_the_policy(ask: Caller):
    answer = await ask("admin", "POST", "/v1/staff", new_staff())
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "state", "password_start"}
    approved = await ask.approve("officer", f"/v1/staff/{made['id']}/approval")
    assert approved.status_code == 200
    told = approved.json()
    assert set(told) == {"id", "state", "password_end", "totp_secret"}
    assert (told["id"], told["state"]) == (made["id"], "approved")
    made = both_halves(made, told)
    assert (await sign_in(ask, "sara", made)).status_code == 201
    await own_credentials(ask, "sara", made)
    refused = await ask("sara", "GET", "/v1/clients")
    assert code_of(refused) == (403, "not-acknowledged")
    assert refused.json()["article"] == "cooperative:2"
    policy = (await ask("sara", "GET", "/v1/acknowledgements")).json()
    assert (policy["pack"], policy["law_pack"], policy["acknowledged"]) == ("cooperative", "sa-pdpl", False)
    assert code_of(await ask("sara", "POST", "/v1/acknowledgements", {"policy_sha256": "0" * 64})) == (422, "notice-hash-mismatch")
    given = await ask("sara", "POST", "/v1/acknowledgements", {"policy_sha256": policy["policy_sha256"]})
    assert (given.status_code, given.json()) == (201, {"staff": made["id"], "policy_sha256": policy["policy_sha256"]})
    assert (await ask("sara", "GET", "/v1/acknowledgements")).json()["acknowledged"] is True
    listed = await ask("sara", "GET", "/v1/staff")
    (item,) = [item for item in listed.json()["items"] if item["id"] == made["id"]]
    assert item == {
        "id": made["id"],
        "engagement": "employee",
        "unit": None,
        "record": None,
        "roles": ["officer"],
        "active": True,
        "state": "active",
        "valid_to": None,
        "acknowledged": True,
        "ceremony": False,
    }
    assert "sara" not in listed.text
    entry = next(entry for entry in ask.world.entries() if entry.kind == "policy.acknowledged")
    assert (entry.article, entry.flags) == ("cooperative:2", ())


async def with_account(ask: Caller, who: str, by: str = "admin", approver: str = "officer", **changes: Any) -> dict[str, Any]:
    made = await approved_staff(ask, by, approver, username=f"{who}@probe", **changes)
    assert (await sign_in(ask, who, made)).status_code == 201
    own = await own_credentials(ask, who, made)
    assert (await acknowledge(ask, who)).status_code == 201
    return own


async def test_neither_who_proposed_an_account_nor_who_approved_it_can_sign_in_to_it(ask: Caller):
    made = (await ask("admin", "POST", "/v1/staff", new_staff())).json()
    told = (await ask.approve("officer", f"/v1/staff/{made['id']}/approval")).json()
    code = {"totp_secret": told["totp_secret"]}
    for half in (made["password_start"], told["password_end"], told["password_end"] + made["password_start"]):
        assert (await sign_in(ask, "sara", {"password": half, **code})).status_code == 401
    assert (await sign_in(ask, "sara", both_halves(made, told))).status_code == 201


async def test_two_accounts_of_one_maker_approve_for_each_other_once_each_has_come_in_person(ask: Caller):
    sara, huda = await with_account(ask, "sara"), await with_account(ask, "huda", approver="second_officer")
    ask.world.clock.forward(60)
    maha = (await ask("admin", "POST", "/v1/staff", new_staff(username="maha@probe"))).json()
    book = await ask.book()
    refs = [f"staff:{uuid.UUID(each['id']).hex}" for each in (sara, huda)]
    assert not same_person(book, *refs)
    maker = (await ask.world.person("admin")).ref
    assert all(same_person(book, maker, ref) for ref in refs)
    # What waits is in the database sealed, and the half it holds is gone from it with the approval.
    proposal = await ask.world.association.run(lambda deed: facts.read(deed, STAFF_PROPOSAL, uuid.UUID(maha["id"]).hex))
    assert proposal is not None
    assert len(proposal.password_end) >= 20
    assert proposal.password_end not in str(maha)
    settled = await ask.world.association.run(lambda deed: facts.read(deed, STAFF_PROPOSAL, uuid.UUID(sara["id"]).hex))
    assert settled is not None
    assert settled.password_end == ""


async def test_who_made_an_account_and_its_person_count_as_one(ask: Caller):
    sara = await with_account(ask, "sara")
    proposal = (await ask("admin", "POST", "/v1/clients", new_client(ask.world))).json()
    code = ask.world.one_time_code(f"sara {sara['totp_secret']}", sara["totp_secret"])
    refused = await ask("sara", "POST", f"/v1/clients/{proposal['id']}/approval", {"code": code})
    assert code_of(refused) == (403, "same-person")
    assert refused.json()["article"] == "cooperative:7"
    entry = ask.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.reason) == ("client.approved", "refuse", "SAME_PERSON")
    assert entry.actor == f"staff:{uuid.UUID(sara['id']).hex}"
    assert (await ask.approve("officer", f"/v1/clients/{proposal['id']}/approval")).status_code == 200


async def test_who_made_an_account_through_another_she_made_counts_as_one_with_it(ask: Caller):
    await with_account(ask, "huda", roles=["administrator"])
    sara = await with_account(ask, "sara", by="huda")
    proposal = (await ask("admin", "POST", "/v1/clients", new_client(ask.world))).json()
    code = ask.world.one_time_code(f"sara {sara['totp_secret']}", sara["totp_secret"])
    refused = await ask("sara", "POST", f"/v1/clients/{proposal['id']}/approval", {"code": code})
    assert code_of(refused) == (403, "same-person")


async def test_refusals_to_approve_ones_own_are_counted_beyond_a_limit_and_one_entry_tells_how_many(ask: Caller, fewer_refusals: int):
    sara = await with_account(ask, "sara")
    proposal = (await ask("admin", "POST", "/v1/clients", new_client(ask.world))).json()
    waiting = (await ask("admin", "POST", "/v1/staff", new_staff(username="maha@probe"))).json()
    paths = (f"/v1/clients/{proposal['id']}/approval", f"/v1/staff/{waiting['id']}/approval")
    before = len(ask.world.entries())
    for n in range(fewer_refusals + 1):
        assert code_of(await ask("sara", "POST", paths[n % 2])) == (403, "same-person")
    for path in paths * 2:
        assert code_of(await ask("sara", "POST", path)) == (429, "too-many-requests")
    assert len(ask.world.entries()) == before + fewer_refusals + 1
    assert code_of(await ask.approve("officer", paths[0])) == (200, "")
    ask.world.clock.forward(1)
    assert code_of(await ask("sara", "POST", paths[1])) == (403, "same-person")
    counted = ask.world.entries()[-2]
    assert (counted.kind, counted.reason, counted.count) == ("call.refused", "TOO_MANY", 4)
    assert counted.actor == ask.world.entries()[-1].actor == f"staff:{uuid.UUID(sara['id']).hex}"


async def test_a_missing_step_up_is_refused_within_the_same_limit(ask_small: Caller, fewer_refusals: int):
    proposal = (await ask_small("admin", "POST", "/v1/clients", new_client(ask_small.world))).json()
    path = f"/v1/clients/{proposal['id']}/approval"
    for _ in range(fewer_refusals + 1):
        assert code_of(await ask_small("officer", "POST", path)) == (403, "step-up-required")
    assert code_of(await ask_small("officer", "POST", path)) == (429, "too-many-requests")
    assert (await ask_small.approve("second_officer", path)).status_code == 200


async def test_two_who_approve_are_always_left(ask: Caller):
    ids = {who: (await ask.world.person(who)).id for who in ("officer", "second_officer")}
    for key in ids.values():
        assert code_of(await ask("admin", "POST", f"/v1/staff/{uuid.UUID(key)}/end")) == (409, "last-approver")
    made = await approved_staff(ask)
    # An account whose person never came approves nothing, and is no successor.
    assert code_of(await ask("admin", "POST", f"/v1/staff/{uuid.UUID(ids['officer'])}/end")) == (409, "last-approver")
    assert (await sign_in(ask, "sara", made)).status_code == 201
    await own_credentials(ask, "sara", made)
    assert (await ask("admin", "POST", f"/v1/staff/{uuid.UUID(ids['officer'])}/end")).status_code == 200
    assert code_of(await ask("admin", "POST", f"/v1/staff/{uuid.UUID(ids['second_officer'])}/end")) == (409, "last-approver")
    # Ended once and ended again: nobody more is lost with it.
    assert (await ask("admin", "POST", f"/v1/staff/{uuid.UUID(ids['officer'])}/end")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"roles": []}, (422, "invalid")),
        ({"roles": ["administrator", "officer"]}, (422, "invalid")),
        ({"roles": ["administrator", "second"]}, (422, "invalid")),
        ({"roles": ["administrator", "officer", "second"]}, (422, "invalid")),
        ({"roles": ["king"]}, (422, "invalid")),
        ({"roles": ["second", "officer"]}, (422, "invalid")),
        ({"engagement": "volunteer"}, (422, "invalid")),
        ({"engagement": "guest"}, (422, "invalid")),
        ({"valid_to": "2020-01-01T00:00:00Z"}, (422, "invalid")),
        ({"valid_to": "2031-13-01T00:00:00Z"}, (422, "invalid")),
        ({"username": "sara@another"}, (422, "invalid")),
        ({"username": "sara"}, (422, "invalid")),
        ({"username": "سارة@probe"}, (422, "invalid")),
        ({"username": "officer@probe"}, (409, "conflict")),
        ({"username": "OFFICER@probe"}, (409, "conflict")),
    ],
)
async def test_an_account_that_cannot_be_is_not_proposed(ask_small: Caller, changes: dict[str, Any], code: tuple[int, str]):
    assert code_of(await ask_small("admin", "POST", "/v1/staff", new_staff(**changes))) == code


async def test_a_name_that_waits_for_approval_is_taken(ask_small: Caller):
    first = await ask_small("admin", "POST", "/v1/staff", new_staff())
    assert code_of(await ask_small("admin", "POST", "/v1/staff", new_staff())) == (409, "conflict")
    await ask_small("admin", "POST", f"/v1/staff/{first.json()['id']}/end")
    assert (await ask_small("admin", "POST", "/v1/staff", new_staff())).status_code == 201
    assert code_of(await ask_small.approve("officer", f"/v1/staff/{first.json()['id']}/approval")) == (409, "conflict")


async def test_a_repeated_request_makes_one_account_and_tells_no_secret_again(ask: Caller):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = await ask("admin", "POST", "/v1/staff", new_staff(), **key)
    again = await ask("admin", "POST", "/v1/staff", new_staff(), **key)
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "state": "proposed", "already": True})


async def test_an_ended_account_opens_nothing_from_that_answer_on(ask: Caller):
    sara = await with_account(ask, "sara")
    answer = await ask("admin", "POST", f"/v1/staff/{sara['id']}/end")
    assert (answer.status_code, answer.json()) == (200, {"id": sara["id"], "state": "ended"})
    assert (await ask("sara", "GET", "/v1/clients")).status_code == 401
    assert (await sign_in(ask, "sara", sara)).status_code == 401
    line = [line.closing for line in ask.world.association.log.journal.lines()][-1]
    assert (line.kind, line.reference) == ("staff", uuid.UUID(sara["id"]).hex)
    (item,) = [item for item in (await ask("admin", "GET", "/v1/staff")).json()["items"] if item["id"] == sara["id"]]
    assert (item["active"], item["state"]) == (False, "ended")


async def test_a_volunteers_account_ends_by_itself(ask: Caller):
    until = ask.world.clock.now + 7200 * SECOND
    made = await with_account(ask, "noura", engagement="volunteer", roles=["second"], valid_to=write_time(until))
    assert (await ask("noura", "GET", "/v1/staff")).status_code == 200
    ask.world.clock.now = until
    assert (await ask("noura", "GET", "/v1/staff")).status_code == 401
    assert (await sign_in(ask, "noura", made)).status_code == 401


def credentials(ask: Caller, who: str, new_secret: str, **changes: str) -> dict[str, str]:
    account = ask.world.ceremony.staff[who]
    return {
        "password": account.password,
        "code": ask.world.one_time_code(who),
        "new_password": "ثلاث كلمات للحارس",
        "totp_secret": new_secret,
        "totp_code": pyotp.TOTP(new_secret).at(ask.world.clock.now // SECOND),
        **changes,
    }


async def test_own_password_and_code_end_the_ceremony_for_that_account_and_all_its_sessions(ask: Caller):
    account, new = ask.world.ceremony.staff["officer"], pyotp.random_base32()
    other = await ask.world.session("officer")
    ask.tokens["officer"] = await ask.world.session("officer")
    body = credentials(ask, "officer", new)
    body["totp_code"] = pyotp.TOTP(new).at(ask.world.clock.now // SECOND)
    assert (await ask("officer", "POST", "/v1/credentials", body)).status_code == 204
    for token in (other, ask.tokens["officer"]):
        assert await ask.world.knock(token) is None
    old = {"password": account.password, "totp_secret": account.totp_secret}
    assert (await sign_in(ask, "officer", old)).status_code == 401
    ask.world.clock.forward(60)
    assert (await sign_in(ask, "officer", {"password": body["new_password"], "totp_secret": new})).status_code == 201
    assert code_of(await ask("officer", "GET", "/v1/clients")) == (403, "not-acknowledged")
    policy = (await ask("officer", "GET", "/v1/acknowledgements")).json()["policy_sha256"]
    await ask("officer", "POST", "/v1/acknowledgements", {"policy_sha256": policy})
    assert (await ask("officer", "GET", "/v1/clients")).status_code == 200
    members = (await ask.book()).staff.values()
    assert sorted((member.ceremony, bool(member.acknowledged)) for member in members) == [(False, True), (True, False), (True, False)]


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"password": "wrong"}, (401, "unauthenticated")),
        ({"code": "000000"}, (401, "unauthenticated")),
        ({"totp_code": "000000"}, (422, "invalid")),
        ({"totp_secret": "not base32 at all, and long enough"}, (422, "invalid")),
        ({"totp_secret": "ABCD"}, (422, "invalid")),
        *(({"totp_secret": "B" * letters}, (422, "invalid")) for letters in (33, 35, 38, 41, 62)),
        ({"new_password": "short"}, (422, "invalid")),
    ],
)
async def test_credentials_change_only_with_the_old_ones_and_a_working_new_secret(
    ask_small: Caller, spoilt: dict[str, str], code: tuple[int, str]
):
    new = pyotp.random_base32()
    ask_small.tokens["officer"] = await ask_small.world.session("officer")
    body = credentials(ask_small, "officer", new, **spoilt)
    assert code_of(await ask_small("officer", "POST", "/v1/credentials", body)) == code
    assert (await ask_small("officer", "GET", "/v1/clients")).status_code == 200


async def test_what_was_acknowledged_with_the_ceremonys_secrets_was_not_acknowledged_in_person(ask_small: Caller):
    """One operator was told the secrets of all three accounts; their persons read the policy themselves (article 2)."""
    assert (await acknowledge(ask_small, "officer")).status_code == 201
    assert (await ask_small.world.association.refresh()).staff[(await ask_small.world.person("officer")).id].acknowledged
    ask_small.world.clock.forward(60)
    new = pyotp.random_base32()
    body = credentials(ask_small, "officer", new)
    assert (await ask_small("officer", "POST", "/v1/credentials", body)).status_code == 204
    ask_small.world.clock.forward(60)
    assert (await sign_in(ask_small, "officer", {"password": body["new_password"], "totp_secret": new})).status_code == 201
    assert code_of(await ask_small("officer", "GET", "/v1/clients")) == (403, "not-acknowledged")
    assert (await acknowledge(ask_small, "officer")).status_code == 201
    assert (await ask_small("officer", "GET", "/v1/clients")).status_code == 200


async def test_a_code_that_was_used_opens_nothing_by_keeping_the_old_secret(ask_small: Caller):
    """Kept with the code before it, the secret would count from there again."""
    made = await approved_staff(ask_small, username="sara@probe")
    await sign_in(ask_small, "sara", made)
    own = await own_credentials(ask_small, "sara", made)
    ask_small.world.clock.forward(60)
    assert (await sign_in(ask_small, "sara", own)).status_code == 201
    ask_small.world.clock.forward(120)
    totp, seconds = pyotp.TOTP(own["totp_secret"]), ask_small.world.clock.now // SECOND
    body = {
        "password": own["password"],
        "code": totp.at(seconds),
        "new_password": "كلمات أخرى تخص سارة",
        "totp_secret": own["totp_secret"],
        "totp_code": totp.at(seconds - 30),
    }
    assert (await ask_small("sara", "POST", "/v1/credentials", body)).status_code == 204
    shown = {"username": "sara@probe", "password": body["new_password"], "code": body["code"]}
    assert (await ask_small.http.post("/v1/sessions", json=shown)).status_code == 401


@pytest.mark.parametrize("kept", ["new_password", "totp_secret"])
async def test_secrets_that_others_were_told_are_not_ones_own_by_being_sent_again(ask_small: Caller, kept: str):
    """Who approved the account was told its code secret; both who made it hold half of its password."""
    account = await approved_staff(ask_small, username="nora@probe")
    assert (await sign_in(ask_small, "nora", account)).status_code == 201
    ask_small.world.clock.forward(60)
    secret = account["totp_secret"] if kept == "totp_secret" else pyotp.random_base32()
    body = {
        "password": account["password"],
        "code": ask_small.world.one_time_code("nora", account["totp_secret"]),
        "new_password": account["password"] if kept == "new_password" else "كلمات تخص نورة وحدها",
        "totp_secret": secret,
        "totp_code": pyotp.TOTP(secret).at(ask_small.world.clock.now // SECOND),
    }
    answer = await ask_small("nora", "POST", "/v1/credentials", body)
    assert code_of(answer) == (422, "invalid")
    assert answer.json()["errors"] == [{"field": kept, "code": "not-own"}]
    assert (await ask_small.book()).staff[uuid.UUID(account["id"]).hex].scopes == ()


async def pages(ask: Caller, path: str, count: Callable[[dict[str, Any]], int]) -> list[str]:
    ids: list[str] = []
    after = ""
    while True:
        page = (await ask("admin", "GET", f"{path}?limit=2{after}")).json()
        assert count(page) <= 2
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return ids
        after = f"&after={page['next']}"


async def test_lists_are_told_in_pages_each_item_once(ask_small: Caller):
    for n in range(3):
        assert (await ask_small("admin", "POST", "/v1/clients", new_client(ask_small.world, name=f"نظام {n}"))).status_code == 201
        assert (await ask_small("admin", "POST", "/v1/staff", new_staff(username=f"n{n}@probe"))).status_code == 201
    for path, count in (("/v1/clients", 4), ("/v1/staff", 6)):
        ids = await pages(ask_small, path, lambda page: len(page["items"]))
        assert len(ids) == len(set(ids)) == count
        assert ids == sorted(ids)
