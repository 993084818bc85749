"""How many bytes of requests' bodies one process holds at once, so that nobody fills its memory with what he never ends.

Invariants: what strangers send takes nothing from those who are known, and one network takes no more than its share; what was counted is
given back when its request ends, however it ends.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from vault.errors import Unavailable
from vault.web.receiving import Message, Receive

MEBIBYTE: Final = 1024 * 1024
OF_STRANGERS: Final = (16 * MEBIBYTE, 2 * MEBIBYTE)
"""In all, and of one network."""
OF_CALLERS: Final = (128 * MEBIBYTE, 128 * MEBIBYTE)


class Held:
    """The bytes held now, by owner: `most` in all, `share` of one owner."""

    def __init__(self, most: int, share: int) -> None:
        """Hold nothing yet."""
        self._most = most
        self._share = share
        self._by: Counter[str] = Counter()
        self.bytes = 0

    @contextmanager
    def counted(self, owner: str, receive: Receive, limit: int) -> Iterator[Receive]:
        """Give a `receive` that counts what comes as this owner's until the block ends; it raises Unavailable `busy` beyond the bounds.

        Of one body no more than `limit` is kept by whoever reads it, and no more is counted.
        """
        mine = 0

        async def counting() -> Message:
            nonlocal mine
            message = await receive()
            size = min(len(message.get("body", b"")), limit - mine)
            if self.bytes + size > self._most or self._by[owner] + size > self._share:
                raise Unavailable("busy")
            mine += size
            self.bytes += size
            self._by[owner] += size
            return message

        try:
            yield counting
        finally:
            self.bytes -= mine
            self._by[owner] -= mine
            if self._by[owner] <= 0:
                del self._by[owner]  # a network is a trace of somebody
