"""Whatever breaks on the way to a value, no value comes: 503 or 404, nothing half done, and well again without a restart."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, delete, event, update
from sqlalchemy.exc import OperationalError

from keys.keyring import AssociationKeys
from tests.access.desk import Desk, put, rows_of, written
from tests.household import BASIC, FATIMA, grant, store, withdraw
from tests.simulator import SECOND, World
from vault.access_log import deed as deeds
from vault.access_log import tables
from vault.access_log.verify import verify
from vault.errors import Unavailable, VaultError
from vault.records import service
from vault.records import tables as record_tables
from vault.rulebook import alarm
from vault.rulebook import tables as book_tables
from vault.rulebook.asker import Errand
from vault.storage.journal import Journal
from vault.storage.transaction import Hot, Transaction
from vault.subjects import tables as subject_tables
from vault.subjects.meant import NOBODY, by_record

pytestmark = pytest.mark.asyncio(loop_scope="function")
NAME = "فاطمة بنت خالد الشمري"
Breaking = Callable[[World], Any]


async def somebody(world: World) -> bytes:
    kept = await store(world)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept.record


def verified(world: World) -> list[str]:
    """What `amanah log verify --deep` says of the log."""
    association = world.association
    with world.database.connect() as connection, connection.begin():
        vkey = association.cabinet.signer.vkey
        return [str(one) for one in verify(connection, association.id, world.code, vkey, association.outside.read(), deep=True)]


def fails(statement: Hot, error: Exception) -> Any:
    """The statement fails with this error."""

    def run(_self: Hot, _transaction: Transaction, _rows: Any) -> int:
        raise error

    original = Hot.run

    def either(self: Hot, transaction: Transaction, rows: Any) -> int:
        return run(self, transaction, rows) if self is statement else original(self, transaction, rows)

    return patch.object(Hot, "run", either)


@contextmanager
def commit_fails(world: World) -> Iterator[None]:
    """Every commit fails before it reaches the database."""

    def refuse(_connection: Connection) -> None:
        raise OperationalError("COMMIT", None, OSError(errno.EIO, os.strerror(errno.EIO)))

    event.listen(world.database.engine, "commit", refuse)
    try:
        yield
    finally:
        event.remove(world.database.engine, "commit", refuse)


@contextmanager
def head_moves(_world: World) -> Iterator[None]:
    """Somebody else moved the head since it was read."""
    with patch.object(Hot, "run", _moved_by_another(tables.MOVE_HEAD)):
        yield


def _moved_by_another(statement: Hot) -> Any:
    original = Hot.run
    return lambda self, transaction, rows: 0 if self is statement else original(self, transaction, rows)


@contextmanager
def log_is_shorter(world: World) -> Iterator[None]:
    """The database holds fewer entries than this process has seen."""
    log, was = world.association.log, world.association.log.least_size
    log.least_size = len(world.entries()) + 1
    try:
        yield
    finally:
        log.least_size = was


@contextmanager
def time_runs_back(world: World) -> Iterator[None]:
    """The clock stands more than five seconds before the newest entry."""
    was, world.clock.now = world.clock.now, world.clock.now - 5 * SECOND - 1
    try:
        yield
    finally:
        world.clock.now = was


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BREAKINGS: dict[str, tuple[Breaking, str]] = {
    "the entry cannot be inserted": (lambda _: fails(tables.ADD_ENTRY, sqlite3.OperationalError("disk is full")), "log-unavailable"),
    "the row beside it cannot be inserted": (lambda _: fails(tables.ADD_SUBJECT, sqlite3.IntegrityError("constraint")), "log-unavailable"),
    "the disk is full": (lambda _: fails(tables.MOVE_HEAD, FULL), "log-unavailable"),
    "the commit fails": (commit_fails, "log-unavailable"),
    "the head was moved by another": (head_moves, "log-unavailable"),
    "the log is shorter than was seen": (log_is_shorter, "integrity"),
    "the clock runs back": (time_runs_back, "clock"),
}


@pytest.mark.parametrize("what", BREAKINGS)
async def test_no_value_and_no_verdict_while_it_breaks_and_well_again_afterwards(desk: Desk, what: str):
    world = desk.world
    record = await somebody(world)
    assert (await desk.read(record)).status_code == 200
    question = {"record": written(record), "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    many = {"ids": [written(record)], "purpose": "service_delivery", "fields": ["full_name"]}
    before = rows_of(world, tables.entry)
    breaking, code = BREAKINGS[what]
    with breaking(world):
        answers = [
            await desk.read(record),
            await desk.post("/v1/records/read", many),
            await desk.post("/v1/decisions", question),
            await desk.post("/v1/decisions/batch", {"items": [question]}),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, code)
        assert NAME not in answer.text
        assert set(answer.json()) == {"type", "title", "status", "code", "request_id", "say"}
    assert rows_of(world, tables.entry) == before
    back = await desk.read(record)
    assert (back.status_code, back.json()["fields"]) == (200, {"full_name": NAME})
    assert verified(world) == []


async def test_a_locked_database_gives_no_value_and_comes_back(small_desk: Desk):
    record = await somebody(small_desk.world)
    holder = sqlite3.connect(small_desk.world.database.url.database or "", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = await small_desk.read(record)
    holder.execute("ROLLBACK")
    holder.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")
    assert (await small_desk.read(record)).status_code == 200


async def test_a_commit_that_arrived_though_its_answer_was_lost_gives_no_value_and_leaves_a_log_that_verifies(desk: Desk):
    world = desk.world
    record = await somebody(world)
    before = len(world.entries())

    def lost(_self: deeds.Deed) -> None:
        raise OperationalError("COMMIT", None, ConnectionResetError())

    with patch.object(deeds.Deed, "commit_seen", lost):
        answer = await desk.read(record)
    assert (answer.status_code, NAME in answer.text) == (503, False)
    assert len(world.entries()) == before + 1
    assert (await desk.read(record)).status_code == 200
    assert verified(world) == []


async def test_a_clock_back_by_five_seconds_is_borne_and_time_never_runs_back_in_the_log(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    await small_desk.read(record)
    newest = rows_of(world, tables.entry)[-1]["time"]
    world.clock.now = newest - 5 * SECOND
    assert (await small_desk.read(record)).status_code == 200
    assert rows_of(world, tables.entry)[-1]["time"] == newest


@pytest.mark.parametrize("trouble", ["gone", "altered", "full"])
async def test_a_withdrawal_that_cannot_be_journalled_is_not_made_and_is_answered_503(small_desk: Desk, trouble: str):
    world = small_desk.world
    kept = await store(world)
    world.clock.forward(60)
    given = await grant(world, kept.record)
    journal, size = world.folder / "journal", len(world.entries())
    content = journal.read_bytes()
    match trouble:
        case "gone":
            journal.unlink()
        case "altered":
            journal.write_bytes(content + b"1 1 withdrawal 00 - " + b"0" * 64 + b"\n")
        case _:
            pass
    full = patch("vault.storage.journal.os.fsync", side_effect=FULL)
    with full if trouble == "full" else patch.object(Journal, "create"), pytest.raises(Unavailable) as refused:
        await withdraw(world, given.id)
    assert refused.value.code == "log-unavailable"
    assert len(world.entries()) == size
    read = await small_desk.read(kept.record)
    # Nothing is given out while a withdrawal could not be recorded; the disk that was full takes a line again.
    assert (read.status_code, read.json().get("code")) == ((200, None) if trouble == "full" else (503, "log-unavailable"))
    assert len(world.entries()) == size + (trouble == "full")
    journal.write_bytes(content)
    await withdraw(world, given.id)
    assert (await small_desk.read(kept.record)).status_code == 403


Row = dict[str, Any]
ROWS: dict[str, Callable[[list[Row], bytes, bytes], list[Row]]] = {
    "the container is gone": lambda rows, mine, _: [row for row in rows if row["record"] != mine],
    "the container is another person's": lambda rows, mine, other: [
        row | {"container": next(one for one in rows if one["record"] == other and one["class_id"] == row["class_id"])["container"]}
        if row["record"] == mine
        else row
        for row in rows
    ],
    "the container is no bytes of ours": lambda rows, mine, _: [
        row | {"container": b"x"} if row["record"] == mine else row for row in rows
    ],
}


@pytest.mark.parametrize("what", ROWS)
async def test_a_container_that_is_not_the_one_gives_nothing_and_rings(desk: Desk, what: str):
    world = desk.world
    record, other = await somebody(world), (await store(world, FATIMA | {"mobile": "0559999999"})).record
    rows = rows_of(world, record_tables.container)
    put(world, record_tables.container, ROWS[what](rows, record, other))
    answer = await desk.read(record, fields="full_name,mobile")
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    allow, rung = world.entries()[-2:]
    assert (allow.kind, allow.outcome) == ("record.read", "allow")
    assert (rung.kind, rung.outcome, rung.reason, rung.article) == ("alarm", "error", "INTEGRITY", "cooperative:7")
    assert rung.about[0].record == record
    assert rung.about[0].subject == allow.about[0].subject
    many = (await desk.post("/v1/records/read", {"ids": [written(record)], "purpose": "service_delivery", "fields": ["full_name"]})).json()
    assert [(one["status"], one["problem"]["code"]) for one in many["results"]] == [(503, "integrity")]
    assert world.entries()[-1].kind == "alarm"
    put(world, record_tables.container, rows)
    assert (await desk.read(record)).json()["fields"] == {"full_name": NAME}


async def test_an_older_revision_put_back_gives_nothing(desk: Desk):
    world = desk.world
    record = await somebody(world)
    older = rows_of(world, record_tables.container)
    await _update(world, record, {"mobile": "0559999999"})
    newer = rows_of(world, record_tables.container)
    put(world, record_tables.container, older)
    assert (await desk.read(record, fields="mobile")).json()["code"] == "integrity"
    put(world, record_tables.container, newer)
    assert (await desk.read(record, fields="mobile")).json()["fields"] == {"mobile": "+966559999999"}


async def _update(world: World, record: bytes, changes: Row) -> None:
    job = Errand(await world.system(), "update")
    await world.association.run(lambda deed: service.update(deed, job, record, 1, changes))


@pytest.mark.parametrize(
    ("table", "status"),
    [
        (subject_tables.data_key, 503),
        (subject_tables.sheet, 503),
        (subject_tables.record, 503),
        (record_tables.container, 503),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_what_is_missing_gives_nothing_and_is_well_again_when_put_back(desk: Desk, table: Any, status: int):
    record = await somebody(desk.world)
    rows = rows_of(desk.world, table)
    with desk.world.database.connect() as connection, connection.begin():
        connection.execute(delete(table))
    answer = await desk.read(record)
    assert (answer.status_code, NAME in answer.text) == (status, False)
    put(desk.world, table, rows)
    assert (await desk.read(record)).status_code == 200


async def test_a_subject_key_of_a_retired_epoch_or_none_opens_nothing(small_desk: Desk):
    record = await somebody(small_desk.world)
    refused = patch.object(AssociationKeys, "_unwrap", side_effect=KeyError("epoch"))
    with refused:
        answer = await small_desk.read(record)
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert (await small_desk.read(record)).status_code == 200


@pytest.mark.parametrize("value", [None, "text", 7, -1], ids=["null", "text", "number", "negative"])
async def test_a_column_of_another_kind_is_503_or_404_and_never_a_failure_of_the_vault(small_desk: Desk, value: Any):
    """SQLite takes any kind in any column, and a schema can be altered to take NULL."""
    world = small_desk.world
    record = await somebody(world)
    path = world.database.url.database or ""
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table' AND name NOT LIKE 'access_log%'")
    raw.close()
    tried = 0
    for table in (subject_tables.sheet, subject_tables.record, subject_tables.data_key, record_tables.container):
        kept = rows_of(world, table)
        for column in table.columns:
            if column.primary_key and value is None:
                continue
            raw = sqlite3.connect(path)
            try:
                raw.execute(f"UPDATE {table.name} SET {column.name} = ?", (value,))  # noqa: S608 - names from the schema
                raw.commit()
            except sqlite3.IntegrityError:
                raw.rollback()  # two rows would have one key
                continue
            finally:
                raw.close()
            tried += 1
            answer = await small_desk.read(record)
            if answer.status_code == 200:
                # Columns beside the truth, which the door does not look at: the doctor does.
                assert answer.json()["fields"] == {"full_name": NAME}, column
                assert column.name in {"revision", "review_month"}, column
            else:
                assert answer.status_code in {503, 404}, (column, answer.text)
            raw = sqlite3.connect(path)
            raw.execute(f"DELETE FROM {table.name}")  # noqa: S608 - as above
            raw.commit()
            raw.close()
            put(world, table, kept)
    assert tried > 8
    assert (await small_desk.read(record)).status_code == 200


async def test_an_alarm_names_no_record_that_only_the_caller_knows(small_desk: Desk):
    world = small_desk.world
    await somebody(world)
    job = Errand(await world.system(), "r")
    typed = bytes.fromhex("10000000080000000000000000000000")
    await alarm.ring(job, Unavailable("integrity"), by_record(typed))
    rung = world.entries()[-1]
    assert (rung.kind, rung.about, rung.request) == ("alarm", (), "r")
    await alarm.ring(job, Unavailable("integrity"))
    assert world.entries()[-1].about == ()
    before = len(world.entries())
    await alarm.ring(job, Unavailable("log-unavailable"), by_record(typed))
    await alarm.ring(job, VaultError("integrity"), by_record(typed))
    assert len(world.entries()) == before


async def test_the_alarm_names_the_record_where_its_person_does_not_hold(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    world.association.books.latest = None  # a process that has read no book yet
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(subject_tables.sheet).values(sealed=b"x"))
    await alarm.ring(Errand(await world.system(), "r"), Unavailable("integrity"), by_record(record))
    about = world.entries()[-1].about[0]
    assert (about.subject, about.record) == (NOBODY, record)


async def test_a_book_that_does_not_hold_gives_nothing_and_its_alarm_rings_without_it(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    caller = await world.system()
    rows = rows_of(world, book_tables.fact)
    put(world, book_tables.fact, rows[1:])
    world.association.books.latest = None
    job = Errand(replace(caller, law=-1), "r")
    with pytest.raises(Unavailable) as refused:
        await alarm.heard(job, lambda: world.association.run(job.still), by_record(record))
    assert refused.value.code == "integrity"
    rung = world.entries()[-1]
    assert (rung.kind, rung.article, rung.about[0].record) == ("alarm", "cooperative:7", record)
    put(world, book_tables.fact, rows)
    assert (await small_desk.read(record)).status_code == 200


async def test_where_even_the_alarm_cannot_be_written_the_answer_is_the_first_trouble(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    with log_is_shorter(world):
        answer = await small_desk.read(record)
    assert answer.json()["code"] == "integrity"
    assert all(entry.kind != "alarm" for entry in world.entries())


async def test_a_defect_in_a_decision_answers_500_without_words_and_leaves_no_entry(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    before = len(world.entries())
    with patch("vault.access.verdicts.decide", side_effect=RuntimeError(NAME)):
        answers = [await small_desk.read(record)]
        many = {"ids": [written(record)], "purpose": "service_delivery", "fields": ["full_name"]}
        answers.append(await small_desk.post("/v1/records/read", many))
    with patch("vault.access.reading.give_out", side_effect=RuntimeError(NAME)):
        answers.append(await small_desk.read(record))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert NAME not in answer.text
    assert len(world.entries()) == before + 1
    assert (await small_desk.read(record)).json()["fields"] == {"full_name": NAME}


async def test_a_reader_that_hangs_up_leaves_nobody_waiting(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    held = threading.Event()
    world.executor.submit(held.wait)
    asked = asyncio.ensure_future(small_desk.read(record))
    await asyncio.sleep(0.05)
    asked.cancel()
    held.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await small_desk.read(record, fields=",".join(BASIC))).status_code == 200
