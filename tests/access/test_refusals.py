"""A caller that is refused too often is counted, not told: the log grows by one entry, and permits cost nothing."""

import pytest

from tests.access.desk import Desk, written
from tests.household import FATIMA, grant, store
from vault.errors import TooMany, Unavailable
from vault.rulebook import refusals
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.refusals import PER_SECOND

BURST = 400


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller burst than the vault's own, so that it is reached in a moment."""
    monkeypatch.setattr(refusals, "BURST", BURST)


pytestmark = pytest.mark.asyncio(loop_scope="function")


async def refused_often(desk: Desk, record: bytes, times: int) -> None:
    """That many refusals in as few calls as can be."""
    question = {"record": written(record), "action": "use", "purpose": "sms_offers", "recipient": "INTERNAL", "fields": ["mobile"]}
    while times:
        asked = min(times, 500)
        answer = await desk.post("/v1/decisions/batch", {"items": [question] * asked})
        assert answer.status_code == 200
        times -= asked


async def test_beyond_the_limit_refusals_are_counted_and_one_entry_tells_how_many(small_desk: Desk):
    desk, world = small_desk, small_desk.world
    kept = await store(world)
    world.clock.forward(60)
    await grant(world, kept.record)
    await refused_often(desk, kept.record, BURST - 1)
    assert (await desk.read(kept.record, "sms_offers", "mobile")).status_code == 403
    assert (await desk.read(kept.record)).status_code == 200
    assert (await desk.read(kept.record, "sms_offers", "mobile")).status_code == 403
    before = len(world.entries())
    for _ in range(7):
        answer = await desk.read(kept.record)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "entry" not in answer.json()
    assert len(world.entries()) == before
    world.clock.forward(1)
    assert (await desk.read(kept.record)).status_code == 200
    told, value = world.entries()[-2:]
    assert (told.kind, told.outcome, told.reason, told.article, told.count) == ("call.refused", "refuse", "TOO_MANY", "cooperative:1", 7)
    assert told.actor == value.actor
    assert (await desk.read(kept.record)).status_code == 200
    assert [entry.kind for entry in world.entries()[-2:]] == ["record.read", "record.read"]


async def test_who_was_shut_out_and_did_not_knock_leaves_no_count(small_desk: Desk):
    kept = await store(small_desk.world)
    await refused_often(small_desk, kept.record, BURST + 1)
    small_desk.world.clock.forward(1)
    assert (await small_desk.read(kept.record)).status_code == 403
    assert all(entry.reason != "TOO_MANY" for entry in small_desk.world.entries())


async def test_five_hundred_refusals_in_one_call_shut_out_for_as_long_as_they_would_take(small_desk: Desk):
    kept = await store(small_desk.world)
    await refused_often(small_desk, kept.record, 500)
    answer = await small_desk.read(kept.record)
    assert answer.status_code == 429
    seconds = 1 + (500 - BURST - 1) / PER_SECOND
    assert seconds <= int(answer.headers["retry-after"]) <= seconds + 1
    small_desk.world.clock.forward(seconds - 0.01)
    assert (await small_desk.read(kept.record)).status_code == 429
    small_desk.world.clock.forward(0.01)
    assert (await small_desk.read(kept.record)).status_code == 403
    assert small_desk.world.entries()[-2].count == 2


@pytest.mark.parametrize("call", ["read", "read_many", "decide", "decide_many"])
async def test_every_call_of_the_door_counts_its_refusals_and_is_shut(small_desk: Desk, call: str):
    desk = small_desk
    kept = await store(desk.world)
    await refused_often(desk, kept.record, BURST - 1)
    question = {"record": written(kept.record), "action": "use", "purpose": "sms_offers", "recipient": "INTERNAL", "fields": ["mobile"]}

    async def knock():
        match call:
            case "read":
                return await desk.read(kept.record, "sms_offers", "mobile")
            case "read_many":
                body = {"ids": [written(kept.record)], "purpose": "sms_offers", "fields": ["mobile"]}
                return await desk.post("/v1/records/read", body)
            case "decide":
                return await desk.post("/v1/decisions", question)
            case _:
                return await desk.post("/v1/decisions/batch", {"items": [question]})

    assert (await knock()).status_code != 429
    assert (await knock()).status_code != 429
    assert (await knock()).status_code == 429


async def test_permits_cost_nothing(small_desk: Desk):
    world = small_desk.world
    kept = await store(world, FATIMA)
    world.clock.forward(60)
    await grant(world, kept.record)
    question = {
        "record": written(kept.record),
        "action": "use",
        "purpose": "service_delivery",
        "recipient": "INTERNAL",
        "fields": ["mobile"],
    }
    for _ in range(2):
        answer = await small_desk.post("/v1/decisions/batch", {"items": [question] * 500})
        assert {one["decision"] for one in answer.json()["results"]} == {"permit"}
    body = {"ids": [written(kept.record)], "purpose": "service_delivery", "fields": ["mobile"]}
    for _ in range(10):
        assert (await small_desk.post("/v1/records/read", body)).json()["results"][0]["status"] == 200


async def test_a_count_that_could_not_be_written_is_counted_on(small_desk: Desk):
    desk, world = small_desk, small_desk.world
    kept = await store(world)
    await refused_often(desk, kept.record, BURST + 1)
    job = Errand(await world.system(), "r")

    async def nothing() -> None:
        return None

    for _ in range(3):
        with pytest.raises(TooMany):
            await heard(job, nothing)
    world.clock.forward(1)
    with world.database.connect() as holder:
        holder.begin()
        with pytest.raises(Unavailable):
            await heard(job, nothing)
    await heard(job, nothing)
    assert [entry.count for entry in world.entries() if entry.reason == "TOO_MANY"] == [3]


async def test_what_was_counted_of_a_caller_who_never_comes_again_is_told_by_the_house(small_desk: Desk):
    desk, world = small_desk, small_desk.world
    kept = await store(world)
    await refused_often(desk, kept.record, BURST + 1)
    for _ in range(4):
        assert (await desk.read(kept.record)).status_code == 429
    assert all(entry.reason != "TOO_MANY" for entry in world.entries())
    for _ in range(2):
        await world.association.refusals.tell_all()
    assert [(entry.actor, entry.count) for entry in world.entries() if entry.reason == "TOO_MANY"] == [((await world.system()).ref, 4)]
    assert (await desk.read(kept.record)).status_code == 429
    world.clock.forward(1)
    assert (await desk.read(kept.record)).status_code == 403
    assert [entry.count for entry in world.entries() if entry.reason == "TOO_MANY"] == [4, 1]
