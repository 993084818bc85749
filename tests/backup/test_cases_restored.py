"""A report and an incident that were destroyed after a copy was made do not come back with it."""

import pytest

from tests.backup.rescue import Rescue
from tests.breach_reports.desk import desk_of
from tests.breach_reports.incident_desk import report
from tests.breach_reports.test_retention import YEAR, closed, dismissed, findings, pass_, retention, rows, run

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_what_was_destroyed_after_the_copy_was_made_stays_destroyed(rescue: Rescue, empty: str):
    world = rescue.world
    async with desk_of(world) as desk:
        await closed(desk, await report(desk))
        _, given = await dismissed(desk)
        pass_(desk, 6 * YEAR)
        copy = rescue.take()
        assert len((await run(desk))["destroyed"]) == 3
        before = (await retention(desk, path="/tombstones")).json()["items"]
    world.clock.forward(2)
    await world.association.checkpoint()
    home = rescue.home()
    done = rescue.restore(empty, home, copy)
    assert (done.complete, done.closed) == (True, 3)
    with rescue.opened(empty, home) as after:
        async with desk_of(after) as desk:
            assert set(rows(desk).values()) == {0}
            assert (await desk.public("/status", {"receipt": given["receipt"]})).status_code == 404
            stones = (await retention(desk, path="/tombstones")).json()["items"]
            told = ("id", "reference", "outcome", "category", "reports", "closed_at", "opened_at")
            assert sorted([each[name] for name in told] for each in stones) == sorted([each[name] for name in told] for each in before)
            assert findings(desk) == []
