"""Who settles erasures sees which were asked for, and one person asks for so many and no more."""

import uuid
from typing import Any

import pytest

from tests.access.desk import Desk, written
from tests.access.erasures import REASON, ask, line, orphan, settle, somebody
from tests.household import errand
from tests.simulator import World
from vault.access import erasure_limits, erasures
from vault.access.certificate import ERASURE, ErasureFact
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.errors import Conflict, TooMany, Unavailable
from vault.reclosing import reclose
from vault.rulebook import facts

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def listed(desk: Desk, **query: Any) -> dict[str, Any]:
    answer = await desk.get("/v1/erasures", desk.officer, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_who_settles_an_erasure_sees_who_asked_when_for_whom_and_which_classes(desk: Desk):
    world = desk.world
    one, two, three = [await somebody(world) for _ in range(3)]
    first = (await ask(desk, one.record)).json()["id"]
    second = (await ask(desk, two.record, classes=["health"])).json()["id"]
    third = (await ask(desk, three.record)).json()["id"]
    await settle(desk, third, "cancellation")
    officer = f"staff:{(await world.person('officer')).id}"
    session = await world.session("second_officer")
    answer = await desk.get(f"/v1/erasures/{second}", session)
    told = answer.json()
    assert (answer.status_code, told["state"], told["scope"], told["classes"]) == (200, "locked", "classes", ["health"])
    assert (told["record"], told["requested_by"], told["asked_by"], told["settled_by"]) == (written(two.record), "self", officer, None)
    entry = world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.about) == ("erasure.read", "allow", (About(two.subject, two.record),))
    every = await listed(desk)
    assert [(each["id"], each["state"]) for each in every["items"]] == [(third, "cancelled"), (second, "locked"), (first, "locked")]
    assert every["items"][0]["settled_by"] not in {None, officer}
    assert every["items"][0]["settled_at"]
    assert (world.entries()[-1].kind, world.entries()[-1].count) == ("erasures.read", 3)
    page = await listed(desk, state="locked", limit=1)
    assert [each["id"] for each in page["items"]] == [second]
    rest = await listed(desk, state="locked", limit=1, after=page["next"])
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([first], None)
    assert REASON not in str(every)
    system = await desk.get("/v1/erasures")
    assert (system.status_code, system.json()["code"]) == (403, "out-of-scope")
    assert (await desk.get(f"/v1/erasures/{uuid.uuid4()}", session)).status_code == 404


async def test_why_is_shown_to_who_may_settle_it_after_an_entry_and_to_nobody_else(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = desk.world
    kept = await somebody(world)
    first = (await ask(desk, kept.record, reason="another reason")).json()["id"]
    world.clock.forward(60)
    assert (await settle(desk, first, "cancellation")).status_code == 200
    id_ = (await ask(desk, kept.record)).json()["id"]
    second = await world.session("second_officer")

    async def why(token: str, erasure: str = id_) -> tuple[str | None, tuple[str, ...]]:
        answer = await desk.get(f"/v1/erasures/{erasure}", token)
        assert (answer.status_code, world.entries()[-1].kind) == (200, "erasure.read")
        return answer.json()["reason"], world.entries()[-1].fields

    assert await why(second) == (REASON, ("reason",))
    assert await why(desk.officer) == (None, ()), "who asked cannot be the second person"
    assert await why(second, first) == (None, ()), "it is settled"
    assert (await desk.get(f"/v1/erasures/{id_}", await world.session("admin"))).status_code == 403
    assert (await desk.get(f"/v1/erasures/{id_}")).status_code == 403
    assert REASON not in str(await listed(desk))

    def fails(_deed: Deed) -> None:
        raise Unavailable("log-unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(Deed, "close", fails)
        answer = await desk.get(f"/v1/erasures/{id_}", second)
        assert (answer.status_code, REASON in answer.text) == (503, False)
    assert (await settle(desk, id_)).status_code == 200
    assert await why(second) == (None, ()), "it went with her"


async def test_a_request_the_journal_brought_back_has_no_reason(small_desk: Desk):
    world = small_desk.world
    kept, id_ = await somebody(world), uuid.uuid4()
    orphan(world, line("lock", kept.subject, id_.hex))
    assert reclose(world.association, world.clock) == 1
    told = await small_desk.get(f"/v1/erasures/{id_}", await world.session("second_officer"))
    assert (told.status_code, told.json()["reason"]) == (200, None)


async def test_a_page_looks_at_so_many_requests_and_says_where_the_next_begins(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasures, "MOST_LOOKED_AT", 1)
    asked = [(await ask(small_desk, (await somebody(small_desk.world)).record)).json()["id"] for _ in range(2)]
    empty = await listed(small_desk, state="erased")
    assert (empty["items"], empty["next"] is None) == ([], False)
    page = await listed(small_desk, after=empty["next"])
    assert [each["id"] for each in page["items"]] == [asked[0]]


async def test_an_erasure_without_a_record_is_shown_too(small_desk: Desk):
    """An older database that had the person and no record of hers."""
    world, id_ = small_desk.world, uuid.uuid4()
    asked = ErasureFact(id=id_.hex, subject="1" * 32, record="", requested_by="2" * 32, asked_by="staff:1", asked_at=world.clock.now)
    job = await errand(world)

    def write(deed: Any) -> None:
        deed.append(job.entry(kind="test", outcome="allow", facts=(facts.write(deed, ERASURE, asked.id, asked),)))

    await world.association.run(write)
    told = (await small_desk.get(f"/v1/erasures/{id_}", small_desk.officer)).json()
    assert (told["record"], told["requested_by"]) == (None, str(uuid.UUID("2" * 32)))
    assert world.entries()[-1].about == (About(bytes.fromhex("1" * 32)),)


async def test_one_person_asks_for_so_many_erasures_and_the_alarm_rings_once(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = small_desk.world
    kept = await somebody(world)
    nobody = uuid.uuid4().bytes
    for _ in range(erasure_limits.BURST):
        assert (await ask(small_desk, nobody)).status_code == 404
    shut = [await ask(small_desk, kept.record) for _ in range(2)]
    assert [(each.status_code, each.json()["code"]) for each in shut] == [(429, "too-many-requests")] * 2
    alarms = [entry for entry in world.entries() if entry.reason == "ERASURES_ASKED"]
    assert [(entry.kind, entry.actor, entry.count) for entry in alarms] == [("alarm", f"staff:{(await world.person('officer')).id}", 30)]
    assert (await small_desk.read(kept.record)).status_code == 200
    world.clock.forward(24 * 60)
    assert (await ask(small_desk, kept.record)).status_code == 202


async def test_who_is_shut_out_stays_so_where_the_alarm_cannot_be_written(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasure_limits, "BURST", 1)
    limits, job = erasure_limits.ErasureLimits(), await errand(small)
    await limits.admit(job)
    monkeypatch.setattr(erasure_limits, "_tell", lambda *_: (_ for _ in ()).throw(Conflict("integrity")))
    with pytest.raises(TooMany):
        await limits.admit(job)
