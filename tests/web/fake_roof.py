"""A roof made up for the tests: a few routes of every kind over the real front, and callers with one scope each."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import uvicorn
from prometheus_client import CollectorRegistry

from vault.errors import Conflict, NotFound, Refused, Unavailable
from vault.web import Access, Answer, Body, Call, Form, Needs, Person, Public, Query, Rate, Route, write_id
from vault.web.answer import HTML
from vault.web.app import build
from vault.web.connection import Connection
from vault.web.front import Front
from vault.web.limits import Limits
from vault.web.logs import RequestLog, silence_server
from vault.web.metrics import Metrics
from vault.web.paper import Pages

KEY = "amn_probe_0001_" + "k" * 43
WEAK_KEY = "amn_probe_0002_" + "w" * 43
PAGES = Pages("vault.web")
LEAF = bytes(range(32))
RECORD = "6f1e1a52-3c1b-4a4e-9a53-0d8f5b1f2c3d"
NOW = 1_790_000_000_000_000
STORED = "سارة بنت عبدالله"


class Guardian(Body):
    subject: str
    kind: str


class StoreBody(Body):
    type: str
    fields: dict[str, Any]
    guardian: Guardian | None = None
    size: int = 0


class ApprovalBody(Body):
    code: str | None = None


class ReportBody(Body):
    category: str
    narrative: str
    language: str


class Stored(msgspec.Struct):
    id: str
    revision: int


@dataclass(slots=True)
class Caller:
    scopes: frozenset[str]
    kind: str = "batch"
    person: bool = False


@dataclass(slots=True)
class World:
    """What the fake roof remembers, for the tests to look at."""

    now: int = NOW
    log: BytesIO = field(default_factory=BytesIO)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    calls: list[str] = field(default_factory=list)
    refusals: int = 0
    is_ready: bool = True
    started: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Tell the log's lines, decoded."""
        return [msgspec.json.decode(line) for line in self.log.getvalue().splitlines()]


