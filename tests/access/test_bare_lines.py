"""Lines of the journal from before it told who asked for an erasure: they close what they closed, and nobody alone settles one."""

import uuid

import pytest

from tests.access.desk import Desk
from tests.access.erasures import ask, found, orphan, settle, somebody, unlocked, verified
from vault.reclosing import reclose
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")


def bare(kind: str, subject: bytes, erasure: str) -> Closing:
    """A line as it was written then: the erasure's id and no more."""
    return Closing(kind, subject.hex(), erasure)


async def test_a_bare_line_of_an_erasure_takes_the_whole_person(desk: Desk):
    world = desk.world
    kept, locked = await somebody(world), await somebody(world)
    asked = uuid.UUID((await ask(desk, locked.record)).json()["id"])
    orphan(world, bare("erasure", kept.subject, uuid.uuid4().hex), bare("erasure", locked.subject, asked.hex))
    assert reclose(world.association, world.clock) == 2
    for one in (kept, locked):
        assert (await desk.read(one.record)).status_code == 404
    assert await found(desk) == []
    assert await verified(world) == []
    assert reclose(world.association, world.clock) == 0
    shown = await desk.get("/v1/erasures", await world.session("second_officer"))
    assert [(each["state"], each["settled_by"], each["scope"]) for each in shown.json()["items"]] == [("erased", "system", "person")] * 2
    assert {each["requested_by"] for each in shown.json()["items"]} == {"self", "association"}


async def test_a_bare_line_of_a_lock_under_the_request_there_is_locks_and_is_settled_as_ever(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    erasure = (await ask(desk, kept.record)).json()["id"]
    await unlocked(world, kept)
    orphan(world, bare("lock", kept.subject, uuid.UUID(erasure).hex))
    assert reclose(world.association, world.clock) == 1
    assert (await desk.read(kept.record)).status_code == 403
    assert (await settle(desk, erasure, who="officer")).json()["code"] == "same-person"
    assert (await settle(desk, erasure)).status_code == 200


async def test_a_bare_line_of_a_lock_without_a_request_locks_until_somebody_asks_anew_and_another_settles_it(desk: Desk):
    world = desk.world
    kept, id_ = await somebody(world), uuid.uuid4()
    orphan(world, bare("lock", kept.subject, id_.hex), bare("lock", b"\xab" * 16, uuid.uuid4().hex))
    assert reclose(world.association, world.clock) == 1
    assert (await desk.read(kept.record)).status_code == 403
    assert await verified(world) == []
    assert (await settle(desk, str(id_))).status_code == 404, "nobody knows who asked, so nobody settles it"
    anew = await ask(desk, kept.record)
    assert (anew.status_code, anew.json()["id"]) == (202, str(id_))
    assert (await ask(desk, kept.record)).json()["code"] == "erasure-pending"
    assert (await settle(desk, str(id_), who="officer")).json()["code"] == "same-person"
    world.clock.forward(60)
    assert (await settle(desk, str(id_), "cancellation")).status_code == 200
    assert reclose(world.association, world.clock) == 0, "what was called off since stays so"
    assert (await desk.read(kept.record)).status_code == 200
    assert await verified(world) == []
