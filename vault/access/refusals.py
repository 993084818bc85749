"""Bounds how often one caller may be refused: refusals are entries, and nobody may fill the log with them.

Invariants: what is counted instead of told is told by one entry as soon as the caller is heard again, and counted on where that entry
cannot be written; a permit costs nothing; who is refused much in one call is shut out the longer for it.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from vault.access_log.deed import Appended, Deed
from vault.errors import Refused, TooMany, VaultError
from vault.rulebook.asker import Asker, Errand
from vault.web.limits import Limits

T = TypeVar("T")
BURST: Final = 400
PER_SECOND: Final = 20.0
_SECOND: Final = 1_000_000


class Refusals:
    """Who was refused how often lately, in this process."""

    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        """Count in these limits; `clock` gives microseconds UTC."""
        self.limits = limits
        self.clock = clock
        self._shut: dict[str, int] = {}
        self._uncounted: dict[str, int] = {}

    async def bounded(self, asker: Asker, request: str, deed: Callable[[], Awaitable[T]]) -> T:
        """What the deed gives. Raises TooMany where this caller was refused too often, and what the deed raises."""
        await self._admit(Errand(asker, request))
        try:
            return await deed()
        except Refused:
            self.refused(asker)
            raise

    def refused(self, asker: Asker) -> None:
        """Note one refusal; the one beyond the limit shuts the caller out for a moment, and each further one for longer."""
        try:
            self.limits.take("refused", asker.ref, BURST, PER_SECOND)
        except TooMany as full:
            now, until = self.clock(), self._shut.get(asker.ref, 0)
            self._shut[asker.ref] = until + int(_SECOND / PER_SECOND) if until > now else now + full.retry_after * _SECOND

    async def _admit(self, errand: Errand) -> None:
        ref, now = errand.asker.ref, self.clock()
        until = self._shut.get(ref, 0)
        if now < until:
            self._uncounted[ref] = self._uncounted.get(ref, 0) + 1
            raise TooMany(math.ceil((until - now) / _SECOND))
        self._shut.pop(ref, None)
        count = self._uncounted.pop(ref, 0)
        if count:
            await self._tell(errand, count)

    async def _tell(self, errand: Errand, count: int) -> None:
        try:
            await errand.asker.association.run(lambda deed: _told(deed, errand, count))
        except VaultError:
            ref = errand.asker.ref
            self._uncounted[ref] = self._uncounted.get(ref, 0) + count
            raise


def _told(deed: Deed, errand: Errand, count: int) -> Appended:
    article = f"{errand.book(deed).association.pack}:1"
    return deed.append(errand.entry(kind="call.refused", outcome="refuse", reason="TOO_MANY", article=article, count=count))
