"""What a client may: narrowed by one person at once, widened by two, and no more under any of its keys than under the others."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.identity.test_api import DAY, Caller, approved_client, code_of, new_client
from tests.identity.test_recipients import closings
from tests.simulator import NETWORK, World
from vault.identity.bounds import is_within
from vault.reclosing import reclose
from vault.rulebook.shapes import ClientFact
from vault.storage.journal import Closing
from vault.web.times import parse_time, write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
SECOND = 1_000_000
YEAR = 365 * DAY


@pytest_asyncio.fixture
async def ask(vault: World) -> AsyncIterator[Caller]:
    async with vault.front() as http:
        yield Caller(vault, http)


@pytest_asyncio.fixture
async def ask_small(small: World) -> AsyncIterator[Caller]:
    async with small.front() as http:
        yield Caller(small, http)


async def item(ask: Caller, client: str) -> dict[str, Any]:
    """The client as the list has it."""
    items = (await ask("officer", "GET", "/v1/clients")).json()["items"]
    return next(one for one in items if one["id"] == client)


async def change(ask: Caller, client: str, as_: str = "admin", **body: Any) -> Any:
    answer = await ask(as_, "POST", f"/v1/clients/{client}/change", body)
    return answer.json()["state"] if answer.status_code == 200 else code_of(answer)


async def approve(ask: Caller, client: str, who: str = "officer", **body: Any) -> tuple[int, str]:
    if who not in ask.tokens:
        ask.tokens[who] = await ask.world.session(who)
    return code_of(await ask(who, "POST", f"/v1/clients/{client}/approval", {"code": ask.world.one_time_code(who), **body}))


async def test_narrowing_is_at_once_under_every_key_and_a_line_of_the_journal(ask: Caller):
    client, old = await approved_client(ask)
    until = write_time(ask.world.clock.now + DAY)
    new = (await ask("admin", "POST", f"/v1/clients/{client}/rotation", {"old_valid_until": until})).json()["key"]
    assert await approve(ask, client) == (200, "")
    narrower: dict[str, Any] = {"scopes": ["records:list"], "record_types": ["donor"], "networks": [f"{NETWORK}/32"]}
    assert await change(ask, client, **narrower) == "narrowed"
    for token in (old, new):
        caller = await ask.world.knock(token)
        assert (caller.scopes, caller.asker.types) == ({"records:list"}, {"donor"})
    assert closings(ask)[-1] == Closing("client-narrowed", uuid.UUID(client).hex)
    seen = await item(ask, client)
    assert {name: seen[name] for name in narrower} == narrower
    assert await change(ask, client, **narrower) == "unchanged"
    assert await change(ask, client, expires_at=write_time(ask.world.clock.now + 3600 * SECOND)) == "narrowed"
    ask.world.clock.forward(3601)
    assert await ask.world.knock(old) is await ask.world.knock(new) is None


async def test_widening_waits_for_another_person_who_names_what_she_saw(ask: Caller):
    client, key = await approved_client(ask)
    wider: dict[str, Any] = {"scopes": ["records:list", "records:read", "records:search"], "record_types": ["beneficiary"]}
    assert await change(ask, client, **wider) == "proposed"
    assert (await ask.world.knock(key)).scopes == {"records:list", "records:read"}
    assert await change(ask, client, purposes=["service_delivery", "publication"]) == (409, "conflict")
    waits = (await item(ask, client))["waits"]
    assert {name: waits[name] for name in wider} == wider
    assert await approve(ask, client) == (422, "invalid")
    assert await approve(ask, client, proposal="x") == (422, "invalid")
    assert await approve(ask, client, proposal=str(uuid.uuid4())) == (409, "conflict")
    assert await approve(ask, client, proposal=waits["id"]) == (200, "")
    caller = await ask.world.knock(key)
    assert (caller.scopes, caller.asker.types) == (frozenset(wider["scopes"]), {"beneficiary"})
    assert (await item(ask, client))["waits"] is None
    assert closings(ask)[-1] == Closing("client-narrowed", uuid.UUID(client).hex), "it is for fewer types than before"
    assert await approve(ask, client, "second_officer", proposal=waits["id"]) == (409, "conflict")
    later = write_time(ask.world.clock.now + 2 * YEAR)
    assert await change(ask, client, expires_at=later) == "proposed"
    count = len(closings(ask))
    assert await approve(ask, client, proposal=(await item(ask, client))["waits"]["id"]) == (200, "")
    assert (await item(ask, client))["expires_at"] == later
    assert len(closings(ask)) == count, "nothing of it is narrower"


async def test_who_proposed_it_does_not_approve_it(ask_small: Caller):
    client, _ = await approved_client(ask_small)
    assert await change(ask_small, client, as_="officer", scopes=["records:list"]) == (403, "out-of-scope")
    await change(ask_small, client, scopes=["records:list", "records:read", "intake"])
    waits = (await item(ask_small, client))["waits"]
    assert await approve(ask_small, client, "admin", proposal=waits["id"]) == (403, "out-of-scope")
    assert waits["proposed_by"].startswith("staff:")


@pytest.mark.parametrize("waiting", ["change", "key"])
async def test_narrowing_takes_back_what_waits_so_that_no_approval_brings_the_old_back(ask_small: Caller, waiting: str):
    client, key = await approved_client(ask_small)
    if waiting == "key":
        assert (await ask_small("admin", "POST", f"/v1/clients/{client}/rotation")).status_code == 201
    else:
        assert await change(ask_small, client, scopes=["records:list", "records:read", "records:search"]) == "proposed"
    assert await change(ask_small, client, scopes=["records:list"]) == "narrowed"
    assert await approve(ask_small, client) == (409, "conflict")
    assert (await ask_small.world.knock(key)).scopes == {"records:list"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": ["log:read"]}, 422),
        ({"purposes": []}, 422),
        ({"purposes": ["intake"]}, 422),
        ({"record_types": ["dragon"]}, 422),
        ({"networks": ["somewhere"]}, 422),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"expires_at": "tomorrow, or the day after"}, 422),
        ({"kind": "interactive"}, 422),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(ask_small: Caller, body: dict[str, Any], code: int):
    client, _ = await approved_client(ask_small)
    before = await item(ask_small, client)
    assert (await change(ask_small, client, **body))[0] == code
    assert (await change(ask_small, str(uuid.uuid4()), scopes=["records:list"])) == (404, "not-found")
    assert {**(await item(ask_small, client)), "last_used": None} == {**before, "last_used": None}


async def test_without_an_end_a_client_ends_after_a_year_and_its_last_use_is_what_the_log_says(ask: Caller):
    body = new_client(ask.world)
    del body["expires_at"]
    made = (await ask("admin", "POST", "/v1/clients", body)).json()
    assert await approve(ask, made["id"]) == (200, "")
    seen = await item(ask, made["id"])
    assert parse_time(seen["expires_at"]) - ask.world.clock.now in range(YEAR - 10 * SECOND, YEAR + 1)
    assert (seen["last_used"], seen["record_types"]) == (None, None)
    ask.tokens["new"] = made["key"]
    ask.world.clock.forward(60)
    assert code_of(await ask("new", "GET", "/v1/clients")) == (403, "out-of-scope")
    assert (await item(ask, made["id"]))["last_used"] == write_time(ask.world.clock.now)


async def test_a_client_the_journal_knows_as_narrowed_and_the_database_does_not_is_ended(vault: World):
    async with vault.front() as http:
        ask = Caller(vault, http)
        (first, key), (second, other) = await approved_client(ask), await approved_client(ask)
        assert await change(ask, second, scopes=["records:list"]) == "narrowed"
    vault.clock.forward(1)
    assert reclose(vault.association, vault.clock) == 0, "what is narrowed is left alone"
    with_it = [Closing("client-narrowed", uuid.UUID(first).hex), Closing("client-narrowed", "ab" * 16)]
    vault.association.log.journal.append(len(vault.entries()), vault.clock.now, with_it)
    assert reclose(vault.association, vault.clock) == 1
    await vault.association.refresh()
    assert await vault.knock(key) is None
    assert await vault.knock(other) is not None
    assert reclose(vault.association, vault.clock) == 0


CLIENT = ClientFact(id="1", name="n", party="INTERNAL", kind="batch", scopes=("a", "b"), purposes=("p", "q"), secret_hash="")
BOUND = {"types": ("t", "u"), "networks": ("10.0.0.0/8", "2001:db8::/32"), "expires_at": 10}


@pytest.mark.parametrize(
    ("before", "after", "within"),
    [
        ({}, {}, True),
        ({}, {"scopes": ("a",)}, True),
        ({}, {"scopes": ("a", "c")}, False),
        ({}, {"purposes": ("q",)}, True),
        ({}, {"purposes": ("r",)}, False),
        ({}, BOUND, True),
        (BOUND, {}, False),
        (BOUND, BOUND, True),
        (BOUND, BOUND | {"types": ("t",)}, True),
        (BOUND, BOUND | {"types": ("t", "w")}, False),
        (BOUND, BOUND | {"types": None}, False),
        (BOUND, BOUND | {"networks": ("10.1.0.0/16", "2001:db8:1::/48")}, True),
        (BOUND, BOUND | {"networks": ("10.1.0.0/16", "11.0.0.1/32")}, False),
        (BOUND, BOUND | {"networks": ("2001:db9::/32",)}, False),
        (BOUND, BOUND | {"networks": ()}, False),
        (BOUND, BOUND | {"expires_at": 9}, True),
        (BOUND, BOUND | {"expires_at": 11}, False),
        (BOUND, BOUND | {"expires_at": None}, False),
    ],
)
async def test_only_what_is_narrower_in_every_respect_is_within(before: dict[str, Any], after: dict[str, Any], within: bool):
    fact = {name: getattr(CLIENT, name) for name in CLIENT.__struct_fields__}
    assert is_within(ClientFact(**{**fact, **after}), ClientFact(**{**fact, **before})) is within
