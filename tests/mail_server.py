"""A mail server on the loopback interface (aiosmtpd), which ends only after every line to it was closed on both sides.

Its own controller stops its loop wherever a line stands; what was still closing is then found by the collector in some later test.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

END_SECONDS = 10
_TURN_SECONDS = 0.005


class _Line(SMTP):
    """A server's end of one line, known to its server while it is open; STARTTLS makes the connection a second time."""

    open: "set[_Line]"

    def connection_made(self, transport: Any) -> None:
        self.open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.open.discard(self)


class _Server(Controller):
    """A controller that knows which lines are open."""

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        self._open: set[_Line] = set()

    def factory(self) -> SMTP:
        made = _Line(self.handler, **self.SMTP_kwargs)
        made.open = self._open
        return made

    def stop(self, no_assert: bool = False) -> None:
        """Wait until the lines that came are closed, and stop."""
        asyncio.run_coroutine_threadsafe(self._last_lines(), self.loop).result()
        super().stop(no_assert)

    async def _last_lines(self) -> None:
        async with asyncio.timeout(END_SECONDS):
            await asyncio.sleep(_TURN_SECONDS)  # who called a moment ago has no line yet
            while self._open:  # noqa: ASYNC110 - lines have no event of their own, and this is the end of a test
                await asyncio.sleep(_TURN_SECONDS)


@contextmanager
def mail_server(box: Any, port: int, **how: Any) -> Iterator[None]:
    """Serve while the block runs; `box` handles what comes and `how` is as aiosmtpd takes it."""
    running = _Server(box, hostname="127.0.0.1", port=port, **how)
    running.start()
    try:
        yield
    finally:
        running.stop()
