"""Counters for Prometheus, by route template, method and status, on a port of their own.

Invariants: no label names an association, a person, a path or an address; the port listens on loopback and answers GET /metrics only.
"""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
LOOPBACK = "127.0.0.1"


class Counters(Protocol):
    """What the front counts with."""

    def seen(self, template: str, method: str, status: int, seconds: float) -> None:
        """Count one answer: the route's template ("" where no route was), and how long it took."""

    def unreadable(self) -> None:
        """Count one request that could not be read as HTTP, or whose head was too large."""


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters of the front."""
        self.registry = registry
        self._answers = Counter("amanah_http_answers", "Answers given.", ("route", "method", "status"), registry=registry)
        self._seconds = Histogram("amanah_http_seconds", "Time to answer.", ("route", "method"), registry=registry, buckets=BUCKETS)
        self._unreadable = Counter("amanah_http_unreadable", "Requests that were no HTTP, or had too large a head.", registry=registry)
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def seen(self, template: str, method: str, status: int, seconds: float) -> None:
        """Count one answer. Templates, methods and statuses are ours, so the number of label sets is bounded by the routes."""
        key = (template, method, status)
        pair = self._known.get(key)
        if pair is None:
            pair = self._answers.labels(template, method, str(status)), self._seconds.labels(template, method)
            self._known[key] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def unreadable(self) -> None:
        """Count one request that could not be read."""
        self._unreadable.inc()


class MetricsServer:
    """A thread that answers GET /metrics on a loopback port until `close`."""

    def __init__(self, registry: CollectorRegistry, port: int) -> None:
        """Bind and start. `port` 0 takes a free one. Raises OSError where it is taken."""

        class Handler(_MetricsHandler):
            pass

        Handler.registry = registry
        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _MetricsHandler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    server_version = "metrics"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:  # the name the standard library calls
        """Answer the metrics, or an empty 404 anywhere else."""
        if self.path == "/metrics":
            self._say(HTTPStatus.OK, generate_latest(self.registry))
        else:
            self._say(HTTPStatus.NOT_FOUND, b"")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002  # the library's page echoes
        """Answer an empty body: the library's own page quotes the method and the path."""
        self._say(HTTPStatus(code), b"")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's names; its line quotes the path
        """Write nothing."""

    def _say(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
