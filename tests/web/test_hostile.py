"""Hostile requests on every route of the fake roof: the judgements of a stranger who means harm."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.fake_roof import KEY, NOW, RECORD, STORED, World, client, front, routes

ECHO = "ECHO482913CANARY"
GOOD: dict[str, dict[str, Any]] = {
    "POST /v1/records": {
        "type": "beneficiary",
        "fields": {"full_name": STORED},
        "guardian": {"subject": "s", "kind": "wali"},
        "size": 1,
    },
    "POST /v1/public/{association}/breach-reports": {"category": "other", "narrative": "x" * 40, "language": "ar"},
    "PUT /v1/purposes/{code}": {"code": "123456"},
    "PATCH /v1/records/{record}": {"code": "123456"},
}
MALFORMED = {
    "nested arrays": b"[" * 1000,
    "nested arrays, closed": b"[" * 1000 + b"]" * 1000,
    "nested objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "50,000 braces": b"{" * 50000,
    "not UTF-8": b"\xff\xfe",
    "overlong": b'{"type":"\xc0\x80"}',
    "encoded surrogate": b'{"type":"\xed\xa0\x80"}',
    "NUL byte": b'{"type":"' + b"\0" + b'"}',
    "escaped NUL": b'{"type":"\\u0000","fields":{}}',
    "lone surrogate": b'{"type":"\\ud800","fields":{}}',
    "duplicate key": b'{"type":"x","fields":{},"type":"y"}',
    "duplicate key deep down": b'{"type":"x","fields":{"a":1,"\\u0061":2}}',
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "text": b'"x"',
    "5,000 digits": b"9" * 5000,
    "huge integer within": b'{"type":"x","fields":{"a":' + b"9" * 4400 + b"}}",
    "integer beyond every database": b'{"type":"x","fields":{"a":18446744073709551616}}',
    "huge float": b"1e999999",
    "NaN": b'{"type":"x","fields":{"a":NaN}}',
    "Infinity": b'{"type":"x","fields":{"a":-Infinity}}',
    "byte order mark": b'\xef\xbb\xbf{"type":"x","fields":{}}',
    "canary key": json.dumps({"type": "x", "fields": {}, ECHO: 1}).encode(),
    "canary text": ECHO.encode(),
    "half": f'{{"type":"{ECHO}'.encode(),
    "trailing": b'{"type":"x","fields":{}}{}',
}
VALUES: list[Any] = [
    *(None, [], {}, "", True, -1, 2**64, 10**400, 1e308, "\0", "\ud800", "a\u202e" + ECHO, ECHO, [ECHO], {ECHO: ECHO}),
    *("A" * 70000, "٣", "2026-13-45T99:99:99Z", "9999-12-31T23:59:60+14:00", [[]] * 2000),
]
QUERIES = [
    ECHO,
    "",
    "%00",
    "%ff",
    "%ED%A0%80",
    "9" * 400,
    "-1",
    "1e9",
    "%D9%A3",
    "a," * 5000,
    "%27%20OR%201=1--",
    "%E2%80%AE" + ECHO,
    "%",
    "%zz",
]
PATHS = [ECHO, "%00", "%ff", "..%2f..%2fetc%2fpasswd", "a" * 3000, "%F0%9F%92%A9", "%27--", "%ED%A0%80", "-1", "%0d%0aX:%20y", "%", "%zz"]
HEADERS = {
    "Idempotency-Key": [b"", ECHO.encode()[:9], b"x" * 5000, b"\xff\xfe", b"[1]"],
    "If-Match": [b"", ECHO.encode(), b'"' + b"9" * 400 + b'"', b"*", b"\xff", b'W/"7"', b'"7", "8"', '"٧"'.encode()],
    "Accept-Language": [b"x" * 3000, b"ar;q=9e999", b"\xff", b",", b"en;q=" + b"9" * 100],
    "Accept": [b"x/y", b"\xff", b","],
    "Amanah-On-Behalf-Of": [b"", b"\xff", b"x" * 5000],
    "Authorization": [b"", b"\xff", b"Bearer", b"Bearer ", b"Basic YTpi", b"bearer x", b"Bearer a b", b"Bearer " + b"x" * 5000],
}
FILLED = [(route.method, route.path.replace("{record}", RECORD).replace("{tile:path}", "0/x001/067")) for route in routes(World())]


def url_of(path: str, value: str = "probe") -> str:
    return "/".join(value if part.startswith("{") else part for part in path.split("/"))


def judge(answer: httpx.Response, *, allowed: tuple[int, ...] = (), typed: str = "") -> None:
    """Fail unless the answer is one that a stranger may get."""
    assert answer.status_code <= 499 or answer.status_code in allowed
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code > 399:
        if answer.headers["content-type"] == "application/problem+json":
            document = answer.json()
            assert document["code"]
            assert document["type"] == "urn:amanah:problem:" + document["code"]
            assert document["status"] == answer.status_code
        else:
            assert answer.request.url.path.endswith(("/privacy", "/form"))
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert ECHO not in answer.text + unquote(str(answer.headers))
        assert STORED not in answer.text
        assert len(answer.content) < 12_000
        assert not (len(typed) > 5 and typed in answer.text)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*at, key))


def spoilt(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    value = copy.deepcopy(value)
    part = value
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = new
    return value


def head(**more: bytes | str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "If-Match": '"7"', **more}


@pytest.mark.asyncio
@pytest.mark.parametrize("route", list(GOOD))
async def test_good_bodies_are_taken(calls: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    answer = await calls.request(method, url_of(path, RECORD), json=GOOD[route], headers=head())
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.asyncio
@pytest.mark.parametrize("route", list(GOOD))
async def test_malformed_json_is_never_accepted(calls: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    for what, raw in MALFORMED.items():
        answer = await calls.request(method, url_of(path), content=raw, headers=head())
        judge(answer)
        assert answer.status_code in (400, 413, 422), what


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", ECHO, ""]
)
async def test_only_json_is_json(calls: httpx.AsyncClient, kind: str) -> None:
    for route, good in GOOD.items():
        method, path = route.split()
        answer = await calls.request(method, url_of(path), content=json.dumps(good), headers=head(**{"Content-Type": kind}))
        judge(answer)
        assert answer.status_code == 415


@pytest.mark.asyncio
async def test_a_second_content_type_or_a_compressed_body_is_refused(calls: httpx.AsyncClient) -> None:
    twice = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"), ("Content-Type", "application/json")]
    assert (await calls.post("/v1/records", json=None, content=b"{}", headers=twice)).status_code == 415
    assert (await calls.post("/v1/records", content=b"{}", headers=head(**{"Content-Encoding": "gzip"}))).status_code == 415


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf8_is_json_however_it_is_written(calls: httpx.AsyncClient, kind: str) -> None:
    body = json.dumps(GOOD["POST /v1/records"])
    assert (await calls.post("/v1/records", content=body, headers=head(**{"Content-Type": kind}))).status_code == 201


@pytest.mark.asyncio
@pytest.mark.parametrize("route", list(GOOD))
async def test_spoilt_values_are_answered_without_an_echo(calls: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    good = GOOD[route]
    for place in places(good):
        for value in VALUES:
            answer = await calls.request(method, url_of(path, RECORD), content=json.dumps(spoilt(good, place, value)), headers=head())
            judge(answer)
            if isinstance(value, str) and ("\0" in value or "\ud800" in value):
                assert answer.status_code == 400, place


@pytest.mark.asyncio
@pytest.mark.parametrize("route", list(GOOD))
async def test_a_missing_or_unknown_member_is_refused(calls: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    answer = await calls.request(method, url_of(path), json={**GOOD[route], ECHO: ECHO}, headers=head())
    judge(answer)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "?", "code": "unknown-member"}]


@pytest.mark.asyncio
async def test_hostile_queries_are_answered(calls: httpx.AsyncClient) -> None:
    for method, path in FILLED:
        if method == "GET":
            for name in ("purpose", "fields", "action", "limit", "after", "from", ECHO, "%ff", "%00"):
                for value in QUERIES:
                    judge(await calls.get(f"{url_of(path)}?purpose=p&{name}={value}", headers=head()), allowed=(500, 503))


@pytest.mark.asyncio
@pytest.mark.parametrize("query", [f"{ECHO}={ECHO}", "limit=1&limit=2", "after=", "limit", "&", "limit=1&", "=1"])
async def test_an_unknown_repeated_or_empty_parameter_is_refused(calls: httpx.AsyncClient, query: str) -> None:
    answer = await calls.get(f"/v1/records?{query}", headers=head())
    judge(answer)
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter")


@pytest.mark.asyncio
async def test_hostile_paths_are_answered(calls: httpx.AsyncClient) -> None:
    for route in routes(World()):
        for value in PATHS if "{" in route.path else ():
            answer = await calls.request(route.method, url_of(route.path, value), json={}, headers=head())
            judge(answer)
            if "{record}" in route.path:
                assert answer.status_code in (400, 404, 422)


@pytest.mark.asyncio
async def test_hostile_headers_are_answered(calls: httpx.AsyncClient) -> None:
    for method, path in FILLED:
        for name, values in HEADERS.items():
            for value in values:
                answer = await calls.request(method, url_of(path), content=b"{}", headers=head(**{name: value}))
                judge(answer, allowed=(500, 503))
                if name == "Authorization" and path.startswith("/v1/records"):
                    assert answer.status_code == 401


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "credential", [None, "Bearer amn_00000000_" + "A" * 43, b"Bearer \xff' OR 1=1", "Basic YTpi", f"Bearer {KEY} ", f"bearer {KEY}"]
)
async def test_who_asks_is_settled_before_what_is_asked(calls: httpx.AsyncClient, world: World, credential: Any) -> None:
    sent = {} if credential is None else {"Authorization": credential}
    for method, path in (("POST", "/v1/records"), ("GET", f"/v1/records?{ECHO}=1"), ("POST", "/v1/orders/1/approval")):
        answer = await calls.request(method, path, content=b"\xff" * 9_000_000, headers={**sent, "Content-Type": "text/plain"})
        judge(answer)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert world.calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/{ECHO}"),
        ("GET", f"/v1/{ECHO}?x={ECHO}"),
        ("POST", f"/v1/{ECHO}/records"),
        ("GET", f"/v1/records/{ECHO}/{ECHO}"),
        ("GET", f"/schema/{ECHO}"),
        ("GET", "/v1//records"),
        ("GET", "/v1/records/"),
        ("GET", "/v1/%72ecords"),
        ("GET", "/v1/access-log/tile/"),
        ("GET", "/"),
        ("GET", "/v1/records%2f" + RECORD),
    ],
)
async def test_where_nothing_is_the_answer_says_so_and_no_more(calls: httpx.AsyncClient, method: str, path: str) -> None:
    for sent in (head(), {}):
        answer = await calls.request(method, path, headers=sent)
        judge(answer)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", ECHO])
async def test_a_method_the_path_does_not_have_is_405(calls: httpx.AsyncClient, method: str) -> None:
    answer = await calls.request(method, f"/v1/records?x={ECHO}", headers=head())
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    if method != "HEAD":  # which has no body to judge
        judge(answer)


@pytest.mark.asyncio
async def test_a_hundred_headers_are_enough(calls: httpx.AsyncClient) -> None:
    answer = await calls.get("/health/live", headers={f"x-{i}": "1" for i in range(200)})
    judge(answer)
    assert answer.status_code == 400


MEMBERS = st.text(max_size=8) | st.just(ECHO) | st.sampled_from(["type", "fields"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(ECHO),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.just(ECHO) | st.sampled_from(["type", "fields"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()), route=st.sampled_from(list(GOOD)))
@pytest.mark.asyncio
async def test_no_body_whatever_brings_a_500_or_its_echo(raw: bytes, route: str) -> None:
    method, path = route.split()
    async with client(front(World(now=NOW))) as calls:
        judge(await calls.request(method, url_of(path), content=raw, headers=head()))


@settings(max_examples=150, deadline=None)
@given(segment=st.text(max_size=30), query=st.binary(max_size=60), header=st.binary(max_size=40), name=st.sampled_from(list(HEADERS)))
@pytest.mark.asyncio
async def test_no_path_query_or_header_whatever_brings_a_500(segment: str, query: bytes, header: bytes, name: str) -> None:
    app = front(World())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = b"/v1/records/" + segment.encode("utf-8", "surrogatepass")
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": raw, "query_string": query, "client": None}
    await app({**scope, "headers": [(name.lower().encode(), header), (b"authorization", f"Bearer {KEY}".encode())]}, receive, send)
    assert 200 <= sent[0]["status"] <= 499
