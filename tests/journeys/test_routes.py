"""Every route declares who may call it, and lets in nobody else."""

import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.journeys.served import NOBODY, Answer, Served, moment

PUBLIC = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/schema/openapi.json"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/public/{association}/visitor-consents"),
    ("POST", "/v1/public/{association}/visitor-consents/withdrawal"),
    ("GET", "/{association}/report"),
    ("POST", "/{association}/report"),
    ("GET", "/{association}/report/status"),
    ("POST", "/{association}/report/status"),
    ("POST", "/{association}/report/status/file"),
    ("POST", "/v1/public/{association}/breach-reports"),
    ("POST", "/v1/public/{association}/breach-reports/status"),
    ("POST", "/v1/public/{association}/breach-reports/messages"),
    ("POST", "/v1/public/{association}/breach-reports/messages/files"),
    ("POST", "/v1/public/{association}/breach-reports/file"),
    ("GET", "/v1/public/{association}/notice"),
    ("GET", "/v1/public/{association}/notice/document"),
    ("GET", "/{association}/privacy"),
    ("GET", "/{association}/person/{token}"),
    ("POST", "/{association}/person/{token}"),
    ("GET", "/{association}/visitors.js"),
    ("GET", "/v1/public/{association}/visitor-notice"),
    ("GET", "/{association}/withdrawal/{token}"),
    ("POST", "/{association}/withdrawal/{token}"),
    ("GET", "/officer/sign-in"),
    ("POST", "/officer/sign-in"),
}


def filled(path: str) -> str:
    return "/".join(NOBODY if part.startswith("{") else part for part in path.split("/"))


def test_every_route_declares_who_may_call_it_and_the_public_ones_are_these(served: Served):
    routes = served.openapi()
    assert len(routes) >= 30
    assert {route for route, told in routes.items() if told["x-access"] == "public"} == PUBLIC
    for route, told in routes.items():
        assert told["x-access"] == "public" or told["x-access"].partition(":")[0] in ("needs", "person")
        shown = "session" if route[1].startswith("/officer") else "bearer"
        assert told["security"] == ([] if told["x-access"] == "public" else [{shown: []}])


@pytest.fixture(scope="module")
def credentials(served: Served) -> dict[str, str | None]:
    """A credential of every kind that opens nothing: none, wrong, revoked, expired, ended, and another association's."""
    revoked, revoked_key = served.client("revoked")
    assert served.call("GET", "/v1/notices/current?purpose=service_delivery", token=revoked_key).status == 200
    assert served.call("POST", f"/v1/clients/{revoked}/revocation", token=served.session("admin")).status == 200
    ended = served.sign_in("second_officer")
    assert served.call("DELETE", "/v1/sessions/current", token=ended).status in (200, 204)
    soon = moment(3)
    _, expired = served.client("expired", expires_at=soon)
    while moment() <= soon:
        time.sleep(0.2)
    good = served.key()
    return {
        "none": None,
        "of no shape": "x",
        "of another vault": f"amn_elsewhere_{good.split('_', 2)[2]}",
        "with another secret": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"),
        "revoked": revoked_key,
        "expired": expired,
        "ended": ended,
    }


def _empty(method: str) -> dict[str, Any] | None:
    return {} if method != "GET" else None


def patient(call: Callable[[], Answer]) -> Answer:
    """The answer to a call, asked again where a network tried too many tokens: there are more routes than it may try at once."""
    for _ in range(50):
        answer = call()
        if answer.status != 429:
            break
        time.sleep(0.1)
    return answer


def test_without_a_credential_that_stands_every_route_but_the_public_ones_is_closed(served: Served, credentials: dict[str, str | None]):
    def judged(answer: Answer) -> tuple[int, str, str | None]:
        return answer.status, answer.code, answer.headers.get("www-authenticate")

    for kind, token in credentials.items():
        for method, path in served.openapi().keys() - PUBLIC:
            answer = patient(partial(served.call, method, filled(path), _empty(method), token=token))
            if path.startswith("/officer"):
                assert (answer.status, answer.headers["location"], answer.body) == (303, "/officer/sign-in", b""), (kind, path)
                continue
            assert judged(answer) == (401, "unauthenticated", "Bearer"), (kind, method, path)


def test_a_cookie_and_a_name_with_a_password_are_no_credential(served: Served):
    token = served.session("admin")
    for sent in ({"Cookie": f"__Host-amanah={token}"}, {"Authorization": "Basic YTpi"}, {"Authorization": f"bearer {token}"}):
        assert served.call("GET", "/v1/clients", headers=sent).status == 401


def test_a_scope_that_is_lacking_is_a_refusal_on_every_route(served: Served):
    _, key = served.client("narrow", scopes=["notices:read"])
    tried = 0
    for (method, path), told in served.openapi().items():
        if told["x-access"] in ("public", "needs:notices:read") or told["security"] == [{"session": []}]:
            continue
        answer = served.call(
            method, filled(path), {} if method != "GET" else None, token=key, headers={"Idempotency-Key": uuid.uuid4().hex}
        )
        assert (answer.status, answer.code) == (403, "out-of-scope"), (method, path)
        assert answer.json["entry"]["leaf_hash"]
        tried += 1
    assert tried > 20
