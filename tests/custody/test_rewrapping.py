"""Every key is wrapped anew while others work; what does not open is named and kept; a run that broke off is gone on with by any other."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from keys.case_file import case_key, new_case_key
from keys.keyring import epoch_of
from keys.pseudonyms import new_study_key
from tests.access.desk import put, rows_of
from tests.conftest import FreshPostgres
from tests.custody.keeper import rewrap, rotate
from tests.household import FATIMA, errand, findings, grant, read, store
from tests.simulator import World, world
from vault.attachments.receiving import Arrival, keep
from vault.breach_reports.incident_tables import incident_key
from vault.breach_reports.tables import report_key
from vault.custody import rewrapping, tables
from vault.custody.tables import PLACES
from vault.errors import Unavailable
from vault.rulebook.study_keys import study_key
from vault.rulebook.tables import association_key
from vault.storage.transaction import Transaction
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")
CASE = bytes(range(16))


async def somebody(world: World) -> bytes:
    kept = await store(world)
    world.clock.forward(1)
    await grant(world, kept.record)
    return kept.record


async def everything(world: World) -> bytes:
    """A row in every table of wrapped keys: a person who agreed, a scan, a case, a study."""
    record = await somebody(world)
    arrival = Arrival(world.association, 10_000)
    arrival.take(b"%PDF-1.7\n")
    arrival.end()
    job = await errand(world)
    await world.association.run(lambda deed: keep(deed, job, arrival, None))
    wrapped = new_case_key(world.association.cabinet.keys, CASE)[1]
    put(world, report_key, [{"association_id": world.association.id, "report": CASE, "wrapped": wrapped}])
    _, wrapped = new_case_key(world.association.cabinet.keys, CASE)
    put(world, incident_key, [{"association_id": world.association.id, "incident": CASE, "wrapped": wrapped}])
    wrapped = new_study_key(world.association.cabinet.keys, CASE)
    put(world, study_key, [{"association_id": world.association.id, "study": CASE, "wrapped": wrapped}])
    return record


def spoil(world: World, table: Table, wrapped: Any) -> None:
    """Put these bytes in the place of the first row's key."""
    row = rows_of(world, table)[0]
    key = [column == row[column.name] for column in table.primary_key.columns]
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(table).where(*key).values(wrapped=wrapped))


async def test_every_key_in_every_table_is_under_the_new_epoch_afterwards_and_is_the_same_key(vault: World):
    record = await everything(vault)
    before = {place.table.name: rows_of(vault, place.table) for place in PLACES}
    rotate(vault)
    count = rewrapping.waiting(vault.association)
    done = rewrap(vault)
    assert (done.moved, done.failed) == (count, [])
    assert count == sum(map(len, before.values()))
    for place in PLACES:
        rows = rows_of(vault, place.table)
        assert {epoch_of(row["wrapped"]) for row in rows} == {2}, place.table.name
        rest = [{name: value for name, value in row.items() if name != "wrapped"} for row in rows]
        assert rest == [{name: value for name, value in row.items() if name != "wrapped"} for row in before[place.table.name]]
    keys = vault.association.cabinet.keys
    [case] = before[report_key.name]
    assert case_key(keys, CASE, rows_of(vault, report_key)[0]["wrapped"]).reveal() == case_key(keys, CASE, case["wrapped"]).reveal()
    assert (await read(vault, record))["national_id"] == FATIMA["national_id"]
    assert findings(vault) == []
    told = [(each.kind, each.outcome, each.count) for each in vault.entries() if each.kind.startswith("keys.rewrap")]
    assert told == [("keys.rewrap-begun", "allow", None), ("keys.rewrapped", "allow", count)]
    again = vault.reopen()
    try:
        assert set(await read(vault, record, through=again))
    finally:
        again.log.close()
    assert rewrap(vault).moved == 0


@pytest.mark.parametrize("table", [place.table for place in PLACES], ids=lambda table: table.name)
async def test_a_key_that_does_not_open_is_named_and_kept_and_stops_nobody_else(vault: World, table: Table):
    await everything(vault)
    old = rows_of(vault, table)[0]["wrapped"]
    spoiled = old[:-1] + bytes([old[-1] ^ 1])
    spoil(vault, table, spoiled)
    rotate(vault)
    count = rewrapping.waiting(vault.association)
    done = rewrap(vault)
    assert done.moved == count - 1
    [line] = done.failed
    assert line.startswith(f"{table.name} ")
    assert line.endswith(": does not open")
    assert rows_of(vault, table)[0]["wrapped"] == spoiled
    last = vault.entries()[-1]
    assert (last.kind, last.outcome, last.reason, last.count) == ("keys.rewrapped", "error", "INTEGRITY", count - 1)


@pytest.mark.parametrize("wrapped", [b"", b"\x12" + bytes(69), bytes(3)], ids=["nothing", "another format", "cut"])
async def test_what_is_no_wrapped_key_is_named(vault: World, wrapped: bytes):
    await somebody(vault)
    spoil(vault, subjects.data_key, wrapped)
    rotate(vault)
    assert len(rewrap(vault).failed) == 1


async def test_on_sqlite_text_in_the_place_of_a_key_is_named(small: World):
    await somebody(small)
    with small.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE subject_key SET wrapped = 'text' WHERE class_id = (SELECT min(class_id) FROM subject_key)")
    rotate(small)
    assert len(rewrap(small).failed) == 1


