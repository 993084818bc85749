"""A website's visitor is erased by the id her browser keeps, whether anything was stored of her or not (promise 7, article 6.5)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.access.desk import Desk, rows_of
from tests.access.erasures import REASON, settle, verified
from tests.consent.test_visitors import OTHER, VISITOR, Site
from tests.simulator import World
from vault.access.api import routes as access_routes
from vault.access.erasure_api import routes as erasure_routes
from vault.consent.api import ROUTES
from vault.consent.visitors_api import routes as visitor_routes
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.storage.metadata import OUTLASTS, metadata
from vault.subjects import tables as subject_tables
from vault.subjects import visitors
from vault.web.limits import Limits

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def site(vault: World) -> AsyncIterator[tuple[Site, Desk]]:
    """The website's calls and the officers'."""
    calls = (*visitor_routes(vault.associations, Limits(vault.clock)), *ROUTES, *RECORDS, *access_routes())
    async with vault.front(*calls, *erasure_routes(vault.identity.factor)) as http:
        yield Site(vault, http), Desk(vault, http, vault.ceremony.api_key, await vault.session("officer"))


async def ask(desk: Desk, visitor: str = VISITOR, token: str | None = None, **more: Any) -> httpx.Response:
    body = {"visitor": visitor, "reason": REASON, "requested_by": "self", **more}
    return await desk.post("/v1/visitors/erasure", body, token or desk.officer)


async def test_a_visitor_of_whom_nothing_was_stored_is_locked_and_erased_by_two(site: tuple[Site, Desk]):
    web, desk = site
    world = desk.world
    await web.say()
    await web.say(OTHER)
    subject = await world.association.run(lambda deed: visitors.subject_of(deed, VISITOR, 0))
    locked = await ask(desk)
    assert (locked.status_code, locked.json()["state"]) == (202, "locked")
    id_ = locked.json()["id"]
    for again in (await ask(desk), await web.say(), await web.store()):
        assert (again.status_code, again.json()["code"]) == (409, "erasure-pending")
    seen = await desk.get(f"/v1/erasures/{id_}", await world.session("second_officer"))
    assert (seen.json()["record"], seen.json()["scope"], seen.json()["reason"]) == (None, "person", REASON)
    assert (await settle(desk, id_, who="officer")).json()["code"] == "same-person"
    done = await settle(desk, id_)
    assert (done.status_code, done.json()["records"], done.json()["scope"]) == (200, [], "person"), done.text
    for table in metadata.sorted_tables:
        if not table.name.startswith("access_log_") and not table.info.get(OUTLASTS):
            assert subject not in {value for row in rows_of(world, table) for value in row.values()}, table.name
    assert len(rows_of(world, subject_tables.sheet)) == 1, "the other visitor's"
    assert await verified(world) == []
    assert VISITOR.encode() not in (world.folder / "journal").read_bytes()
    assert reclose(world.association, world.clock) == 0
    anew = await web.store()
    assert await web.read(anew.json()["id"]) == (403, "no-consent"), "she begins anew"


async def test_what_was_stored_under_her_id_goes_too_and_calling_off_opens_it_again(site: tuple[Site, Desk]):
    web, desk = site
    record = (await web.store()).json()["id"]
    await web.say()
    id_ = (await ask(desk, requested_by="association")).json()["id"]
    assert (await web.read(record))[0] == 403
    assert (await settle(desk, id_, "cancellation")).status_code == 200
    assert await web.read(record) == (200, "three pages")
    id_ = (await ask(desk)).json()["id"]
    assert (await settle(desk, id_)).json()["records"] == [record]
    assert (await desk.get(f"/v1/records/{record}", purpose="visitor_analytics", fields="visit")).status_code == 404
    assert await verified(desk.world) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"visitor": "x" * 22}, 404, "not-found"),
        ({"visitor": "x" * 21}, 422, "invalid"),
        ({"visitor": VISITOR + "\n"}, 422, "invalid"),
        ({"reason": "..."}, 422, "invalid"),
        ({"requested_by": "00000000-0000-0000-0000-000000000001"}, 422, "invalid"),
        ({"classes": ["health"]}, 422, "invalid"),
    ],
)
async def test_what_does_not_hold_locks_nobody(site: tuple[Site, Desk], body: dict[str, Any], status: int, code: str):
    web, desk = site
    await web.say()
    before = len(desk.world.entries())
    answer = await ask(desk, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(desk.world.entries()) == before
    assert (await web.say(gpc=True)).status_code == 201


async def test_nobody_but_an_officer_asks(site: tuple[Site, Desk]):
    web, desk = site
    await web.say()
    for token in (desk.key, await desk.world.session("admin")):
        assert (await ask(desk, token=token)).json()["code"] == "out-of-scope"
