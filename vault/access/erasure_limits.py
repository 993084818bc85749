"""Bounds how many erasures one person may ask for: each locks somebody, and who could lock everybody could shut the house.

Invariant: who is shut out is told when to come back, and the officers learn of it from one entry of kind `alarm`.
"""

from typing import Final

from vault.access_log.deed import Appended, Deed
from vault.errors import TooMany, VaultError
from vault.rulebook.asker import Errand
from vault.web.limits import Limits

BURST: Final = 30
PER_SECOND: Final = 60 / (24 * 3600)
_SECOND: Final = 1_000_000


class ErasureLimits:
    """Who asked for how many erasures lately, in this process."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._limits: dict[bytes, Limits] = {}
        self._told: dict[str, int] = {}

    async def admit(self, errand: Errand) -> None:
        """Count one request. Raises TooMany beyond the limit; the first beyond it rings the alarm."""
        association, ref = errand.asker.association, errand.asker.ref
        now = association.log.clock()
        try:
            self._limits.setdefault(association.id, Limits(association.log.clock)).take("erasures", ref, BURST, PER_SECOND)
        except TooMany as full:
            if now >= self._told.get(ref, 0):
                self._told[ref] = now + full.retry_after * _SECOND
                await _ring(errand)
            raise


async def _ring(errand: Errand) -> None:
    try:
        await errand.asker.association.run(lambda deed: _tell(deed, errand))
    except VaultError:
        # The person is shut out all the same.
        return


def _tell(deed: Deed, errand: Errand) -> Appended:
    article = f"{errand.book(deed).association.pack}:7"
    return deed.append(errand.entry(kind="alarm", outcome="error", reason="ERASURES_ASKED", article=article, count=BURST))
