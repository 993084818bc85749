"""Publication, item by item and channel by channel: registered on a verdict, and a task to take down once she takes it back (6.1)."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.access.counter import Counter, told
from tests.access.desk import written as uuid_of
from tests.access.test_recalls import correct
from tests.household import FATIMA, asked, grant, lay_down, store, verify
from tests.household import withdraw as take_back
from tests.household import written as paper
from tests.simulator import World
from vault.access.following import Follower
from vault.access.publishing import take_down
from vault.access.publishing_api import ROUTES
from vault.access.recall_facts import Cause
from vault.access_log import tables as log_tables
from vault.errors import Unavailable
from vault.rulebook.shapes import PURPOSE
from vault.subjects import people

pytestmark = pytest.mark.asyncio(loop_scope="function")
STORY = {"full_name": "هند", "story": "قصتها كما روتها"}


@pytest_asyncio.fixture
async def http(vault: World) -> AsyncIterator[httpx.AsyncClient]:
    async with vault.front(*ROUTES) as made:
        yield made


async def agreed(world: World, record: bytes, *fields: str, purpose: str = "publication", **more: Any) -> bytes:
    """A written consent to publication of these items, verified; its id."""
    form = {"form": "written", "evidence": paper("second_officer@probe", world.clock.now), **more}
    given = await grant(world, record, await asked(world, purpose, fields=frozenset(fields), **form))
    await verify(world, given.id, await world.person("officer"))
    return given.id


async def told_story(world: World, *fields: str) -> tuple[bytes, bytes]:
    """Somebody with a story, who agreed that these items of it are published: the record and the consent."""
    kept = await store(world, STORY, type_="testimony")
    world.clock.forward(1)
    consent = await agreed(world, kept.record, *(fields or ("full_name", "story")))
    world.clock.forward(1)
    return kept.record, consent


def by(world: World, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.ceremony.api_key}", "Accept-Language": "en", **more}


async def publish(http: httpx.AsyncClient, world: World, record: bytes, *items: str, key: str = "", **changes: Any) -> httpx.Response:
    body = {"record": uuid_of(record), "items": list(items), "channel": "website", "place": "https://example.org/stories/7", **changes}
    return await http.post("/v1/publications", json=body, headers=by(world, **({"Idempotency-Key": key} if key else {})))


async def states(http: httpx.AsyncClient, world: World, state: str = "all") -> list[tuple[str, str]]:
    answer = await http.get(f"/v1/publications?state={state}", headers=by(world))
    assert answer.status_code == 200, answer.text
    return [(",".join(one["items"]), one["state"]) for one in answer.json()["items"]]


async def test_an_item_is_published_where_she_agreed_to_it_and_not_by_a_click(vault: World, http: httpx.AsyncClient):
    record, _ = await told_story(vault, "full_name")
    made = await publish(http, vault, record, "full_name", key="0123456789abcdef")
    assert (made.status_code, made.json()["state"]) == (201, "standing"), made.text
    again = await publish(http, vault, record, "full_name", key="0123456789abcdef")
    assert again.json() == made.json()
    assert told(await publish(http, vault, record, "story")) == (403, "fields-not-covered")
    assert told(await publish(http, vault, record, "photo")) == (403, "fields-not-covered")
    other = await store(vault, STORY, type_="testimony")
    vault.clock.forward(1)
    await grant(vault, other.record, await asked(vault, "publication", fields=frozenset({"full_name"})))
    assert told(await publish(http, vault, other.record, "full_name")) == (403, "evidence-insufficient")
    assert told(await publish(http, vault, record, "full_name", purpose="service_delivery")) == (403, "action-mismatch")
    assert told(await publish(http, vault, uuid.uuid4().bytes, "full_name")) == (404, "not-found")
    assert told(await publish(http, vault, record, "full_name", "full_name")) == (422, "invalid")
    assert told(await publish(http, vault, record, "full_name", place="a\nb")) == (422, "invalid")
    written = [entry for entry in vault.entries() if entry.kind.startswith("publication.")]
    assert [(one.kind, one.outcome, one.reason) for one in written] == [
        ("publication.decided", "allow", None),
        ("publication.registered", "allow", None),
        ("publication.decided", "refuse", "FIELDS_NOT_COVERED"),
        ("publication.decided", "refuse", "FIELDS_NOT_COVERED"),
        ("publication.decided", "refuse", "EVIDENCE_INSUFFICIENT"),
        ("publication.decided", "refuse", "ACTION_MISMATCH"),
    ]
    assert written[0].basis == "written_consent"


async def test_a_withdrawal_makes_everything_published_on_it_a_task(vault: World, http: httpx.AsyncClient):
    record, consent = await told_story(vault)
    for items in (("full_name",), ("story",)):
        assert (await publish(http, vault, record, *items)).status_code == 201
    follower = Follower(vault.association)
    assert await follower.follow() == 0
    assert await states(http, vault, "due") == []
    await take_back(vault, consent)
    assert await follower.follow() == 2
    assert sorted(await states(http, vault, "due")) == [("full_name", "due"), ("story", "due")]
    assert await Follower(vault.association).follow() == 0
    assert told(await publish(http, vault, record, "full_name")) == (403, "consent-withdrawn")
    first = (await http.get("/v1/publications", headers=by(vault))).json()["items"][0]
    gone = await http.post(f"/v1/publications/{first['id']}/take-down", headers=by(vault))
    assert (gone.status_code, gone.json()["state"], gone.json()["place"]) == (200, "taken-down", "")
    count = len(vault.entries())
    assert (await http.post(f"/v1/publications/{first['id']}/take-down", headers=by(vault))).json() == gone.json()
    assert len(vault.entries()) == count
    assert len(await states(http, vault, "due")) == 1
    assert told(await http.post(f"/v1/publications/{uuid.uuid4()}/take-down", headers=by(vault))) == (404, "not-found")
    kinds = [entry.kind for entry in vault.entries()]
    assert (kinds.count("publication.due"), kinds.count("publication.taken-down")) == (2, 1)


async def test_a_withdrawal_of_something_else_and_a_correction_of_another_field_touch_nothing(vault: World, http: httpx.AsyncClient):
    kept = await store(vault, FATIMA)
    vault.clock.forward(1)
    await agreed(vault, kept.record, "full_name")
    other = await grant(vault, kept.record)
    assert (await publish(http, vault, kept.record, "full_name")).status_code == 201
    vault.clock.forward(1)
    await take_back(vault, other.id)
    await correct(vault, kept.record, {"mobile": "0551234560"})
    assert await Follower(vault.association).follow() == 0
    await correct(vault, kept.record, {"full_name": "فاطمة الشمري"}, 2)
    assert await Follower(vault.association).follow() == 1
    assert await states(http, vault, "due") == [("full_name", "due")]


async def test_an_erasure_makes_it_a_task_too_whichever_record_it_was(counter: Counter):
    world = counter.world
    record, _ = await told_story(world)
    async with world.front(*ROUTES) as http:
        assert (await publish(http, world, record, "story", channel="social")).status_code == 201
        path = f"/records/{uuid_of(record)}/erasure"
        locked = await counter.ask("officer", "POST", path, {"reason": "she asked", "requested_by": "self"})
        done = await counter.approve("second_officer", f"/erasures/{locked.json()['id']}/approval")
        assert done.status_code == 200, done.text
        assert await Follower(world.association).follow() == 1
        assert await states(http, world, "due") == [("story", "due")]


async def test_a_purpose_for_one_channel_is_for_that_one(vault: World, http: httpx.AsyncClient):
    record, _ = await told_story(vault, "full_name")
    book = await vault.association.refresh()
    fact = book.purposes["publication"]
    web = type(fact)(**{**{name: getattr(fact, name) for name in fact.__struct_fields__}, "channel": "website"})
    await lay_down(vault, PURPOSE, "publication", web)
    assert (await publish(http, vault, record, "full_name")).status_code == 201
    assert told(await publish(http, vault, record, "full_name", channel="print")) == (403, "action-mismatch")


async def test_what_the_log_does_not_bear_out_stops_the_task(small: World):
    kept = await store(small, STORY, type_="testimony")
    known = await small.association.run(lambda deed: people.of_record(deed, kept.record).subject)
    with small.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS access_log_entry_no_update")
        place = log_tables.entry
        connection.execute(place.update().where(place.c.kind == "record.stored").values(kind="publication.registered", body=b"{}"))
    cause = Cause(10_000, "erasure", known)
    with pytest.raises(Unavailable, match="integrity"):
        await small.association.run(lambda deed: take_down(deed, cause))
