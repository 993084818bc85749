"""Counts of the log day by day: each entry once, on its day, on both engines."""

import uuid
from functools import partial

import pytest

from tests.access.desk import Desk
from tests.household import grant, lay_down, read, store
from tests.simulator import START
from vault.access.tallies import DAY, Noted, Tally, note, tallies
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.rulebook.asker import Errand
from vault.storage.transaction import Transaction

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_every_entry_of_the_days_is_counted_once_on_its_day(desk: Desk):
    world = desk.world
    kept = await store(world)
    await grant(world, kept.record)
    await desk.read((await store(world)).record)
    world.clock.forward(DAY // 1_000_000)
    await read(world, kept.record)
    await read(world, kept.record)

    async def counted(since: int, until: int) -> list[Tally]:
        return await world.association.look(lambda transaction: tallies(transaction, world.association.id, since, until))

    found = await counted(START, START + 2 * DAY)
    assert sum(each.count for each in found) == len(world.entries())
    assert Tally(0, "record.stored", "allow", None, None, 2) in [
        Tally(each.day, each.kind, each.outcome, None, each.reason, each.count) for each in found
    ]
    assert [(each.day, each.purpose, each.count) for each in found if each.kind == "record.read" and each.outcome == "allow"] == [
        (1, "service_delivery", 2)
    ]
    assert [each.reason for each in found if each.outcome == "refuse"] == ["NO_CONSENT"]
    assert {each.day for each in await counted(START + DAY, START + 2 * DAY)} == {0}
    assert await counted(START + 2 * DAY, START + 3 * DAY) == []


async def test_reading_them_is_an_entry(desk: Desk):
    errand = Errand(await desk.world.person("officer"), "request-9")
    await desk.world.association.run(lambda deed: note(deed, errand))
    last = desk.world.entries()[-1]
    assert (last.kind, last.outcome, last.request) == ("access_log.read", "allow", "request-9")


def _noted(errand: Errand, deed: Deed) -> Noted:
    return note(deed, errand)


def _found(association: bytes, hidden: tuple[bytes, ...], transaction: Transaction) -> list[Tally]:
    return tallies(transaction, association, START, START + DAY, hidden)


async def test_what_is_about_a_case_is_counted_on_no_day_for_whom_it_excludes(desk: Desk):
    world, case = desk.world, uuid.uuid4()
    officer, other = await world.person("officer"), await world.person("second_officer")
    await lay_down(world, EXCLUSIONS, officer.id, ExclusionsFact(cases=(case.hex,)))
    told = Entry(kind="breach_report.read", outcome="allow", actor=other.ref, about=(About(case.bytes, case.bytes),))
    await world.association.run(lambda deed: deed.append(told))
    counted = {}
    for reader in (officer, other):
        errand = Errand(reader, "request-9")
        noted = await world.association.run(partial(_noted, errand))
        found = await world.association.look(partial(_found, world.association.id, noted.hidden))
        counted[reader.ref] = (noted, sum(each.count for each in found if each.kind == "breach_report.read"))
    assert counted == {officer.ref: (Noted((case.bytes,), 1), 0), other.ref: (Noted((), 0), 1)}
