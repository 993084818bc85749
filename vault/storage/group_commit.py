"""Group commit: while one transaction commits, arrivals queue; then all of them go in the next one.

Invariants: an answer leaves only after the commit of its transaction, and waits for no timer; a unit that fails alone is rolled back alone
and what its refusal must leave in the log is appended to the same transaction; when the transaction fails, each unit in it is answered
503; every job that was taken in is answered: where server or disk hang, 503 after two seconds and without a value. One queue for each
association; on SQLite all queues take turns in one writer thread, on PostgreSQL each has its own.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from vault.errors import Refused, Unavailable, VaultError
from vault.storage.engine import Database
from vault.storage.transaction import Transaction

T = TypeVar("T")
MOST_WAITING = 4096
MOST_IN_A_BATCH = 512
PATIENCE_SECONDS = 2.0
LOOK_SECONDS = 0.5
"""How often it is looked whether somebody waits for a disk that hangs."""
# Hot statements run on the driver, so its own errors come through beside SQLAlchemy's.
DATABASE_ERRORS = (SQLAlchemyError, OSError, sqlite3.Error, psycopg.Error)
# A row that is in the way is the affair of the one unit that meets it; anything else the database says concerns the whole transaction.
_IN_THE_WAY = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)
_MALFORMED = (DataError, ProgrammingError, sqlite3.DataError, sqlite3.ProgrammingError, psycopg.DataError, psycopg.ProgrammingError)


class Session(Protocol):
    """What the units of one transaction share; the access log provides it."""

    def mark(self) -> object:
        """Where the session stands, to come back to."""

    def rewind(self, mark: Any) -> None:  # noqa: ANN401 - what `mark` of the same session gave
        """Forget what was noted after the mark."""

    def refused(self, error: Refused) -> None:
        """Append the entry a refusal carries."""

    def close(self) -> None:
        """Write what was noted; the last thing before the commit."""

    def commit_seen(self) -> None:
        """Be told that the transaction is committed; the first thing after it."""


S = TypeVar("S", bound=Session)


class UnitSet(Protocol):
    """Units of one kind that are cheaper together: decided in one go, released after the commit."""

    def decide(self, session: Any, arguments: Sequence[Any]) -> Sequence[Any]:  # noqa: ANN401 - each set knows its own
        """One decided thing for each argument, or an exception in its place; nothing here may fail in the database for one alone."""

    def release(self, decided: Sequence[Any]) -> Sequence[Any]:
        """What each is answered with, or an exception in its place; runs only after the commit."""


@dataclass(slots=True)
class _Job:
    unit: Any
    argument: Any
    weight: int
    together: bool
    future: asyncio.Future[Any]
    arrived: float
    outcome: Any = None
    failed: BaseException | None = None

    def give_up(self, code: str) -> None:
        """Answer who waits 503, on the loop he waits in; what comes of his unit later reaches nobody."""
        if not self.future.done():
            self.future.set_exception(Unavailable(code))

    def settle(self) -> None:
        """Answer who waits; on the loop he waits in."""
        if self.future.done():
            return
        if self.failed is None:
            self.future.set_result(self.outcome)
        elif isinstance(self.failed, StopIteration):
            # No future can carry it: it would end the coroutine that waits without a word.
            self.future.set_exception(RuntimeError("a unit of work raised StopIteration"))
        else:
            self.future.set_exception(self.failed)


class GroupCommit:
    """The queue of one association in this process."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        begin: Callable[[Transaction], Session],
        *,
        clock: Callable[[], int],
        prepare: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        """Queue for `begin`'s sessions; `executor` has one thread, `clock` gives microseconds UTC, `prepare` readies a fresh connection."""
        self._database = database
        self._executor = executor
        self._begin = begin
        self._clock = clock
        self._prepare = prepare
        self._waiting: deque[_Job] = deque()
        self._running = False
        # Loops come and go (a tool's, a test's) while the thread stays: who queues and who starts the next batch agree under this lock.
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._under_way: Sequence[_Job] = ()
        # Since when the batch under way waits for what is outside this process: the server, the lock, the disk.
        self._outside_since: float | None = None
        self._watching: asyncio.AbstractEventLoop | None = None
        self.batches = 0
        self.units = 0

    async def run(self, unit: Callable[[Any], T], *, weight: int = 1) -> T:
        """Run one unit in the next transaction; its result after the commit. Raises what it raised, or Unavailable.

        Who stops waiting before the unit began takes it back; afterwards it goes on without him.
        """
        return await self._enter(unit, None, weight, together=False)  # type: ignore[no-any-return]

    async def run_in(self, units: UnitSet, argument: Any) -> Any:  # noqa: ANN401 - as the set takes and gives
        """Run one argument of a set of units in the next transaction; its answer after the commit."""
        return await self._enter(units, argument, 1, together=True)

    def close(self) -> None:
        """Close the connection; call it when nothing waits any more."""
        self._executor.submit(self._drop).result()

    async def _enter(self, unit: Any, argument: Any, weight: int, *, together: bool) -> Any:  # noqa: ANN401 - a unit, or a set and its argument
        job = _Job(unit, argument, weight, together, asyncio.get_running_loop().create_future(), time.monotonic())
        with self._turn:
            # A batch that hangs (a dead disk, a stuck server) must not gather a crowd: who comes later is told at once.
            if len(self._waiting) >= MOST_WAITING or (self._waiting and self._waiting[0].arrived < job.arrived - PATIENCE_SECONDS):
                raise Unavailable("busy")
            self._waiting.append(job)
            if not self._running:
                self._start()
            if self._watching is None or self._watching.is_closed():
                self._watch()
        return await job.future

    def _watch(self) -> None:
        """Look again in a while; the lock is held, on the loop that looks."""
        self._watching = asyncio.get_running_loop()
        self._watching.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Answer whom a server or a disk that hangs has kept too long; a unit under way may still come to be, as after any lost answer."""
        late = time.monotonic() - PATIENCE_SECONDS
        with self._turn:
            since = self._outside_since
            hung = list(self._under_way) if since is not None and since < late else []
            queued = [job for job in list(self._waiting) if job.arrived < late]
            if self._running:
                self._watch()
            else:
                self._watching = None
        for jobs, code in ((hung, "log-unavailable"), (queued, "busy")):
            for job in jobs:
                _tell([job], partial(job.give_up, code))

    def _start(self) -> None:
        """Begin the next batch; the lock is held. Where the thread has ended, nobody waits any longer."""
        try:
            self._executor.submit(self._work)
            self._running = True
        except RuntimeError:
            self._running = False
            while self._waiting:
                job = self._waiting.popleft()
                job.failed = Unavailable("log-unavailable")
                _tell([job], job.settle)

    def _work(self) -> None:
        batch = self._take()
        if batch:
            self._carry_out(batch)
        if not _tell(batch, lambda: self._answer(batch)):
            # Every loop that asked has ended: there is nobody to answer and nobody else to start the next batch.
            self._next()

    def _answer(self, batch: Sequence[_Job]) -> None:
        # The next batch starts before the answers are given out: the disk works while the loop encodes.
        self._next()
        here = asyncio.get_running_loop()
        for job in batch:
            if job.future.get_loop() is here:
                job.settle()
            else:
                _tell([job], job.settle)

    def _next(self) -> None:
        with self._turn:
            if self._waiting:
                self._start()
            else:
                self._running = False

    def _take(self) -> list[_Job]:
        batch: list[_Job] = []
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= MOST_IN_A_BATCH):
            job = self._waiting.popleft()
            weight += job.weight
            batch.append(job)
        return batch

    def _carry_out(self, batch: list[_Job]) -> None:
        jobs = list(_awaited(batch))
        if not jobs:
            return
        self.batches += 1
        self.units += len(jobs)
        self._under_way = jobs
        try:
            for units, chosen, decided in self._transact(jobs):
                self._release(units, chosen, decided)
        except Unavailable as error:
            self._fail(jobs, error, error.code)
        except VaultError as error:
            for job in jobs:
                job.failed = error
        except DATABASE_ERRORS as error:
            self._drop()
            self._fail(jobs, error, "log-unavailable")
        except BaseException as error:  # noqa: BLE001 - a defect must answer its callers and leave the connection, whatever it is
            self._drop()
            for job in jobs:
                job.failed = error
        finally:
            self._outside_since, self._under_way = None, ()

    def _transact(self, jobs: list[_Job]) -> list[tuple[UnitSet, list[_Job], list[Any]]]:
        self._outside_since = time.monotonic()
        connection = self._connect()
        sets: dict[int, tuple[UnitSet, list[_Job]]] = {}
        with connection.begin():
            transaction = Transaction(connection, self._clock())
            session = self._begin(transaction)
            self._outside_since = None
            for job in jobs:
                if job.together:
                    sets.setdefault(id(job.unit), (job.unit, []))[1].append(job)
                else:
                    self._alone(connection, session, job)
            releases = [(units, chosen, list(units.decide(session, [job.argument for job in chosen]))) for units, chosen in sets.values()]
            self._outside_since = time.monotonic()
            session.close()
            # The engines take back a whole transaction of their own accord (disk full, aborted) and answer COMMIT as if nothing were amiss.
            if not transaction.stands:
                raise SQLAlchemyError("the transaction is gone")
        session.commit_seen()
        return releases

    @staticmethod
    def _alone(connection: Connection, session: Session, job: _Job) -> None:
        mark = session.mark()
        savepoint = connection.begin_nested()
        try:
            job.outcome = job.unit(session)
            savepoint.commit()
        except Exception as error:
            if isinstance(error, DATABASE_ERRORS) and not isinstance(error, _IN_THE_WAY + _MALFORMED):
                raise
            # A refusal is an answer: what the deed wrote is undone, what the refusal must leave in the log is kept.
            savepoint.rollback()
            session.rewind(mark)
            job.outcome, job.failed = None, _as_told(error)
            if isinstance(error, Refused):
                session.refused(error)

    @staticmethod
    def _release(units: UnitSet, jobs: list[_Job], decided: list[Any]) -> None:
        try:
            answers = list(zip(jobs, units.release(decided), strict=True))
        except Exception as error:  # noqa: BLE001 - one defect in a release must not leave the others without an answer
            answers = [(job, error) for job in jobs]
        for job, answer in answers:
            if isinstance(answer, BaseException):
                job.failed = answer
            else:
                job.outcome = answer

    @staticmethod
    def _fail(jobs: list[_Job], cause: BaseException, code: str) -> None:
        # Each has an exception of its own: one that many tasks raise gathers all their tracebacks.
        for job in jobs:
            job.failed = Unavailable(code)
            job.failed.__cause__ = cause

    def _connect(self) -> Connection:
        if self._connection is None:
            connection = self._database.engine.connect()
            try:
                with connection.begin():
                    self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        # A connection that failed may hold half a transaction or a dead socket: a fresh one is cheaper than knowing.
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except DATABASE_ERRORS:
                return


def _awaited(batch: Iterable[_Job]) -> Iterator[_Job]:
    late = time.monotonic() - PATIENCE_SECONDS
    for job in batch:
        if job.arrived < late:
            job.failed = Unavailable("busy")
        elif not job.future.done():
            yield job


def _as_told(error: Exception) -> Exception:
    """What the caller of a unit that failed alone is told: a row in the way of a fresh one is none the log knows of."""
    if isinstance(error, _IN_THE_WAY):
        told = Unavailable("integrity")
        told.__cause__ = error
        return told
    return error


def _tell(jobs: Iterable[_Job], call: Callable[[], object]) -> bool:
    """Have the first loop that still runs among those of these jobs make a call; whether there is one."""
    for loop in dict.fromkeys(job.future.get_loop() for job in jobs):
        try:
            loop.call_soon_threadsafe(call)
        except RuntimeError:
            continue  # this loop has ended, and its callers with it
        return True
    return False
