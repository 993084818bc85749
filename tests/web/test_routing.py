"""Routing by Litestar: which path leads where, which spellings lead nowhere, and what comes back where nothing is."""

from collections.abc import Mapping
from typing import Any

import pytest

from vault.errors import Malformed, NotFound
from vault.web import Answer, Call, Public, Route
from vault.web.door import Bound
from vault.web.receiving import Receive, Scope
from vault.web.routing import MethodNotAllowed, framework, in_our_words, parameters, spelled
from vault.web.sending import Outcome

PATHS = (
    ("GET", "/v1/records"),
    ("POST", "/v1/records/batch"),
    ("GET", "/v1/records/{record}"),
    ("POST", "/v1/records/{record}/consents"),
    ("POST", "/v1/records/batch/things"),
    ("GET", "/v1/tile/{tile:path}"),
    ("GET", "/{association}/privacy"),
)


def bound(method: str, path: str) -> Bound:
    async def nothing(_call: Call) -> Answer:
        return Answer()

    route = Route(method=method, path=path, name="x", handler=nothing, access=Public())
    return Bound(route, route.path, None, is_public=True)


async def routed(raw: bytes, method: str, more: Mapping[str, Any] | None = None) -> tuple[str, dict[str, str]]:
    """Return the template a path leads to and the decoded parameters. Raises what the framework hands back, in our words."""
    found: list[tuple[str, dict[str, str]]] = []

    async def handle(scope: Scope, _receive: Receive, reached: Bound) -> Outcome:
        found.append((reached.route.path, parameters(scope["path_params"])))
        return Outcome(200, b"", "text/plain", [])

    async def receive() -> Any:
        raise AssertionError("nobody asked for a body")

    async def send(_message: Any) -> None:
        assert found

    scope: Any = {"type": "http", "method": method, "path": "/elsewhere", "raw_path": raw, "query_string": b"", "headers": []}
    scope |= more or {}
    scope["path"] = spelled(scope)
    try:
        await framework([bound(*each) for each in PATHS], handle, [])(scope, receive, send)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is translated and raised
        raise in_our_words(error) from None
    return found[0]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("raw", "method", "template", "values"),
    [
        (b"/v1/records", "GET", "/v1/records", {}),
        (b"/v1/records/batch", "POST", "/v1/records/batch", {}),
        (b"/v1/records/%D8%B3", "GET", "/v1/records/{record}", {"record": "س"}),
        (b"/v1/records/a%2Fb", "GET", "/v1/records/{record}", {"record": "a/b"}),
        (b"/v1/records/batch/consents", "POST", "/v1/records/{record}/consents", {"record": "batch"}),
        (b"/v1/records/batch/things", "POST", "/v1/records/batch/things", {}),
        (b"/v1/tile/0/x001/067", "GET", "/v1/tile/{tile:path}", {"tile": "0/x001/067"}),
        (b"/probe/privacy", "GET", "/{association}/privacy", {"association": "probe"}),
    ],
)
async def test_a_path_leads_to_its_route(raw: bytes, method: str, template: str, values: dict[str, str]) -> None:
    assert await routed(raw, method) == (template, values)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "raw",
    [
        *(b"/", b"v1/records", b"/v1", b"/v1/records/", b"//v1/records", b"/v1//records", b"/v1/%72ecords", b"/v1/tile", b"/v1/tile/"),
        *(b"/v1/records/%00", b"/v1/records/%ff", b"/v1/records/%ED%A0%80", b"/v1/records/%E2%80%AE", b"/v1/records/\xd8\xb3"),
        *(b"/v1/records/" + b"a" * 201, b"/v1/tile/" + b"a/" * 2000 + b"a", b"/v1/records%2fx", b"/v1%2frecords", b"/v1/privacy"),
    ],
)
async def test_a_path_with_another_spelling_leads_nowhere(raw: bytes) -> None:
    with pytest.raises(NotFound):
        await routed(raw, "GET")


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "DELETE", "POST", "ECHO"])
async def test_a_method_that_is_not_there_is_told_which_are(method: str) -> None:
    with pytest.raises(MethodNotAllowed) as told:
        await routed(b"/v1/records", method)
    assert told.value.allow == "GET"


@pytest.mark.asyncio
async def test_a_host_that_is_none_is_malformed() -> None:
    with pytest.raises(Malformed) as told:
        await routed(b"/v1/records", "GET", {"headers": [(b"host", b"a b\xff")]})
    assert told.value.code == "malformed"


@pytest.mark.parametrize("second", [("GET", "/v1/records"), ("POST", "/v1/records/{id}"), ("GET", "/v1/records/{id}")])
def test_a_path_declared_twice_is_refused(second: tuple[str, str]) -> None:
    async def handle(_scope: Scope, _receive: Receive, _bound: Bound) -> Outcome:
        raise AssertionError("nothing is asked")

    with pytest.raises(ValueError, match=r"declared twice, or with other parameter names"):
        framework([bound(*each) for each in (*PATHS, second)], handle, [])


def test_an_error_of_the_rooms_stays_what_it_is() -> None:
    error = KeyError("x")
    assert in_our_words(error) is error
