"""Raw bytes against a real uvicorn on loopback: what a well-behaved client cannot send."""

import json
import logging
import socket
from collections.abc import Iterator

import pytest

import vault.web.front
from tests.web.fake_roof import KEY, RECORD, World, front, served

ECHO = b"ECHO482913CANARY"
AUTH = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def port(world: World) -> Iterator[int]:
    with served(front(world)) as given:
        yield given


def ask(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to raw bytes; the connection ends after it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(request)
        received = b""
        while part := line.recv(65536):
            received += part
    top, _, body = received.partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, _, v in (each.partition(": ") for each in rest)}, body


def request(method: bytes, target: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"%s %s HTTP/1.1\r\nHost: vault\r\nConnection: close\r\n%s\r\n%s" % (method, target, b"".join(headers), body)


@pytest.mark.parametrize(
    "target",
    [
        *(
            b"/v1/records/%00",
            b"/v1/records/%ff",
            b"/v1/records/%ED%A0%80",
            b"/v1/records/" + b"a" * 8000,
            b"//v1/records",
            b"/v1//records",
        ),
        *(
            b"/../../etc/passwd",
            b"/v1/records/..%2f..%2fetc%2fpasswd",
            b"/v1/records/%0d%0aX:%20y",
            b"/%",
            b"/v1/records/\xff\xfe",
            b"/" + ECHO,
        ),
    ],
)
def test_no_path_breaks_the_door(port: int, target: bytes) -> None:
    status, headers, body = ask(port, request(b"GET", target + b"?purpose=p&fields=a", AUTH))
    assert status in (400, 404)
    assert ECHO not in body
    if headers.get("content-type") == "application/problem+json":  # else the HTTP server itself would not read it
        assert headers["cache-control"] == "no-store"
        assert json.loads(body)["code"] == "not-found"


@pytest.mark.parametrize(
    "name", [b"If-Match", b"Idempotency-Key", b"Accept-Language", b"Accept", b"Amanah-On-Behalf-Of", b"Cookie", b"X-Forwarded-For"]
)
@pytest.mark.parametrize("value", [b"", b"\xff\xfe\x80", ECHO, b"x" * 20_000])
def test_no_header_breaks_the_door(port: int, name: bytes, value: bytes) -> None:
    status, _headers, body = ask(
        port,
        request(
            b"PATCH", b"/v1/records/" + RECORD.encode(), AUTH, JSON, name + b": " + value + b"\r\n", b"Content-Length: 2\r\n", body=b"{}"
        ),
    )
    assert status in (400, 412, 428)
    assert ECHO not in body


def test_a_strange_credential_is_401(port: int) -> None:
    status, headers, _body = ask(port, request(b"GET", b"/v1/records", b"Authorization: Bearer \xff' OR 1=1\r\n"))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("length", [b"-1", b"x", b"5, 5"])
def test_a_length_that_is_none_is_refused(port: int, length: bytes) -> None:
    status, _headers, _body = ask(port, request(b"POST", b"/v1/records", AUTH, JSON, b"Content-Length: " + length + b"\r\n", body=b"{}"))
    assert status == 400


def test_twelve_megabytes_are_refused_by_their_length_and_by_their_pieces(port: int) -> None:
    target = b"/v1/public/probe/breach-reports"
    whole = request(b"POST", target, JSON, b"Content-Length: 12000000\r\n")
    status, _headers, body = ask(port, whole)  # the length alone is enough: not a byte of it need come
    assert (status, json.loads(body)["code"]) == (413, "too-large")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    whole = b"POST " + target + b" HTTP/1.1\r\nHost: vault\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 183 + b"0\r\n\r\n"
    status, _headers, rest = ask(port, whole + request(b"GET", b"/health/live"))
    assert status == 413
    assert b'"code":"too-large"' in rest
    assert rest.count(b"HTTP/1.1 200 OK") == 1  # the door stays open


@pytest.mark.parametrize(
    ("method", "target"), [(b"POST", b"/v1/nothing"), (b"GET", b"/v1//x"), (b"PUT", b"/v1/boom"), (b"GET", b"/v1/busy")]
)
def test_a_body_is_weighed_where_nothing_reads_it(port: int, method: bytes, target: bytes) -> None:
    status, _headers, body = ask(port, request(method, target, b"Content-Length: 12000000\r\n"))
    assert (status, json.loads(body)["code"]) == (413, "too-large")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for pieces, expected in ((183, (413,)), (3, (404, 405, 503))):
        chunked = b"%s %s HTTP/1.1\r\nHost: vault\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % (method, target, piece * pieces)
        status, _headers, rest = ask(port, chunked + request(b"GET", b"/health/live"))
        assert status in expected
        assert rest.count(b"HTTP/1.1 200 OK") == 1  # the door stays open
    assert ask(port, request(method, target, b"Content-Length: 5\r\n", body=b"12345"))[0] in (404, 405, 503)


def test_a_body_that_stalls_where_nothing_is_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault.web.front, "STRAY_BODY_SECONDS", 0.05)
    stalled = b"POST /v1/nothing HTTP/1.1\r\nHost: vault\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
    status, headers, body = ask(port, stalled)
    assert (status, headers["connection"], json.loads(body)["code"]) == (408, "close", "too-slow")


def test_a_connection_lives_on_after_a_refusal(port: int) -> None:
    bad = b"POST /v1/records HTTP/1.1\r\nHost: vault\r\n" + JSON + b"Content-Length: 4\r\n\r\n\xff\xff\xff\xff"
    status, _headers, rest = ask(port, bad + request(b"GET", b"/health/live"))
    assert status == 401
    assert rest.count(b"HTTP/1.1 200 OK") == 1


def test_an_upgrade_to_a_web_socket_is_no_door(port: int) -> None:
    upgrade = b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    status, _headers, _body = ask(port, request(b"GET", b"/v1/records", upgrade))
    assert status in (400, 401, 403, 426)


def test_the_server_says_nothing_of_what_came(port: int, world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(port, request(b"GET", b"/v1/" + ECHO + b"?x=" + ECHO, b"X-Note: " + ECHO + b"\r\n"))
        ask(port, request(b"GET", b"/v1/boom?x=" + ECHO))
    told = world.log.getvalue() + caplog.text.encode()
    assert ECHO not in told
    assert b"127.0.0.1" not in told
    assert b"Traceback" not in told
