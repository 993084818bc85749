"""A no said after the copy was made holds after the restore: whoever said it need not be in the copy, and no way in comes alive again."""

from typing import Any

import pytest

from tests.access.desk import Desk
from tests.access.erasures import erased, verified
from tests.access.test_person_pages import call, issued, session_in
from tests.access.test_silences import MOBILE, refusal, somebody
from tests.access.test_withdrawals import PRESS, link
from tests.access.test_withdrawals import call as pressed
from tests.backup.rescue import Rescue
from tests.household import FATIMA, asked, grant, read, refuse, store, withdraw
from vault.access.person_links import TRIES
from vault.errors import Refused
from vault.reclosing import reclose

pytestmark = pytest.mark.asyncio(loop_scope="function")
OTHER = "0557654321"


async def outside(rescue: Rescue) -> Any:
    """The files that lie outside the database, as they are now."""
    rescue.world.clock.forward(2)
    await rescue.world.association.checkpoint()
    return rescue.home()


async def test_who_is_not_in_the_copy_stays_silent_through_others_records(rescue: Rescue, empty: str):
    world = rescue.world
    mother, _ = await somebody(world)
    aunt, _ = await somebody(world, OTHER)
    neighbour, _ = await somebody(world, "0550000001")
    copy = rescue.take()
    _, agreed = await somebody(world)
    uncle = await store(world, {**FATIMA, "mobile": OTHER})
    world.clock.forward(1)
    await withdraw(world, agreed)
    await refuse(world, uncle.record)
    assert [await refusal(world, one) for one in (mother, aunt, neighbour)] == ["consent-withdrawn"] * 2 + [""]
    async with Desk.over(world) as desk:
        await erased(desk, uncle.record)
    home = await outside(rescue)
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        assert reclose(after.association, world.clock) == 0, "all is closed before the door opens"
        assert [await refusal(after, one) for one in (mother, aunt, neighbour)] == ["consent-withdrawn"] * 2 + [""]
        world.clock.forward(1)
        await grant(after, mother, await asked(after, "sms_offers", fields=frozenset(MOBILE)))
        assert [await refusal(after, one) for one in (mother, aunt)] == ["", "consent-withdrawn"]
        assert await verified(after) == []


async def test_a_refusal_since_the_copy_holds_for_who_is_in_it_and_for_a_paper_signed_before(rescue: Rescue, empty: str):
    world = rescue.world
    kept = await store(world)
    signed = await asked(world, "sms_offers", fields=frozenset(MOBILE))
    copy = rescue.take()
    await refuse(world, kept.record)
    home = await outside(rescue)
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        world.clock.forward(1)
        await grant(after, kept.record, signed)
        assert await refusal(after, kept.record) == "stale-grant"
        assert await verified(after) == []


async def test_a_way_in_that_was_used_up_tried_or_left_since_the_copy_opens_no_more(rescue: Rescue, empty: str):
    world = rescue.world
    kept = await store(world)
    used, left, tried, guessed, waits = [await issued(world, kept) for _ in range(5)]
    inside = session_in(await call(world, "POST", left["path"], {"code": left["code"]}))
    stays = session_in(await call(world, "POST", waits["path"], {"code": waits["code"]}))
    copy = rescue.take()
    late = await issued(world, kept)
    session_in(await call(world, "POST", late["path"], {"code": late["code"]}))
    session = session_in(await call(world, "POST", used["path"], {"code": used["code"]}))
    await call(world, "POST", left["path"], {"session": inside, "act": "leave"})
    for _ in range(TRIES):
        await call(world, "POST", tried["path"], {"code": "x"})
    for _ in range(TRIES - 1):
        await call(world, "POST", guessed["path"], {"code": "x"})
    home = await outside(rescue)
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        assert reclose(after.association, world.clock) == 0
        for way in (used, tried):
            page = await call(after, "POST", way["path"], {"code": way["code"]})
            assert (page.status_code, 'name="session"' in page.text, 'id="code"' in page.text) == (200, False, False)
        assert (await call(after, "POST", late["path"], {"code": late["code"]})).status_code == 404, "it is not in the copy"
        for path, old in ((used["path"], session), (left["path"], inside)):
            page = await call(after, "POST", path, {"session": old})
            assert (page.status_code, 'name="session"' in page.text) == (200, False)
        await call(after, "POST", guessed["path"], {"code": "x"})
        assert 'name="session"' not in (await call(after, "POST", guessed["path"], {"code": guessed["code"]})).text
        assert session_in(await call(after, "POST", waits["path"], {"session": stays})) == stays
        assert await verified(after) == []


async def test_a_start_leaves_who_is_inside_her_page_inside(small_rescue: Rescue):
    world = small_rescue.world
    kept = await store(world)
    way = await issued(world, kept)
    session = session_in(await call(world, "POST", way["path"], {"code": way["code"]}))
    assert reclose(world.association, world.clock) == 0
    assert session_in(await call(world, "POST", way["path"], {"session": session})) == session


async def test_a_link_of_withdrawal_that_was_pressed_since_the_copy_finds_it_ended_and_ends_nothing_given_since(rescue: Rescue, empty: str):
    world = rescue.world
    kept = await store(world)
    given = await grant(world, kept.record)
    path = await link(world, given.id)
    copy = rescue.take()
    assert (await pressed(world, "POST", path, form=PRESS)).status_code == 200
    later = await grant(world, kept.record)
    gone = await link(world, later.id)
    home = await outside(rescue)
    rescue.restore(empty, home, copy)
    with rescue.opened(empty, home) as after:
        with pytest.raises(Refused, match="consent-withdrawn"):
            await read(after, kept.record)
        assert (await pressed(after, "GET", gone)).status_code == 404, "the consent is not in the copy"
        world.clock.forward(1)
        await grant(after, kept.record)
        assert "<form" not in (await pressed(after, "GET", path)).text
        assert (await pressed(after, "POST", path, form=PRESS)).status_code == 200
        assert await read(after, kept.record), "an old link ends nothing that was given since"
