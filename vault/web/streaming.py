"""An answer that leaves piece by piece: no more of it is held than the piece that is on its way.

Invariants: who hung up is sent nothing more and nothing more is made for her; who does not take what is sent, or takes longer than an
answer may, is hung up on; an answer that ends before its length was sent ends its connection with it, so that it never looks whole.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from vault.web.answer import Stream
from vault.web.receiving import Disconnected, Message, Receive

STALL_SECONDS: Final = 60.0
"""How long one piece may take to be taken."""
MOST_SECONDS: Final = 900.0
"""How long a whole answer may take: what it was allowed on is not asked anew meanwhile."""


class CutShort(Exception):
    """What was on its way may not be sent any further, and there is no second answer to one request."""


async def pour(stream: Stream, receive: Receive, send: Callable[[Message], Awaitable[None]]) -> None:
    """Send a stream's pieces as the body of an answer that has begun. Raises Disconnected, and CutShort as the pieces do."""
    gone = asyncio.create_task(_hung_up(receive))
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await _each(stream, gone, send)
    except TimeoutError:
        raise Disconnected from None
    finally:
        gone.cancel()


async def _each(stream: Stream, gone: asyncio.Task[None], send: Callable[[Message], Awaitable[None]]) -> None:
    left = stream.length
    async for piece in stream.pieces:
        if gone.done():
            raise Disconnected
        left -= len(piece)
        async with asyncio.timeout(STALL_SECONDS):
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    if left:
        raise CutShort


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
