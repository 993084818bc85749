"""A queue of deeds over a table of its own, whose session writes down what is done to it: what tests of group commit are made of."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from vault.errors import Refused
from vault.storage.engine import Database
from vault.storage.group_commit import GroupCommit
from vault.storage.metadata import association_column
from vault.storage.transaction import Transaction

ASSOCIATION = bytes(range(16))
NOW = 1_790_000_000_000_000

deed = Table(
    "deed",
    MetaData(),
    association_column(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("word", String(40)),
)


class Refusal(Refused):
    """A refusal of a test."""

    def __init__(self) -> None:
        super().__init__("NO_CONSENT", article="cooperative:6.1")


@dataclass(slots=True)
class Ledger:
    """A session: units write rows at once, refusals are noted and written at the close."""

    transaction: Transaction
    story: list[str]
    entries: list[tuple[int, str]] = field(default_factory=list)

    def write(self, number: int, word: str) -> int:
        """Write a row at once and note an entry for it."""
        self.transaction.connection.execute(insert(deed).values(association_id=ASSOCIATION, number=number, word=word))
        self.entries.append((number, word))
        return number

    def mark(self) -> int:
        return len(self.entries)

    def rewind(self, mark: int) -> None:
        del self.entries[mark:]

    def refused(self, error: Refused) -> None:
        self.write(1000 + len(self.story) + len(self.entries), error.code)

    def close(self) -> None:
        self.story.append(f"close {[word for _, word in self.entries]}")

    def commit_seen(self) -> None:
        self.story.append("commit seen")


@dataclass(slots=True)
class Queue:
    """A queue with its database, and the story its sessions tell; `commit` and `hold` let a test stand in the way."""

    database: Database
    executor: ThreadPoolExecutor
    story: list[str] = field(default_factory=list)
    commit: GroupCommit = field(init=False)

    def __post_init__(self) -> None:
        self.commit = GroupCommit(self.database, self.executor, lambda transaction: Ledger(transaction, self.story), clock=lambda: NOW)

    def words(self) -> list[str]:
        """What another connection sees."""
        with self.database.connect() as connection:
            connection.execution_options(reading=True)
            return [str(word) for word in connection.execute(select(deed.c.word).order_by(deed.c.number)).scalars()]


@contextmanager
def queue(url: str) -> Iterator[Queue]:
    """A queue over an empty table; connection and thread are gone afterwards."""
    database = Database(url)
    with database.connect() as connection, connection.begin():
        deed.metadata.create_all(connection)
    try:
        with ThreadPoolExecutor(1) as executor:
            made = Queue(database, executor)
            yield made
            made.commit.close()
    finally:
        database.dispose()


def writes(number: int, word: str | None = None) -> Callable[[Ledger], int]:
    """A unit that writes one row."""
    return lambda ledger: ledger.write(number, word or f"word {number}")


def waits(reached: threading.Event, go: threading.Event, number: int = 0) -> Callable[[Ledger], int]:
    """A unit that says it is under way and waits to be let go on."""

    def unit(ledger: Ledger) -> int:
        reached.set()
        assert go.wait(10), "nobody let the unit go on"
        return ledger.write(number, f"word {number}")

    return unit
