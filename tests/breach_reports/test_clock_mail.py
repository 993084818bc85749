"""The short mail to officers when a clock rings: once over processes and restarts; a number and the hours left, nothing else."""

import uuid
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.access.desk import put, rows_of
from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import SUMMARY, approve, done, hours, now, opened, proposed, rang
from tests.breach_reports.notices import Box, approved, notifier, person, serving
from tests.household import lay_down
from tests.simulator import START
from vault.access_log.verify import snapshot
from vault.breach_reports import clock_mail
from vault.breach_reports.letters import LEASE, WORD, WordFact, outbox
from vault.breach_reports.letters_examine import examine_letters, unsent
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.ringing import Ringer
from vault.notice_mail import NoticeMail
from vault.notifying import Notifier
from vault.rulebook import facts
from vault.rulebook.shapes import STAFF
from vault.rulebook.tables import fact

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def staff(desk: Desk, who: str) -> str:
    return str((await desk.world.person(who)).id)


async def post(desk: Desk, port: int, *who: str, **more: Any) -> Notifier:
    """Who mails to these people."""
    officers = [{"staff": str(uuid.UUID(await staff(desk, each))), "address": f"{each}@example.org"} for each in who]
    made = notifier(desk.world, port)
    mail = msgspec.convert({**msgspec.to_builtins(made.mail), "officers": officers, **more}, type(made.mail))
    return replace(made, mail=mail)


async def ring(desk: Desk, sender: Notifier, until: float) -> None:
    """Let it be so many hours after the beginning, and let the clocks ring."""
    desk.world.clock.now = max(desk.world.clock.now, START + int(until * HOUR))
    await Ringer(desk.world.association, sender.mail.telling).round()


def words(desk: Desk) -> list[WordFact]:
    world = desk.world
    with snapshot(world.database, world.association.id) as connection:
        found = facts.read_known(connection, world.association.cabinet, world.association.id, WORD).values()
    return sorted(found, key=lambda one: (one.hours, one.staff))


async def test_at_sixty_hours_each_officer_has_one_mail_with_a_number_and_the_hours_left(desk: Desk, free_port: int):
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer", "second_officer"), Box()
    with serving(box, free_port):
        for at in (24, 48, 59.9):
            await ring(desk, sender, at)
            await sender.round()
        assert (box.letters, rang(desk)) == ([], [24, 48])
        for _ in range(2):
            await ring(desk, sender, 60.5)
            await sender.round()
            await (await post(desk, free_port, "officer", "second_officer")).round()
    assert sorted(box.to) == ["officer@example.org", "second_officer@example.org"]
    reference = (await done(desk, "", method="GET"))["items"][0]["reference"]
    text = box.letters[0].get_content()
    assert reference in text
    assert "الوقت المتبقي بالساعات: 11" in text
    assert "Hours left: 11" in text
    assert SUMMARY not in box.letters[0].as_string()
    assert len([line for line in text.splitlines() if line.strip()]) == 4, "a number and the hours, in two languages, and nothing else"
    assert {each.state for each in words(desk)} == {"sent"}
    assert desk.findings() == []
    told = [each for each in desk.world.entries() if each.kind == "incident.clock-mailed"]
    assert [each.flags for each in told] == [("sending",), ("sent",)] * 2


async def test_whom_the_incident_excludes_and_who_is_nobody_here_any_more_is_not_written_to(desk: Desk, free_port: int):
    id_ = await opened(desk, aware_at=hours(0))
    excluded = await staff(desk, "second_officer")
    await done(desk, f"/{id_}/exclusion", {"staff": str(uuid.UUID(excluded))})
    sender, box = await post(desk, free_port, "officer", "second_officer", "admin"), Box()
    await ring(desk, sender, 60)
    assert [each.staff for each in words(desk)] == [await staff(desk, "officer")], "an administrator does not work on reports"
    member = (await desk.world.association.refresh()).staff[await staff(desk, "officer")]
    await lay_down(desk.world, STAFF, member.id, msgspec.structs.replace(member, valid_to=desk.world.clock.now))
    with serving(box, free_port):
        await sender.round()
    assert box.letters == []
    assert [each.state for each in words(desk)] == ["dropped"]


async def test_whom_the_incident_excludes_is_not_written_to_at_her_second_account_either(desk: Desk, free_port: int):
    world, id_ = desk.world, await opened(desk, aware_at=hours(0))
    who, record = await staff(desk, "second_officer"), uuid.uuid4().hex
    member = msgspec.structs.replace((await world.association.refresh()).staff[who], record=record)
    twin = msgspec.structs.replace(member, id=uuid.uuid4().hex, name_hash="00" * 32)
    for each in (member, twin):
        await lay_down(world, STAFF, each.id, each)
    await done(desk, f"/{id_}/exclusion", {"staff": str(uuid.UUID(who))})
    hers = {"staff": str(uuid.UUID(twin.id)), "address": "twin@example.org"}
    await ring(desk, await post(desk, free_port, officers=[hers]), 60)
    assert (words(desk), rang(desk)) == ([], [24, 48, 60])


async def test_who_is_excluded_between_the_ring_and_the_mail_is_not_written_to(desk: Desk, free_port: int):
    id_ = await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "second_officer"), Box()
    await ring(desk, sender, 60)
    await done(desk, f"/{id_}/exclusion", {"staff": str(uuid.UUID(await staff(desk, "second_officer")))})
    with serving(box, free_port):
        await sender.round()
    assert box.letters == []


