"""Bounds what visitors may fill: consents pause before reports do, and only so many visitors are new in a day (promise 10).

Invariants: a withdrawal is never asked here, nor the opt-out of somebody who is known; who is turned away is told by a code, and
officers learn that there were too many from one entry of kind `alarm`.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vault.access_log.deed import Appended, Deed
from vault.errors import TooMany, Unavailable, VaultError
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.web.limits import Limits

LEAST_FREE: Final = 400 * 1024 * 1024
"""Bytes that must be free where the association's files lie: twice what reports need, so that consents leave room for them."""
MOST_NEW: Final = 20_000
PER_SECOND: Final = MOST_NEW / (24 * 3600)
WITHDRAWALS_OF_ALL: Final = ("visitor-withdrawals-of-all", 2000, 50.0)
"""Of their own, so that nobody shuts withdrawals out by consents; only what somebody gave can be withdrawn, and each is an entry."""
_SECOND: Final = 1_000_000


class ConsentsPaused(Unavailable):
    """The disk is so full that what is left is kept for reports, withdrawals and the log."""

    code = "consents-paused"


class VisitorsFull(TooMany):
    """More visitors are new today than an association takes."""

    code = "visitors-full"


@dataclass(frozen=True, slots=True)
class Room:
    """What there is room for as one word is heard; `is_short` where only what was to be heard anyhow is taken."""

    limits: Limits
    is_short: bool

    def for_a_yes(self) -> None:
        """Let a word in that may wait. Raises ConsentsPaused."""
        if self.is_short:
            raise ConsentsPaused

    def for_a_withdrawal(self, deed: Deed) -> None:
        """Count a withdrawal that is going to be an entry, and none that ends nothing. Raises TooMany."""
        bucket, burst, per_second = WITHDRAWALS_OF_ALL
        self.limits.take(bucket, deed.association.hex(), burst, per_second)

    def for_somebody_new(self, deed: Deed) -> None:
        """Count a visitor who is not known yet. Raises ConsentsPaused, VisitorsFull.

        Her opt-out may wait as well: she agreed to nothing, so nothing of hers opens.
        """
        self.for_a_yes()
        try:
            self.limits.take("new-visitors", deed.association.hex(), MOST_NEW, PER_SECOND)
        except TooMany as full:
            raise VisitorsFull(full.retry_after) from full


class VisitorLimits:
    """How many visitors were new lately, in this process; `free` tells the bytes that are free in a folder."""

    def __init__(self, free: Callable[[Path], int] | None = None) -> None:
        """Nobody yet."""
        self._free = free or (lambda folder: shutil.disk_usage(folder).free)
        self._limits: dict[bytes, Limits] = {}
        self._told: dict[bytes, int] = {}

    def room(self, association: Association) -> Room:
        """What there is room for now."""
        limits = self._limits.setdefault(association.id, Limits(association.log.clock))
        return Room(limits, is_short=self._free(association.folder) < LEAST_FREE)

    async def ring(self, errand: Errand) -> None:
        """Tell the officers that too many visitors are new, once a day."""
        association = errand.asker.association
        now = association.log.clock()
        if now < self._told.get(association.id, 0):
            return
        self._told[association.id] = now + 24 * 3600 * _SECOND
        try:
            await association.run(lambda deed: _tell(deed, errand))
        except VaultError:
            # She is turned away all the same.
            return


def _tell(deed: Deed, errand: Errand) -> Appended:
    article = f"{errand.book(deed).association.pack}:7"
    return deed.append(errand.entry(kind="alarm", outcome="error", reason="VISITORS_FULL", article=article, count=MOST_NEW))
