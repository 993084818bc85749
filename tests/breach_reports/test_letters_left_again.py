"""What the journal says of letters that left, where a copy of before is put back: none leaves a second time by itself."""

import uuid

import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, opened
from tests.breach_reports.notices import Box, approved, letter, notifier, person, serving, states
from tests.breach_reports.test_kept_again import carry_out, lines
from vault.breach_reports import letters
from vault.breach_reports.letters import LEASE
from vault.reclosing import reclose
from vault.storage.journal import Closing

pytestmark = pytest.mark.asyncio(loop_scope="function")


def told(incident: str, letter_: str, how: str) -> Closing:
    return Closing(letters.JOURNAL, uuid.UUID(incident).hex, f"{uuid.UUID(letter_).hex}|{how}")


async def test_a_letter_is_a_line_before_a_server_hears_of_it_and_one_once_it_left(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    box.answers = {"someone2@example.org": "550 none"}
    world.clock.forward(5)
    with serving(box, free_port):
        await notifier(world, free_port).round()
    one, two = [(await letter(desk, id_, number, each))["id"] for each in (first, second)]
    made = lines(desk, letters.JOURNAL)
    assert sorted(made, key=lambda line: line.detail) == sorted(
        [told(id_, one, "sending"), told(id_, one, "sent"), told(id_, two, "sending")], key=lambda line: line.detail
    )
    for _ in range(2):
        assert reclose(world.association, world.clock) == 0, "the database knows of it"
    assert await states(desk, id_, number) == {first: "sent", second: "failed"}
    with serving(box, free_port):
        box.answers = {}
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 1
        world.clock.forward(5)
        await notifier(world, free_port).round()
    assert reclose(world.association, world.clock) == 0
    assert desk.findings() == []


async def test_what_left_after_the_copy_was_made_leaves_no_second_time(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, *records)
    one, two, _ = [(await letter(desk, id_, number, each))["id"] for each in records]
    world.clock.now += LEASE
    closings = [told(id_, one, "sending"), told(id_, one, "sent"), told(id_, two, "sending"), told(id_, str(uuid.uuid4()), "sent")]
    assert await carry_out(desk, *closings, *closings, time=world.clock.now) == [1, 1, 1, 0, 0, 0, 0, 0]
    entries = [each for each in world.entries() if each.flags == ("from-journal",)]
    assert [each.kind for each in entries] == ["incident.letter-doubtful", "incident.letter-sent", "incident.letter-doubtful"]
    assert {each.about[0].record for each in entries} == {uuid.UUID(id_).bytes}
    with serving(box, free_port):
        await notifier(world, free_port).round()
        assert box.to == ["someone3@example.org"]
        assert await states(desk, id_, number) == dict(zip(records, ("sent", "doubtful", "sent"), strict=True))
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 0
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {"doubtful": True}))["letters"] == 1
    assert desk.findings() == []


async def test_a_line_about_a_letter_that_somebody_noted_or_took_off_leaves_it_alone(desk: Desk):
    world, id_ = desk.world, await opened(desk)
    record = await person(world, 1, email=None)
    number = await approved(desk, id_, record)
    await notifier(world, 9).round()
    told_ = await letter(desk, id_, number, record)
    await done(desk, f"/{id_}/letters/{told_['id']}/outcome", {"result": "delivered"})
    world.clock.now += LEASE
    assert await carry_out(desk, told(id_, told_["id"], "sending"), told(id_, told_["id"], "sent"), time=world.clock.now) == [0, 0]
    assert await states(desk, id_, number) == {record: "delivered"}
