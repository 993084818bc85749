"""What happens once a route is found, in one order: credential, access, limit, query, body, controller.

Invariants: who asks is settled before anything of the request is judged; a body is not read for somebody who may not come in, nor before
its network's limit is asked; what is held of bodies has an end, strangers' apart from callers'.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from vault.errors import Malformed, Refused, TooMany, Unauthenticated
from vault.web.answer import HTML, Answer
from vault.web.body import BodyReader, require_json
from vault.web.call import Call
from vault.web.filling import fill
from vault.web.holding import OF_CALLERS, OF_STRANGERS, Held
from vault.web.limits import Limits, circles
from vault.web.query import parse_query
from vault.web.receiving import Receive, bearer_token, has_body, read_body, session_cookie, weigh_body
from vault.web.route import LARGE_BODY, Access, Route

Authenticate = Callable[[str | None, Call], Awaitable[object | None]]
OutOfScope = Callable[[Call], Awaitable[Refused]]
May = Callable[[object, Access], bool]

BODY_SECONDS = 30.0
STRAY_BODY_SECONDS = 5.0
MOST_STRAY_BODY = LARGE_BODY
"""Of what is counted as it comes and thrown away."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A route with what is prepared for it once."""

    route: Route
    template: str
    reader: BodyReader | None
    is_public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may come in, and how the rest of the request is taken."""

    authenticate: Authenticate
    out_of_scope: OutOfScope
    may: May
    limits: Limits
    strangers: Held = field(default_factory=lambda: Held(*OF_STRANGERS))
    callers: Held = field(default_factory=lambda: Held(*OF_CALLERS))

    async def serve(self, bound: Bound, call: Call, query: bytes, receive: Receive) -> Answer:
        """Return the controller's answer to a call, whose caller, query and body are set here. Raises VaultError and Disconnected."""
        route = bound.route
        if not bound.is_public and not await self._lets_in(route, call):
            return led_to(route.sign_in + _language_of(query))
        if route.limit is not None:
            try:
                for key, times in circles(call.network):
                    self.limits.take(route.limit.bucket, key, times * route.limit.burst, times * route.limit.per_second)
            except TooMany:
                await weigh_body(receive, call.headers, route.max_body, STRAY_BODY_SECONDS)  # too large is said first, and nothing is kept
                raise
        call.query = parse_query(query, route.query, linked=route.is_linked)
        if route.method == "GET":
            if has_body(call.headers):
                await weigh_body(receive, call.headers, MOST_STRAY_BODY, STRAY_BODY_SECONDS)
            return await route.handler(call)
        files = route.form is not None and bool(route.form.file)
        if files and not bound.is_public:
            await _take_body(bound, call, receive)  # it goes to the controller piece by piece
            return await route.handler(call)
        held = self.strangers if bound.is_public else self.callers
        most = route.form.held if route.form is not None and files else route.max_body
        with held.counted(call.neighbourhood if bound.is_public else "", receive, most) as counting:
            await _take_body(bound, call, counting)
            return await route.handler(call)

    async def _lets_in(self, route: Route, call: Call) -> bool:
        """Set the caller; False where a page is to lead to the one where people sign in. Raises Unauthenticated, Refused."""
        caller = await self.authenticate(session_cookie(call.headers) if route.sign_in else bearer_token(call.headers), call)
        if caller is None and not route.sign_in:
            raise Unauthenticated
        call.caller = caller
        if caller is not None and not self.may(caller, route.access):
            raise await self.out_of_scope(call)
        return caller is not None


def led_to(path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the answer that leads a browser to a page of ours, to be fetched with GET (RFC 9110, 15.4.4)."""
    return Answer(status=HTTPStatus.SEE_OTHER, headers={"Location": path, **(headers or {})}, media_type=HTML)


def _language_of(query: bytes) -> str:
    """The part of a query that says in which language somebody reads, for the page she is led to; nothing else of it is looked at yet."""
    found = next((each for each in (b"lang=ar", b"lang=en") if each in query.split(b"&")), b"")
    return f"?{found.decode()}" if found else ""


async def _take_body(bound: Bound, call: Call, receive: Receive) -> None:
    """Set `form`, `raw` or `body` of the call as the route declares; a route without a body takes an empty one or `{}`."""
    route = bound.route
    if route.form is not None:
        call.form = await fill(route.form, call.headers, receive, route.max_body)
        return
    raw = await read_body(receive, call.headers, route.max_body, BODY_SECONDS) if has_body(call.headers) else b""
    if route.raw_body:
        call.raw = raw
        return
    if not raw and (bound.reader is None or route.optional_body):
        raw = b"{}"
    else:
        require_json(call.headers)
    if bound.reader is not None:
        call.body = bound.reader.read(raw)
    elif raw.translate(None, b" \t\r\n") != b"{}":
        raise Malformed
