"""Routes, times, languages, networks, limits, answers: small tables, each of which once would have been wrong."""

import asyncio
import threading
from io import BytesIO
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from tests.web.fake_roof import KEY, NOW, RECORD, World, client, front, routes
from vault.errors import Conflict, Malformed, NotFound, TooMany, Unauthenticated
from vault.web import Answer, Body, Call, Needs, Person, Public, Query, Route, parse_id, write_id
from vault.web.answer import HTML, JSON, OCTETS, TEXT
from vault.web.call import preferred_language
from vault.web.limits import Limits
from vault.web.logs import ALLOWED, RequestLog, keep_allowed, raised_at
from vault.web.metrics import Metrics, MetricsServer
from vault.web.openapi import describe
from vault.web.receiving import COOKIE, bearer_token, client_network, parse_networks, read_body, session_cookie
from vault.web.times import parse_time, write_time


async def nothing(_call: Call) -> Answer:
    return Answer()


class Open(msgspec.Struct):
    a: int


class Outer(Body):
    inner: list[Open] | None = None


class Plain(Body):
    a: str


class Twin(Body, frozen=True):
    inner: "dict[str, Twin] | None" = None


def route(**over: Any) -> Route:
    return Route(**{"method": "GET", "path": "/v1/x", "name": "x", "handler": nothing, "access": Public(), **over})


def call(*headers: tuple[bytes, bytes]) -> Call:
    return Call(route(), "r", NOW, headers)


# Routes


@pytest.mark.parametrize(
    "over",
    [
        {"method": "HEAD"},
        {"path": "v1"},
        {"path": "/v1/"},
        {"path": "/v1/{a"},
        {"path": "/{a:path}/x"},
        {"name": ""},
        {"headers": frozenset({"Cookie"})},
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(over: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(route|x)"):
        route(**over)


def test_a_body_that_takes_unknown_members_is_refused_all_the_way_down() -> None:
    with pytest.raises(TypeError, match="Open takes unknown members"):
        route(method="POST", body=Outer)
    assert route(method="POST", body=Twin).body is Twin


def test_a_body_is_immutable_however_it_was_declared() -> None:
    for body in (Plain("x"), Twin()):
        with pytest.raises(AttributeError):
            body.a = "y"  # type: ignore[misc, union-attr]


def test_a_body_is_parsed_or_raw() -> None:
    with pytest.raises(ValueError, match="only one"):
        route(method="POST", body=Twin, raw_body=True)


@pytest.mark.parametrize(("access", "label"), [(Public(), "public"), (Needs("a"), "needs:a"), (Person("a"), "person:a")])
def test_every_access_class_has_a_label(access: Any, label: str) -> None:
    assert access.label == label


# Ids and times


@given(st.binary(min_size=16, max_size=16))
def test_an_id_is_read_as_it_is_written(value: bytes) -> None:
    assert parse_id(write_id(value)) == value


@pytest.mark.parametrize(
    "text", ["", "x", RECORD.upper(), RECORD.replace("-", ""), "{" + RECORD + "}", RECORD + "\n", " " + RECORD, "٦" + RECORD[1:]]
)
def test_any_other_text_is_an_id_of_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        parse_id(text)


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_a_time_is_read_as_it_is_written(value: int) -> None:
    assert parse_time(write_time(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.000001z", 1),
        ("1969-12-31T23:59:59.9Z", -100_000),
        ("١٩٧٠-٠١-٠١T٠٠:٠٠:٠١+00:00", 1_000_000),
    ],
)
def test_times_are_utc_in_microseconds(text: str, value: int) -> None:
    assert parse_time(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+03:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-01-01T00:00:00.1234567Z",
    ],
)
def test_any_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="no ") as refused:
        parse_time(text)
    assert refused.value.__cause__ is None


# Headers


@pytest.mark.parametrize(
    ("value", "language"),
    [
        *(
            (b"", "ar"),
            (b"en", "en"),
            (b"EN-gb", "en"),
            (b"ar-SA,en;q=0.9", "ar"),
            (b"ar;q=0.5,en;q=0.9", "en"),
            (b"fr,de", "ar"),
            (b"*", "ar"),
        ),
        *(
            (b"en;q=0", "ar"),
            (b"ar;q=9e999,en;q=0.1", "en"),
            (b"en;q=x", "ar"),
            (b"\xff", "ar"),
            (b",", "ar"),
            (b"en" + b"," * 300, "ar"),
            (b"en, ar", "en"),
        ),
    ],
)
def test_the_language_is_arabic_unless_english_is_preferred(value: bytes, language: str) -> None:
    assert preferred_language([(b"accept-language", value)]) == language


@pytest.mark.parametrize(("value", "revision"), [(b'"0"', 0), (b'"7"', 7), (b'"' + b"9" * 18 + b'"', 10**18 - 1)])
def test_a_revision_is_digits_in_quotes(value: bytes, revision: int) -> None:
    assert call((b"if-match", value)).expected_revision == revision


@pytest.mark.parametrize("value", [b"", b"*", b"7", b'W/"7"', b'"7", "8"', b'"-1"', b'"' + b"9" * 400 + b'"', b"\xff", b'" 7"'])
def test_any_other_if_match_is_a_mismatch(value: bytes) -> None:
    with pytest.raises(Conflict) as refused:
        assert call((b"if-match", value)).if_match
    assert refused.value.code == "revision-mismatch"


def test_without_if_match_there_is_no_revision() -> None:
    assert call().if_match is None
    with pytest.raises(Conflict) as refused:
        assert call().expected_revision
    assert refused.value.code == "revision-required"
    with pytest.raises(Conflict):
        assert call((b"if-match", b'"7"'), (b"if-match", b'"7"')).if_match


@pytest.mark.parametrize("value", [b"", b"x" * 15, b"x" * 201, b"x" * 15 + b" ", b"x" * 15 + b"\xff"])
def test_an_idempotency_key_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        assert call((b"idempotency-key", value)).idempotency_key
    assert refused.value.code == "idempotency-key"


def test_an_idempotency_key_comes_once() -> None:
    assert call((b"idempotency-key", b"x" * 16)).idempotency_key == "x" * 16
    assert call().idempotency_key is None
    with pytest.raises(Malformed):
        assert call(*[(b"idempotency-key", b"x" * 16)] * 2).idempotency_key


def test_the_person_at_the_screen_is_named_once() -> None:
    assert call((b"amanah-on-behalf-of", RECORD.encode())).on_behalf == RECORD
    assert call().on_behalf is None
    for bad in ([b""], [b"\xff"], [b"x" * 101], [b"a b"], [b"a", b"a"]):
        with pytest.raises(Malformed):
            assert call(*[(b"amanah-on-behalf-of", each) for each in bad]).on_behalf


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Bearer  x", b"bearer x", b"Bearer x y", b"Basic x", b"Bearer \xff", b"Bearer " + b"x" * 513]
)
def test_a_credential_of_another_form_is_none(value: bytes) -> None:
    with pytest.raises(Unauthenticated):
        bearer_token([(b"authorization", value)])


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], None),
        ([f"{COOKIE}=ams_first_1"], "ams_first_1"),
        ([f"a=b; {COOKIE}=ams_first_1;c=d"], "ams_first_1"),
        (["a=b", f"{COOKIE}=ams_first_1"], "ams_first_1"),
        ([f"{COOKIE}=ams_first_1", f"{COOKIE}=ams_first_1"], None),
        ([f"{COOKIE}=amn_first_1"], None),
        ([f"{COOKIE}=ams_first_1 "], "ams_first_1"),
        ([f'{COOKIE}="ams_first_1"'], None),
        ([f"x{COOKIE}=ams_first_1"], None),
        ([f"{COOKIE}=ams_{'x' * 201}"], None),
    ],
)
def test_one_well_formed_cookie_of_the_name_is_a_session(sent: list[str], found: str | None) -> None:
    assert session_cookie([(b"cookie", each.encode()) for each in sent]) == found


