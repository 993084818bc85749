"""The ASGI application over the declared routes, with the vault's own beside them: health and the OpenAPI file.

Invariants: a route that is not declared is not there; a failure at start or stop shows its type and place in the log and no more.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache

from litestar import Litestar

from vault.errors import Unavailable
from vault.web.answer import JSON, Answer
from vault.web.body import BodyReader
from vault.web.call import Call
from vault.web.door import Authenticate, Bound, Door, May, OutOfScope
from vault.web.front import Front
from vault.web.limits import Limits
from vault.web.logs import Journalist
from vault.web.metrics import Counters
from vault.web.openapi import describe
from vault.web.receiving import parse_networks
from vault.web.route import Public, Route
from vault.web.routing import framework
from vault.web.sites import preflights

Ready = Callable[[], Awaitable[bool]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


def build(
    routes: Sequence[Route],
    *,
    authenticate: Authenticate,
    out_of_scope: OutOfScope,
    may: May,
    counters: Counters,
    journalist: Journalist,
    limits: Limits,
    ready: Ready,
    clock: Callable[[], int],
    lifespan: Sequence[Lifespan] = (),
    trusted_proxies: Sequence[str] = (),
    title: str = "Amanah",
    version: str = "0",
) -> Front:
    """Return the ASGI application over the routes, with /health/live, /health/ready and /schema/openapi.json beside them.

    `authenticate(token, call)` gives the caller or None (401); `may(caller, access)` decides without I/O; `out_of_scope(call)` commits the
    refusal's entry and returns it. `clock` gives UTC microseconds. `lifespan`: entered in order at start, left in reverse at stop.
    Raises ValueError where two routes claim the same method and path.
    """
    every = [*routes, *_own_routes(ready)]
    front = Front(
        door=Door(authenticate=authenticate, out_of_scope=out_of_scope, may=may, limits=limits),
        counters=counters,
        journalist=journalist,
        clock=clock,
        trusted=parse_networks(trusted_proxies),
    )
    # Preflights are the browser's own question and no operation: the OpenAPI file leaves them out.
    bounds = [_bound(route) for route in [*every, _schema_route(every, title, version), *preflights(every)]]
    front.framework = framework(bounds, front.handle, [_told(each, journalist, clock) for each in lifespan])
    return front


def _bound(route: Route) -> Bound:
    reader = BodyReader(route.body) if route.body is not None else None
    return Bound(route, route.template, reader, isinstance(route.access, Public))


def _own_routes(ready: Ready) -> list[Route]:
    async def live(_call: Call) -> Answer:
        return Answer({"status": "live"})

    async def is_ready(_call: Call) -> Answer:
        if not await ready():
            raise Unavailable("busy")
        return Answer({"status": "ready"})

    return [
        Route(method="GET", path="/health/live", name="health-live", handler=live, access=Public(), summary="The process answers."),
        Route(method="GET", path="/health/ready", name="health-ready", handler=is_ready, access=Public(), summary="The vault can serve."),
    ]


def _schema_route(others: Sequence[Route], title: str, version: str) -> Route:
    """The file tells of itself too; it is written when it is first asked for, and kept."""

    @cache
    def described() -> bytes:
        return describe([*others, route], title=title, version=version)

    async def schema(_call: Call) -> Answer:
        return Answer(described(), media_type=JSON)

    route = Route(method="GET", path="/schema/openapi.json", name="schema", handler=schema, access=Public(), summary="This file.")
    return route


def _told(lifespan: Lifespan, journalist: Journalist, clock: Callable[[], int]) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Return a part of start and stop whose failure is a line of the log."""

    @asynccontextmanager
    async def held(_app: Litestar) -> AsyncIterator[None]:
        try:
            async with lifespan():
                yield
        except Exception as error:
            journalist.failed(clock(), "", error)
            raise

    return held
