"""Where passwords are hashed: in threads of their own, two lanes of them, so that a crowd of strangers starves nobody who works here.

Invariants: a network somebody signed in from lately has a lane that strangers never enter, and no network fills a lane alone; what is
known of networks lies in memory only and has an end in number and in time.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from vault.errors import Unavailable

T = TypeVar("T")
MOST_WAITING: Final = 32
"""In each lane."""
MOST_OF_ONE: Final = 8
"""Of one network in a lane."""
MOST_REGULARS: Final = 10_000
REMEMBERED: Final = 30 * 24 * 3600 * 1_000_000


class Regulars:
    """The networks (/24 or /64) in which somebody signed in or worked in a session lately, in this process."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """None yet; `clock` gives microseconds UTC."""
        self._clock = clock
        self._seen: OrderedDict[str, int] = OrderedDict()

    def saw(self, network: str) -> None:
        """Somebody was let in from there just now."""
        self._seen[network] = self._clock()
        self._seen.move_to_end(network)
        if len(self._seen) > MOST_REGULARS:
            self._seen.popitem(last=False)

    def knows(self, network: str) -> bool:
        """Whether somebody was let in from there within 30 days."""
        seen = self._seen.get(network)
        return seen is not None and self._clock() < seen + REMEMBERED


class Lane:
    """One thread, and how many may wait for it."""

    def __init__(self, name: str) -> None:
        """Nobody waits yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"password-{name}")
        self._waiting: Counter[str] = Counter()

    async def run(self, work: Callable[[], T], network: str = "") -> T:
        """What the work gives; "" is the house itself. Raises Unavailable `busy` where the lane, or this network's share, is full."""
        if self._waiting.total() >= MOST_WAITING or (network and self._waiting[network] >= MOST_OF_ONE):
            raise Unavailable("busy")
        self._waiting[network] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting[network] -= 1
            # What is not counted is not kept: a network is a trace of somebody.
            self._waiting += Counter()

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown()


class Hashers:
    """Both lanes: whose network is known goes by the one, everybody else by the other."""

    def __init__(self, regulars: Regulars) -> None:
        """Let these go by the reserved lane."""
        self._regulars = regulars
        self.reserved = Lane("regulars")
        self._strangers = Lane("strangers")

    def lane(self, network: str) -> Lane:
        """The lane of whoever comes from there."""
        return self.reserved if self._regulars.knows(network) else self._strangers

    def close(self) -> None:
        """Let both threads end."""
        self.reserved.close()
        self._strangers.close()
