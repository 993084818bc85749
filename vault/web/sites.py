"""Calls from pages of other sites: who may make them, and what a browser is told before and after (Fetch standard, CORS protocol).

Invariants: only an origin that the association named is ever told that it may; no credential is ever allowed; every answer that depends on
the origin says so.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from vault.web.answer import Answer
from vault.web.call import Call, Headers
from vault.web.route import Public, Route
from vault.web.routing import MethodNotAllowed

REMEMBERED: Final = 600
"""Seconds for which a browser may remember that it may call."""


def preflights(routes: Sequence[Route]) -> list[Route]:
    """The routes on which a browser asks whether it may call those that other sites may call: one for each path."""
    asked: dict[str, list[Route]] = {}
    for route in routes:
        if route.sites is not None:
            asked.setdefault(route.path, []).append(route)
    return [_preflight(path, some) for path, some in asked.items()]


def allowing(route: Route, path: Mapping[str, str], headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that tell a browser whether the page that asked may read it; none for routes of our own pages."""
    if route.sites is None:
        return []
    found = [value for name, value in headers if name == b"origin"]
    allowed = len(found) == 1 and found[0].decode("latin-1") in route.sites(path.get("association", ""))
    return [(b"vary", b"origin"), *([(b"access-control-allow-origin", found[0])] if allowed else [])]


def _preflight(path: str, routes: Sequence[Route]) -> Route:
    methods = [route.method for route in routes]

    async def answer(call: Call) -> Answer:
        if not any(name == b"access-control-allow-origin" for name, _ in allowing(routes[0], call.path, call.headers)):
            raise MethodNotAllowed(methods)
        told = {"Access-Control-Allow-Methods": ", ".join(sorted(methods)), "Access-Control-Allow-Headers": "content-type"}
        return Answer(None, status=HTTPStatus.NO_CONTENT, headers={**told, "Access-Control-Max-Age": str(REMEMBERED)})

    return Route(
        method="OPTIONS",
        path=path,
        name=f"{routes[0].name}.preflight",
        handler=answer,
        access=Public(),
        sites=routes[0].sites,
        summary="Whether a page of another site may call this.",
    )
