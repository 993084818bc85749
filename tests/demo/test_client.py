"""The stranger's client: one-time codes as the RFC has them, and what goes over the wire."""

import json
from collections.abc import Iterator

import pytest

from tests.demo.wire import Wire
from vault.demo.client import Answer, Authenticator, Client, one_time_code, signed_in, token_of

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as opened:
        yield opened


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_one_time_codes_are_those_of_rfc_6238(seconds: int, code: str):
    assert one_time_code(SECRET, seconds // 30) == code


def test_an_authenticator_gives_no_code_twice_and_says_when_it_has_none():
    app = Authenticator(SECRET)
    codes = [app.code(1000.0), app.code(1000.0), app.code(1000.0)]
    assert codes == [one_time_code(SECRET, 33), one_time_code(SECRET, 34), None]
    assert app.code(1060.0) == one_time_code(SECRET, 35)


def test_a_post_carries_key_json_language_and_an_idempotency_key_of_its_own(wire: Wire):
    client = Client(wire.port, "token")
    client.call("POST", "/v1/records", {"name": "نورة"})
    client.call("POST", "/v1/records", {"name": "نورة"})
    client.close()
    first, second = wire.requests
    assert first.headers["authorization"] == "Bearer token"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["accept-language"] == "ar"
    assert json.loads(first.body) == {"name": "نورة"}
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_a_call_without_a_token_carries_no_credential_and_a_get_no_idempotency_key(wire: Wire):
    client = Client(wire.port)
    client.call("GET", "/health/ready")
    client.close()
    assert {"authorization", "idempotency-key", "content-type"}.isdisjoint(wire.requests[0].headers)


def test_a_connection_closed_meanwhile_is_opened_again_with_the_same_idempotency_key(wire: Wire):
    client = Client(wire.port, "token")
    client.call("GET", "/health/ready")
    wire.hang_up_next()
    assert client.call("POST", "/v1/records", {}).status == 200
    client.close()
    keys = [request.headers["idempotency-key"] for request in wire.requests if request.method == "POST"]
    assert len(set(keys)) == 1


def test_a_server_that_hangs_up_twice_is_an_error(wire: Wire):
    client = Client(wire.port, "token")
    wire.hang_up_next(2)
    with pytest.raises(ConnectionError):
        client.call("GET", "/health/ready")
    client.close()


def test_an_answer_that_is_no_json_object_reads_as_an_empty_one():
    assert [Answer(200, {}, body).json for body in (b"", b"[1]", b"{", b'{"a":1}')] == [{}, {}, {}, {"a": 1}]


def test_signing_in_gives_a_token_or_says_why_not(wire: Wire):
    client = Client(wire.port)
    login = {"username": "officer@demo", "password": "p"}
    wire.answer("POST", "/v1/sessions", 201, {"token": "ams_x"})
    assert token_of(signed_in(client, login, Authenticator(SECRET), 1000.0)) == "ams_x"
    assert json.loads(wire.requests[-1].body) == {**login, "code": one_time_code(SECRET, 33)}
    wire.answer("POST", "/v1/sessions", 401, {"code": "unauthenticated"})
    with pytest.raises(ConnectionError, match="401"):
        token_of(signed_in(client, login, Authenticator(SECRET), 1000.0))
    client.close()
