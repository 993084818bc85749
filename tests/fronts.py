"""The front in this process, for tests that call rooms through it: routed once for all worlds that have the same paths.

Litestar takes longer to prepare two hundred routes than most tests take: what leads a path to a route is kept for the test process, and
each world's own routes and handlers are reached through the request. tests/web tries the framework as the service builds it.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from unittest.mock import patch

from litestar import Litestar

from vault.web import app
from vault.web.door import Bound
from vault.web.front import Front
from vault.web.receiving import Receive, Scope
from vault.web.routing import Handle, framework
from vault.web.sending import Outcome, Send

_MINE = "tests.fronts.mine"
_routed: dict[tuple[tuple[str, str, bool], ...], Litestar] = {}


class _Framework:
    """Stands where the service has Litestar: the shared one finds the route, this one's own is answered."""

    def __init__(self, bounds: Sequence[Bound], handle: Handle, lifespan: Sequence[Any]) -> None:
        assert not lifespan, "nothing starts or stops with a shared framework"
        self.handle = handle
        spots = tuple((bound.route.method, bound.route.path, bound.route.is_linked) for bound in bounds)
        self.bounds = dict(zip(spots, bounds, strict=True))
        self.litestar = _routed.get(spots) or _routed.setdefault(spots, framework(bounds, _mine, []))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope[_MINE] = self
        await self.litestar(scope, receive, send)


async def _mine(scope: Scope, receive: Receive, bound: Bound) -> Outcome:
    mine: _Framework = scope[_MINE]
    route = bound.route
    return await mine.handle(scope, receive, mine.bounds[route.method, route.path, route.is_linked])


class LateFront:
    """A front that is built when the first call comes: many worlds are never called."""

    def __init__(self, build: Callable[[], Front]) -> None:
        """Build nothing yet."""
        self._build = build

    @cached_property
    def front(self) -> Front:
        """The front, built where it was not yet."""
        with patch.object(app, "framework", _Framework):
            return self._build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        await self.front(scope, receive, send)