def routes(world: World) -> list[Route]:  # noqa: C901  # a list of handlers, one after the other, none nested
    """Return one route of each kind."""

    async def store(call: Call) -> Answer:
        world.calls.append("store")
        assert isinstance(call.body, StoreBody)
        return Answer(Stored(RECORD, 1), status=200 if call.idempotency_key == "x" * 16 else None)

    async def listing(call: Call) -> Answer:
        return Answer({"items": [], "limit": call.query["limit"], "after": call.query["after"]})

    async def read(call: Call) -> Answer:
        world.calls.append("read")
        if write_id(call.path_id("record")) != RECORD:
            raise NotFound
        if call.query["purpose"] != "service_delivery":
            raise Refused("NO_CONSENT", article="cooperative:6.1", law="sa-pdpl:5", leaf_hash=LEAF, missing=("scan",))
        return Answer({"id": RECORD, "fields": dict.fromkeys(call.query["fields"], STORED)})

    async def change(call: Call) -> Answer:
        call.path_id("record")
        if call.expected_revision != 7:
            raise Conflict("revision-mismatch")
        return Answer({"id": RECORD, "revision": 8}, headers={"ETag": '"8"'})

    async def approve(call: Call) -> Answer:
        return Answer({"code": call.body.code})

    async def touch(call: Call) -> Answer:
        world.calls.append("touch")
        call.path_id("record")
        return Answer({"behalf": call.on_behalf, "network": call.network, "now": call.now})

    async def declare(call: Call) -> Answer:
        return Answer({"code_length": len(call.path["code"])})

    async def keep(call: Call) -> Answer:
        return Answer({"size": len(call.raw)})

    async def tile(call: Call) -> Answer:
        return Answer(call.path["tile"].encode())

    async def report(call: Call) -> Answer:
        return Answer({"reference": "r"})

    async def boom(call: Call) -> Answer:
        raise KeyError(STORED)

    async def unsayable(call: Call) -> Answer:
        return Answer(object())

    async def splitting(call: Call) -> Answer:
        return Answer({}, headers={"X-Note": "a\r\nSet-Cookie: b"})

    async def uncached(call: Call) -> Answer:
        return Answer({}, headers={"Cache-Control": "public"})

    async def busy(call: Call) -> Answer:
        raise Unavailable("integrity")

    async def page(call: Call) -> Answer:
        return Answer("<p>سياسة</p>")

    async def fill_in(call: Call) -> Answer:
        if call.form.fields.get("note") == "boom":
            raise KeyError(STORED)
        return PAGES.answer("problem.html", call.language, problem=SimpleNamespace(title=repr(call.form.fields), say="", request_id=""))

    async def upload(call: Call) -> Answer:
        seen, sizes = dict(call.form.fields), []
        if call.form.upload is not None:
            async for piece in call.form.upload:
                world.calls.append("piece")
                sizes.append(len(piece))
        return Answer({"before": seen, "after": call.form.fields, "size": sum(sizes), "elsewhere": call.is_from_elsewhere})

    found = {
        "purpose": Query(kind="text", required=True),
        "fields": Query(kind="fields", required=True),
        "action": Query(kind="choice", choices=("use", "contact")),
    }
    paging = {"limit": Query(kind="integer", low=1, high=500, default=50), "after": Query(kind="text")}
    rate = Rate(bucket="reports", burst=5, per_second=1.0)
    return [
        Route(
            method="POST",
            path="/v1/records",
            name="store",
            handler=store,
            access=Needs("store"),
            body=StoreBody,
            answer=Stored,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Store one record.",
        ),
        Route(method="GET", path="/v1/records", name="list", handler=listing, access=Needs("store"), query=paging),
        Route(method="GET", path="/v1/records/{record}", name="read", handler=read, access=Needs("read"), query=found),
        Route(method="PATCH", path="/v1/records/{record}", name="change", handler=change, access=Needs("store"), body=ApprovalBody),
        Route(
            method="POST",
            path="/v1/orders/{order}/approval",
            name="approve",
            handler=approve,
            access=Person("approve"),
            body=ApprovalBody,
            optional_body=True,
        ),
        Route(method="POST", path="/v1/records/{record}/touch", name="touch", handler=touch, access=Needs("store")),
        Route(method="PUT", path="/v1/purposes/{code}", name="declare", handler=declare, access=Needs("store"), body=ApprovalBody),
        Route(
            method="POST",
            path="/v1/evidence",
            name="keep",
            handler=keep,
            access=Needs("store"),
            raw_body=True,
            accepts=("multipart/form-data",),
            max_body=1000,
        ),
        Route(
            method="GET",
            path="/v1/access-log/tile/{tile:path}",
            name="tile",
            handler=tile,
            access=Needs("store"),
            media_type="application/octet-stream",
        ),
        Route(
            method="POST",
            path="/v1/public/{association}/breach-reports",
            name="report",
            handler=report,
            access=Public(),
            body=ReportBody,
            status=201,
            max_body=100_000,
        ),
        Route(method="POST", path="/v1/public/limited", name="limited", handler=report, access=Public(), limit=rate),
        Route(method="GET", path="/v1/boom", name="boom", handler=boom, access=Public()),
        Route(method="GET", path="/v1/unsayable", name="unsayable", handler=unsayable, access=Public()),
        Route(method="GET", path="/v1/splitting", name="splitting", handler=splitting, access=Public()),
        Route(method="GET", path="/v1/uncached", name="uncached", handler=uncached, access=Public()),
        Route(method="GET", path="/v1/busy", name="busy", handler=busy, access=Public()),
        Route(
            method="GET",
            path="/{association}/privacy",
            name="page",
            handler=page,
            access=Public(),
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
        ),
        Route(
            method="POST",
            path="/{association}/form",
            name="form",
            handler=fill_in,
            access=Public(),
            form=Form(fields={"note": 200, "more": 20}),
            max_body=1000,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
        ),
        Route(
            method="POST",
            path="/v1/upload",
            name="upload",
            handler=upload,
            access=Public(),
            form=Form(fields={"note": 200, "more": 20}, file="file"),
            max_body=500_000,
        ),
    ]


def front(world: World, *, extra: Sequence[Route] = (), **more: Any) -> Front:
    """Return the front over the fake routes and those beside them. KEY may do everything a system may, WEAK_KEY nothing."""
    callers = {KEY: Caller(frozenset({"store", "read"})), WEAK_KEY: Caller(frozenset(), kind="a name nobody listed")}

    async def authenticate(token: str | None, _call: Call) -> object | None:
        return callers.get(token) if token else None

    async def out_of_scope(_call: Call) -> Refused:
        world.refusals += 1
        return Refused("OUT_OF_SCOPE", article="cooperative:1", leaf_hash=LEAF)

    def may(caller: object, access: Access) -> bool:
        assert isinstance(caller, Caller)
        match access:
            case Needs(scope):
                return scope in caller.scopes
            case Person(scope):
                return caller.person and scope in caller.scopes
        return True

    async def ready() -> bool:
        return world.is_ready

    return build(
        [*routes(world), *extra],
        authenticate=authenticate,
        out_of_scope=out_of_scope,
        may=may,
        counters=Metrics(world.registry),
        journalist=RequestLog(world.log),
        limits=Limits(lambda: world.now),
        ready=ready,
        clock=lambda: world.now,
        **more,
    )


def client(app: Front) -> httpx.AsyncClient:
    """Return a client that calls the application in this process; an exception that escapes it fails the test."""

    async def turn(_answer: httpx.Response) -> None:
        await asyncio.sleep(0)  # the lines of the log are written at the end of a turn of the loop

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://vault", event_hooks={"response": [turn]})


@contextmanager
def served(app: Front, connection: type[Connection] = Connection) -> Iterator[int]:
    """Serve the application with uvicorn on a loopback port until the block ends."""
    silence_server()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=connection, log_config=None, access_log=False, ws="none", server_header=False, proxy_headers=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server ended at start"
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()