async def test_where_the_authority_was_told_meanwhile_nobody_is_written_to(desk: Desk, free_port: int):
    id_ = await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer", hours=[60, 72]), Box()
    await ring(desk, sender, 60)
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R"})
    with serving(box, free_port):
        await sender.round()
        assert [each.state for each in words(desk)] == ["dropped"]
        other = await opened(desk, aware_at=hours(0))
        await ring(desk, sender, 73)
        await sender.round()
        assert [str(each["Subject"]).split(":")[1].strip() for each in box.letters] == ["انتهت المهلة"] * 2
        assert "The time is over." in box.letters[0].get_content()
    await approve(desk, other, await proposed(desk, other, "not-required", track="authority"))


async def test_a_mail_that_no_server_takes_is_tried_again_and_one_in_a_dead_hand_is_doubtful(desk: Desk, free_port: int):
    world = desk.world
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer", "second_officer"), Box()
    await ring(desk, sender, 60)
    await sender.round()
    assert [(each.state, each.attempts) for each in words(desk)].count(("waiting", 1)) == 1
    taken = await world.association.run(lambda deed: clock_mail.claim(deed, world.association))
    assert taken is not None
    world.clock.now += LEASE
    with serving(box, free_port):
        await sender.round()
        assert sorted(each.state for each in words(desk)) == ["doubtful", "sent"]
        assert len(box.letters) == 1
    row = rows_of(world, outbox)[0]
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.update().values(due=0))
        connection.execute(outbox.insert().values({**row, "letter": bytes(16)}))
    await sender.round()
    assert sorted(each.state for each in words(desk)) == ["doubtful", "sent"]
    with snapshot(world.database, world.association.id) as connection:
        told = (connection, world.association.cabinet, world.association.id)
        assert list(examine_letters(*told)) == [f"notice_outbox {'0' * 32}: no letter says so"]
        assert any("that of 60 hours is doubtful" in each for each in unsent(*told, 72, world.clock.now, sends=True))


@pytest.mark.parametrize("what", ["incident", "mail"])
async def test_a_mail_of_which_something_does_not_hold_keeps_no_other_mail_and_no_letter_back(desk: Desk, free_port: int, what: str):
    world = desk.world
    broken, id_ = await opened(desk, aware_at=hours(0)), await opened(desk, aware_at=hours(0))
    await approved(desk, id_, await person(world, 1))
    sender, box = await post(desk, free_port, "officer"), Box()
    await ring(desk, sender, 60.5)
    hers = {"incident": uuid.UUID(broken).hex, "mail": next(one.id for one in words(desk) if one.incident == uuid.UUID(broken).hex)}
    put(world, fact, [{**row, "sealed": b"altered"} if row["key"] == hers[what] else row for row in rows_of(world, fact)])
    with serving(box, free_port):
        assert await sender.round() == 3
        assert await sender.round() == 0, "it is looked at once"
    assert box.to == ["officer@example.org", "someone1@example.org"]
    assert [each.reason for each in world.entries() if each.kind == "alarm"] == ["INTEGRITY"]
    if what == "incident":
        assert sorted(one.state for one in words(desk)) == ["failed", "sent"]


async def test_a_mail_that_cannot_be_written_never_left_and_goes_once_it_can(desk: Desk, free_port: int, monkeypatch: pytest.MonkeyPatch):
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer"), Box()
    await ring(desk, sender, 60.5)
    with serving(box, free_port):
        with monkeypatch.context() as patched:
            patched.setattr(NoticeMail, "_letter", lambda *_given: "".encode("ascii")[0])
            with pytest.raises(IndexError):
                await sender.round()
        assert [(one.state, one.attempts) for one in words(desk)] == [("waiting", 1)]
        desk.world.clock.now += 2 * LEASE
        await sender.round()
    assert ([one.state for one in words(desk)], box.to) == (["sent"], ["officer@example.org"])


async def test_a_mail_that_no_server_took_for_want_of_tls_is_tried_again(desk: Desk, free_port: int):
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer"), Box()
    stripped = replace(sender, mail=msgspec.structs.replace(sender.mail, security="starttls"))
    await ring(desk, stripped, 60.5)
    with serving(box, free_port):
        await stripped.round()
        assert [(one.state, one.attempts) for one in words(desk)] == [("waiting", 1)]
        desk.world.clock.now += HOUR // 10
        await sender.round()
    assert ([one.state for one in words(desk)], box.to) == (["sent"], ["officer@example.org"])


async def test_a_mail_server_that_rests_an_hour_costs_no_officer_the_mail_of_the_sixtieth(desk: Desk, free_port: int):
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer"), Box()
    await ring(desk, sender, 60)
    for _ in range(60):
        await sender.round()
        desk.world.clock.now += HOUR // 60
    with serving(box, free_port):
        for _ in range(3):
            await sender.round()
            desk.world.clock.now += clock_mail.LONGEST_PAUSE
    assert box.to == ["officer@example.org"]


async def test_a_mail_fails_after_half_a_day_or_at_once_where_the_mailbox_is_none(desk: Desk, free_port: int):
    await opened(desk, aware_at=hours(0))
    sender, box = await post(desk, free_port, "officer", "second_officer"), Box()
    box.answers = {"officer@example.org": "550 none", "second_officer@example.org": "450 later"}
    await ring(desk, sender, 60)
    with serving(box, free_port):
        for _ in range(clock_mail.MOST_TRIES + 2):
            await sender.round()
            desk.world.clock.now += clock_mail.LONGEST_PAUSE
    assert [each.state for each in words(desk)] == ["failed", "failed"]
    assert sorted(each.attempts for each in words(desk)) == [0, clock_mail.MOST_TRIES]
    nobody = await post(desk, free_port)
    await opened(desk, aware_at=hours(0))
    await ring(desk, await post(desk, free_port, "officer"), 62)
    with serving(box, free_port):
        await nobody.round()
    assert [each.state for each in words(desk)].count("dropped") == 1, "the file no longer says where she is written to"
