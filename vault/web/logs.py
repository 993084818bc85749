"""The server's log: one JSON line per answer, from an allow-list.

Invariants: a key that is not on the list never gets into a line; the route is its template, never the path or the query; no body, header,
address or error message; of an unknown exception only its type and place; a line that cannot be written costs nobody an answer.
"""

import logging
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import msgspec
import structlog

from vault.web.times import write_time

ALLOWED = ("time", "event", "request_id", "method", "route", "status", "took", "caller", "error", "at")
_TOOK = ((0.001, "<1ms"), (0.005, "<5ms"), (0.025, "<25ms"), (0.1, "<100ms"), (0.5, "<500ms"), (2.0, "<2s"))
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_encode = msgspec.json.Encoder().encode


class Journalist(Protocol):
    """What the front writes its lines with."""

    def answered(self, *, now: int, request_id: str, method: str, route: str, status: int, seconds: float, caller: str) -> None:
        """Write one line for one answer."""

    def failed(self, now: int, request_id: str, error: BaseException) -> None:
        """Write one line for an exception nobody foresaw."""


class RequestLog:
    """Writes the lines to a binary stream, each flushed at once. `lost` counts those that a full disk or a closed pipe swallowed."""

    def __init__(self, stream: BinaryIO) -> None:
        """Prepare the chain: allow-list, then JSON."""
        self.lost = 0
        self._logger = structlog.wrap_logger(
            structlog.BytesLogger(stream),
            processors=[keep_allowed, _render],
            wrapper_class=structlog.make_filtering_bound_logger(20),
        ).bind()

    def answered(self, *, now: int, request_id: str, method: str, route: str, status: int, seconds: float, caller: str) -> None:
        """Write one line for one answer; `seconds` goes in as a bucket."""
        self._write(
            "answer",
            time=write_time(now),
            request_id=request_id,
            method=method if method in _METHODS else "OTHER",
            route=route,
            status=status,
            took=next((name for bound, name in _TOOK if seconds < bound), ">=2s"),
            caller=caller,
        )

    def failed(self, now: int, request_id: str, error: BaseException) -> None:
        """Write the type of an exception and the module and line that raised it; its message may quote a value and is left out."""
        at = raised_at(error.__traceback__)
        self._write("failure", time=write_time(now), request_id=request_id, error=type(error).__name__, at=at)

    def _write(self, event: str, **values: object) -> None:
        try:
            self._logger.info(event, **values)
        except (OSError, ValueError):  # no space, no reader, a closed stream: the answer goes out all the same
            self.lost += 1


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