async def test_an_own_key_of_another_name_is_named(vault: World):
    rows = rows_of(vault, association_key)
    put(vault, association_key, [*rows, {**rows[0], "name": "another"}])
    rotate(vault)
    assert rewrap(vault).failed == ["association_key another: does not open"]


async def test_more_rows_than_one_batch_and_two_workers_at_once(vault: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "AT_ONCE", 3)
    records = [await somebody(vault) for _ in range(5)]
    rotate(vault)
    count = rewrapping.waiting(vault.association)
    others = [vault.reopen(), vault.reopen()]
    try:
        done = await asyncio.gather(*(asyncio.to_thread(rewrap, vault, each) for each in others))
    finally:
        for each in others:
            each.log.close()
    assert sum(each.moved for each in done) == count
    assert rewrapping.waiting(vault.association) == 0
    for record in records:
        assert await read(vault, record)


async def test_a_row_that_changed_since_it_was_read_is_left_as_it_is(vault: World):
    """Between reading and writing somebody else puts another key there: hers stands."""
    await somebody(vault)
    keys = vault.association.cabinet.keys
    rotate(vault)
    row = rows_of(vault, subjects.data_key)[0]
    theirs = keys.rewrap(row["subject"], row["class_id"], row["wrapped"])
    place = next(each for each in PLACES if each.table is subjects.data_key)
    with vault.database.connect() as connection, connection.begin():
        found = tables.behind(connection, place, vault.association.id, 2, None)
    spoil(vault, subjects.data_key, theirs)
    with vault.database.connect() as connection, connection.begin():
        moved = tables.move(Transaction(connection, 0), place, vault.association.id, [(each, bytes(70)) for each in found[:1]])
    assert moved == 0
    assert rows_of(vault, subjects.data_key)[0]["wrapped"] == theirs


async def test_where_another_holds_the_database_a_batch_is_tried_again_and_not_for_ever(small: World, monkeypatch: pytest.MonkeyPatch):
    await somebody(small)
    rotate(small)
    batch, left = rewrapping._batch, [2]

    def busy(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OperationalError("", {}, Exception())
        return batch(*arguments)

    monkeypatch.setattr(rewrapping, "_batch", busy)
    assert rewrap(small).failed == []
    assert rewrapping.waiting(small.association) == 0
    left[0] = 10_000
    with pytest.raises(Unavailable, match="log-unavailable"):
        rewrap(small)


async def test_a_role_that_may_not_is_told_so_at_once(small: World, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: Any) -> Any:
        raise ProgrammingError("", {}, Exception())

    monkeypatch.setattr(rewrapping, "_batch", refused)
    with pytest.raises(Unavailable, match="not-the-owner"):
        rewrap(small)


async def test_a_row_somebody_else_holds_is_met_by_the_next_pass(small: World, monkeypatch: pytest.MonkeyPatch):
    await somebody(small)
    rotate(small)
    move, once = tables.move, [True]

    def lost(*arguments: Any) -> int:
        if once.pop() if once else False:
            return 0
        return move(*arguments)

    monkeypatch.setattr(rewrapping, "move", lambda *_: 0)
    monkeypatch.setattr(rewrapping, "MOST_PASSES", 3)
    with pytest.raises(Unavailable, match="busy"):
        rewrap(small)
    monkeypatch.setattr(rewrapping, "move", lost)
    assert rewrap(small).failed == []
    assert rewrapping.waiting(small.association) == 0


async def test_where_another_holds_the_log_both_entries_of_a_run_wait_for_it(small: World, monkeypatch: pytest.MonkeyPatch):
    """Found beside a busy service: the entry that a run begins was tried once, and the run ended with it."""
    await somebody(small)
    rotate(small)
    log, refusals = type(small.association.log), [3, 3]
    real = log.run_now

    def held(self: Any, *arguments: Any) -> Any:
        if refusals and refusals[0]:
            refusals[0] -= 1
            raise OperationalError("INSERT", {}, Exception("locked"))
        if refusals:
            refusals.pop(0)
        return real(self, *arguments)

    monkeypatch.setattr(log, "run_now", held)
    assert rewrap(small).failed == []
    assert refusals == []
    assert [entry.kind for entry in small.entries()][-2:] == ["keys.rewrap-begun", "keys.rewrapped"]


async def test_on_postgresql_a_row_that_a_deed_holds_is_waited_for_and_holds_up_nobody(fresh_postgres: FreshPostgres, tmp_path: Path):
    """Somebody's transaction holds a row while the worker passes over it: she is not stopped, and the row is moved after she is done."""
    with world(fresh_postgres(), tmp_path) as vault:
        await held_and_moved(vault)


async def held_and_moved(vault: World) -> None:
    await somebody(vault)
    rotate(vault)
    row = rows_of(vault, subjects.data_key)[0]
    key = [column == row[column.name] for column in subjects.data_key.primary_key.columns]
    other = vault.reopen()
    try:
        with vault.database.connect() as holder, holder.begin():
            holder.execute(update(subjects.data_key).where(*key).values(key_version=row["key_version"]))
            worker = asyncio.create_task(asyncio.to_thread(rewrapping.rewrap, other, vault.clock))
            await asyncio.sleep(0.5)
            assert not worker.done()
        assert (await worker).failed == []
    finally:
        other.log.close()
    assert rewrapping.waiting(vault.association) == 0
