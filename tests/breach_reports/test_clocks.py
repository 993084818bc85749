"""The clocks of incidents: each rings once, at its hour or as soon as somebody looks again, whichever process that is."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import PARTS, approve, done, hours, opened, plain, proposed, rang, read, refused, ring
from tests.simulator import START
from vault.access.alert_facts import ALERT
from vault.access.watching import Watcher
from vault.access_log.verify import snapshot
from vault.app import House
from vault.breach_reports import clocks
from vault.breach_reports.incident_examine import late
from vault.breach_reports.incident_shapes import INCIDENT, Aware, IncidentFact
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.ringing import Ringer
from vault.breach_reports.shapes import Fired
from vault.errors import Unavailable
from vault.identity.opening import open_association
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.settings import Settings
from vault.storage.engine import Database
from vault.web.times import parse_time, write_time

EVERY = [24, 48, 60, 66, 71, 72]


def fact(aware: int = 0, **changes: Any) -> IncidentFact:
    given: dict[str, Any] = {"id": "00", "reference": "", "state": "suspected", "opened_at": aware, "opened_by": "", "aware_at": aware}
    return IncidentFact(**(given | {"awareness": (Aware(to=aware, why="opened", by="", at=aware),)} | changes))


def test_16_seventy_two_hours_from_a_thursday_evening_end_on_sunday_evening():
    aware = parse_time("2026-03-12T19:30:00Z")
    running = clocks.clock(fact(aware), 72)
    assert running is not None
    assert write_time(running.due_at) == "2026-03-15T19:30:00Z"


def test_each_clock_is_due_at_its_very_moment_and_not_a_microsecond_earlier():
    for mark in EVERY:
        assert [each.hours for each in clocks.due(fact(), 72, mark * HOUR - 1)] == [one for one in EVERY if one < mark]
        assert [each.hours for each in clocks.due(fact(), 72, mark * HOUR)] == [one for one in EVERY if one <= mark]


def test_what_rang_does_not_ring_again_wherever_awareness_goes():
    rung = fact(10 * HOUR, fired=(Fired(24, 24 * HOUR, 24 * HOUR),))
    assert [each.hours for each in clocks.due(rung, 72, 60 * HOUR)] == [48]


def test_a_stricter_pack_has_the_usual_clocks_before_its_own_end():
    assert clocks.marks(72) == (24, 48, 60, 66, 71, 72)
    assert clocks.marks(48) == (24, 48)
    assert clocks.marks(50) == (24, 48, 50)


@pytest.mark.parametrize(
    ("since", "holidays", "end"),
    [
        ("2026-01-04T09:00:00Z", (), "2026-01-06T21:00:00Z"),  # Sunday to the end of Tuesday in Riyadh
        ("2026-01-06T09:00:00Z", (), "2026-01-08T21:00:00Z"),  # Tuesday to the end of Thursday
        ("2026-01-07T09:00:00Z", (), "2026-01-11T21:00:00Z"),  # Wednesday, over the weekend, to the end of Sunday
        ("2026-01-08T21:30:00Z", (), "2026-01-12T21:00:00Z"),  # already Friday in Riyadh
        ("2026-01-09T09:00:00Z", (), "2026-01-12T21:00:00Z"),  # Friday
        ("2026-01-07T09:00:00Z", (date(2026, 1, 8), date(2026, 1, 11)), "2026-01-13T21:00:00Z"),  # two holidays more
    ],
)
def test_working_days_are_those_from_sunday_to_thursday_by_riyadhs_calendar(since: str, holidays: tuple[date, ...], end: str):
    assert write_time(clocks.working_deadline(parse_time(since), clocks.ACKNOWLEDGED_WITHIN, holidays)) == end


@pytest.mark.asyncio(loop_scope="function")
async def test_16_every_clock_rings_once_at_its_hour_and_a_restart_at_hour_fifty_repeats_nothing(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    assert await ring(desk, 23.9) == []
    for mark in EVERY:
        if mark == 60:
            desk.world.clock.now = START + 50 * HOUR
            again = desk.world.reopen()
            assert await Ringer(again).round() == 0, "the new process repeats nothing"
            again.log.close()
        wanted = [one for one in EVERY if one <= mark]
        assert await ring(desk, mark) == wanted
        assert await ring(desk) == wanted
    assert await ring(desk, 500) == EVERY
    told = (await read(desk, id_))["clocks"]
    assert [(each["hours"], each["due_at"], each["fired_at"]) for each in told] == [(one, hours(one), hours(one)) for one in EVERY]
    entry = next(each for each in desk.world.entries() if each.kind == "incident.clock")
    assert (entry.actor, entry.outcome, entry.reason, entry.fields) == ("system", "error", "HOURS_24", ("authority", "people"))
    assert (entry.article, entry.law, entry.about[0].subject.hex()) == ("cooperative:8", "sa-pdpl:20", plain(id_))
    assert desk.findings() == []


@pytest.mark.asyncio(loop_scope="function")
async def test_what_was_missed_while_the_vault_was_down_rings_once_at_the_start_with_the_moment_it_was_due(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    assert await ring(desk, 62.5) == [24, 48, 60]
    assert await ring(desk) == [24, 48, 60]
    told = (await read(desk, id_))["clocks"]
    assert [(each["due_at"], each["fired_at"]) for each in told[:3]] == [(hours(one), hours(62.5)) for one in (24, 48, 60)]
    assert [each["fired_at"] for each in told[3:]] == [None] * 3
    assert told[3]["due_at"] == hours(66)
    assert told[3]["due_riyadh"] == "2026-01-03T21:00:00+03:00"


@pytest.mark.asyncio(loop_scope="function")
async def test_clocks_ring_while_anybody_is_still_to_be_told_and_say_who(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    await ring(desk, 24)
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": hours(24), "reference": "R"})
    assert await ring(desk, 48) == [24, 48]
    assert next(each.fields for each in desk.world.entries() if each.count == 48 and each.kind == "incident.clock") == ("people",)
    await done(desk, f"/{id_}/filing", {"track": "people", "filed_at": hours(48)})
    assert await ring(desk, 80) == [24, 48], "nobody is left to be told"
    await done(desk, f"/{id_}/reopening", {"track": "authority", "reason": PARTS})
    assert await ring(desk) == EVERY, "what was due meanwhile rings when it counts again"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_correction_to_an_earlier_moment_rings_what_is_due_by_it_and_to_a_later_one_takes_nothing_back(desk: Desk):
    desk.world.clock.forward(30 * 3600)
    id_ = await opened(desk)
    assert await ring(desk) == []
    await approve(desk, id_, await proposed(desk, id_, "awareness", aware_at=hours(0)))
    assert await ring(desk) == [24]
    await approve(desk, id_, await proposed(desk, id_, "awareness", aware_at=hours(20)))
    assert await ring(desk, 60) == [24], "44 hours are over by the later moment"
    told = (await read(desk, id_))["clocks"]
    assert [each["due_at"] for each in told[:2]] == [hours(24), hours(68)], "as it was due when it rang, and as it will be"
    assert await ring(desk, 68) == [24, 48]


@asynccontextmanager
async def another_process(desk: Desk) -> AsyncIterator[Association]:
    """The same association with a connection, a queue and a thread of its own, as in another process."""
    world = desk.world
    database = Database(world.database.url)
    with ThreadPoolExecutor(1) as executor:
        made = open_association(database, code=world.code, root=world.root, folder=world.folder, executor=executor, clock=world.clock)
        try:
            yield made
        finally:
            made.log.close()
            database.dispose()


@pytest.mark.asyncio(loop_scope="function")
async def test_processes_that_ring_at_once_on_one_database_ring_each_clock_once(desk: Desk):
    for _ in range(3):
        await opened(desk, aware_at=hours(0))
    async with another_process(desk) as second, another_process(desk) as third:
        ringers = [Ringer(each) for each in (desk.world.association, second, third)]
        for mark in EVERY:
            desk.world.clock.now = START + mark * HOUR
            seen = await asyncio.gather(*(each._known(INCIDENT, each._incidents) for each in ringers))
            assert all(len(clocks.due(one, 72, desk.world.clock.now)) == 1 for each in seen for one in each), "all have found them due"
            counted = await asyncio.gather(*(each.round() for each in ringers))
            assert sum(counted) == 3
    assert sorted(rang(desk)) == sorted(EVERY * 3)  # type: ignore[type-var]
    assert desk.findings() == []


@pytest.mark.asyncio(loop_scope="function")
async def test_a_process_that_dies_before_the_commit_leaves_the_clock_to_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    await opened(desk, aware_at=hours(0))
    desk.world.clock.now = START + 24 * HOUR

    def fails(*_args: Any) -> None:
        raise Unavailable("log-unavailable")

    with monkeypatch.context() as broken:
        broken.setattr("vault.access_log.deed.Deed.close", fails)
        with pytest.raises(Unavailable):
            await Ringer(desk.world.association).round()
    assert rang(desk) == []
    assert await ring(desk) == [24]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_clock_that_rang_is_an_alert_once_and_none_to_whom_the_incident_is_kept_from(desk: Desk):
    await opened(desk, aware_at=hours(0))
    await ring(desk, 48)
    watcher = Watcher(desk.world.association)
    assert [await watcher.look_through(), await Watcher(desk.world.association).look_through()] == [2, 0]
    found = await desk.world.association.run(
        lambda deed: facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ALERT)
    )
    assert sorted((each.rule, each.limit, each.hand) for each in found.values()) == [
        ("breach_clock", 24, "system"),
        ("breach_clock", 48, "system"),
    ]


@pytest.mark.asyncio(loop_scope="function")
async def test_awareness_moved_in_the_tables_is_convicted_and_keeps_no_other_clock_from_ringing(desk: Desk):
    first, second = await opened(desk, aware_at=hours(0)), await opened(desk, aware_at=hours(0))
    stored = "SELECT version, sealed FROM rulebook_fact WHERE kind = 'incident' AND key = '{}'"
    with desk.world.database.connect() as connection:
        before = connection.exec_driver_sql(stored.format(plain(first))).one()
    desk.world.clock.forward(10 * 3600)
    await approve(desk, first, await proposed(desk, first, "awareness", aware_at=hours(-100)))
    literal = bytes(before.sealed).hex()
    literal = f"x'{literal}'" if desk.world.database.is_sqlite else f"'\\x{literal}'::bytea"
    with desk.world.database.connect() as connection, connection.begin():
        place = f"WHERE kind = 'incident' AND key = '{plain(first)}'"
        connection.exec_driver_sql(f"UPDATE rulebook_fact SET version = {before.version}, sealed = {literal} {place}")  # noqa: S608
    assert await refused(desk, f"/{first}", method="GET") == (503, "integrity", [])
    assert await refused(desk, "", method="GET") == (503, "integrity", [])
    assert any("rulebook_fact incident" in each for each in desk.findings())
    alarms = [entry.reason for entry in desk.world.entries() if entry.kind == "alarm"]
    assert alarms == ["INTEGRITY", "INTEGRITY"]
    ringer = Ringer(desk.world.association)
    desk.world.clock.now = START + 25 * HOUR
    assert await ringer.round() == 1
    assert await ringer.round() == 0
    told = [entry for entry in desk.world.entries() if entry.kind in {"alarm", "incident.clock"}]
    assert [(each.kind, each.actor) for each in told[2:]] == [("alarm", "system"), ("incident.clock", "system")], "it rings once an hour"
    assert told[-1].about[0].subject.hex() == plain(second)


@pytest.mark.asyncio(loop_scope="function")
async def test_doctor_names_whose_time_ran_out_and_a_clock_that_did_not_ring(desk: Desk):
    world = desk.world

    def findings() -> list[str]:
        with snapshot(world.database, world.association.id) as connection:
            return [
                each.partition(": ")[2] for each in late(connection, world.association.cabinet, world.association.id, 72, world.clock.now)
            ]

    await opened(desk, aware_at=hours(0))
    world.clock.now = START + 24 * HOUR
    assert findings() == []
    world.clock.forward(600)
    assert findings() == ["a clock was due and did not ring; it rings when the service runs"]
    await ring(desk)
    assert findings() == []
    await ring(desk, 75)
    assert findings() == ["the authority was to be told, 3 hours ago (GET /v1/incidents)"]


@pytest.mark.asyncio(loop_scope="function")
async def test_the_house_rings_for_everybody_and_says_where_it_cannot(desk: Desk, tmp_path: Path):
    await opened(desk, aware_at=hours(0))
    desk.world.clock.now = START + 24 * HOUR
    said: list[str] = []

    class Broken:
        """Rings and cannot."""

        async def round(self) -> int:
            raise Unavailable("log-unavailable")

    ringers: Any = {"broken": Broken(), desk.world.code: Ringer(desk.world.association)}
    house = House(Settings(), desk.world.database, ringers=ringers, say=said.append)
    await house.ring()
    assert said == ["broken: the clocks of incidents could not be looked after (Unavailable)"]
    assert rang(desk) == [24]
