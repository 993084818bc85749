"""Who may say whom a reporter meant is mailed that something waits: once when it comes and once a day, and nothing of what it is."""

import uuid

import msgspec
import pytest

from tests.access.desk import put, rows_of
from tests.breach_reports.desk import NARRATIVE, Desk
from tests.breach_reports.notices import Box, serving
from tests.breach_reports.test_clock_mail import post, staff, words
from tests.breach_reports.test_exclusion import WORDS, hidden, id_in_account, settle, waiting
from tests.household import lay_down
from vault.access_log.verify import snapshot
from vault.breach_reports import clock_mail, held_mail
from vault.breach_reports.letters_examine import unsent
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.ringing import MINUTE, Ringer
from vault.notifying import Notifier
from vault.rulebook.shapes import STAFF
from vault.rulebook.tables import fact

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * HOUR


async def rounds(desk: Desk, sender: Notifier, later: int = MINUTE) -> None:
    """Let so long go by, look at what waits as two processes do, and send what is due."""
    desk.world.clock.now += later
    for _ in range(2):
        await Ringer(desk.world.association, sender.mail.telling).round()
    await sender.round()


async def test_an_administrator_is_mailed_once_when_it_comes_and_once_a_day_while_it_waits(desk: Desk, free_port: int):
    sender, box = await post(desk, free_port, "admin", "officer", "second_officer"), Box()
    with serving(box, free_port):
        await rounds(desk, sender)
        assert box.letters == [], "nothing waits"
        told = await desk.report(exclude={"words": WORDS})
        for _ in range(3):
            await rounds(desk, sender)
        assert box.to == ["admin@example.org"]
        await rounds(desk, sender, DAY - 10 * MINUTE)
        assert len(box.letters) == 1
        await rounds(desk, sender, 10 * MINUTE)
        assert box.to == ["admin@example.org"] * 2
        [item] = await waiting(desk)
        assert (await settle(desk, item["id"], [await id_in_account(desk, "officer")])).status_code == 200
        await rounds(desk, sender, 2 * DAY)
    assert len(box.letters) == 2, "nothing waits any more"
    text = box.letters[0].get_content()
    assert [line for line in text.splitlines() if line] == [
        "هناك ما ينتظر نظرك في الصفحة: /officer/exclusions",
        "Something waits for you at /officer/exclusions",
    ]
    for secret in (told["reference"], NARRATIVE, WORDS):
        assert secret not in box.letters[0].as_string()
    assert desk.findings() == []


async def test_of_what_comes_after_a_mail_another_tells_once_an_hour_is_over(desk: Desk, free_port: int):
    sender, box = await post(desk, free_port, "admin"), Box()
    with serving(box, free_port):
        for _ in range(3):
            await desk.report(exclude={"words": WORDS})
            await rounds(desk, sender)
        assert len(box.letters) == 1, "a flood of reports is no flood of mails"
        await rounds(desk, sender, HOUR)
        assert len(box.letters) == 2
        await rounds(desk, sender, HOUR)
    assert len(box.letters) == 2


async def test_whom_it_may_mean_is_not_written_to_and_finds_no_trace_of_the_mail_in_the_log(desk: Desk, free_port: int):
    world = desk.world
    sender, box = await post(desk, free_port, "admin", "officer", "second_officer"), Box()
    who, record = await staff(desk, "admin"), uuid.uuid4().hex
    member = (await world.association.refresh()).staff[who]
    trustee = msgspec.structs.replace(member, id="e" * 32, name_hash="11" * 32, roles=("second",))
    await lay_down(world, STAFF, trustee.id, trustee)
    await desk.report(exclude={"offices": ["administrator"], "words": WORDS})
    twin = msgspec.structs.replace(member, id=uuid.uuid4().hex, name_hash="00" * 32, record=record, roles=("second",))
    await lay_down(world, STAFF, member.id, msgspec.structs.replace(member, record=record))
    await lay_down(world, STAFF, twin.id, twin)
    hers = [{"staff": str(uuid.UUID(twin.id)), "address": "twin@example.org"}]
    other = await post(desk, free_port, officers=hers)
    with serving(box, free_port):
        await rounds(desk, sender)
        await rounds(desk, other)
        assert (box.letters, words(desk)) == ([], []), "nor at her second account"
        await desk.report(exclude={"words": WORDS})
        await rounds(desk, sender)
        assert box.to == ["admin@example.org"]
    told = [each for each in world.entries() if each.kind == held_mail.MAILED]
    assert [each.flags for each in told] == [("waiting",), ("sending",), ("sent",)]
    for officer in ("officer", "second_officer"):
        assert {each.about[0].record for each in told} <= set(hidden(desk, await staff(desk, officer)))


