"""Waits at start for a database or a journal that others hold: who begins beside busy processes takes turns with them.

Invariants: what is tried again held nothing back, for a transaction that got no lock is rolled back whole; what is broken, missing or
refused is told at once; nobody waits longer than the one bound of the whole start.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from vault.errors import VaultError
from vault.storage.group_commit import DATABASE_ERRORS

T = TypeVar("T")
START_SECONDS: Final = 30.0
"""How long a start waits for others, over all it asks for."""
_PAUSE_SECONDS: Final = 0.01
# The extended codes of SQLite hold the primary one in their lowest byte.
_PRIMARY: Final = 0xFF
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_LOCKED: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, BlockingIOError)


class DatabaseHeld(VaultError):
    """Others held the database, or the journal, for as long as a start waits."""

    code = "database-held"


class Patience:
    """What one start has left to wait; `say` is told once, with the first wait, and `tick` gives seconds that only go forward."""

    def __init__(self, say: Callable[[str], object], *, seconds: float, tick: Callable[[], float] = time.monotonic) -> None:
        """Begin now."""
        self._say = say
        self._seconds = seconds
        self._tick = tick
        self._until = tick() + seconds
        self._waited = False

    def take(self, deed: Callable[[], T]) -> T:
        """What the deed gives, tried again while others hold what it needs. Raises DatabaseHeld, and what else the deed raises."""
        while True:
            try:
                return deed()
            except DATABASE_ERRORS as error:
                if not is_held(error):
                    raise
                if self._tick() >= self._until:
                    raise DatabaseHeld from error
            if not self._waited:
                self._waited = True
                self._say(f"others hold the database; the start waits for them, {self._seconds:g} seconds at most")
            time.sleep(_PAUSE_SECONDS)


def is_held(error: BaseException) -> bool:
    """Whether this says that somebody else holds the database or the file just now, and nothing worse."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & _PRIMARY in _BUSY
    return isinstance(cause, _LOCKED)
