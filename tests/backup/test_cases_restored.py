"""A report and an incident that were destroyed after a copy was made do not come back with it."""

import uuid
from pathlib import Path

import pytest

from tests.backup.rescue import Rescue
from tests.breach_reports.desk import desk_of
from tests.breach_reports.incident_desk import PARTS, opened, report
from tests.breach_reports.notices import Box, approved, notifier, person, serving, states
from tests.breach_reports.test_retention import YEAR, closed, dismissed, findings, pass_, preview, retention, rows, run
from vault.backup.manifest import Backup

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def restored(rescue: Rescue, empty: str, copy: Backup, *, closed: int) -> Path:
    """The home of a vault restored from a copy beside a whole journal, which closed so many doors again."""
    rescue.world.clock.forward(2)
    await rescue.world.association.checkpoint()
    home = rescue.home()
    done = rescue.restore(empty, home, copy)
    assert (done.complete, done.closed) == (True, closed)
    return home


async def test_what_was_destroyed_after_the_copy_was_made_stays_destroyed(rescue: Rescue, empty: str):
    world = rescue.world
    async with desk_of(world) as desk:
        await closed(desk, await report(desk))
        _, given = await dismissed(desk)
        pass_(desk, 6 * YEAR)
        copy = rescue.take()
        assert len((await run(desk))["destroyed"]) == 3
        before = (await retention(desk, path="/tombstones")).json()["items"]
    home = await restored(rescue, empty, copy, closed=3)
    with rescue.opened(empty, home) as after:
        async with desk_of(after) as desk:
            assert set(rows(desk).values()) == {0}
            assert (await desk.public("/status", {"receipt": given["receipt"]})).status_code == 404
            stones = (await retention(desk, path="/tombstones")).json()["items"]
            told = ("id", "reference", "outcome", "category", "reports", "closed_at", "opened_at")
            assert sorted([each[name] for name in told] for each in stones) == sorted([each[name] for name in told] for each in before)
            assert findings(desk) == []


async def test_who_was_excluded_after_the_copy_was_made_stays_excluded_and_a_hold_laid_since_stands(rescue: Rescue, empty: str):
    world = rescue.world
    async with desk_of(world) as desk:
        id_, (held, _) = await report(desk), await dismissed(desk)
        copy = rescue.take()
        her = str(uuid.UUID((await world.person("officer")).id))
        assert (await desk.as_("second_officer", "POST", f"/{id_}/exclusion", {"staff": her})).status_code == 200
        assert (await desk.as_("second_officer", "POST", f"/{held}/legal-hold", {"reason": PARTS})).status_code == 200
    home = await restored(rescue, empty, copy, closed=2)
    with rescue.opened(empty, home) as after:
        async with desk_of(after) as desk:
            answer = await desk.as_("officer", "GET", f"/{id_}")
            assert (answer.status_code, answer.json()["code"]) == (403, "excluded")
            pass_(desk, 2 * YEAR)
            assert list((await preview(desk, "second_officer")).values()) == ["legal-hold"]
            assert findings(desk) == []


async def test_a_letter_that_left_after_the_copy_was_made_leaves_no_second_time(rescue: Rescue, empty: str, free_port: int):
    world, box = rescue.world, Box()
    async with desk_of(world) as desk:
        id_, records = await opened(desk), [await person(world, number) for number in (1, 2)]
        number = await approved(desk, id_, *records)
        copy = rescue.take()
        world.clock.forward(60)
        box.answers = {"someone2@example.org": "450 later"}
        with serving(box, free_port):
            for _ in records:  # a round ends with the first that no server took
                await notifier(world, free_port).round()
        assert await states(desk, id_, number) == dict(zip(records, ("sent", "listed"), strict=True))
    home = await restored(rescue, empty, copy, closed=3)
    with rescue.opened(empty, home) as after:
        after.clock.forward(86_400)
        async with desk_of(after) as desk:
            box.answers = {}
            with serving(box, free_port):
                await notifier(after, free_port).round()
            assert await states(desk, id_, number) == dict(zip(records, ("sent", "doubtful"), strict=True)), (
                "no word came back that it left"
            )
            assert findings(desk) == []
    assert box.to == ["someone1@example.org"]