@pytest.mark.parametrize(
    "over",
    [{"path": "/v1/x", "media_type": HTML}, {"path": "/x"}, {"path": "/x", "media_type": HTML, "access": Public()}],
)
def test_a_session_by_cookie_counts_for_pages_only(over: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="pages only"):
        route(**{"access": Needs("x"), "sign_in": "/in", **over})
    assert route(path="/x", media_type=HTML, access=Needs("x"), sign_in="/in").sign_in == "/in"


def test_one_bearer_token_is_a_credential() -> None:
    assert bearer_token([(b"authorization", b"Bearer " + b"x" * 512)]) == "x" * 512
    assert bearer_token([]) is None
    with pytest.raises(Unauthenticated):
        bearer_token([(b"authorization", b"Bearer x"), (b"authorization", b"Bearer x")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("10.0.0.1", [b"1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", [b"9.9.9.9, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", [b"9.9.9.9", b"1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", [b"1.2.3.4, junk"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"10.0.0.3"], "10.0.0.3"),
        ("5.5.5.5", [b"1.2.3.4"], "5.5.5.5"),
        ("", [b"1.2.3.4"], ""),
        ("10.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
    ],
)
def test_the_network_is_what_a_trusted_hop_saw(peer: str, forwarded: list[bytes], network: str) -> None:
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    assert client_network(peer, headers, parse_networks(["10.0.0.0/8"])) == network
    assert client_network(peer, headers, ()) == peer


@pytest.mark.asyncio
async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def receive() -> Any:
        await never.wait()

    never = asyncio.Event()
    with pytest.raises(Malformed) as refused:
        await read_body(receive, [], 10, 0.01)
    assert refused.value.code == "too-slow"


# Limits


def test_a_bucket_gives_its_burst_and_refills() -> None:
    now = [NOW]
    limits = Limits(lambda: now[0])
    for _ in range(3):
        limits.take("login", "a", 3, 0.5)
    with pytest.raises(TooMany) as refused:
        limits.take("login", "a", 3, 0.5)
    assert refused.value.retry_after == 2
    limits.take("login", "b", 3, 0.5)
    limits.take("search", "a", 3, 0.5)
    now[0] += 2_000_000
    limits.take("login", "a", 3, 0.5)
    with pytest.raises(TooMany):
        limits.take("login", "a", 3, 0.5)


def test_knocking_while_empty_does_not_push_the_refill_away() -> None:
    now = [NOW]
    limits = Limits(lambda: now[0])
    limits.take("x", "a", 1, 1.0)
    for _ in range(10):
        with pytest.raises(TooMany):
            limits.take("x", "a", 1, 1.0)
        now[0] += 99_999
    now[0] += 11
    limits.take("x", "a", 1, 1.0)


def test_a_clock_set_back_gives_nothing_away() -> None:
    now = [NOW]
    limits = Limits(lambda: now[0])
    limits.take("x", "a", 1, 1.0)
    now[0] -= 3_600_000_000
    with pytest.raises(TooMany):
        limits.take("x", "a", 1, 1.0)
    now[0] += 3_600_500_000
    with pytest.raises(TooMany):
        limits.take("x", "a", 1, 1.0)
    now[0] += 500_000
    limits.take("x", "a", 1, 1.0)


def test_the_longest_idle_key_is_forgotten_first() -> None:
    limits = Limits(lambda: NOW, max_keys=2)
    for key in ("a", "b", "c"):
        limits.take("x", key, 1, 1.0)
    limits.take("x", "a", 1, 1.0)
    with pytest.raises(TooMany):
        limits.take("x", "c", 1, 1.0)


def test_who_knocks_while_empty_is_not_idle_and_is_not_forgotten_for_others() -> None:
    limits = Limits(lambda: NOW, max_keys=3)
    limits.take("x", "knocks", 1, 1.0)
    for key in range(10):
        with pytest.raises(TooMany):
            limits.take("x", "knocks", 1, 1.0)
        limits.take("x", str(key), 1, 1.0)


# Answers


@pytest.mark.parametrize(
    ("body", "declared", "content", "kind"),
    [
        (None, JSON, b"", JSON),
        ({"a": "س"}, JSON, '{"a":"س"}'.encode(), JSON),
        ("x", JSON, b"x", TEXT),
        (b"\xff", JSON, b"\xff", OCTETS),
        ("<p>", HTML, b"<p>", HTML),
        (b"x", OCTETS, b"x", OCTETS),
        (Open(1), JSON, b'{"a":1}', JSON),
    ],
)
def test_an_answer_is_written_as_its_kind(body: Any, declared: str, content: bytes, kind: str) -> None:
    answer = Answer(body)
    assert (answer.content(), answer.content_type(declared)) == (content, kind)
    assert Answer(body, media_type="a/b").content_type(declared) == "a/b"


# Logs and metrics


@pytest.mark.asyncio
async def test_a_line_tells_the_template_and_nothing_of_the_request() -> None:
    world = World()
    async with client(front(world)) as calls:
        await calls.get(
            f"/v1/records/{RECORD}?purpose=sms_offers&fields=iban", headers={"Authorization": f"Bearer {KEY}", "User-Agent": "canary"}
        )
        await calls.get("/canary")
        await calls.post("/v1/records")
    lines = world.lines
    assert [set(line) <= set(ALLOWED) for line in lines] == [True] * 3
    assert [(line["method"], line["route"], line["status"], line["caller"]) for line in lines] == [
        ("GET", "/v1/records/{record}", 403, "batch"),
        ("OTHER", "", 404, "none"),
        ("POST", "/v1/records", 401, "none"),
    ]
    told = world.log.getvalue().decode()
    assert not [word for word in (RECORD, "sms_offers", "iban", "canary", KEY, "127.0.0.1") if word in told]
    assert lines[0]["time"] == write_time(NOW)
    assert len({line["request_id"] for line in lines}) == 3


class Written(BytesIO):
    """A stream that counts how often it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, content: Any) -> int:
        self.writes += 1
        return super().write(content)


def answered(log: RequestLog, request: str) -> None:
    log.answered(now=NOW, request_id=request, method="GET", route="/v1/x", status=200, seconds=0.002, caller="none")


@pytest.mark.asyncio
async def test_the_answers_of_one_turn_of_the_loop_go_out_in_one_write_and_a_failure_at_once() -> None:
    stream = Written()
    log = RequestLog(stream)
    for request in ("a", "b", "c"):
        answered(log, request)
    assert stream.writes == 0
    await asyncio.sleep(0)
    assert (stream.writes, [line["request_id"] for line in told(stream)]) == (1, ["a", "b", "c"])
    answered(log, "d")
    log.failed(NOW, "e", KeyError("x"))
    assert [line["request_id"] for line in told(stream)][3:] == ["d", "e"]
    await asyncio.sleep(0)
    assert stream.writes == 2


def told(stream: BytesIO) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def test_an_answer_outside_a_loop_is_a_line_at_once() -> None:
    stream = Written()
    answered(RequestLog(stream), "a")
    assert [(line["took"], line["time"]) for line in told(stream)] == [("<5ms", write_time(NOW))]


def test_a_key_that_is_not_listed_is_not_written() -> None:
    assert keep_allowed(None, "", {"path": "/x", "event": "answer", "body": "x", "status": 1}) == {"event": "answer", "status": 1}


def test_a_log_that_cannot_be_written_costs_nobody_an_answer() -> None:
    stream = BytesIO()
    log = RequestLog(stream)
    stream.close()
    log.failed(NOW, "r", KeyError("x"))
    assert log.lost == 1


def test_the_place_of_an_exception_is_ours_where_it_can_be() -> None:
    with pytest.raises(NotFound) as raised:
        parse_id("x")
    assert raised_at(raised.value.__traceback__).startswith("vault.web.call:")
    assert raised_at(None) == ""


def test_metrics_are_on_a_loopback_port_and_only_there() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.seen("/v1/records/{record}", "GET", 200, 0.002)
    metrics.seen("/v1/records/{record}", "GET", 200, 0.002)
    server = MetricsServer(metrics.registry, 0)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as ask:
            told = ask.get("/metrics")
            assert told.status_code == 200
            assert 'amanah_http_answers_total{method="GET",route="/v1/records/{record}",status="200"} 2.0' in told.text
            for other in (
                ask.get("/"),
                ask.get("/metrics/x"),
                ask.get("/metrics?name[]=x"),
                ask.post("/metrics"),
                ask.request("ECHO", "/metrics"),
            ):
                assert (other.status_code in (404, 501), other.content) == (True, b"")
    finally:
        server.close()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.asyncio
async def test_a_strangers_method_or_path_makes_no_label() -> None:
    world = World()
    async with client(front(world)) as calls:
        for path in ("/canary1", "/canary2"):
            await calls.request("CANARY", path)
        await calls.request("CANARY", "/v1/records")
    samples = [sample for family in world.registry.collect() for sample in family.samples if sample.name == "amanah_http_answers_total"]
    assert [(sample.labels["route"], sample.labels["method"], sample.labels["status"], sample.value) for sample in samples] == [
        ("", "ANY", "404", 2.0),
        ("", "ANY", "405", 1.0),
    ]


# OpenAPI


def test_the_file_tells_what_is_enforced_and_is_the_same_every_time() -> None:
    told = describe(routes(World()), title="t", version="1")
    assert told == describe(list(reversed(routes(World()))), title="t", version="1")
    document = msgspec.json.decode(told)
    store = document["paths"]["/v1/records"]["post"]
    assert store["x-access"] == "needs:store"
    assert store["security"] == [{"bearer": []}]
    assert store["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StoreBody"}}},
    }
    assert document["components"]["schemas"]["StoreBody"]["additionalProperties"] is False
    assert store["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Stored"}
    assert store["responses"]["default"]["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert [each["name"] for each in store["parameters"]] == ["Idempotency-Key"]
    listing = document["paths"]["/v1/records"]["get"]["parameters"]
    assert listing[0] == {
        "name": "limit",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    }
    assert document["paths"]["/v1/evidence"]["post"]["requestBody"]["content"] == {"multipart/form-data": {}}
    assert document["paths"]["/v1/public/{association}/breach-reports"]["post"]["security"] == []


@pytest.mark.parametrize(
    ("query", "schema"),
    [
        (Query(kind="id"), {"type": "string", "format": "uuid"}),
        (Query(kind="time"), {"type": "string", "format": "date-time"}),
        (Query(kind="choice", choices=("a",)), {"type": "string", "enum": ["a"]}),
        (Query(kind="integer"), {"type": "integer"}),
        (Query(kind="text", high=9), {"type": "string", "minLength": 1, "maxLength": 9}),
    ],
)
def test_each_kind_of_parameter_has_its_schema(query: Query, schema: dict[str, Any]) -> None:
    document = msgspec.json.decode(describe([route(query={"q": query})], title="t", version="1"))
    assert document["paths"]["/v1/x"]["get"]["parameters"][0]["schema"] == schema
