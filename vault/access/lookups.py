"""Bounds how much one caller may look for, and rings the alarm where somebody tries values out: an index is a list of who is here.

Invariants: nobody found and nobody one may know of are counted alike; who is shut out for it is told when to come back, and the officer
learns of it from an entry of kind `alarm`.
"""

import math
from typing import Final

from vault.access_log.deed import Appended, Deed
from vault.errors import TooMany, VaultError
from vault.rulebook.asker import Errand
from vault.web.limits import Limits

BURST: Final = 300
PER_SECOND: Final = 5.0
MISSES: Final = 200
MISSES_PER_SECOND: Final = 0.2
_SECOND: Final = 1_000_000


class Lookups:
    """Who looked for how much lately, in this process."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._limits: dict[bytes, Limits] = {}
        self._shut: dict[str, int] = {}

    def admit(self, errand: Errand) -> None:
        """Count one search. Raises TooMany beyond what a caller may look for, and for a while after too many found nobody."""
        ref, now = errand.asker.ref, errand.asker.association.log.clock()
        until = self._shut.get(ref, 0)
        if now < until:
            raise TooMany(math.ceil((until - now) / _SECOND))
        self._shut.pop(ref, None)
        self._of(errand).take("searches", ref, BURST, PER_SECOND)

    async def missed(self, errand: Errand) -> None:
        """Count one search that told of nobody; the one beyond the limit shuts the caller out and rings the alarm."""
        ref = errand.asker.ref
        try:
            self._of(errand).take("search-misses", ref, MISSES, MISSES_PER_SECOND)
        except TooMany as full:
            self._shut[ref] = errand.asker.association.log.clock() + full.retry_after * _SECOND
            await _ring(errand)

    def _of(self, errand: Errand) -> Limits:
        """The buckets of the caller's association, by the clock of its log."""
        association = errand.asker.association
        return self._limits.setdefault(association.id, Limits(association.log.clock))


async def _ring(errand: Errand) -> None:
    try:
        await errand.asker.association.run(lambda deed: _tell(deed, errand))
    except VaultError:
        # The caller is shut out all the same; the next miss beyond the limit rings again.
        return


def _tell(deed: Deed, errand: Errand) -> Appended:
    article = f"{errand.book(deed).association.pack}:7"
    return deed.append(errand.entry(kind="alarm", outcome="error", reason="SEARCH_ENUMERATION", article=article, count=MISSES))
