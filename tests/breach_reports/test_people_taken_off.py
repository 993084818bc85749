"""Nobody alone keeps a person from being told of a breach: whom two people let a letter go to, two take off the list (promise 9)."""

from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, hours, opened, refused
from tests.breach_reports.notices import Box, approved, approving, letter, noticed, notifier, person, ruled_out, serving, states
from vault.breach_reports import leaving

pytestmark = pytest.mark.asyncio(loop_scope="function")
STATE: tuple[int, str, list[Any]] = (409, "incident-state", [])


async def removal(desk: Desk, id_: str, number: int, record: str, who: str = "officer") -> dict[str, Any]:
    """What was told to somebody who wants this person off the list."""
    return await done(desk, f"/{id_}/letters/{(await letter(desk, id_, number, record))['id']}/removal", who=who)


async def item(desk: Desk, id_: str) -> dict[str, Any]:
    """The incident's first notice to people, as the list tells it."""
    told: dict[str, Any] = (await done(desk, f"/{id_}/people-notices", method="GET"))["items"][0]
    return told


async def test_whom_two_people_let_a_letter_go_to_one_person_does_not_take_off_the_list(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    told = await removal(desk, id_, number, second)
    assert (told["state"], told["leaving"]) == ("listed", True)
    assert world.entries()[-1].kind == "incident.people-removal-proposed"
    assert await refused(desk, f"/{id_}/letters/{told['id']}/removal") == STATE, "that waits already"
    waits = await item(desk, id_)
    assert (waits["people"], waits["waiting"], waits["list_version"]) == (2, 0, 3)
    assert [(each["letter"], each["record"], each["proposed_by"][:6]) for each in waits["leaving"]] == [(told["id"], second, "staff:")]
    refused_ = await approving(desk, id_, number, 2, "officer")
    assert (refused_.status_code, refused_.json()["code"]) == (403, "same-person")
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert sorted(box.to) == ["someone1@example.org", "someone2@example.org"], "what one person wants stops no letter"
    assert (await approving(desk, id_, number, 2)).status_code == 200
    assert await states(desk, id_, number) == {first: "sent", second: "sent"}, "who was told stays on the list"
    after = await item(desk, id_)
    assert (after["people"], after["leaving"]) == (2, [])


async def test_a_second_person_takes_her_off_with_the_list_as_she_saw_it(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    seen = (await item(desk, id_))["list_version"]
    await removal(desk, id_, number, second)
    body = {"people": 2, "list_version": seen, "code": world.one_time_code("second_officer")}
    assert await refused(desk, f"/{id_}/people-notices/{number}/approval", body, "second_officer") == STATE, "she saw no removal"
    assert (await approving(desk, id_, number, 2)).status_code == 200
    assert await states(desk, id_, number) == {first: "listed", second: "removed"}
    assert (await item(desk, id_))["people"] == 1
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert box.to == ["someone1@example.org"]
    await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [second]})
    assert (await removal(desk, id_, number, second))["state"] == "removed", "she is new on it, and nobody let her letter go"
    assert desk.findings() == []


async def test_who_is_put_on_the_list_again_stays_and_whoever_did_that_may_approve_the_rest(desk: Desk):
    world, id_ = desk.world, await opened(desk)
    first, second, third = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, first, second)
    await removal(desk, id_, number, second)
    await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [third]})
    stays = await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [second]}, "second_officer")
    assert (stays["people"], stays["leaving"], stays["list_version"]) == (3, [], 5)
    assert (await approving(desk, id_, number, 3)).status_code == 200
    assert set((await states(desk, id_, number)).values()) == {"listed"}


async def test_whoever_was_let_go_before_the_incident_was_over_is_not_taken_off_by_one_once_it_is_open_again(desk: Desk, free_port: int):
    world, id_ = desk.world, await opened(desk, aware_at=hours(0))
    record = await person(world, 1)
    number = await approved(desk, id_, record)
    await ruled_out(desk, id_)
    await notifier(world, free_port).round()
    await done(desk, f"/{id_}/state", {"state": "suspected"})
    assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 1
    assert (await removal(desk, id_, number, record))["state"] == "listed"
    assert (await approving(desk, id_, number, 1)).status_code == 200
    assert await states(desk, id_, number) == {record: "removed"}


async def test_so_many_wait_to_be_taken_off_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await opened(desk)
    records = [await person(desk.world, number) for number in (1, 2)]
    number = await approved(desk, id_, *records)
    monkeypatch.setattr(leaving, "MOST", 1)
    await removal(desk, id_, number, records[0])
    other = (await letter(desk, id_, number, records[1]))["id"]
    assert await refused(desk, f"/{id_}/letters/{other}/removal") == (429, "too-many-requests", [])


async def test_who_is_new_on_the_list_is_taken_off_by_one_as_before(desk: Desk):
    id_ = await opened(desk)
    record = await person(desk.world, 1)
    number = await noticed(desk, id_, record)
    told = await removal(desk, id_, number, record)
    assert (told["state"], "leaving" in told) == ("removed", False)
