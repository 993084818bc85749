"""Who begins beside busy processes waits for its turn, within bounds, and what is broken waits for nobody."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from vault.storage import engine
from vault.storage.engine import Database
from vault.storage.journal import _locked
from vault.storage.patience import DatabaseHeld, Patience, is_held


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database with one row, whose engine waits for a lock no longer than a moment."""
    monkeypatch.setattr(engine, "BUSY_MS", 10)
    made = Database(database_url)
    with made.connect() as connection, connection.begin():
        connection.execute(text("CREATE TABLE head (size INTEGER)"))
        connection.execute(text("INSERT INTO head VALUES (0)"))
    yield made
    made.dispose()


@contextmanager
def holding(database: Database) -> Iterator[Connection]:
    """Hold the row until the block ends."""
    with database.connect() as connection, connection.begin():
        connection.execute(text("UPDATE head SET size = size + 1"))
        yield connection


def grown(database: Database) -> Callable[[], int]:
    """A deed that needs the row for itself: one more, and how many it is then."""

    def deed() -> int:
        with holding(database) as connection:
            return int(connection.execute(text("SELECT size FROM head")).scalar_one())

    return deed


def test_who_begins_waits_for_whoever_holds_the_database_and_says_so_once(database: Database):
    said: list[str] = []
    with database.connect() as other:
        transaction = other.begin()
        other.execute(text("UPDATE head SET size = 10"))

        def let_go(line: str) -> None:
            said.append(line)
            transaction.commit()

        assert Patience(let_go, seconds=30).take(grown(database)) == 11
    assert said == ["others hold the database; the start waits for them, 30 seconds at most"]


def test_nobody_waits_longer_than_the_bound_of_the_whole_start(database: Database):
    seconds = iter([0.0, 10.0, 29.0, 30.0, 31.0])
    said: list[str] = []
    patience = Patience(said.append, seconds=30, tick=lambda: next(seconds))
    with holding(database):
        for _ in range(2):  # what one step has used up, the next has no more
            with pytest.raises(DatabaseHeld) as held:
                patience.take(grown(database))
            assert is_held(held.value.__cause__ or held.value)
    assert len(said) == 1
    assert list(seconds) == []


def test_who_has_no_time_is_told_at_once(database: Database):
    said: list[str] = []
    with holding(database), pytest.raises(DatabaseHeld):
        Patience(said.append, seconds=0).take(grown(database))
    assert said == []
    assert Patience(said.append, seconds=0).take(grown(database)) == 2


def test_what_is_broken_is_told_at_once(database: Database, tmp_path: Path):
    def reads_a_table_there_is_none_of() -> None:
        with database.connect() as connection:
            connection.execute(text("SELECT size FROM heads"))

    patience = Patience(pytest.fail, seconds=30)
    with pytest.raises((OperationalError, ProgrammingError)):
        patience.take(reads_a_table_there_is_none_of)
    with pytest.raises(FileNotFoundError):
        patience.take((tmp_path / "journal").read_bytes)


def test_a_journal_another_process_holds_is_waited_for_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.storage.journal.LOCK_SECONDS", 0.0)
    path = tmp_path / "journal"
    with path.open("wb") as theirs, path.open("rb") as ours:
        fcntl.flock(theirs, fcntl.LOCK_EX)

        def deed() -> str:
            with _locked(ours.fileno()):
                return "written"

        with pytest.raises(BlockingIOError):
            deed()
        assert Patience(lambda _: fcntl.flock(theirs, fcntl.LOCK_UN), seconds=30).take(deed) == "written"
