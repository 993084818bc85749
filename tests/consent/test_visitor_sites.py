"""Calls from pages of other sites: an origin that was named may read the answer, any other is told nothing, and no credential is let in."""

from typing import Any

import pytest

from tests.simulator import World
from vault.consent.visitors_api import routes
from vault.rulebook.channels import Channels
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Needs, Public, Route

pytestmark = pytest.mark.asyncio(loop_scope="function")
SITE = "https://www.example.org"
PATH = "/v1/public/probe/visitor-consents"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


async def call(world: World, method: str, path: str, **headers: str) -> Any:
    channels = {world.code: Channels(sites=(SITE, "http://localhost:8000"))}
    async with world.front(*routes(world.associations, world.limits, channels=channels)) as http:
        return await http.request(method, path, headers=headers, json={} if method == "POST" else None)


async def test_a_browser_that_asks_first_is_told_for_which_origin_and_for_how_long(small: World):
    told = await call(small, "OPTIONS", PATH, Origin=SITE, **ASKED)
    assert (told.status_code, told.content) == (204, b"")
    allowed = {name: value for name, value in told.headers.items() if name.startswith("access-control")}
    assert allowed == {
        "access-control-allow-origin": SITE,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type",
        "access-control-max-age": "600",
    }
    assert told.headers["vary"] == "origin"


@pytest.mark.parametrize(
    "origin", ["https://www.example.org.evil.example", "https://WWW.example.org", "null", "http://www.example.org", "*", ""]
)
async def test_an_origin_that_was_not_named_is_told_nothing(small: World, origin: str):
    for method, status in (("OPTIONS", 405), ("POST", 422)):
        told = await call(small, method, PATH, Origin=origin, **ASKED)
        assert (told.status_code, told.headers["vary"]) == (status, "origin")
        assert not [name for name in told.headers if name.startswith("access-control")]


async def test_a_refusal_can_be_read_as_well_and_another_associations_site_is_nobodys(small: World):
    for origin in (SITE, "http://localhost:8000"):
        told = await call(small, "POST", PATH, Origin=origin)
        assert (told.status_code, told.headers["access-control-allow-origin"]) == (422, origin)
    told = await call(small, "OPTIONS", PATH.replace("probe", "other"), Origin=SITE, **ASKED)
    assert (told.status_code, "access-control-allow-origin" in told.headers) == (405, False)


async def test_no_answer_lets_a_credential_in_and_other_calls_know_no_other_site(small: World):
    assert "access-control-allow-credentials" not in (await call(small, "POST", PATH, Origin=SITE)).headers
    for method, path in (("GET", "/probe/visitors.js"), ("POST", "/v1/sessions"), ("GET", "/health/live")):
        told = await call(small, method, path, Origin=SITE)
        assert not [name for name in told.headers if name.startswith("access-control") or name == "vary"]
    assert (await call(small, "OPTIONS", "/v1/sessions", Origin=SITE, **ASKED)).status_code == 405


async def test_what_needs_a_credential_or_names_no_association_is_for_no_other_site():
    async def handler(_call: Call) -> Answer:
        return Answer()

    for path, access in (("/v1/{association}/x", Needs("x")), ("/v1/x", Public())):
        with pytest.raises(ValueError, match="other sites"):
            Route(method="POST", path=path, name="x", handler=handler, access=access, sites=lambda _code: ())


async def test_the_script_and_the_notice_are_there_for_everybody(small: World):
    script = await call(small, "GET", "/probe/visitors.js")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    notice = await call(small, "GET", "/v1/public/probe/visitor-notice?purpose=visitor_analytics", Origin=SITE)
    assert notice.headers["access-control-allow-origin"] == SITE
    assert notice.json()["texts"]["ar"].keys() == {"text", "sha256"}
    for wrong in ("purpose=service_delivery", "purpose=unheard_of"):
        assert (await call(small, "GET", f"/v1/public/probe/visitor-notice?{wrong}")).status_code == 404
    for path in ("/other/visitors.js", "/v1/public/other/visitor-notice?purpose=visitor_analytics"):
        assert (await call(small, "GET", path)).status_code == 404
