"""A server that answers what it is told to and remembers what it was asked: the other end of the wire for clients under test."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """A server on a free loopback port; whatever it was told no answer for is 200 with an empty object."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._answers: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        self._hang_up = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, status: int, *bodies: Any) -> None:
        """Answer this call so, the last body for ever; a path without its query serves for all queries."""
        self._answers[method, path] = [(status, body.encode() if isinstance(body, str) else json.dumps(body).encode()) for body in bodies]

    def hang_up_next(self, times: int = 1) -> None:
        """Close the connection without an answer."""
        self._hang_up = times

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _any(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                wire.requests.append(Asked(self.command, self.path, headers, body))
                if wire._hang_up:
                    wire._hang_up -= 1
                    self.close_connection = True
                    return
                status, content = wire._find(self.command, self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _any  # noqa: N815 - the standard library's names

        return Handler

    def _find(self, method: str, path: str) -> tuple[int, bytes]:
        found = self._answers.get((method, path)) or self._answers.get((method, path.partition("?")[0]))
        if not found:
            return 200, b"{}"
        return found.pop(0) if len(found) > 1 else found[0]
