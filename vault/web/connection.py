"""One client's connection: how long and how large the head of a request may be, and how many connections one network and all hold.

Invariants: of a head that is not whole, no more is held than its limit and one read of the socket; no connection stays open for what does
not come; descriptors are left for files and databases, whoever connects; what cannot be read is counted, and nothing is written of it. The
server's own protocol has none of these limits; bodies are limited by the route (`vault.web.receiving`).
"""

import logging
import resource
from asyncio import TimerHandle, Transport
from collections import Counter
from ipaddress import ip_address
from typing import Any, ClassVar, Final, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from vault.web.limits import neighbourhood
from vault.web.receiving import Networks, is_within

LARGEST_HEAD: Final = 32 * 1024
"""Bytes of request line and headers together."""
HEAD_SECONDS: Final = 10.0
REST_SECONDS: Final = 60.0
"""How long the rest of a body that is answered already is thrown away: closing at once could take the answer with it."""
MOST_CONNECTIONS: Final = 128
"""Of one network (its /24 or /64) in one process. Loopback and trusted proxies, which bring everybody, are not counted."""
MOST_OF_ALL: Final = 16_384
"""In one process, however many files it may open."""
RESERVED: Final = 128
"""Descriptors of the process that no connection takes: journals, databases, files; so many again that no stranger's connection takes."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncache-control: no-store\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_SILENT: Final = logging.getLogger("vault.web.silent")
_SILENT.disabled = True


class Connection(HttpToolsProtocol):
    """The server's protocol with limits; the application is asked for `trusted`, the networks of its proxies."""

    head_seconds = HEAD_SECONDS
    most_connections = MOST_CONNECTIONS
    _crowd: ClassVar[Counter[str]] = Counter()

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - handed on as it is
        """Wait for the first head."""
        super().__init__(*given, **named)
        # The server's own lines are no JSON, and some quote what an exception says.
        self.logger = _SILENT
        self._part: Literal["between", "head", "body"] = "between"
        self._size = self._read = 0
        self._deadline: TimerHandle | None = None
        self._network = ""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Count the newcomer, who is closed where its network or all hold enough, and wait for its first head."""
        super().connection_made(transport)
        self._network = _counted_as(self.client[0] if self.client else "", getattr(self.app, "trusted", ()))
        if self._network:
            self._crowd[self._network] += 1
        if self._crowd[self._network] > self.most_connections or len(self.connections) > most_in_all(is_stranger=bool(self._network)):
            transport.close()
            return
        self._await(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._in_time()
        if self._network:
            self._crowd[self._network] -= 1
            if not self._crowd[self._network]:
                del self._crowd[self._network]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and look at what is not whole after it."""
        # A read that a head begins in may hold the end of a body as well, and counts only where the head ends in it.
        if self._part == "head":
            self._size += len(data)
        self._read = len(data)
        super().data_received(data)
        if self._part == "head" and self._size > LARGEST_HEAD:
            self._refuse()
        elif self._part == "head":
            self._await(self.head_seconds)
        elif self._is_answered():
            self._await(self.head_seconds if self._part == "between" else REST_SECONDS)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._part, self._size = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole. Raises ValueError, which the parser takes for an error, where it is too large."""
        if self._size + self._read > LARGEST_HEAD and self._weight() > LARGEST_HEAD:
            self._size = LARGEST_HEAD + 1
            raise ValueError("the head is too large")
        self._part, self._size = "body", 0
        self._in_time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._part = "between"
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read."""
        if self._size > LARGEST_HEAD:
            self._refuse()
            return
        self._count()
        super().send_400_response(msg)

    def _weight(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _is_answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        self._count()
        if self._is_answered():  # else it would stand in the midst of another answer
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _count(self) -> None:
        unreadable = getattr(self.app, "unreadable", None)
        if unreadable is not None:
            unreadable()

    def _await(self, seconds: float) -> None:
        """Close the connection unless a head is whole in time; a wait that has begun goes on."""
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(seconds, self._late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self._is_answered():
            self._await(self.head_seconds)  # we are answering, and may not be reading meanwhile
        else:
            self.transport.close()


def most_in_all(*, is_stranger: bool) -> int:
    """Return how many connections the process may hold in all where this one is of a stranger, or loopback's or a trusted proxy's.

    By the limit of open files (RLIMIT_NOFILE) that holds now.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_OF_ALL
    kept = min(RESERVED, soft // 4)
    return min(MOST_OF_ALL, soft - kept * (2 if is_stranger else 1))


def _counted_as(host: str, trusted: Networks) -> str:
    """Return the network whose connections are counted, "" for those that are not."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    return "" if address.is_loopback or is_within(host, trusted) else neighbourhood(host)
