"""Bounds how many entries of refusals one caller may leave: nobody may fill the log with them.

Invariants: beyond the limit a refusal is counted, and the caller's next entry tells how many; what is allowed costs nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Final, TypeVar

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.errors import TooMany
from vault.web.limits import Limits

T = TypeVar("T")

BURST: Final = 100
PER_SECOND: Final = 10.0


class Refusals:
    """Who was refused how often lately, in this process. Safe from any thread."""

    def __init__(self, limits: Limits) -> None:
        """Count in these limits."""
        self._limits = limits
        self._lock = Lock()
        self._uncounted: dict[str, int] = {}

    def counted(self, entry: Entry) -> Entry:
        """The entry of a refusal, with how many it stands for. Raises TooMany where its actor is refused too often: the next counts it."""
        with self._lock:
            try:
                self._limits.take("refusals", entry.actor, BURST, PER_SECOND)
            except TooMany:
                self._uncounted[entry.actor] = self._uncounted.get(entry.actor, 0) + 1
                raise
            missed = self._uncounted.pop(entry.actor, 0)
        return replace(entry, count=missed + 1) if missed else entry

    def bounded(self, work: Callable[[Deed], T]) -> Callable[[Deed], T]:
        """The same unit of work with the entries of its refusals bounded; it raises TooMany beyond the limit, and leaves no entry."""

        def unit(deed: Deed) -> T:
            try:
                return work(deed)
            except EntryRefusal as refusal:
                refusal.entry = self.counted(refusal.entry)
                raise

        return unit
