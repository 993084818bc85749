"""A locked, full, cut-off or failing database answers 503 and nothing has happened; when it is well again the queue is, by itself."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from tests.storage.deeds import Queue, queue, waits, writes
from vault.errors import Unavailable
from vault.storage import engine


@contextmanager
def locked(queued: Queue) -> Iterator[None]:
    """Somebody else holds what every deed needs."""
    if queued.database.is_sqlite:
        other = sqlite3.connect(str(queued.database.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()
        other.close()
        return
    with psycopg.connect(queued.database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as keeper:
        keeper.execute("LOCK TABLE deed IN ACCESS EXCLUSIVE MODE")
        yield


async def refused(queued: Queue, number: int) -> str:
    with pytest.raises(Unavailable) as error:
        await asyncio.wait_for(queued.commit.run(writes(number)), 10)
    return error.value.code


@pytest.mark.asyncio
async def test_a_locked_database_is_unavailable_and_comes_back_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "BUSY_MS", 100)
    with queue(database_url) as queued:
        await queued.commit.run(writes(1))
        with locked(queued):
            assert [await refused(queued, 2), await refused(queued, 3)] == ["log-unavailable"] * 2
        assert await queued.commit.run(writes(4)) == 4
        assert queued.words() == ["word 1", "word 4"]


@pytest.mark.asyncio
async def test_a_commit_that_fails_fails_every_unit_of_its_batch(queued: Queue):
    await queued.commit.run(writes(1))
    reached, go = threading.Event(), threading.Event()
    first = asyncio.create_task(queued.commit.run(waits(reached, go)))
    await asyncio.to_thread(reached.wait, 10)
    failing = True

    @event.listens_for(queued.database.engine, "commit")
    def fail(_connection: Any) -> None:
        if failing:
            raise OSError("the disk is gone")

    rest = [asyncio.create_task(queued.commit.run(writes(number))) for number in (2, 3, 4)]
    await asyncio.sleep(0.05)
    go.set()
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [getattr(answer, "code", answer) for answer in answers] == ["log-unavailable"] * 4
    # One exception raised by many tasks would gather the tracebacks of all of them.
    assert len({id(answer) for answer in answers}) == 4
    assert "commit seen" not in queued.story[2:]
    failing = False
    assert await queued.commit.run(writes(5)) == 5
    assert queued.words() == ["word 1", "word 5"]


@pytest.mark.asyncio
async def test_a_session_that_may_not_begin_refuses_by_its_own_code_and_keeps_the_connection(queued: Queue):
    await queued.commit.run(writes(1))
    begin, connection = queued.commit._begin, queued.commit._connection

    def refuses(_transaction: Any) -> Any:
        raise Unavailable("clock")

    queued.commit._begin = refuses
    assert await refused(queued, 2) == "clock"
    queued.commit._begin = begin
    assert await queued.commit.run(writes(3)) == 3
    assert queued.commit._connection is connection


@pytest.mark.asyncio
async def test_a_server_that_drops_the_connection_is_found_again(fresh_postgres):
    with queue(fresh_postgres()) as queued:
        await queued.commit.run(writes(1))
        with psycopg.connect(queued.database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as keeper:
            keeper.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert await refused(queued, 2) == "log-unavailable"
        assert await queued.commit.run(writes(3)) == 3
        assert queued.words() == ["word 1", "word 3"]


@pytest.mark.asyncio
async def test_a_table_that_changes_under_a_prepared_statement_costs_one_batch_at_most(fresh_postgres):
    with queue(fresh_postgres()) as queued:
        for number in range(8):
            await queued.commit.run(writes(number))
        with queued.database.connect() as connection, connection.begin():
            connection.exec_driver_sql("ALTER TABLE deed ALTER COLUMN number TYPE bigint")
        answers = await asyncio.gather(*(queued.commit.run(writes(number)) for number in (8, 9)), return_exceptions=True)
        assert all(isinstance(answer, int | Unavailable) for answer in answers)
        assert await queued.commit.run(writes(10)) == 10


FULL_DISK = """
import asyncio, json, resource, sys
from tests.storage.deeds import queue, writes
from vault.errors import Unavailable

async def attempt(queued, number):
    try:
        return await asyncio.wait_for(queued.commit.run(writes(number, "x" * 40)), 20)
    except Unavailable as error:
        return error.code

async def main():
    with queue(sys.argv[1]) as queued:
        told = [await attempt(queued, 1)]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        told += [await attempt(queued, number) for number in (2, 3)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        told.append(await attempt(queued, 4))
        print(json.dumps([told, len(queued.words())]))

asyncio.run(main())
"""


def test_a_full_disk_is_unavailable_and_comes_back_without_a_restart(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, f"sqlite:///{tmp_path / 'deeds.sqlite3'}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(run.stdout) == [[1, "log-unavailable", "log-unavailable", 4], 2]


def test_a_loop_that_ends_in_the_middle_leaves_the_queue_to_the_next_one(database_url: str):
    reached, go = threading.Event(), threading.Event()

    async def leave() -> None:
        tasks = [asyncio.create_task(queued.commit.run(unit)) for unit in (waits(reached, go), writes(1))]
        await asyncio.to_thread(reached.wait, 10)
        for task in tasks:
            task.cancel()

    async def come() -> int:
        task = asyncio.create_task(queued.commit.run(writes(2)))
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.wait_for(task, 10)

    with queue(database_url) as queued:
        asyncio.run(leave())
        assert asyncio.run(come()) == 2
        # What was under way went on; what only waited was taken back with its loop.
        assert queued.words() == ["word 0", "word 2"]
        assert asyncio.run(queued.commit.run(writes(3))) == 3


def test_a_loop_that_ends_with_nobody_behind_it_leaves_an_idle_queue(database_url: str):
    reached, go = threading.Event(), threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(queued.commit.run(waits(reached, go)))
        await asyncio.to_thread(reached.wait, 10)
        task.cancel()

    with queue(database_url) as queued:
        asyncio.run(leave())
        go.set()
        queued.executor.submit(int).result(10)
        assert asyncio.run(asyncio.wait_for(queued.commit.run(writes(3)), 10)) == 3
