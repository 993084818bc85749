"""Whom a notice of a breach reaches: herself, her guardian, or nobody by mail; decided when it leaves, in one hand at a time."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.access.desk import put, rows_of
from tests.breach_reports.desk import Desk, desk_of
from tests.breach_reports.incident_desk import done, incident, opened
from tests.breach_reports.notices import Box, approved, letter, noticed, notifier, person, serving, states
from tests.household import FATIMA, errand, store
from tests.identity.conftest import small, vault
from tests.simulator import World
from vault.access import breach_letters, erasing, withholding
from vault.access.breach_letters import Taken
from vault.access_log.entry import Entry
from vault.breach_reports import letters
from vault.breach_reports.letters import LEASE, outbox
from vault.consent import capacity, guardians
from vault.consent.guardians import Seen
from vault.errors import Unavailable
from vault.records.service import GuardianOf
from vault.records.tables import container
from vault.rulebook import facts
from vault.rulebook.tables import fact as rulebook_fact
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.tables import record as records_of
from vault.subjects.tables import sheet as sheets

__all__ = ["desk", "small", "small_notices", "vault"]
pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    """The room over HTTP on each engine."""
    async with desk_of(vault) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def small_notices(small: World) -> AsyncIterator[Desk]:
    """The room over HTTP on SQLite, for rules that know no engine."""
    async with desk_of(small) as made:
        yield made


UNABLE: dict[str, Any] = {
    "dead": lambda deed, job, record: capacity.died(deed, job, record, "شهادة وفاة 5"),
    "interdicted": lambda deed, job, record: capacity.interdict(deed, job, record, "حكم حجر 7"),
}
"""What makes it so that a guardian can act for nobody."""


def id_of(record: bytes) -> str:
    return str(uuid.UUID(bytes=record))


async def guarded(world: World, *, verified: bool = True, kind: Any = "wali", **fields: Any) -> tuple[bytes, bytes]:
    """A minor and her guardian with a mail address: the child's record, the guardian's id."""
    mother = {"full_name": "نورة بنت سعد العتيبي", "national_id": "1000000016", "email": "noura@example.org", **fields}
    known = await store(world, {name: value for name, value in mother.items() if value is not None}, type_="guardian")
    child = {**FATIMA, "birth_date": "2020-01-01", "email": "child@example.org"}
    named = GuardianOf(known.subject, kind, "صك ولاية 9")
    kept = await store(world, child, kind="beneficiary", guardian=named)
    if verified:
        job = await errand(world, await world.person("officer"))
        seen = Seen("verified", "original", "صك ولاية 9")
        await world.association.run(lambda deed: guardians.verify(deed, job, kept.record, known.subject, seen))
    return kept.record, known.subject


async def sent(desk: Desk, port: int, *records: str) -> tuple[str, int, Box]:
    """An incident, a notice to these people, and what arrived of it."""
    id_, box = await opened(desk), Box()
    number = await approved(desk, id_, *records)
    with serving(box, port):
        await notifier(desk.world, port).round()
    return id_, number, box


async def test_the_notice_about_a_child_goes_to_her_guardian_and_names_her_to_nobody_else(desk: Desk, free_port: int):
    record, _ = await guarded(desk.world)
    id_, number, box = await sent(desk, free_port, id_of(record))
    assert box.to == ["noura@example.org"]
    assert "فاطمة بنت خالد الشمري" in box.letters[0].get_content()
    told = await letter(desk, id_, number, id_of(record))
    assert (told["state"], told["to"]) == ("sent", "guardian")
    looks = [each for each in desk.world.entries() if each.purpose == "breach_notice" and each.kind == "record.read"]
    assert [each.fields for each in looks] == [("email",), ("full_name",)]
    assert {each.about[1].record for each in looks} == {uuid.UUID(id_).bytes}


async def test_that_an_address_opened_for_a_notice_is_kept_from_whom_the_incident_excludes(small_notices: Desk, free_port: int):
    """Whose address opens for `breach_notice`, and when, tells her that letters about it go out and to whom."""
    desk, world = small_notices, small_notices.world
    id_, _, box = await sent(desk, free_port, await person(world, 1))
    assert len(box.to) == 1
    (look,) = [number for number, each in enumerate(world.entries()) if (each.kind, each.purpose) == ("record.read", "breach_notice")]
    who = await errand(world, await world.person("admin"))
    for hidden in ([], [look]):
        kept = await world.association.run(lambda deed: withholding.naming(deed, withholding.hidden_from(deed, who.asker), [look]))
        assert sorted(kept) == hidden
        await done(desk, f"/{id_}/exclusion", {"staff": str(uuid.UUID((await world.person("admin")).id))})


@pytest.mark.parametrize("case", ["unverified", "removed", "agent", "gone", *UNABLE])
async def test_a_guardian_who_may_not_act_is_told_nothing_and_the_letter_is_printed(small_notices: Desk, free_port: int, case: str):
    desk, world = small_notices, small_notices.world
    record, guardian = await guarded(world, verified=case != "unverified", kind="agent" if case == "agent" else "wali")
    job = await errand(world, await world.person("officer"))
    if case == "removed":
        world.clock.forward(5)
        await world.association.run(lambda deed: guardians.end(deed, job, record, guardian, "عزل", for_cause=True))
    hers = [row["record"] for row in rows_of(world, records_of) if row["subject"] == guardian]
    if case in UNABLE:
        await world.association.run(lambda deed: UNABLE[case](deed, job, hers[0]))
    if case == "gone":
        gone, closes = Entry(kind="erasure", outcome="allow", actor="x"), Closing("erasure", guardian.hex())
        await world.association.run(lambda deed: people.erase(deed, guardian, hers, gone, closes=closes))
    id_, number, box = await sent(desk, free_port, id_of(record))
    told = await letter(desk, id_, number, id_of(record))
    assert (box.letters, told["state"], told["reason"], told["to"]) == ([], "post", "NO_GUARDIAN", "self")
    page = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page")
    assert "فاطمة بنت خالد الشمري" in page.text


@pytest.mark.parametrize("case", list(UNABLE))
async def test_a_guardian_who_can_act_for_nobody_does_not_stand_in_the_way_of_the_next(small_notices: Desk, free_port: int, case: str):
    desk, world = small_notices, small_notices.world
    record, nearest = await guarded(world)
    his = next(row["record"] for row in rows_of(world, records_of) if row["subject"] == nearest)
    aunt = {"full_name": "هيا بنت سعد العتيبي", "national_id": "1000000024", "email": "haya@example.org"}
    next_, clerk = await store(world, aunt, type_="guardian"), await errand(world)
    job = await errand(world, await world.person("officer"))
    wanted, seen = guardians.Wanted(subject=next_.subject, kind="custodian", deed="صك 9"), Seen("verified", "original", "صك 9")
    await world.association.run(lambda deed: guardians.appoint(deed, clerk, record, wanted))
    await world.association.run(lambda deed: guardians.verify(deed, job, record, next_.subject, seen))
    await world.association.run(lambda deed: UNABLE[case](deed, job, his))
    id_, number, box = await sent(desk, free_port, id_of(record))
    told = await letter(desk, id_, number, id_of(record))
    assert (box.to, told["state"], told["to"]) == (["haya@example.org"], "sent", "guardian")
    assert not [each for each in world.entries() if each.purpose == "breach_notice" and each.about[0].subject == nearest]


async def test_a_guardian_without_a_mail_address_has_a_letter_that_names_the_child(small_notices: Desk, free_port: int):
    desk = small_notices
    record, _ = await guarded(desk.world, email=None, national_address="الرياض، حي العليا")
    id_, number, box = await sent(desk, free_port, id_of(record))
    told = await letter(desk, id_, number, id_of(record))
    assert (box.letters, told["state"], told["reason"], told["to"]) == ([], "post", "NO_EMAIL", "guardian")
    page = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page")
    for said in ("نورة بنت سعد العتيبي", "الرياض، حي العليا", "بصفتك وليًّا على فاطمة بنت خالد الشمري"):
        assert said in page.text


async def test_a_guardian_of_whom_nothing_is_stored_but_a_sheet_is_passed_over(small_notices: Desk, free_port: int):
    desk, world = small_notices, small_notices.world
    record, guardian = await guarded(world)
    real = people.of_subject

    def bare(deed: Any, subject: bytes) -> Any:
        known = real(deed, subject)
        return replace(known, sheet=None) if subject == guardian else known

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(people, "of_subject", bare)
        id_, number, _ = await sent(desk, free_port, id_of(record))
    assert (await letter(desk, id_, number, id_of(record)))["reason"] == "NO_GUARDIAN"


async def test_who_has_died_is_written_to_by_hand(small_notices: Desk, free_port: int):
    desk, world = small_notices, small_notices.world
    record = await person(world, 1)
    job = await errand(world, await world.person("officer"))
    await world.association.run(lambda deed: capacity.died(deed, job, uuid.UUID(record).bytes, "شهادة وفاة 5"))
    id_, number, box = await sent(desk, free_port, record)
    told = await letter(desk, id_, number, record)
    assert (box.letters, told["state"], told["reason"]) == ([], "post", "DECEASED")


async def test_what_the_articles_refuse_opens_neither_by_mail_nor_on_paper(desk: Desk, free_port: int):
    world = desk.world
    record = await person(world, 1)
    job = await errand(world, await world.person("officer"))
    wanted = erasing.Wanted("طلبت ذلك", "self")
    id_, box = await opened(desk), Box()
    number = await approved(desk, id_, record)
    await world.association.run(lambda deed: erasing.ask(deed, job, uuid.UUID(record).bytes, wanted, None))
    with serving(box, free_port):
        await notifier(world, free_port).round()
    told = await letter(desk, id_, number, record)
    assert (box.letters, told["state"], told["reason"]) == ([], "withheld", "ERASURE_PENDING")
    page = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page")
    assert (page.status_code, page.json()["code"]) == (403, "erasure-pending")
    refused = [each for each in world.entries() if each.purpose == "breach_notice" and each.outcome == "refuse"]
    assert [each.reason for each in refused] == ["ERASURE_PENDING", "ERASURE_PENDING"]


async def test_who_was_erased_is_written_to_no_more(desk: Desk, free_port: int):
    world = desk.world
    record = await person(world, 1)
    id_, box = await opened(desk), Box()
    number = await approved(desk, id_, record)
    (subject,) = [row["subject"] for row in rows_of(world, records_of) if row["record"] == uuid.UUID(record).bytes]
    gone, closes = Entry(kind="erasure", outcome="allow", actor="x"), Closing("erasure", subject.hex())
    await world.association.run(lambda deed: people.erase(deed, subject, [uuid.UUID(record).bytes], gone, closes=closes))
    with serving(box, free_port):
        await notifier(world, free_port).round()
    told = await letter(desk, id_, number, record)
    assert (box.letters, told["state"], told["reason"]) == ([], "withheld", "ERASED")


async def test_a_type_without_means_of_contact_goes_by_hand(small_notices: Desk, free_port: int):
    desk = small_notices
    kept = await store(desk.world, {"visit": "صفحة التبرع"}, type_="visitor", visitor="A" * 22)
    id_, number, box = await sent(desk, free_port, id_of(kept.record))
    told = await letter(desk, id_, number, id_of(kept.record))
    assert (box.letters, told["state"], told["reason"]) == ([], "post", "NO_EMAIL")
    page = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page")
    assert (page.status_code, page.json()["code"]) == (403, "unknown-field"), "there is no name to write to"


async def test_of_a_process_that_died_between_claim_and_note_one_letter_is_doubtful_and_the_others_go(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, *records)
    lost = await world.association.run(partial(breach_letters.claim, association=world.association))
    assert isinstance(lost, Taken)  # and that process is gone, nobody knows whether before or after the server had it
    with serving(box, free_port):
        await notifier(world, free_port).round()
        assert len(box.letters) == 2
        stands = await states(desk, id_, number)
        assert sorted(stands.values()) == ["sending", "sent", "sent"]
        world.clock.now += LEASE
        await notifier(world, free_port).round()
        assert len(box.letters) == 2, "it is not sent again by itself"
    stands = await states(desk, id_, number)
    assert stands[id_of(bytes.fromhex(lost.letter.record))] == "doubtful"
    assert sorted(stands.values()) == ["doubtful", "sent", "sent"]
    # A process that was only slow knows better.
    await world.association.run(lambda deed: letters.settle(deed, lost.letter, "sent"))
    assert set((await states(desk, id_, number)).values()) == {"sent"}


async def test_several_processes_send_each_letter_once(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    records = [await person(world, number) for number in range(1, 7)]
    number = await approved(desk, id_, *records)
    with serving(box, free_port):
        one, two = notifier(world, free_port), notifier(world, free_port)
        other = world.reopen()
        three = replace(notifier(world, free_port), association=other)
        for _ in range(3):
            for each in (one, three, two):
                await each._undisturbed(each._letter())
        for each in (one, two, three):
            await each.round()
            await each.close()
    assert sorted(box.to) == sorted(f"someone{number}@example.org" for number in range(1, 7))
    assert set((await states(desk, id_, number)).values()) == {"sent"}
    other.log.close()


async def test_a_letter_whose_record_does_not_open_has_failed_with_an_alarm_and_keeps_no_other_back(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    rows = rows_of(world, container)
    broken = uuid.UUID(first).bytes
    put(world, container, [{**row, "container": bytes(len(row["container"]))} if row["record"] == broken else row for row in rows])
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert await states(desk, id_, number) == {first: "failed", second: "sent"}
    assert [each.reason for each in world.entries() if each.kind == "alarm"] == ["INTEGRITY"]


@pytest.mark.parametrize("what", ["sheet", "incident", "letter"])
async def test_a_letter_of_which_something_does_not_hold_is_set_aside_with_an_alarm_and_keeps_no_other_back(
    desk: Desk, free_port: int, what: str
):
    world, id_, other, box = desk.world, await opened(desk), await opened(desk), Box()
    first, second, third = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, first)
    others = await approved(desk, other, second, third)
    told = await letter(desk, id_, number, first)
    hers = next(row["subject"] for row in rows_of(world, records_of) if row["record"] == uuid.UUID(first).bytes)
    keys = {"incident": uuid.UUID(id_).hex, "letter": uuid.UUID(told["id"]).hex}
    if what == "sheet":
        rows = rows_of(world, sheets)
        put(world, sheets, [{**row, "sealed": b"altered"} if row["subject"] == hers else row for row in rows])
    else:
        kept = rows_of(world, rulebook_fact)
        put(world, rulebook_fact, [{**row, "sealed": b"altered"} if row["key"] == keys[what] else row for row in kept])
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.update().where(outbox.c.letter == uuid.UUID(told["id"]).bytes).values(due=1))
    with serving(box, free_port):
        assert await notifier(world, free_port).round() == 3
        assert await notifier(world, free_port).round() == 0, "it is looked at once"
    assert sorted(box.to) == ["someone2@example.org", "someone3@example.org"]
    assert set((await states(desk, other, others)).values()) == {"sent"}
    incident_ = uuid.UUID(id_).bytes
    alarms = [each for each in world.entries() if each.kind == "alarm" and each.actor == "system"]
    about = [] if what == "letter" else [(incident_, incident_)]
    assert [(each.reason, [(one.subject, one.record) for one in each.about]) for each in alarms] == [("INTEGRITY", about)]
    if what == "sheet":
        told = await letter(desk, id_, number, first)
        assert (told["state"], told["reason"]) == ("failed", "INTEGRITY")


async def test_a_row_of_a_notice_that_is_none_is_set_aside(small_notices: Desk, free_port: int):
    """The words it would carry are nowhere: whoever wrote such a fact, it sends nothing and keeps nothing back."""
    desk, world, box = small_notices, small_notices.world, Box()
    id_ = await opened(desk)
    number = await approved(desk, id_, await person(world, 1), await person(world, 2))
    (one, _) = (await done(desk, f"/{id_}/people-notices/{number}/letters", method="GET"))["items"]

    def move(deed: Any) -> None:
        fact = facts.read(deed, letters.LETTER, uuid.UUID(one["id"]).hex)
        assert fact is not None
        written = letters.change(deed, msgspec.structs.replace(fact, notice=999), "listed")[1]
        deed.append(Entry(kind="incident.people-listed", outcome="allow", actor="x", facts=(written,)))

    await world.association.run(move)
    with serving(box, free_port):
        assert await notifier(world, free_port).round() == 2
    assert len(box.to) == 1
    assert [each.reason for each in world.entries() if each.kind == "alarm"] == ["INTEGRITY"]


async def test_what_of_the_association_does_not_hold_is_laid_to_no_letter(small_notices: Desk, free_port: int):
    desk, world = small_notices, small_notices.world
    id_, record = await opened(desk), await person(world, 1)
    number = await approved(desk, id_, record)

    def broken(_deed: Any) -> Any:
        raise Unavailable("integrity")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(world.association.books), "at", lambda _self, deed: broken(deed))
        with pytest.raises(Unavailable, match="integrity"):
            await notifier(world, free_port).round()
    assert await states(desk, id_, number) == {record: "listed"}


async def test_a_row_that_was_made_due_for_a_letter_that_left_already_is_put_to_rest(small_notices: Desk, free_port: int):
    desk, world = small_notices, small_notices.world
    record = await person(world, 1)
    id_, number, box = await sent(desk, free_port, record)
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.update().values(due=0))
    with serving(box, free_port):
        assert await notifier(world, free_port).round() == 0
    assert box.letters[1:] == []
    assert [row["due"] for row in rows_of(world, outbox)] == [letters.DONE]
    assert await states(desk, id_, number) == {record: "sent"}


async def test_nothing_opens_before_the_entry_is_committed_and_nothing_twice(desk: Desk):
    world, id_ = desk.world, await opened(desk)
    record = await person(world, 1)
    await approved(desk, id_, record)
    early: list[Unavailable] = []

    def unit(deed: Any) -> Taken:
        taken = breach_letters.claim(deed, world.association)
        assert taken is not None
        with pytest.raises(Unavailable) as met:
            taken.values()
        early.append(met.value)
        return taken

    taken = await world.association.run(unit)
    assert [error.code for error in early] == ["log-unavailable"]
    assert taken.values() == [{"email": "someone1@example.org"}]
    with pytest.raises(Unavailable, match="integrity"):
        taken.values()


async def test_an_unknown_letter_and_one_of_another_incident_is_none(small_notices: Desk):
    desk = small_notices
    id_, record = await opened(desk), await person(small_notices.world, 1)
    number = await noticed(desk, id_, record)
    told = await letter(desk, id_, number, record)
    other = await opened(desk)
    for path in (f"/{id_}/letters/{uuid.uuid4()}/page", f"/{other}/letters/{told['id']}/page"):
        assert (await incident(desk, "officer", "GET", path)).status_code == 404
    assert (await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page")).status_code == 409
    assert (await done(desk, f"/{id_}/people-notices", method="GET"))["people"] == "open"
