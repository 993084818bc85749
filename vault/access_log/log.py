"""One association's log in this process: its writer name, its journal, how much of it was seen, and its queue of deeds."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from keys.cabinet import Cabinet
from vault.access_log.deed import Appended, Deed, Drawn, begin, writer_name
from vault.access_log.entry import Entry
from vault.errors import VaultError
from vault.storage.engine import Database, enter
from vault.storage.group_commit import GroupCommit, UnitSet
from vault.storage.journal import Journal
from vault.storage.transaction import Transaction

T = TypeVar("T")


class Appends:
    """Entries that tell of no change of a row: a set of units, so that none of them needs a savepoint."""

    def decide(self, deed: Deed, arguments: Sequence[Entry]) -> list[Appended | VaultError]:
        """Append every entry; one that is no entry fails alone."""
        return [self._one(deed, entry) for entry in arguments]

    def release(self, decided: Sequence[Appended | VaultError]) -> Sequence[Appended | VaultError]:
        """Where each stands; runs after the commit."""
        return decided

    @staticmethod
    def _one(deed: Deed, entry: Entry) -> Appended | VaultError:
        try:
            return deed.append(entry)
        except VaultError as error:
            return error


_APPENDS = Appends()


def _nothing(_deed: Deed) -> None:
    """Nobody wants to be told."""


class AccessLog:
    """The only way to append: deeds run one transaction after another, group-committed."""

    def __init__(
        self,
        cabinet: Cabinet,
        journal: Journal,
        database: Database,
        executor: Executor,
        *,
        clock: Callable[[], int],
        least_size: int = 0,
        entropy: Callable[[int], bytes] | None = None,
    ) -> None:
        """Open the log of one association; `least_size` is what a checkpoint held outside already covers."""
        self.association = cabinet.keys.association
        self.cabinet = cabinet
        self.journal = journal
        self.least_size = max(least_size, journal.newest)
        self.clock = clock
        self.entropy = entropy or Drawn()
        self.writer = writer_name()
        self.counter = 0
        self.law_moved: Callable[[Deed], None] = _nothing
        self._begun: Deed | None = None
        self._law: int | None = None
        self._commit = GroupCommit(
            database, executor, self.begin, clock=clock, prepare=partial(enter, association=self.association, stay=True)
        )

    def begin(self, transaction: Transaction) -> Deed:
        """A deed over an open transaction: the queue's way in, and that of `init` and the tools."""
        if self._begun is not None and not self._begun.committed and self._begun.size > self._begun.base:
            # Nobody knows whether that commit arrived: its counts may stand in the log, so they are never given again under this name.
            self.writer, self.counter = writer_name(), 0
        self._begun = begin(self, transaction)
        if self._begun.law != self._law:
            # Keys move with the law: whoever wraps from here on does it under the newest epoch (docs/adr/0038-keys-move-with-the-law.md).
            self.law_moved(self._begun)
            self._law = self._begun.law
        return self._begun

    async def run(self, unit: Callable[[Deed], T], *, weight: int = 1) -> T:
        """Run one unit of work as a deed; its result after the commit."""
        return await self._commit.run(unit, weight=weight)

    async def run_in(self, units: UnitSet, argument: Any) -> Any:  # noqa: ANN401 - as the set takes and gives
        """Run one argument of a set of units; its answer after the commit."""
        return await self._commit.run_in(units, argument)

    async def append(self, entry: Entry) -> Appended:
        """Append one entry that tells of no change of a row; where it stands, after the commit."""
        appended: Appended = await self._commit.run_in(_APPENDS, entry)
        return appended

    def run_now(self, database: Database, units: Sequence[Callable[[Deed], T]], clock: Callable[[], int]) -> list[T]:
        """Run units in one transaction of this thread: for `init` and tools on a stopped vault."""
        with database.connect() as connection, connection.begin():
            enter(connection, self.association)
            deed = self.begin(Transaction(connection, clock()))
            results = [unit(deed) for unit in units]
            deed.close()
        deed.commit_seen()
        return results

    def seen(self, size: int, counter: int) -> None:
        """Note what is committed, so that a log that got shorter is noticed while running."""
        self.least_size = max(self.least_size, size)
        self.counter = counter

    @property
    def batches(self) -> tuple[int, int]:
        """How many transactions and how many units went through: the size of a batch."""
        return self._commit.batches, self._commit.units

    def close(self) -> None:
        """Close the connection of the queue."""
        self._commit.close()
