"""Bounds how often one caller may be refused, in every room alike: refusals are entries, and nobody may fill the log with them.

Invariants: what is counted instead of told is told by one entry as soon as the caller is heard again or the house looks after it, and
counted on where that entry cannot be written; a permit costs nothing; who is refused much in one call is shut out the longer for it.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from vault.access_log.entry import Entry
from vault.access_log.log import AccessLog
from vault.errors import Refused, TooMany, VaultError
from vault.web.limits import Limits

T = TypeVar("T")
BURST: Final = 2_000
PER_SECOND: Final = 20.0
_SECOND: Final = 1_000_000


class Refusals:
    """Which callers of one association were refused how often lately, in this process; a caller is named as the log names her."""

    def __init__(self, log: AccessLog) -> None:
        """Tell in this log, and count by its clock."""
        self._log = log
        self._limits = Limits(log.clock)
        self._shut: dict[str, int] = {}
        self._uncounted: dict[str, Entry] = {}

    async def bounded(self, ref: str, told: Callable[[], Entry], deed: Callable[[], Awaitable[T]]) -> T:
        """What the deed gives; `told` makes the entry that may have to say how many refusals were counted.

        Raises TooMany where this caller was refused too often, and what the deed raises.
        """
        await self.admit(ref, told)
        try:
            return await deed()
        except Refused:
            self.refused(ref)
            raise

    async def admit(self, ref: str, told: Callable[[], Entry]) -> None:
        """Let a caller in who was not refused too often, and tell what was counted meanwhile. Raises TooMany."""
        until = self._shut.get(ref)
        if until is None:
            return
        now = self._log.clock()
        if now < until:
            self._count(ref, told)
            raise TooMany(math.ceil((until - now) / _SECOND))
        self._shut.pop(ref, None)
        await self._tell(ref)

    def refused(self, ref: str) -> None:
        """Note one refusal; the one beyond the limit shuts the caller out for a moment, and each further one for longer."""
        try:
            self._limits.take("refused", ref, BURST, PER_SECOND)
        except TooMany as full:
            now, until = self._log.clock(), self._shut.get(ref, 0)
            self._shut[ref] = until + int(_SECOND / PER_SECOND) if until > now else now + full.retry_after * _SECOND

    async def tell_all(self) -> None:
        """Tell what was counted of callers who may never come again. Raises what the log raises."""
        for ref in list(self._uncounted):
            await self._tell(ref)

    def _count(self, ref: str, told: Callable[[], Entry]) -> None:
        before = self._uncounted.get(ref)
        self._uncounted[ref] = replace(before or told(), count=(before.count or 0) + 1 if before else 1)

    async def _tell(self, ref: str) -> None:
        counted = self._uncounted.pop(ref, None)
        if counted is None:
            return
        try:
            await self._log.append(counted)
        except VaultError:
            since = self._uncounted.get(ref)
            self._uncounted[ref] = replace(counted, count=(counted.count or 0) + (since.count or 0 if since else 0))
            # She is heard only once what was counted of her is told.
            self._shut.setdefault(ref, self._log.clock())
            raise
