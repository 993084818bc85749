"""What the front promises of order, access, answers and its own routes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

import vault.web.door
from tests.web.fake_roof import KEY, LEAF, NOW, RECORD, STORED, WEAK_KEY, World, client, front, routes
from vault.errors import FieldError, Invalid
from vault.web import Answer, Call, Public, Route
from vault.web.app import build
from vault.web.limits import Limits
from vault.web.logs import RequestLog
from vault.web.metrics import Metrics

STRONG = {"Authorization": f"Bearer {KEY}"}
WEAK = {"Authorization": f"Bearer {WEAK_KEY}"}


@pytest.mark.asyncio
async def test_a_caller_outside_the_scope_is_refused_with_an_entry_before_the_request_is_judged(
    calls: httpx.AsyncClient, world: World
) -> None:
    answer = await calls.post("/v1/records?nonsense=1", content=b"\xff", headers=WEAK)
    assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")
    assert answer.json()["entry"] == {"leaf_hash": LEAF.hex()}
    assert (world.refusals, world.calls) == (1, [])


@pytest.mark.asyncio
async def test_a_client_is_not_a_person(calls: httpx.AsyncClient) -> None:
    assert (await calls.post("/v1/orders/1/approval", headers=STRONG)).status_code == 403


@pytest.mark.asyncio
async def test_a_query_is_judged_before_a_body(calls: httpx.AsyncClient) -> None:
    answer = await calls.post("/v1/records?x=1", content=b"\xff", headers=STRONG)
    assert answer.json()["code"] == "unknown-parameter"


@pytest.mark.asyncio
async def test_a_credential_on_a_public_route_is_not_looked_at(calls: httpx.AsyncClient) -> None:
    assert (await calls.get("/health/live", headers={"Authorization": "Basic YTpi"})).status_code == 200


@pytest.mark.asyncio
async def test_a_verdict_is_told_with_its_article_its_law_and_its_entry(calls: httpx.AsyncClient) -> None:
    answer = await calls.get(f"/v1/records/{RECORD}?purpose=sms_offers&fields=a,b", headers={**STRONG, "Accept-Language": "en"})
    assert answer.status_code == 403
    told = answer.json()
    assert told.pop("request_id")
    assert told == {
        "type": "urn:amanah:problem:no-consent",
        "title": "No consent",
        "status": 403,
        "code": "no-consent",
        "say": "The person has not agreed to this purpose, so the data is not used for it until they do.",
        "article": "cooperative:6.1",
        "law": "sa-pdpl:5",
        "missing": ["scan"],
        "entry": {"leaf_hash": LEAF.hex()},
    }


@pytest.mark.asyncio
async def test_what_no_verdict_made_cites_nothing(calls: httpx.AsyncClient) -> None:
    told = (await calls.get(f"/v1/records/{RECORD.replace('6', '7')}?purpose=p&fields=a", headers=STRONG)).json()
    assert set(told) == {"type", "title", "status", "code", "request_id", "say"}


@pytest.mark.asyncio
async def test_arabic_is_spoken_unless_english_is_preferred(calls: httpx.AsyncClient) -> None:
    assert (await calls.get("/nothing")).json()["title"] == "غير موجود"
    assert (await calls.get("/nothing", headers={"Accept-Language": "fr, en;q=0.8, ar;q=0.2"})).json()["title"] == "Not found"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/boom", "/v1/unsayable", "/v1/splitting", "/v1/uncached"])
async def test_what_nobody_foresaw_is_an_empty_500_and_a_line_with_its_place(calls: httpx.AsyncClient, world: World, path: str) -> None:
    answer = await calls.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert STORED not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    failure = next(line for line in world.lines if line["event"] == "failure")
    assert failure["request_id"] == answer.json()["request_id"]
    assert failure["error"] in ("KeyError", "TypeError", "ValueError")
    assert failure["at"].rpartition(":")[2].isdigit()
    assert STORED not in world.log.getvalue().decode()


@pytest.mark.asyncio
async def test_a_vault_that_cannot_says_when_to_try_again(calls: httpx.AsyncClient) -> None:
    answer = await calls.get("/v1/busy")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "integrity", "2")


@pytest.mark.asyncio
async def test_a_limited_route_says_when_to_try_again_and_refills(calls: httpx.AsyncClient, world: World) -> None:
    statuses = [(await calls.post("/v1/public/limited")).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    answer = await calls.post("/v1/public/limited")
    assert answer.headers["retry-after"] == "1"
    world.now += 1_000_000
    assert (await calls.post("/v1/public/limited")).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("near", ["2001:db8:0:1::{}", "192.0.2.{}", "::ffff:192.0.2.{}"])
async def test_changing_the_address_inside_ones_own_network_is_no_way_around_a_limit(world: World, near: str) -> None:
    async with client(front(world, trusted_proxies=("127.0.0.0/8",))) as proxied:

        async def ask(address: str) -> int:
            return (await proxied.post("/v1/public/limited", headers={"X-Forwarded-For": address})).status_code

        assert [await ask(near.format(each)) for each in range(1, 7)] == [200] * 5 + [429]
        assert [await ask(each) for each in ("2001:db8:0:2::1", "192.0.3.1")] == [200, 200]


@pytest.mark.asyncio
async def test_ready_follows_the_vault(calls: httpx.AsyncClient, world: World) -> None:
    assert (await calls.get("/health/ready")).json() == {"status": "ready"}
    world.is_ready = False
    assert (await calls.get("/health/ready")).status_code == 503
    assert (await calls.get("/health/live")).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "", 200),
        (b"{}", "application/json", 200),
        (b" { } ", "application/json", 200),
        (b"{}", "text/plain", 415),
        (b'{"a":1}', "application/json", 400),
        (b"x", "application/json", 400),
    ],
)
async def test_a_route_without_a_body_takes_an_empty_one(calls: httpx.AsyncClient, content: bytes, kind: str, status: int) -> None:
    answer = await calls.post(f"/v1/records/{RECORD}/touch", content=content, headers={**STRONG, "Content-Type": kind})
    assert answer.status_code == status


@pytest.mark.asyncio
async def test_an_optional_body_may_be_absent_and_is_judged_when_it_is_there() -> None:
    world = World()
    opened = [
        Route(method=r.method, path=r.path, name=r.name, handler=r.handler, access=Public(), body=r.body, optional_body=True)
        for r in routes(world)
        if r.name == "approve"
    ]
    async with client(_built(opened)) as calls:
        assert (await calls.post("/v1/orders/1/approval")).json() == {"code": None}
        assert (await calls.post("/v1/orders/1/approval", json={"code": "1"})).json() == {"code": "1"}
        assert (await calls.post("/v1/orders/1/approval", content=b"{}")).status_code == 415
        assert (await calls.post("/v1/orders/1/approval", json={"kode": "1"})).status_code == 422


@pytest.mark.asyncio
async def test_a_raw_body_is_the_controllers_up_to_its_own_limit(calls: httpx.AsyncClient) -> None:
    more = {**STRONG, "Content-Type": "multipart/form-data; boundary=x"}
    assert (await calls.post("/v1/evidence", content=b"\xff" * 1000, headers=more)).json() == {"size": 1000}
    assert (await calls.post("/v1/evidence", content=b"\xff" * 1001, headers=more)).status_code == 413


@pytest.mark.asyncio
async def test_a_body_in_pieces_is_refused_as_soon_as_it_is_too_large(calls: httpx.AsyncClient) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield b"x" * 65536

    answer = await calls.post("/v1/public/probe/breach-reports", content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert sent < 10


@pytest.mark.asyncio
async def test_a_body_that_stalls_is_told_so_and_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault.web.door, "BODY_SECONDS", 0.01)
    never, sent = asyncio.Event(), []

    async def receive() -> Any:
        await never.wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/public/a/breach-reports", "query_string": b"", "client": ("127.0.0.1", 1)}
    await front(World())({**scope, "headers": [(b"content-length", b"5")]}, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.asyncio
@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 30])
async def test_a_length_that_is_none_is_malformed(calls: httpx.AsyncClient, length: str) -> None:
    sent = {"Content-Type": "application/json", "Content-Length": length}
    answer = await calls.post("/v1/public/probe/breach-reports", content=b"{}", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.asyncio
async def test_a_client_that_hangs_up_is_not_answered() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/public/a/breach-reports", "query_string": b"", "client": ("127.0.0.1", 1)}
    await front(World())({**scope, "headers": [(b"content-length", b"5")]}, receive, send)
    assert sent == []


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/busy"])
async def test_a_client_that_hangs_up_on_a_body_nobody_reads_is_not_answered(world: World, path: str) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": ("127.0.0.1", 1)}
    await front(world)({**scope, "headers": [(b"transfer-encoding", b"chunked")]}, receive, send)
    assert (sent, world.lines) == ([], [])


@pytest.mark.asyncio
async def test_an_answer_that_breaks_on_its_way_out_is_a_line_and_no_second_answer(world: World) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            raise RuntimeError(STORED)

    scope: Any = {"type": "http", "method": "GET", "path": "/health/live", "query_string": b"", "client": None, "headers": []}
    await front(world)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert [line["event"] for line in world.lines] == ["failure"]
    assert STORED not in world.log.getvalue().decode()


@pytest.mark.asyncio
async def test_a_web_socket_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await front(World())({"type": "websocket", "path": "/v1/records"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.asyncio
async def test_a_page_a_tile_and_a_record_keep_their_media_types(calls: httpx.AsyncClient) -> None:
    assert (await calls.get("/probe/privacy")).headers["content-type"] == "text/html; charset=utf-8"
    tile = await calls.get("/v1/access-log/tile/0/x001/067", headers=STRONG)
    assert (tile.headers["content-type"], tile.content) == ("application/octet-stream", b"0/x001/067")
    read = await calls.get(f"/v1/records/{RECORD}?purpose=service_delivery&fields=full_name", headers=STRONG)
    assert (read.headers["content-type"], read.json()["fields"]) == ("application/json", {"full_name": STORED})


@pytest.mark.asyncio
async def test_a_revision_is_asked_for_and_compared(calls: httpx.AsyncClient) -> None:
    def ask(**more: str) -> Any:
        return calls.patch(f"/v1/records/{RECORD}", json={}, headers={**STRONG, **more})

    assert [(await ask()).status_code, (await ask(**{"If-Match": '"6"'})).status_code, (await ask(**{"If-Match": '"7"'})).status_code] == [
        428,
        412,
        200,
    ]
    assert (await ask(**{"If-Match": '"7"'})).headers["etag"] == '"8"'


@pytest.mark.asyncio
async def test_a_proxy_is_believed_only_when_it_is_named() -> None:
    more = {**STRONG, "X-Forwarded-For": "198.51.100.9, 203.0.113.7"}
    for proxies, network in (([], "127.0.0.1"), (["127.0.0.0/8"], "203.0.113.7"), (["10.0.0.0/8"], "127.0.0.1")):
        async with client(front(World(), trusted_proxies=proxies)) as calls:
            told = (await calls.post(f"/v1/records/{RECORD}/touch", headers=more)).json()
            assert (told["network"], told["now"]) == (network, NOW)


@pytest.mark.asyncio
async def test_the_lifespan_is_entered_in_order_and_left_in_reverse() -> None:
    seen: list[str] = []

    def held(name: str) -> Any:
        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            seen.append(name)
            yield
            seen.append("-" + name)

        return lifespan

    messages = await _lifespan(front(World(), lifespan=[held("a"), held("b")]))
    assert (seen, [each["type"] for each in messages]) == (
        ["a", "b", "-b", "-a"],
        ["lifespan.startup.complete", "lifespan.shutdown.complete"],
    )


@pytest.mark.asyncio
async def test_a_failed_start_does_not_print_what_failed() -> None:
    world = World()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        if world.is_ready:
            raise OSError("postgresql://user:password@database")
        yield

    messages: list[Any] = []
    with pytest.raises(ExceptionGroup):
        await _lifespan(front(world, lifespan=[lifespan]), messages)
    assert messages == [{"type": "lifespan.startup.failed"}]
    assert [line["error"] for line in world.lines] == ["OSError"]
    assert b"password" not in world.log.getvalue()


def test_two_routes_on_one_path_are_refused_at_build() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        _built([*routes(World()), *routes(World())])


@pytest.mark.asyncio
async def test_errors_of_a_controller_name_fields_and_codes() -> None:
    async def handler(_call: Call) -> Answer:
        raise Invalid([FieldError("fields.national_id", "check-digit")])

    async with client(_built([Route(method="GET", path="/v1/x", name="x", handler=handler, access=Public())])) as calls:
        answer = await calls.get("/v1/x")
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "fields.national_id", "code": "check-digit"}])


@pytest.mark.asyncio
async def test_the_schema_is_public_and_names_the_routes(calls: httpx.AsyncClient) -> None:
    told = (await calls.get("/schema/openapi.json")).json()
    assert {"/v1/records/{record}", "/v1/access-log/tile/{tile}", "/health/ready", "/schema/openapi.json"} <= set(told["paths"])
    assert json.dumps(told)


def _built(given: list[Route]) -> Any:
    async def nobody(_token: str | None, _call: Call) -> object | None:
        return None

    async def out_of_scope(_call: Call) -> Any:
        raise AssertionError

    async def ready() -> bool:
        return True

    world = World()
    return build(
        given,
        authenticate=nobody,
        out_of_scope=out_of_scope,
        may=lambda _caller, _access: False,
        counters=Metrics(world.registry),
        journalist=RequestLog(world.log),
        limits=Limits(lambda: NOW),
        ready=ready,
        clock=lambda: NOW,
    )


async def _lifespan(app: Any, messages: list[Any] | None = None) -> list[Any]:
    messages = [] if messages is None else messages
    wanted = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return wanted.pop(0)

    async def send(message: Any) -> None:
        messages.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return messages
