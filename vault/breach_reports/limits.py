"""How much anybody may bring: what is over the limit goes into quarantine, and is refused only to protect the disk (promise 10).

Invariants: counters are keyed by a mark of the client's network that changes every day and lies in memory only; every bucket has a name of
its own, so no limit spends another's.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from keys.reporters import Passers
from vault.breach_reports.shapes import Doubt
from vault.errors import TooMany, Unavailable
from vault.web.limits import SITES_WORTH, Limits

# Bucket, how many at once, how many an hour after that. Beyond the first two a report is put into quarantine, beyond the next two refused;
# but the first few of a network in a day are never refused for what others brought (a network's mark is another one each day).
NETWORK: Final = ("report-network", 10, 20)
ASSOCIATION: Final = ("report-association", 100, 100)
NETWORK_REFUSED: Final = ("report-network-refused", 60, 60)
QUARANTINE: Final = ("report-quarantine", 1000, 500)
FIRST: Final = ("report-first", 3, 0)
MOST_LYING: Final = 10_000
"""Reports that lie in quarantine, and as many outside it, that nobody has looked at: some 330 MB each where all are as long as can be."""
LOOKUPS: Final = ("report-lookups", 20, 300)
FOLLOWING: Final = ("report-following", 30, 60)
MESSAGES: Final = ("report-messages", 10, 10)
# Files, by the quarter of a mebibyte: of a network 100 MiB at once and an hour, of an association 2 GiB and 1 GiB an hour.
CARRYING: Final = ("report-files-network", 400, 400)
CARRYING_OF_ALL: Final = ("report-files-association", 8192, 4096)
LEAST_FREE_FOR_FILES: Final = 2 * 1024 * 1024 * 1024
"""Bytes that must be free for files, ten times what words need: files are turned away long before words are."""
LEAST_FREE: Final = 200 * 1024 * 1024
"""Bytes that must be free where the association's files lie, or intake pauses."""
LEAST_FREE_FOR_MAIL: Final = 2 * LEAST_FREE
"""Bytes that a mail must leave free: it waits in its mailbox, and the page has nowhere to wait."""
MOST_SMALL_MAIL: Final = 256 * 1024
"""Bytes of a mail that has words in it and little else; a larger one is turned away where files are."""
_HOUR: Final = 3600

Bucket = tuple[str, int, int]


class IntakeFull(TooMany):
    """One network, or the whole quarantine, has brought so much that more would fill the disk."""

    code = "intake-full"

    def __init__(self, retry_after: int, *, is_of_all: bool = False) -> None:
        """`is_of_all` where it is not this network that brought too much."""
        super().__init__(retry_after)
        self.is_of_all = is_of_all


class IntakePaused(Unavailable):
    """The disk is nearly full: what there is must stay readable and the log writable."""

    code = "intake-paused"


class IntakeSealed(Unavailable):
    """The association's keys are not here: nothing can be taken in, and the other channels are."""

    code = "intake-sealed"


def require_room_for_mail(free: int, size: int) -> None:
    """Raise IntakePaused where a mail of this size would leave less free than others need."""
    if free - size < (LEAST_FREE_FOR_MAIL if size <= MOST_SMALL_MAIL else LEAST_FREE_FOR_FILES):
        raise IntakePaused


class Intake:
    """Counts what comes in, in this process."""

    def __init__(self, limits: Limits, clock: Callable[[], int], free: Callable[[Path], int] | None = None) -> None:
        """Count in these limits; `free` tells the bytes that are free in a folder."""
        self._limits = limits
        self._clock = clock
        self._free = free or (lambda folder: shutil.disk_usage(folder).free)
        self._passers = Passers()

    def doubt(self, code: str, folder: Path, network: str, seen: Doubt) -> Doubt:
        """Why a report goes into quarantine, "" where it does not; `seen` is what the request itself made doubtful.

        Raises IntakeFull and IntakePaused, and only those keep a report out.
        """
        self.require_room(folder)
        mark = self._mark(network)
        if not self._may(NETWORK_REFUSED, f"{code} {mark}"):
            raise IntakeFull(_HOUR // NETWORK_REFUSED[2])
        found = seen
        if not found and not self._may(NETWORK, f"{code} {mark}"):
            found = "network"
        if not found and not self._may(ASSOCIATION, code):
            found = "association"
        if found and not self._may(QUARANTINE, code) and not self._is_among_first(code, network, mark):
            raise IntakeFull(_HOUR // QUARANTINE[2] + 1, is_of_all=True)
        return found

    def require_room(self, folder: Path) -> None:
        """Raise IntakePaused where the disk is nearly full."""
        if self._free(folder) < LEAST_FREE:
            raise IntakePaused

    def carries(self, code: str, folder: Path, network: str) -> None:
        """Count a quarter of a mebibyte of a stranger's file. Raises TooMany where there is no room for it; words go on."""
        if self._free(folder) < LEAST_FREE_FOR_FILES:
            raise TooMany(_HOUR)
        self._take(CARRYING, f"{code} {self._mark(network)}")
        self._take(CARRYING_OF_ALL, code)

    def looks_up(self, network: str) -> None:
        """Count a receipt shown. Raises TooMany."""
        self._take(LOOKUPS, self._mark(network))

    def follows(self, report: bytes) -> None:
        """Count a look of the holder of a receipt. Raises TooMany."""
        self._take(FOLLOWING, report.hex())

    def writes(self, report: bytes) -> None:
        """Count a message of the holder of a receipt. Raises TooMany."""
        self._take(MESSAGES, report.hex())

    def _is_among_first(self, code: str, network: str, mark: str) -> bool:
        """Whether this is one of the first of its network in a day, and of its site: who has a /48 has 65,536 networks."""
        name, most, hourly = FIRST
        site = self._passers.mark_of_site(network, self._clock())
        wider = (f"{name}-site", most * SITES_WORTH, hourly)
        return self._may(FIRST, f"{code} {mark}") and (not site or self._may(wider, f"{code} {site}"))

    def _mark(self, network: str) -> str:
        return self._passers.mark(network, self._clock())

    def _take(self, bucket: Bucket, key: str) -> None:
        name, burst, hourly = bucket
        self._limits.take(name, key, burst, hourly / _HOUR)

    def _may(self, bucket: Bucket, key: str) -> bool:
        try:
            self._take(bucket, key)
        except TooMany:
            return False
        return True