async def test_nothing_goes_to_an_address_that_whom_it_may_mean_reads_too(desk: Desk, free_port: int):
    world, who = desk.world, await staff(desk, "admin")
    member = (await world.association.refresh()).staff[who]
    trustee = msgspec.structs.replace(member, id="e" * 32, name_hash="11" * 32, roles=("second",))
    await lay_down(world, STAFF, trustee.id, trustee)
    each = [
        {"staff": str(uuid.UUID(who)), "address": "Desk@example.org"},
        {"staff": str(uuid.UUID("e" * 32)), "address": "desk@example.org"},
    ]
    alone, both, box = await post(desk, free_port, officers=each[1:]), await post(desk, free_port, officers=each), Box()
    await desk.report(exclude={"offices": ["administrator"], "words": WORDS})
    await rounds(desk, both)
    assert words(desk) == [], "the administrator reads there, and no page tells her that anything waits"
    await rounds(desk, alone)
    assert [each.state for each in words(desk)] == ["waiting"], "no server was there"
    with serving(box, free_port):
        desk.world.clock.now += HOUR
        await both.round()
        assert (box.letters, [each.state for each in words(desk)]) == ([], ["dropped"])
        await rounds(desk, alone, HOUR)
    assert box.to == ["desk@example.org"]


async def test_what_was_settled_before_the_mail_left_is_told_to_nobody(desk: Desk, free_port: int):
    sender, box = await post(desk, free_port, "admin"), Box()
    await desk.report(exclude={"words": WORDS})
    await rounds(desk, sender)
    assert [(each.state, each.attempts) for each in words(desk)] == [("waiting", 1)], "no server was there"
    [item] = await waiting(desk)
    assert (await settle(desk, item["id"], [await id_in_account(desk, "officer")])).status_code == 200
    with serving(box, free_port):
        desk.world.clock.now += HOUR
        await sender.round()
        assert (box.letters, [each.state for each in words(desk)]) == ([], ["dropped"])
        await desk.report(exclude={"words": WORDS})
        await rounds(desk, sender)
        assert box.letters == [], "so soon after the last"
        await rounds(desk, sender, HOUR)
    assert box.to == ["admin@example.org"]


async def test_who_is_nobody_here_any_more_is_not_written_to(desk: Desk, free_port: int):
    sender, box = await post(desk, free_port, "admin", officers=[{"staff": str(uuid.uuid4()), "address": "nobody@example.org"}]), Box()
    await desk.report(exclude={"words": WORDS})
    with serving(box, free_port):
        await rounds(desk, sender)
        assert words(desk) == []
        hers = await post(desk, free_port, "admin")
        member = (await desk.world.association.refresh()).staff[await staff(desk, "admin")]
        await lay_down(desk.world, STAFF, member.id, msgspec.structs.replace(member, active=False))
        await rounds(desk, hers)
        await lay_down(desk.world, STAFF, member.id, msgspec.structs.replace(member, valid_to=desk.world.clock.now))
        await rounds(desk, hers)
    assert (box.letters, words(desk)) == ([], [])


async def test_a_mail_that_does_not_hold_rings_an_alarm_and_keeps_no_other_back(desk: Desk, free_port: int):
    world = desk.world
    sender, box = await post(desk, free_port, "admin"), Box()
    await desk.report(exclude={"words": WORDS})
    await rounds(desk, sender)
    [word] = words(desk)
    put(world, fact, [{**row, "sealed": b"altered"} if row["key"] == word.id else row for row in rows_of(world, fact)])
    member = (await world.association.refresh()).staff[await staff(desk, "admin")]
    other = msgspec.structs.replace(member, id="f" * 32, name_hash="00" * 32)
    await lay_down(world, STAFF, other.id, other)
    hers = [{"staff": str(uuid.UUID(other.id)), "address": "other@example.org"}]
    both = await post(desk, free_port, officers=[*hers, {"staff": str(uuid.UUID(member.id)), "address": "admin@example.org"}])
    with serving(box, free_port):
        await rounds(desk, both, HOUR)
    assert box.to == ["other@example.org"]
    assert {each.reason for each in world.entries() if each.kind == "alarm"} >= {"INTEGRITY"}


async def test_doctor_names_a_mail_that_never_left(desk: Desk, free_port: int):
    world = desk.world
    sender = await post(desk, free_port, "admin")
    await desk.report(exclude={"words": WORDS})
    await rounds(desk, sender)
    for _ in range(clock_mail.MOST_TRIES):
        world.clock.now += clock_mail.LONGEST_PAUSE
        await sender.round()
    with snapshot(world.database, world.association.id) as connection:
        found = list(unsent(connection, world.association.cabinet, world.association.id, 72, world.clock.now, sends=True))
    assert found == [f"mail to staff {await staff(desk, 'admin')}: that about what waits at /officer/exclusions is failed"]
