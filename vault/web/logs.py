"""The server's log: one JSON line per answer, from an allow-list.

Invariants: a key that is not on the list never gets into a line; the route is its template, never the path or the query; no body, header,
address or error message; of an unknown exception only its type and place; a line that cannot be written costs nobody an answer. The answers
of one turn of the event loop go out in one write at its end (ADR 0019), a failure at once.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import MutableMapping
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import msgspec
import structlog

from vault.web.times import moment, write_time

ALLOWED = ("time", "event", "request_id", "method", "route", "status", "took", "caller", "error", "at")
_BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0)
_TOOK = ("<1ms", "<5ms", "<25ms", "<100ms", "<500ms", "<2s", ">=2s")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_encode = msgspec.json.Encoder().encode


class Journalist(Protocol):
    """What the front writes its lines with."""

    def answered(self, *, now: int, request_id: str, method: str, route: str, status: int, seconds: float, caller: str) -> None:
        """Write one line for one answer."""

    def failed(self, now: int, request_id: str, error: BaseException) -> None:
        """Write one line for an exception nobody foresaw."""


class _Answered(msgspec.Struct, frozen=True, gc=False):
    """The line of an answer: members of the allow-list, in its order, and nothing else."""

    time: datetime
    event: str
    request_id: str
    method: str
    route: str
    status: int
    took: str
    caller: str


class RequestLog:
    """Writes the lines to a binary stream and flushes it. `lost` counts those that a full disk or a closed pipe swallowed."""

    def __init__(self, stream: BinaryIO) -> None:
        """Prepare the chain: allow-list, then JSON."""
        self.lost = 0
        self._stream = stream
        self._waiting: list[bytes] = []
        self._logger = structlog.wrap_logger(
            self,
            processors=[keep_allowed, _render],
            wrapper_class=structlog.make_filtering_bound_logger(20),
        ).bind()

    def answered(self, *, now: int, request_id: str, method: str, route: str, status: int, seconds: float, caller: str) -> None:
        """Write one line for one answer; `seconds` goes in as a bucket."""
        named, took = method if method in _METHODS else "OTHER", _TOOK[bisect_right(_BOUNDS, seconds)]
        self._waiting.append(_encode(_Answered(moment(now), "answer", request_id, named, route, status, took, caller)))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write)
            except RuntimeError:  # no loop runs here: nothing ends this turn
                self._write()

    def failed(self, now: int, request_id: str, error: BaseException) -> None:
        """Write the type of an exception and the module and line that raised it; its message may quote a value and is left out."""
        at = raised_at(error.__traceback__)
        self._logger.info("failure", time=write_time(now), request_id=request_id, error=type(error).__name__, at=at)

    def info(self, line: bytes) -> None:
        """Write a line at once, after those that wait: the end of the chain, and the name structlog calls it by."""
        self._waiting.append(line)
        self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        lines, self._waiting = self._waiting, []
        try:
            self._stream.write(b"\n".join([*lines, b""]))
            self._stream.flush()
        except (OSError, ValueError):  # no space, no reader, a closed stream: the answers go out all the same
            self.lost += len(lines)


def raised_at(traceback: TracebackType | None) -> str:
    """Return "module:line" of the innermost frame of ours, else of the innermost there is; "" without any."""
    at = ours = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", "?"))
        at = f"{module}:{traceback.tb_lineno}"
        ours = at if module.startswith(("vault.", "keys.")) else ours
        traceback = traceback.tb_next
    return ours or at


def silence_server() -> None:
    """Switch off uvicorn's access log for this process, whatever its configuration: its lines hold address, path and query."""
    logging.getLogger("uvicorn.access").disabled = True


def keep_allowed(_logger: object, _name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the event with the keys of the allow-list only, in its order."""
    return {key: event[key] for key in ALLOWED if key in event}


def _render(_logger: object, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return _encode(event)
