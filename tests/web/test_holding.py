"""What nobody has ended yet takes a bounded part of memory, and a network's limit is asked before anything of it is read."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.docs.test_api import routes
from tests.web.fake_roof import World, client, front
from vault.errors import Unavailable
from vault.web import Public
from vault.web.holding import Held
from vault.web.limits import SITES_WORTH, circles
from vault.web.route import KIBIBYTE, USUAL_BODY, Route

aio = pytest.mark.asyncio(loop_scope="function")
LARGE = {
    *("records.store", "records.update", "records.store_batch", "records.read_many", "decisions.ask_many"),
    *("policy.publish", "purpose.propose", "record-type.propose", "pack.propose", "evidence.store", "consents.import", "attachments.store"),
    "orders.scan",
    *("breach_reports.reply_files", "breach_reports.mail.take", "breach_reports.entries.take", "breach_reports.entries.files"),
}
WRITING = [route for route in routes() if route.method != "GET"]


def piece(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


@pytest.mark.parametrize("route", [each for each in WRITING if isinstance(each.access, Public)], ids=lambda route: route.name)
def test_what_strangers_may_send_is_small_and_limited_before_it_is_read(route: Route):
    assert route.limit is not None
    # Of a body with files no more is held than its texts and a piece; what it may be in all is the room's own to bound.
    held = route.form.held if route.form is not None and route.form.file else route.max_body
    assert held <= (448 if route.form is not None and route.form.file else 192) * KIBIBYTE
    assert route.is_page or held <= 256 * KIBIBYTE
    assert route.is_page or route.form is not None or held <= 72 * KIBIBYTE


def test_a_session_takes_a_body_of_a_session():
    assert {route.max_body for route in WRITING if route.name == "session.open"} == {8 * KIBIBYTE}


def test_only_what_holds_many_records_or_texts_may_be_large():
    assert {
        route.name for route in WRITING if route.max_body > USUAL_BODY and not route.is_page and not isinstance(route.access, Public)
    } == LARGE


@aio
async def test_what_is_held_is_bounded_by_owner_and_in_all_and_given_back():
    held = Held(10, 6)

    async def receive() -> dict[str, Any]:
        return piece(b"xxx")

    with held.counted("a", receive, 100) as first, held.counted("b", receive, 100) as second:
        assert [len((await each())["body"]) for each in (first, first, second)] == [3, 3, 3]
        with pytest.raises(Unavailable, match="busy"):
            await first()  # its share
        with pytest.raises(Unavailable, match="busy"):
            await second()  # all of it
        assert held.bytes == 9
    assert (held.bytes, dict(held._by)) == (0, {})
    with held.counted("a", receive, 4) as once:
        for _ in range(9):
            await once()
        assert held.bytes == 4, "nobody keeps more of it than may be taken"


@aio
async def test_bodies_that_never_end_shut_out_their_own_network_and_nobody_else(monkeypatch: pytest.MonkeyPatch):
    world = World()
    app = front(world)
    monkeypatch.setattr(app.door.strangers, "_share", 800)
    begun = asyncio.Event()
    let_go = asyncio.Event()

    async def unfinished() -> Any:
        yield b'{"category":"other",' + b" " * 700
        begun.set()
        await let_go.wait()
        yield b'"narrative":"x","language":"ar"}'

    body = b'{"category":"other","narrative":"' + b"x" * 200 + b'","language":"ar"}'
    path, kind = "/v1/public/first/breach-reports", {"Content-Type": "application/json"}
    async with (
        client(app) as calls,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("192.0.2.9", 1)), base_url="http://vault") as elsewhere,
    ):
        waiting = asyncio.create_task(calls.post(path, content=unfinished(), headers=kind))
        await begun.wait()
        answer = await calls.post(path, content=body, headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert (await elsewhere.post(path, content=body, headers=kind)).status_code == 201
        let_go.set()
        assert (await waiting).status_code == 201
        assert (await calls.post(path, content=body, headers=kind)).status_code == 201
    assert app.door.strangers.bytes == 0


@aio
async def test_beyond_its_limit_a_network_is_told_what_is_too_large_and_nothing_it_sends_is_kept():
    world = World()
    app, asked, limit = front(world), [], 72 * KIBIBYTE

    async def pieces(count: int) -> Any:
        for number in range(count):
            asked.append(number)
            yield b"{" * KIBIBYTE

    path, kind = "/v1/public/limited", {"Content-Type": "application/json"}
    async with client(app) as calls:
        codes = [(await calls.post(path, content=b"{", headers=kind)).status_code for _ in range(6)]
        assert codes == [400] * 5 + [429], "what cannot be read counts as well"

        async def refused(count: int, length: int | None) -> tuple[int, int]:
            asked.clear()
            headers = kind if length is None else kind | {"Content-Length": str(length)}
            answer = await calls.post(path, content=pieces(count), headers=headers)
            return answer.status_code, len(asked)

        # A length that is told is judged by itself, and nothing is read.
        assert await refused(1, KIBIBYTE) == (429, 0)
        assert await refused(12 * 1024, 12 * 1024 * KIBIBYTE) == (413, 0)
        # Without one the pieces are weighed, no further than the limit.
        assert await refused(1, None) == (429, 1)
        status, read = await refused(12 * 1024, None)
        assert status == 413
        assert read <= limit // KIBIBYTE + 1
    assert app.door.strangers.bytes == 0


def test_a_site_of_ipv6_has_the_worth_of_a_few_networks_and_not_of_all_it_numbers():
    assert circles("2001:db8:1:2::3") == (("2001:db8:1:2::/64", 1), ("2001:db8:1::/48", SITES_WORTH))
    assert circles("::ffff:192.0.2.7") == circles("192.0.2.7") == (("192.0.2.0/24", 1),)
    assert circles("") == (("", 1),)
