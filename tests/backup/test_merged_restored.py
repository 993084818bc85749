"""One person's two records, erased by one request since the copy: both stay erased, whether the copy knew them for one person's or not."""

import pytest

from tests.access.desk import Desk
from tests.access.erasures import ask, erased, settle, somebody, verified
from tests.access.test_silences import joined
from tests.backup.rescue import Rescue
from tests.household import FATIMA, grant, read, store, withdraw
from vault.errors import Refused
from vault.reclosing import reclose

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("carried_out", [True, False])
async def test_both_stay_erased_or_locked(rescue: Rescue, empty: str, *, known: bool, carried_out: bool):
    world = rescue.world
    one, other = await somebody(world), await store(world, {**FATIMA, "mobile": "0557654321"})
    if known:
        await joined(world, one.subject, other.subject)
    copy = rescue.take()
    if not known:
        await joined(world, one.subject, other.subject)
    async with Desk.over(world) as desk:
        id_ = (await erased(desk, other.record))["id"] if carried_out else (await ask(desk, other.record)).json()["id"]
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        assert reclose(after.association, world.clock) == 0
        async with Desk.over(after) as desk:
            if not carried_out:
                assert [(await desk.read(kept.record)).status_code for kept in (one, other)] == [403, 403]
                assert len((await settle(desk, id_)).json()["records"]) == 2
            assert [(await desk.read(kept.record)).status_code for kept in (one, other)] == [404, 404]
            assert await verified(after) == []


async def test_what_was_withdrawn_through_a_record_that_is_not_in_the_copy_is_withdrawn_for_the_one_that_is(rescue: Rescue, empty: str):
    world = rescue.world
    one = await somebody(world)
    copy = rescue.take()
    late = await somebody(world)
    await joined(world, one.subject, late.subject)
    world.clock.forward(1)
    await withdraw(world, (await grant(world, late.record)).id)
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        with pytest.raises(Refused, match="consent-withdrawn"):
            await read(after, one.record)
        assert reclose(after.association, world.clock) == 0
        assert await verified(after) == []
