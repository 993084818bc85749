"""Bytes from the client: its body up to a limit, its credential, its network.

Invariants: never more than the limit is held in memory; nothing is trusted that a header says about the network unless the socket's peer is
a named proxy; a credential is one well-formed bearer token or none.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from vault.errors import Malformed, Unauthenticated
from vault.web.call import Headers

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Networks = tuple[IPv4Network | IPv6Network, ...]

COOKIE = "__Host-amanah"
"""The cookie of a signed-in person's pages: no other host and no subdomain can set it (RFC 6265bis, 4.1.3.2)."""
_COOKIE_VALUE = re.compile(rb"ams_[A-Za-z0-9_-]{1,200}")
_BEARER = re.compile(rb"Bearer ([!-~]{1,512})")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Disconnected(Exception):
    """The client hung up before its request was whole: there is nobody to answer."""


def bearer_token(headers: Headers) -> str | None:
    """Return the token of `Authorization: Bearer <token>`, None without it. Raises Unauthenticated for any other form (RFC 6750, 2.1)."""
    token: str | None = None
    for key, value in headers:
        if key == b"authorization":
            found = _BEARER.fullmatch(value)
            if found is None or token is not None:
                raise Unauthenticated
            token = found[1].decode("ascii")
    return token


def session_cookie(headers: Headers) -> str | None:
    """Return the session token in the cookie, None without it; two of the name, or one that is not well-formed, are none.

    It counts only for routes that say where people sign in, which are pages and never under /v1.
    """
    pairs = [pair.strip() for key, value in headers if key == b"cookie" for pair in value.split(b";")]
    found = [value for name, _, value in (pair.partition(b"=") for pair in pairs) if name == COOKIE.encode()]
    if len(found) != 1 or _COOKIE_VALUE.fullmatch(found[0]) is None:
        return None
    return found[0].decode("ascii")


def has_body(headers: Headers) -> bool:
    """Tell whether the request announces a body."""
    return any(key == b"transfer-encoding" or (key == b"content-length" and value.strip() != b"0") for key, value in headers)


async def read_body(receive: Receive, headers: Headers, limit: int, seconds: float) -> bytes:
    """Return the whole body of at most `limit` bytes, received within `seconds`.

    Raises Malformed (`too-large` as soon as it is known, `too-slow`, `malformed` for a length that is none) and Disconnected.
    """
    _require_length(headers, limit)
    parts: list[bytes] = []
    await _within(receive, limit, seconds, parts.append)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def weigh_body(receive: Receive, headers: Headers, limit: int, seconds: float) -> None:
    """Check a body that nobody is going to read: its length where it says one, else its pieces, counted and thrown away.

    Raises as `read_body` does.
    """
    _require_length(headers, limit)
    if any(key == b"transfer-encoding" for key, _ in headers):
        await _within(receive, limit, seconds, len)


async def arriving(receive: Receive, headers: Headers, limit: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield the body of at most `limit` bytes in the pieces in which it comes; only the waiting for them counts towards `seconds`.

    Raises as `read_body` does, in the iteration, `too-large` after what still was within the limit.
    """
    _require_length(headers, limit)
    size, more = 0, True
    while more:
        started = time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), seconds)
        except TimeoutError:
            raise Malformed("too-slow") from None
        seconds -= time.monotonic() - started
        if message["type"] != "http.request":
            raise Disconnected
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limit:
            yield piece[: len(piece) - (size - limit)]
            raise Malformed("too-large")
        yield piece


def _require_length(headers: Headers, limit: int) -> None:
    for key, value in headers:
        if key == b"content-length":
            if _LENGTH.fullmatch(value) is None:
                raise Malformed
            if int(value) > limit:
                raise Malformed("too-large")


async def _within(receive: Receive, limit: int, seconds: float, take: Callable[[bytes], object]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _pieces(receive, limit, take)
    except TimeoutError:
        raise Malformed("too-slow") from None


async def _pieces(receive: Receive, limit: int, take: Callable[[bytes], object]) -> None:
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Malformed("too-large")
        take(part)
        if not message.get("more_body", False):
            return


def parse_networks(texts: Sequence[str]) -> Networks:
    """Return the networks of trusted proxies. Raises ValueError for a text that is none."""
    return tuple(ip_network(text) for text in texts)


def client_network(peer: str, headers: Headers, trusted: Networks) -> str:
    """Return the address the request came from: the socket's peer, or behind trusted proxies the last hop that is none of them.

    The list in X-Forwarded-For is read from its end, since only that part was written by proxies we trust.
    """
    if not trusted or not is_within(peer, trusted):
        return peer
    hops = [hop.strip() for key, value in headers if key == b"x-forwarded-for" for hop in value.decode("latin-1").split(",")]
    for hop in reversed(hops):
        try:
            address = str(ip_address(hop))
        except ValueError:
            return peer
        if not is_within(address, trusted):
            return address
        peer = address
    return peer


def is_within(text: str, networks: Networks) -> bool:
    """Tell whether a text is an address in one of the networks."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)
