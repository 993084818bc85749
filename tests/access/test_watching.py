"""The log is looked through after the commit: each alert once, whichever process looks and whenever it dies."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from tests.access.desk import Desk, rows_of, written
from tests.access.laboratory import REGION, Laboratory, people, settle
from tests.household import FATIMA, asked, errand, grant, lay_down, store, withdraw
from tests.simulator import START, World
from vault.access import predicates, watching
from vault.access.alert_facts import ALERT, DETECTION, OWN, WATCH, AlertFact, DeclaredFact, WatchFact, padded
from vault.access.detection import HOUR, DetectionFact
from vault.access.predicates import Questions
from vault.access.watching import Watcher
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.app import House
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook import tables as rulebook
from vault.rulebook.association import Association
from vault.settings import Settings
from vault.subjects import people as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")
WOMAN = {"birth_date": "1990-05-10", "gender": "female", "short_address": "RRRD2929"}


async def declare(world: World, **rules: Any) -> None:
    await lay_down(world, DETECTION, OWN, padded(DeclaredFact(rules=DetectionFact(**rules))))


async def alerts(world: World) -> list[AlertFact]:
    """Every alert, in the order in which they were raised."""
    found = await world.association.run(lambda deed: facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ALERT))
    return [found[key] for key in sorted(found)]


async def fired(world: World) -> list[str]:
    await Watcher(world.association).look_through()
    return [one.rule for one in await alerts(world)]


def at_work(world: World) -> None:
    """Let it be Thursday, ten in the morning in Riyadh."""
    world.clock.now = START + 7 * HOUR


async def ask(desk: Desk, record: bytes, token: str | None = None) -> None:
    """Ask whether her name may be used."""
    body = {
        "record": written(record),
        "action": "use",
        "purpose": "service_delivery",
        "recipient": "INTERNAL",
        "fields": ["full_name"],
    }
    answer = await desk.post("/v1/decisions", body, token)
    assert answer.status_code == 200, answer.text


async def test_an_ordinary_morning_raises_nothing_and_writes_nothing(desk: Desk):
    world = desk.world
    at_work(world)
    kept = await store(world)
    await grant(world, kept.record)
    await desk.read(kept.record)
    officer = await world.session("officer")
    await ask(desk, kept.record, officer)
    before = len(world.entries())
    assert await fired(world) == []
    assert len(world.entries()) == before


async def test_bulk_fires_beyond_the_threshold_and_the_alert_is_an_entry_that_does_not_say_on_what(desk: Desk):
    world = desk.world
    await declare(world, people_an_hour_systems=2)
    kept = [await store(world) for _ in range(3)]
    for one in kept[:2]:
        await desk.read(one.record)
    assert await fired(world) == []
    await desk.read(kept[2].record)
    assert await fired(world) == ["bulk"]
    [alert] = await alerts(world)
    reads = [number for number, entry in enumerate(world.entries()) if entry.kind == "record.read"]
    assert (alert.indexes, alert.limit, alert.state) == (tuple(reads), 2, "unreviewed")
    assert alert.hand == world.entries()[reads[0]].actor
    raised = next(entry for entry in world.entries() if entry.kind == "alert.raised")
    assert (raised.actor, raised.outcome, raised.article, raised.reason, raised.about) == ("system", "error", "cooperative:7", None, ())
    assert await fired(world) == ["bulk"], "it is told once"


async def test_enumeration_fires_on_values_tried_out_and_not_on_those_that_are_found(desk: Desk):
    world = desk.world
    await declare(world, misses_systems=2)
    kept = await store(world)
    await grant(world, kept.record)

    async def search(value: str) -> None:
        body = {"type": "beneficiary", "field": "national_id", "value": value, "purpose": "service_delivery"}
        assert (await desk.post("/v1/records/search", body)).status_code == 200

    for _ in range(4):
        await search(FATIMA["national_id"])
    assert await fired(world) == []
    for value in ("1000000016", "1000000024", "1000000032"):
        await search(value)
    assert await fired(world) == ["enumeration"]


async def test_a_person_at_night_fires_and_one_in_the_morning_does_not(desk: Desk):
    world = desk.world
    kept = await store(world)
    at_work(world)
    await ask(desk, kept.record, await world.session("officer"))
    assert await fired(world) == []
    world.clock.forward(9 * 3600)
    await desk.read(kept.record)
    assert await fired(world) == [], "a system works at night"
    officer = await world.session("officer")
    await ask(desk, kept.record, officer)
    assert await fired(world) == ["off_hours"]
    assert (await alerts(world))[0].hand == f"staff:{(await world.person('officer')).id}"


async def test_asking_after_a_withdrawal_fires_also_where_the_process_began_after_it(desk: Desk):
    world = desk.world
    kept, other = await store(world), await store(world)
    consent = (await grant(world, kept.record)).id
    await desk.read(kept.record)
    assert await fired(world) == []
    await withdraw(world, consent)
    await desk.read(other.record)
    assert await fired(world) == []
    world.clock.forward(3 * 3600)
    await mark(world)
    await desk.read(kept.record)
    assert await fired(world) == ["after_withdrawal"]
    await mark(world)
    await desk.read(kept.record)
    assert await fired(world) == ["after_withdrawal"], "told once, after a restart too"
    world.clock.forward(24 * 3600)
    await desk.read(kept.record)
    assert await fired(world) == ["after_withdrawal"]


async def mark(world: World) -> None:
    """Write down how far the log was looked through, as after ten thousand entries."""

    def exactly(deed: Deed) -> None:
        fact = WatchFact(through=deed.size)
        told = (facts.write(deed, WATCH, OWN, fact),)
        deed.append(Entry(kind="alerts.watched", outcome="allow", actor="system", facts=told))

    await world.association.run(exactly)


async def test_break_glass_fires_on_an_entry_that_says_so(desk: Desk):
    """Nothing opens that way yet: the rule waits for entries of this form."""
    world, job = desk.world, await errand(desk.world)
    kept = await store(world)
    about = (About(kept.subject, kept.record),)
    await world.association.run(lambda deed: deed.append(job.entry(kind="record.updated", outcome="error", about=about)))
    assert await fired(world) == []
    told = job.entry(kind="access.break_glass", outcome="allow", about=about, basis="law")
    await world.association.run(lambda deed: deed.append(told))
    assert await fired(world) == ["break_glass"]


async def test_attack_48_whoever_touches_a_canary_fires_and_nothing_in_the_clear_names_her(desk: Desk):
    world = desk.world
    kept, canary = await store(world), await store(world, {**FATIMA, "national_id": "1000000016"})
    await grant(world, canary.record)
    pair = (canary.record.hex(), canary.subject.hex())
    await declare(world, canaries=(pair,))
    await desk.read(kept.record)
    assert await fired(world) == []
    body = {"type": "beneficiary", "field": "national_id", "value": "1000000016", "purpose": "service_delivery"}
    assert len((await desk.post("/v1/records/search", body)).json()["matches"]) == 1
    assert await fired(world) == ["canary"]
    for row in rows_of(world, rulebook.fact):
        sealed = bytes(row["sealed"])
        assert canary.subject not in sealed
        assert pair[1].encode() not in sealed
    told = [entry for entry in world.entries() if entry.kind in {"alert.raised", "alerts.watched", "detection.written"}]
    assert told
    assert all(entry.about == () and entry.reason is None and entry.count is None for entry in told)


async def test_who_is_in_an_extract_counts_as_read_and_who_was_left_out_of_it_does_not(small: World):
    agreed = await settle(small, people((12, WOMAN)))
    left_out = await store(small, WOMAN | {"full_name": "x", "identity_note": "x"})
    inside = await small.association.run(lambda deed: subjects.of_record(deed, agreed[0][0]).subject)
    async with Laboratory.over(small) as lab:
        await lab.laid_down("rows", REGION, form="extract")
        at_work(small)
        lab.tokens = {"key": small.ceremony.api_key}
        await declare(small, people_an_hour_systems=12, canaries=((left_out.record.hex(), left_out.subject.hex()),))
        assert len((await lab.extract("rows"))["rows"]) == 12
        assert await fired(small) == [], "as many as the threshold, and the canary never agreed to research"
    # What was looked at by other thresholds is looked through again.
    await declare(small, people_an_hour_systems=11, canaries=((agreed[0][0].hex(), inside.hex()),))
    assert sorted(await fired(small)) == ["bulk", "canary"]
    hands = {entry.actor for entry in small.entries() if entry.kind == "research"}
    assert {alert.hand for alert in await alerts(small)} == hands


async def test_alerts_of_every_rule_have_one_size(desk: Desk):
    world = desk.world
    kept = await store(world)
    await declare(world, canaries=((kept.record.hex(), kept.subject.hex()),), people_an_hour=1, days=())
    officer = await world.session("officer")
    for one in (kept, await store(world)):
        await ask(desk, one.record, officer)
    assert sorted(await fired(world)) == ["bulk", "canary", "off_hours"]
    sizes = {len(row["sealed"]) for row in rows_of(world, rulebook.fact) if row["kind"] == ALERT.name}
    assert len(sizes) == 1


async def test_two_processes_and_a_restart_raise_each_alert_once(desk: Desk):
    world = desk.world
    await declare(world, people_an_hour_systems=1)
    first, second = Watcher(world.association), Watcher(world.reopen())
    for one in [await store(world) for _ in range(2)]:
        await desk.read(one.record)
    # Both have found it before either writes.
    rules, through = await world.association.run(watching._standing)
    for watcher in (first, second):
        await watcher.association.look(partial(watcher._go, rules, through))
    raised = [await each.association.run(partial(each._raise, each._found, each._next)) for each in (first, second)]
    assert raised == [1, 0]
    assert await fired(world) == ["bulk"]
    second.association.log.close()


async def test_what_could_not_be_written_is_found_again(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = desk.world
    await declare(world, people_an_hour_systems=1)
    for one in [await store(world) for _ in range(2)]:
        await desk.read(one.record)
    watcher = Watcher(world.association)

    def fails(_deed: Deed, *_args: Any, **_more: Any) -> None:
        raise Unavailable("log-unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(Deed, "append", fails)
        with pytest.raises(Unavailable):
            await watcher.look_through()
    assert await watcher.look_through() == 1
    assert await watcher.look_through() == 0


async def test_the_place_is_written_down_after_so_many_entries_and_looking_goes_on_in_goes(
    small_desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    world = small_desk.world
    monkeypatch.setattr(watching, "AT_ONCE", 3)
    monkeypatch.setattr(watching, "ROUNDS", 2)
    monkeypatch.setattr(watching, "REMEMBERED", 6)
    kept = await store(world)
    for _ in range(10):
        await small_desk.read(kept.record)
    watcher = Watcher(world.association)
    for _ in range(10):
        await watcher.look_through()
    told = [entry for entry in world.entries() if entry.kind == "alerts.watched"]
    assert len(told) >= 1
    assert watcher._next == len(world.entries())
    other = Watcher(world.association)
    await other.look_through()
    assert other._next > 6, "a new process begins where the log says"


async def test_what_a_new_process_looks_back_at_is_never_here_all_at_once(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = small_desk.world
    monkeypatch.setattr(watching, "AT_ONCE", 3)
    await declare(world, people_an_hour_systems=9)
    kept = [await store(world) for _ in range(10)]
    consent = (await grant(world, kept[0].record)).id
    await withdraw(world, consent)
    at_work(world)
    for one in kept[:9]:
        await small_desk.read(one.record)
    assert "bulk" not in await fired(world)
    await mark(world)
    goes, entries = list[int](), watching._entries

    def counted(*asked: Any) -> list[tuple[int, bytes]]:
        goes.append(len(found := entries(*asked)))
        return found

    monkeypatch.setattr(watching, "_entries", counted)
    await small_desk.read(kept[9].record)
    assert "bulk" in await fired(world), "the nine before the restart count"
    assert len(goes) > 4
    assert max(goes) <= 3


@pytest.mark.parametrize("body", [b"\xff", b'{"v":1,"k":"record.read","o":"allow","a":"staff:1","n":"00","t":"now","w":"w","ws":0}'])
async def test_an_entry_whose_bytes_are_none_does_not_keep_the_others_from_being_looked_at(small_desk: Desk, body: bytes):
    world = small_desk.world
    await declare(world, people_an_hour_systems=1)
    kept = [await store(world) for _ in range(2)]
    await small_desk.read(kept[0].record)
    spoilt = len(world.entries())
    await small_desk.read(kept[0].record)
    with world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS access_log_entry_update")
        connection.execute(update(tables.entry).where(tables.entry.c.number == spoilt).values(body=body))
    await small_desk.read(kept[1].record)
    watcher = Watcher(world.association)
    assert await watcher.look_through() == 1
    assert await Watcher(world.association).look_through() == 0


async def test_the_house_looks_through_every_log_and_says_where_that_fails(small_desk: Desk):
    world = small_desk.world
    await declare(world, people_an_hour_systems=1)
    for one in [await store(world) for _ in range(2)]:
        await small_desk.read(one.record)
    said: list[str] = []

    class Broken:
        """Looks and cannot."""

        association: Association

        async def look_through(self) -> int:
            raise Unavailable("log-unavailable")

    watchers: Any = {"broken": Broken(), world.code: Watcher(world.association)}
    house = House(Settings(), world.database, watchers=watchers, say=said.append)
    await house.watch()
    assert said == ["broken: the log could not be looked through (Unavailable)"]
    assert [one.rule for one in await alerts(world)] == ["bulk"]


async def test_questions_of_the_day_count_on_after_a_restart(desk: Desk):
    world = desk.world
    at_work(world)
    kept = await store(world)
    await grant(world, kept.record, await asked(world, fields=frozenset({"birth_date"})))
    job = await errand(world)
    for _ in range(10):
        await predicates.ask(job, Questions(kept.record, "service_delivery", ("is_minor",)))
    assert await fired(world) == []
    # What was looked through stands written, and a new process begins behind it, hours later on the same day.
    place = WatchFact(through=len(world.entries()))
    await lay_down(world, WATCH, OWN, place)
    world.clock.forward(5 * 3600)
    await predicates.ask(job, Questions(kept.record, "service_delivery", ("is_minor",)))
    assert await fired(world) == ["questions"]
