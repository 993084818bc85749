"""One person by two sheets is one person on a notice's list, also where that was found out after she was put on it."""

import uuid

import pytest

from tests.access.test_silences import joined
from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, opened
from tests.breach_reports.notices import Box, approved, approving, letter, noticed, notifier, serving, states
from tests.household import FATIMA, store
from vault.records.service import Kept

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def twice(desk: Desk) -> list[Kept]:
    """Somebody stored a second time under another mobile number, the lower of her two ids first."""
    given = {**FATIMA, "email": "fatima@example.org"}
    return sorted([await store(desk.world, {**given, "mobile": f"055765432{number}"}) for number in (1, 2)], key=lambda one: one.subject)


async def test_two_records_of_one_person_in_one_call_are_one_letter(desk: Desk):
    id_ = await opened(desk)
    one, other = await twice(desk)
    await joined(desk.world, one.subject, other.subject)
    number = await noticed(desk, id_)
    records = [str(uuid.UUID(bytes=each.record)) for each in (other, one)]
    told = await done(desk, f"/{id_}/people-notices/{number}/people", {"records": records})
    assert told["people"] == 1
    assert list(await states(desk, id_, number)) == records[:1]
    assert [each.kind for each in desk.world.entries() if each.kind == "alarm"] == []
    assert desk.findings() == []


@pytest.mark.parametrize("sent", [True, False])
async def test_who_was_found_to_be_one_person_meanwhile_has_no_second_letter(desk: Desk, free_port: int, *, sent: bool):
    world, id_, box = desk.world, await opened(desk), Box()
    low, high = await twice(desk)
    records = [str(uuid.UUID(bytes=each.record)) for each in (low, high)]
    number = await approved(desk, id_, records[1])
    with serving(box, free_port):
        if sent:
            await notifier(world, free_port).round()
        await joined(world, low.subject, high.subject)
        world.clock.forward(1)
        for record in records:
            told = await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [record]})
            assert told["people"] == 1, "she is on the list already"
        await notifier(world, free_port).round()
    assert box.to == ["fatima@example.org"]


async def test_who_was_taken_off_and_found_to_be_one_person_meanwhile_comes_back_on_the_same_letter(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    low, high = await twice(desk)
    records = [str(uuid.UUID(bytes=each.record)) for each in (low, high)]
    number = await noticed(desk, id_, records[1])
    before = await letter(desk, id_, number, records[1])
    await done(desk, f"/{id_}/letters/{before['id']}/removal")
    await joined(world, low.subject, high.subject)
    await done(desk, f"/{id_}/people-notices/{number}/people", {"records": records})
    told = await done(desk, f"/{id_}/people-notices/{number}/letters", method="GET")
    assert [(each["id"], each["record"], each["state"]) for each in told["items"]] == [(before["id"], records[0], "listed")]
    assert (await approving(desk, id_, number, 1)).status_code == 200
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert box.to == ["fatima@example.org"]
    assert desk.findings() == []
