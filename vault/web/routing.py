"""Routing by Litestar: one handler per declared route, and every error handed back to the front in the family's own words.

Invariants: one spelling per path (no empty segment, no trailing slash but to be led on to a page, no percent-encoded letters of ours);
segments are cut before they are decoded, so an encoded slash never makes a segment; a path that cannot be read is a path where nothing is;
no text of the framework goes out. Litestar by itself folds slashes, decodes before it cuts, answers OPTIONS, and lets a second spelling of
a parameter replace the first: so it is given the raw path, a handler for OPTIONS, and routes that were compared before.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn, cast
from urllib.parse import unquote_to_bytes

from litestar import Litestar, Request
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Middleware

from vault.errors import Malformed, NotFound
from vault.web.door import Bound
from vault.web.receiving import Receive, Scope
from vault.web.route import Route
from vault.web.sending import Outcome, Send

MAX_PATH = 2048
MAX_SEGMENT = 200

Handle = Callable[[Scope, Receive, Bound], Awaitable[Outcome]]

_PARAMETER = re.compile(r"\{([a-z_]+)(:path)?\}")


class MethodNotAllowed(Malformed):
    """The path is there, the method is not; `allow` is the header that says which are."""

    code = "method-not-allowed"

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__()
        self.allow = ", ".join(sorted(set(methods) - {"OPTIONS"}))


def framework(bounds: Sequence[Bound], handle: Handle, lifespan: Sequence[Callable[[Litestar], Any]]) -> Litestar:
    """Return Litestar over the routes: it calls `handle(scope, receive, bound)` and sends what that returns; every exception leaves it.

    Raises ValueError where two routes claim the same method and path, or name the parameters of one path differently.
    """
    _require_distinct(bounds)

    async def answered_before() -> None:
        """Stand for a route; the middleware before it answers."""

    async def options(request: Request[Any, Any, Any]) -> None:
        raise MethodNotAllowed(request.route_handler.opt["allow"])

    paths: dict[str, list[str]] = {}
    for bound in bounds:
        paths.setdefault(bound.route.path, []).extend(_methods(bound.route))
    # OPTIONS first: where it is missing when a path is first registered, Litestar puts its own there.
    handlers = [_handler(path, ["OPTIONS"], {"allow": methods})(options) for path, methods in paths.items() if "OPTIONS" not in methods]
    first = sorted(bounds, key=lambda bound: bound.route.method != "OPTIONS")
    handlers += [_handler(bound.route.path, _methods(bound.route), {}, _answering(bound, handle))(answered_before) for bound in first]
    return Litestar(
        handlers,
        openapi_config=None,
        logging_config=None,
        debug=False,  # or the environment could have it show tracebacks
        pdb_on_exception=False,
        exception_handlers={Exception: _hand_back},
        lifespan=list(lifespan),
    )


def spelled(scope: Scope) -> str:
    """Return the raw path as text, still encoded, if it has the one spelling that a path may have. Raises NotFound otherwise.

    A slash at the end is taken off: only to a page that others link to it leads all the same, by way of the one spelling.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if len(raw) > MAX_PATH or raw[:1] != b"/" or b"//" in raw or raw == b"/" or not raw.isascii():
        raise NotFound
    return raw.decode("ascii").removesuffix("/")


def is_slashed(scope: Scope) -> bool:
    """Tell whether the path came with a slash at its end, which no path of ours has."""
    raw: bytes = scope.get("raw_path") or b""
    return raw.endswith(b"/")


def parameters(found: Mapping[str, str]) -> dict[str, str]:
    """Return the decoded path parameters. Raises NotFound unless each is 1 to 200 bytes of UTF-8 without control characters."""
    try:
        return {name: _decode(value.removeprefix("/")) for name, value in found.items()}
    except ValueError:
        raise NotFound from None


def in_our_words(error: Exception) -> Exception:
    """Return the error of the family that Litestar's refusal to route stands for; any other exception as it is."""
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed((error.headers or {}).get("allow", "").split(", "))
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotFound() if error.status_code == HTTPStatus.NOT_FOUND else Malformed()
    return error


def _answering(bound: Bound, handle: Handle) -> Middleware:
    """Return a middleware that answers in its route's stead: of Litestar's requests, injection and responses we take nothing."""

    def instead(app: ASGIApp) -> ASGIApp:  # noqa: ARG001  # Litestar hands it over by this name
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if is_slashed(scope) and not bound.route.is_linked:
                raise NotFound
            outcome = await handle(scope, receive, bound)
            await outcome(scope, receive, send)

        return cast("ASGIApp", answer)

    return instead


def _methods(route: Route) -> list[str]:
    """Return the methods a route answers: whoever shows a link to a page looks with HEAD whether it is there."""
    return ["GET", "HEAD"] if route.is_linked else [route.method]


def _handler(path: str, methods: Sequence[str], opt: dict[str, Any], *middleware: Middleware) -> HTTPRouteHandler:
    # The status is the one the answer says; 200 here keeps Litestar from judging the signature by the method's usual one.
    typed = _PARAMETER.sub(lambda found: f"{{{found[1]}{found[2] or ':str'}}}", path)
    return HTTPRouteHandler(typed, http_method=methods, opt=opt, status_code=200, middleware=middleware)  # type: ignore[arg-type]


def _hand_back(_request: object, error: Exception) -> NoReturn:
    raise error


def _require_distinct(bounds: Sequence[Bound]) -> None:
    seen: dict[str, tuple[str, set[str]]] = {}
    for bound in bounds:
        route = bound.route
        path, methods = seen.setdefault(_PARAMETER.sub(r"{\2}", route.path), (route.path, set()))
        if path != route.path or route.method in methods:
            raise ValueError(f"{route.method} {route.path} is declared twice, or with other parameter names")
        methods.add(route.method)


def _decode(raw: str) -> str:
    value = unquote_to_bytes(raw)
    text = value.decode()
    if len(value) > MAX_SEGMENT or not text.isprintable():
        raise ValueError("unreadable")
    return text
