"""Wraps every key anew under the newest epoch while the service runs; no value, and no cell, is opened for it.

Invariants: at most 500 rows in a transaction, and between two of them others get as much time as it took; a row is changed only where it
still is as it was read; what still names another epoch is what is left, so a run that was killed is gone on with by any other; a key that
does not open is named and left as it lies. Each run is two entries: that it began, before the first row, and how many keys it moved
(promise 1).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy.exc import ProgrammingError

from keys.errors import Unopenable, Unsealable
from vault.access_log.deed import Deed
from vault.access_log.entry import Outcome
from vault.custody.tables import PLACES, Place, Stored, behind, left, move, name_of
from vault.custody.told import told
from vault.errors import Unavailable
from vault.rulebook.association import Association
from vault.storage.engine import enter
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.transaction import Transaction

T = TypeVar("T")
PATIENCE: Final = 60
"""Tries of one batch, a minute in all: another writer may hold the file, or the server may take a transaction back."""
SHORTEST_PAUSE: Final = 0.005
MOST_PASSES: Final = 50
BETWEEN_PASSES: Final = 0.1
LONGEST_PAUSE: Final = 1.0
"""Seconds; what is tried again waits a little longer each time, and no longer than this: a busy service is not given up in seconds."""
NOT_ALLOWED: Final = (ProgrammingError, psycopg.ProgrammingError)
"""What PostgreSQL says to a role that may not change the association's own keys."""


@dataclass(slots=True)
class Rewrapped:
    """What a run did: keys moved, and the rows that do not open, in words."""

    moved: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    association: Association
    clock: Callable[[], int]
    progress: Callable[[int], None]
    pause: Callable[[float], None]
    done: Rewrapped = field(default_factory=Rewrapped)


def waiting(association: Association) -> int:
    """How many keys are not wrapped under the newest epoch."""
    return sum(_left(association, place) for place in PLACES)


def _left(association: Association, place: Place) -> int:
    with association.database.connect() as connected, connected.execution_options(reading=True).begin():
        enter(connected, association.id)
        return left(connected, place, association.id, association.cabinet.keys.epoch)


def rewrap(
    association: Association,
    clock: Callable[[], int],
    *,
    progress: Callable[[int], None] = lambda _moved: None,
    pause: Callable[[float], None] = time.sleep,
) -> Rewrapped:
    """Wrap what is not under the newest epoch; `progress` is told how many keys each batch moved.

    Raises Unavailable `log-unavailable` where the database cannot be written for long, `busy` where rows are held for long,
    `not-the-owner` for a role that may not.
    """
    run = _Run(association, clock, progress, pause)
    _tell(run, "keys.rewrap-begun", "allow", None)
    for place in PLACES:
        _through(run, place)
    _tell(run, "keys.rewrapped", "error" if run.done.failed else "allow", run.done.moved)
    return run.done


def _tell(run: _Run, kind: str, outcome: Outcome, count: int | None) -> None:
    def unit(deed: Deed) -> None:
        deed.append(told(deed, run.association, kind, count=count, outcome=outcome))

    _retried(run, lambda: run.association.log.run_now(run.association.database, [unit], run.clock))


def _through(run: _Run, place: Place) -> None:
    """Pass over a table until a pass meets nothing but what does not open: rows others held at the moment are met by the next."""
    for passed in range(MOST_PASSES):
        failed: list[str] = []
        met, after = 0, None
        while rows := _patiently(run, place, after, failed):
            met += len(rows)
            after = tuple(getattr(rows[-1], each.name) for each in place.own)
        if met == len(failed) == _left(run.association, place):
            run.done.failed += failed
            return
        run.pause(min(BETWEEN_PASSES * (passed + 1), LONGEST_PAUSE))
    raise Unavailable("busy")


def _patiently(run: _Run, place: Place, after: Sequence[Any] | None, failed: list[str]) -> Sequence[Stored]:
    """The next batch, moved; tried again where another holds the database."""

    def batch() -> tuple[Sequence[Stored], list[str], int, float]:
        begun = time.perf_counter()
        return *_batch(run, place, after), time.perf_counter() - begun

    rows, bad, moved, took = _retried(run, batch)
    failed += bad
    run.done.moved += moved
    run.progress(moved)
    run.pause(max(SHORTEST_PAUSE, took))
    return rows


def _retried(run: _Run, act: Callable[[], T]) -> T:
    """Do one transaction; tried again where another holds the database. Raises Unavailable `not-the-owner`, `log-unavailable`."""
    tries = 0
    while True:
        try:
            return act()
        except NOT_ALLOWED as error:
            raise Unavailable("not-the-owner") from error
        except DATABASE_ERRORS as error:
            tries += 1
            if tries > PATIENCE:
                raise Unavailable("log-unavailable") from error
            run.pause(min(0.05 * tries, LONGEST_PAUSE))


def _batch(run: _Run, place: Place, after: Sequence[Any] | None) -> tuple[Sequence[Stored], list[str], int]:
    association = run.association
    keys = association.cabinet.keys
    with association.database.connect() as connection, connection.begin():
        enter(connection, association.id)
        rows = behind(connection, place, association.id, keys.epoch, after)
        new: list[tuple[Stored, bytes]] = []
        bad: list[str] = []
        for row in rows:
            try:
                new.append((row, place.rewrap(keys, row)))
            except (Unopenable, Unsealable):
                bad.append(f"{name_of(place, row)}: does not open")
        moved = move(Transaction(connection, 0), place, association.id, new)
    return rows, bad, moved
