"""Answers and problems as the bytes that leave.

Invariants: every answer carries the headers that keep it out of caches, referrers and guesses at its type; no header of a controller can
replace them or split the answer.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from vault.web.answer import HTML, PROBLEM, Answer, Stream
from vault.web.problems import Problem
from vault.web.receiving import Disconnected, Message, Receive, Scope
from vault.web.route import Route
from vault.web.streaming import CutShort, pour

Send = Callable[[Message], Awaitable[None]]

_ALWAYS = ((b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"), (b"x-content-type-options", b"nosniff"))
_UNSAFE = re.compile(rb"[\x00-\x1f\x7f]")
_ALWAYS_NAMES = frozenset(name for name, _ in _ALWAYS) | {b"content-length", b"content-type"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What goes out; called as an ASGI application it sends itself, whole or piece by piece."""

    status: int
    content: bytes | Stream
    content_type: str
    headers: list[tuple[bytes, bytes]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; to HEAD without its content. A stream that may not or need not go on is left unended, and the server ends the line."""
        content = self.content
        if isinstance(content, bytes):
            await self._start(send, len(content))
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content, "more_body": False})
            return
        try:
            await self._start(send, content.length)
            await pour(content, receive, send)
        except (Disconnected, CutShort):
            return  # said no further up: the framework would wrap it, and there is nobody to answer or nothing to add
        finally:
            await content.pieces.aclose()

    async def _start(self, send: Send, length: int) -> None:
        headers = [
            *_ALWAYS,
            (b"content-type", self.content_type.encode("latin-1")),
            (b"content-length", str(length).encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})


def outcome_of(answer: Answer, route: Route) -> Outcome:
    """Return what leaves for a controller's answer. Raises ValueError for a header that may not be set."""
    status = route.status if answer.status is None else answer.status
    return Outcome(status, answer.content(), answer.content_type(route.media_type), _encoded(answer.headers))


def outcome_of_problem(problem: Problem, headers: Mapping[str, str]) -> Outcome:
    """Return what leaves for a problem, with the headers it adds."""
    return Outcome(problem.status, Answer(problem).content(), PROBLEM, _encoded(headers))


def outcome_of_page(answer: Answer) -> Outcome:
    """Return what leaves for a problem that is told on a page."""
    return Outcome(answer.status or 500, answer.content(), HTML, _encoded(answer.headers))


def outcome_of_other_spelling(scope: Scope) -> Outcome:
    """Return what leads from the path with a slash at its end to the page's one spelling."""
    # Quoted: a browser would take a backslash for a slash, and two at the start for another site.
    path = quote(scope["raw_path"].rstrip(b"/"), safe="/%")
    query = quote(scope["query_string"], safe="=&%+")
    return Outcome(308, b"", HTML, _encoded({"Location": f"{path}?{query}" if query else path}))


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as they are sent. Raises ValueError for one that would split the answer or override what every answer has."""
    encoded = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    for name, value in encoded:
        if name in _ALWAYS_NAMES or _UNSAFE.search(name + value):
            raise ValueError("an answer's header")
    return encoded
