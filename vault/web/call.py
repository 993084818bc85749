"""One request as a controller sees it: who asks, what was asked, already parsed at the door.

Invariants: only the front (`vault.web.app`) sets attributes; a header that cannot be read is an error of the family, never an exception of
a library; nothing here repeats a header's value in an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vault.errors import Conflict, Malformed, NotFound
from vault.web.form import Filled
from vault.web.limits import neighbourhood
from vault.web.scopes import Access

MAX_ACCEPT_LANGUAGE = 200

Headers = Sequence[tuple[bytes, bytes]]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REVISION = re.compile(rb'"([0-9]{1,18})"')
_KEY = re.compile(rb"[!-~]{16,200}")
_STAFF = re.compile(rb"[!-~]{1,100}")
_QUALITY = re.compile(r"\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*")


def parse_id(text: str) -> bytes:
    """Return the 16 bytes of an id written as a lower-case UUID (RFC 9562, section 4). Raises NotFound for any other text."""
    if _UUID.fullmatch(text) is None:
        raise NotFound
    return bytes.fromhex(text.replace("-", ""))


def write_id(value: bytes) -> str:
    """Return the lower-case UUID text of 16 bytes, the form in which ids travel."""
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Door(Protocol):
    """What a call tells of the route it came through."""

    @property
    def name(self) -> str:
        """The route's stable name."""

    @property
    def method(self) -> str:
        """The HTTP method in capitals."""

    @property
    def path(self) -> str:
        """The path template."""

    @property
    def access(self) -> Access:
        """Who may come in."""


@dataclass(slots=True, eq=False)
class Call:
    """One request. Mutable because it is filled in stages: caller first, then query, then body.

    `caller`: what `authenticate` returned, None on public routes. `path`: decoded path parameters. `query`: every declared parameter, None
    where an optional one without default is absent. `body`: the decoded Struct. `raw`: the body's bytes on routes with `raw_body`. `form`:
    what was filled in on routes with `form`. `now`: arrival, UTC in microseconds. `network`: the client's address as text, from the socket
    unless its proxy is trusted; "" when unknown.
    """

    route: Door
    request_id: str
    now: int
    headers: Headers
    network: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    caller: Any = None
    body: Any = None
    raw: bytes = b""
    form: Filled = field(default_factory=Filled)

    def path_id(self, name: str) -> bytes:
        """Return the 16 bytes of the id in the path. Raises NotFound where the text is no id, as for an id of nothing."""
        return parse_id(self.path[name])

    def header(self, name: str) -> bytes | None:
        """Return the one value of a header, None without it. Raises Malformed where it comes twice."""
        wanted = name.lower().encode()
        values = [value for key, value in self.headers if key == wanted]
        if len(values) > 1:
            raise Malformed
        return values[0] if values else None

    @property
    def neighbourhood(self) -> str:
        """Tell what the client is counted with where networks are limited: the /24 or /64 of its address."""
        return neighbourhood(self.network)

    @property
    def language(self) -> str:
        """Tell "ar" or "en": what the query's `lang` says where the route declares it, else what the caller reads best (RFC 9110, 12.5.4).

        Arabic unless English is clearly preferred.
        """
        return self.query.get("lang") or preferred_language(self.headers)

    @property
    def is_from_elsewhere(self) -> bool:
        """Tell whether a browser sent this because a page of another site made it (Fetch Metadata, `Sec-Fetch-Site`).

        Origin is no help: under our own `Referrer-Policy: no-referrer` a browser sends `null` for our own forms too.
        """
        return any(key == b"sec-fetch-site" and value not in (b"same-origin", b"none") for key, value in self.headers)

    @property
    def if_match(self) -> int | None:
        """Tell the revision the caller holds, None without If-Match. Raises Conflict `revision-mismatch` unless it is one "<digits>"."""
        values = [value for key, value in self.headers if key == b"if-match"]
        if not values:
            return None
        found = _REVISION.fullmatch(values[0])
        if found is None or len(values) > 1:
            raise Conflict("revision-mismatch")
        return int(found[1])

    @property
    def expected_revision(self) -> int:
        """Tell the revision as `if_match` does. Raises Conflict `revision-required` (428) without the header."""
        revision = self.if_match
        if revision is None:
            raise Conflict("revision-required")
        return revision

    @property
    def idempotency_key(self) -> str | None:
        """Tell the Idempotency-Key, None without it. Raises Malformed `idempotency-key` unless it is 16 to 200 visible ASCII characters."""
        values = [value for key, value in self.headers if key == b"idempotency-key"]
        if not values:
            return None
        if len(values) > 1 or _KEY.fullmatch(values[0]) is None:
            raise Malformed("idempotency-key")
        return values[0].decode("ascii")

    @property
    def on_behalf(self) -> str | None:
        """Tell the staff id in Amanah-On-Behalf-Of, None without it. Raises Malformed unless it is 1 to 100 visible ASCII characters."""
        value = self.header("amanah-on-behalf-of")
        if value is None:
            return None
        if _STAFF.fullmatch(value) is None:
            raise Malformed
        return value.decode("ascii")


def preferred_language(headers: Headers) -> str:
    """Return "ar" or "en" from Accept-Language; whatever cannot be read counts for nothing."""
    value = next((value for key, value in headers if key == b"accept-language"), b"")
    if not value or len(value) > MAX_ACCEPT_LANGUAGE:
        return "ar"
    best, language = 0.0, "ar"
    for part in value.decode("latin-1").lower().split(","):
        tag, _, quality = part.partition(";")
        weight = _weight(quality)
        primary = tag.strip().partition("-")[0]
        if primary in ("ar", "en") and weight > best:
            best, language = weight, primary
    return language


def _weight(quality: str) -> float:
    if not quality:
        return 1.0
    found = _QUALITY.fullmatch(quality)
    return float(found[1]) if found else 0.0
