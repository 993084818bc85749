"""The front: every request passes here before it is routed, and every answer and every error leaves from here.

Invariants: a request that is not answered by a controller is answered by a problem document, or by a page where people look; a body too
large is refused also where nothing is; what no room foresaw is a 500 without words; each answer is counted once and logged in one line.
"""

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from litestar import Litestar

from vault.errors import Malformed, NotFound, VaultError
from vault.web.call import Call, preferred_language
from vault.web.door import MOST_STRAY_BODY, STRAY_BODY_SECONDS, Bound, Door
from vault.web.logs import Journalist
from vault.web.metrics import Counters
from vault.web.paper import page_of_problem
from vault.web.problems import Problem, internal_problem, problem_headers, problem_of
from vault.web.receiving import Disconnected, Message, Networks, Receive, Scope, client_network, has_body, weigh_body
from vault.web.routing import MethodNotAllowed, in_our_words, is_slashed, parameters, spelled
from vault.web.sending import Outcome, Send, outcome_of, outcome_of_other_spelling, outcome_of_page, outcome_of_problem
from vault.web.sites import allowing

MAX_HEADERS = 100
IDS_AT_ONCE = 256
CALLER_KINDS = frozenset({"person", "client", "interactive", "batch"})
_VISIT = "amanah.visit"


def request_ids() -> Iterator[str]:
    """Give random ids of 16 bytes in hexadecimal, drawn many at a time: a call into the system for each gives Python's lock away."""
    while True:
        drawn = os.urandom(16 * IDS_AT_ONCE).hex()
        yield from (drawn[at : at + 32] for at in range(0, len(drawn), 32))


@dataclass(slots=True)
class Visit:
    """What the front remembers of one request: when it came, which route it found, who it was, what goes out."""

    now: int
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    bound: Bound | None = None
    call: Call | None = None
    outcome: Outcome | None = None

    @property
    def template(self) -> str:
        """Tell the template of the route, "" where none was found."""
        return self.bound.template if self.bound else ""

    @property
    def kind(self) -> str:
        """Tell what kind of caller it was, in a word of ours."""
        if self.bound is None or self.call is None:
            return "none"
        if self.call.caller is None:
            return "public" if self.bound.is_public else "none"
        kind = getattr(self.call.caller, "kind", None)
        return kind if isinstance(kind, str) and kind in CALLER_KINDS else "caller"


@dataclass(slots=True, kw_only=True)
class Front:
    """The ASGI application. Made by `build`, which gives it its framework last."""

    door: Door
    counters: Counters
    journalist: Journalist
    clock: Callable[[], int]
    trusted: Networks
    ids: Iterator[str] = field(default_factory=request_ids)
    framework: Litestar = field(init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: HTTP here, start and stop by the framework; a web socket is closed."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await self._route(scope, receive, _hushed(send))

    def unreadable(self) -> None:
        """Count what the server could not read as a request: it was answered before it came here."""
        self.counters.unreadable()

    async def handle(self, scope: Scope, receive: Receive, bound: Bound) -> Outcome:
        """Return what goes out for a request whose route Litestar found. Raises Disconnected where there is nobody to answer."""
        visit: Visit = scope[_VISIT]
        visit.bound = bound
        if is_slashed(scope):
            visit.outcome = outcome_of_other_spelling(scope)
            return visit.outcome
        try:
            visit.outcome = await self._served(visit, bound, scope, receive)
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001  # answered here: Litestar's way to its exception handlers costs more than the refusal
            visit.outcome = await self._problem(error, visit, scope, receive)
        if visit.call is not None:
            visit.outcome.headers.extend(allowing(bound.route, visit.call.path, scope["headers"]))
        return visit.outcome

    async def _served(self, visit: Visit, bound: Bound, scope: Scope, receive: Receive) -> Outcome:
        network = client_network(scope["client"][0] if scope["client"] else "", scope["headers"], self.trusted)
        path = parameters(scope["path_params"]) if scope["path_params"] else {}
        visit.call = call = Call(bound.route, visit.request_id, visit.now, scope["headers"], network, path)
        return outcome_of(await self.door.serve(bound, call, scope["query_string"], receive), bound.route)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.framework(cast("Any", scope), cast("Any", receive), cast("Any", send))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_VISIT] = visit = Visit(self.clock(), next(self.ids))
        try:
            await self._found(scope, receive, send)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001  # where no route was found; or the last wall
            if visit.outcome is not None:  # it broke on the way out, and there is no second answer to one request
                self.journalist.failed(visit.now, visit.request_id, error)
                return
            try:
                visit.outcome = await self._problem(NotFound() if is_slashed(scope) else in_our_words(error), visit, scope, receive)
            except Disconnected:
                return
            await visit.outcome(scope, receive, send)
        self._tell(visit, scope["method"])

    async def _found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Litestar route what can be routed: it cuts the path as it came, and values are decoded after that."""
        scope["path"] = spelled(scope)
        if len(scope["headers"]) > MAX_HEADERS:
            raise Malformed
        await self._route(scope, receive, send)

    async def _problem(self, error: Exception, visit: Visit, scope: Scope, receive: Receive) -> Outcome:
        if visit.bound is None and has_body(scope["headers"]):
            try:
                await weigh_body(receive, scope["headers"], MOST_STRAY_BODY, STRAY_BODY_SECONDS)
            except VaultError as heavier:
                error = heavier
        language = visit.call.language if visit.call else preferred_language(scope["headers"])
        if not isinstance(error, VaultError):
            self.journalist.failed(visit.now, visit.request_id, error)
            return _told(visit, scope, internal_problem(visit.request_id, language), language, {})
        headers = problem_headers(error)
        if isinstance(error, MethodNotAllowed):
            headers = {"Allow": error.allow}
        elif error.code == "too-slow":
            # Hung up on. After `too-large` the server throws the rest away instead: closing at once could take the answer with it.
            headers = {**headers, "Connection": "close"}
        return _told(visit, scope, problem_of(error, visit.request_id, language), language, headers)

    def _tell(self, visit: Visit, method: str) -> None:
        if visit.outcome is None:
            return
        seconds, template, status = time.perf_counter() - visit.started, visit.template, visit.outcome.status
        method = method if template else "ANY"  # a stranger's method is no label
        self.counters.seen(template, method, status, seconds)
        self.journalist.answered(
            now=visit.now,
            request_id=visit.request_id,
            method=method,
            route=template,
            status=status,
            seconds=seconds,
            caller=visit.kind,
        )


def _told(visit: Visit, scope: Scope, problem: Problem, language: str, headers: Mapping[str, str]) -> Outcome:
    """Return a problem as whoever asked reads it: a person a page, a program the document."""
    if visit.bound.route.is_page if visit.bound else _is_looking(scope):
        return outcome_of_page(page_of_problem(problem, language, headers))
    return outcome_of_problem(problem, headers)


def _is_looking(scope: Scope) -> bool:
    """Tell whether a person followed a link to where nothing is: a browser asks for a page, and not of the API."""
    is_page = any(key == b"accept" and value.startswith(b"text/html") for key, value in scope["headers"])
    return is_page and not scope["path"].startswith("/v1/")


def _hushed(send: Send) -> Callable[[Message], Awaitable[None]]:
    """Return a send for start and stop without the framework's message, which would be a traceback with all it quotes."""

    async def hushed(message: Message) -> None:
        await send({"type": message["type"]})

    return hushed
