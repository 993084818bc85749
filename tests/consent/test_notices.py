"""Notices: in both languages with the eleven parts, drafted by one person and published by another, and what a material change ends."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from tests.household import BASIC, asked, grant, read, store
from tests.simulator import SECOND, World
from vault.access_log.entry import Entry
from vault.consent.api import ROUTES
from vault.consent.notices_api import notice_routes
from vault.errors import Refused
from vault.policy.pack_file import PARTS
from vault.reclosing import reclose
from vault.rulebook import facts
from vault.rulebook.book import notice_key
from vault.rulebook.shapes import NOTICE
from vault.storage.journal import Closing
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
AR, EN = "نستخدم بياناتك لتقديم الخدمة", "We use your data to serve you"


def body(**changes: Any) -> dict[str, Any]:
    """A sound notice for service delivery."""
    whole: dict[str, Any] = {
        "purpose": "service_delivery",
        "texts": {"ar": "\n\n".join([AR, *(f"جزء {part}" for part in PARTS)]), "en": EN},
        "parts": {part: f"جزء {part}" for part in PARTS},
        "approved_by": "مجلس الإدارة، الاجتماع الخامس",
        "approved_on": "1447-01-05",
    }
    return {**whole, **changes}


def version(**changes: Any) -> dict[str, Any]:
    """The same as a later version's body."""
    return {name: value for name, value in body(**changes).items() if name != "purpose"}


class Desk:
    """An administrator who drafts and officers who publish."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http
        self.tokens: dict[str, str] = {"key": world.ceremony.api_key}

    async def __call__(self, who: str, method: str, path: str, said: Any = None, *, key: str = "") -> httpx.Response:
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | ({"Idempotency-Key": key} if key else {})
        return await self.http.request(method, f"/v1{path}", json=said, headers=headers)

    async def draft(self, path: str = "/notices", said: Any = None) -> dict[str, Any]:
        answer = await self("admin", "POST", path, body() if said is None else said)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def publish(self, told: dict[str, Any], who: str = "officer") -> httpx.Response:
        await self(who, "GET", "/purposes")
        code = {"code": self.world.one_time_code(who)}
        return await self(who, "POST", f"/notices/{told['id']}/versions/{told['version']}/publication", code)

    async def current(self, purpose: str = "service_delivery") -> dict[str, Any]:
        found: dict[str, Any] = (await self("key", "GET", f"/notices/current?purpose={purpose}")).json()
        return found


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    async with vault.front(*ROUTES, *notice_routes(vault.identity.factor)) as http:
        yield Desk(vault, http)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Desk]:
    async with small.front(*ROUTES, *notice_routes(small.identity.factor)) as http:
        yield Desk(small, http)


async def test_a_notice_is_in_force_once_another_person_published_it(desk: Desk):
    before = await desk.current()
    assert before["provisional"]
    told = await desk.draft()
    assert (told["version"], told["state"]) == (1, "draft")
    assert told["sha256"]["ar"] == sha256(body()["texts"]["ar"].encode()).hexdigest()
    # Nobody is shown a draft, nobody agrees to one, and whoever approves reads it first.
    assert await desk.current() == before
    seen = (await desk("second_officer", "GET", f"/notices/{told['id']}/versions/1")).json()
    assert (seen["texts"], seen["not_in_text"], seen["state"]) == (body()["texts"], [], "draft")
    assert (seen["approved_on"], seen["approved_day"]) == ("1447-01-05", "2025-06-30")
    assert seen["drafted_by"] == (await desk.world.person("admin")).ref
    assert (await desk.publish(told)).json()["state"] == "published"
    now = await desk.current()
    assert (now["id"], now["version"], now["provisional"], now["texts"]["ar"]["text"]) == (told["id"], 1, False, body()["texts"]["ar"])
    assert now["texts"]["ar"]["sha256"] == told["sha256"]["ar"]
    assert now["fields"] == before["fields"]
    kinds = [entry for entry in desk.world.entries() if entry.kind.startswith("notice.")][1:]  # the ceremony publishes the pack's own
    assert [(entry.kind, entry.outcome, entry.purpose, entry.article) for entry in kinds] == [
        ("notice.drafted", "allow", "service_delivery", "cooperative:5"),
        ("notice.published", "allow", "service_delivery", "cooperative:5"),
    ]
    listed = (await desk("key", "GET", "/notices")).json()["items"]
    mine = [(each["id"], each["state"], each["provisional"]) for each in listed if each["purpose"] == "service_delivery"]
    assert mine == [(told["id"], "published", False), (before["id"], "published", True)]
    # What is published is published, and no door was closed: nothing was said to be material.
    assert (await desk.publish(told)).status_code == 409
    assert list(desk.world.association.log.journal.lines()) == []


async def test_nobody_publishes_what_she_drafted_and_a_code_is_needed(till: Desk):
    told = await till.draft()
    path = f"/notices/{told['id']}/versions/1/publication"
    without = await till("officer", "POST", path, {})
    assert (without.status_code, without.json()["code"]) == (403, "step-up-required")
    refused = await till("admin", "POST", path, {"code": "123456"})
    assert (refused.status_code, refused.json()["code"]) == (403, "out-of-scope")
    notice = (await till.world.association.refresh()).notices[notice_key(told["id"].replace("-", ""), 1)]
    assert notice.drafted_by
    officer = (await till.world.person("officer")).ref

    def by_officer(deed: Any) -> None:
        own = replace(notice, drafted_by=officer)
        written = facts.write(deed, NOTICE, notice_key(notice.id, 1), own)
        deed.append(Entry(kind="notice.drafted", outcome="allow", actor=officer, facts=(written,)), changes_law=True)

    await till.world.association.run(by_officer)
    same = await till("officer", "POST", path, {"code": till.world.one_time_code("officer")})
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    assert (await till.current())["provisional"]


EMPTY: dict[str, tuple[dict[str, Any], str, str, str]] = {
    f"an empty part {part}": ({"parts": {**body()["parts"], part: "  "}}, "notice-incomplete", f"parts.{part}", "missing") for part in PARTS
}
WRONG: dict[str, tuple[dict[str, Any], str, str, str]] = EMPTY | {
    "no Arabic text": ({"texts": {"en": EN}}, "notice-incomplete", "texts.ar", "missing"),
    "an Arabic text without Arabic": ({"texts": {"ar": EN, "en": EN}}, "notice-incomplete", "texts.ar", "no-arabic"),
    "no English text": ({"texts": {"ar": AR}}, "notice-incomplete", "texts.en", "missing"),
    "an English text in Arabic": ({"texts": {"ar": AR, "en": AR}}, "notice-incomplete", "texts.en", "no-english"),
    "a third language": ({"texts": {"ar": AR, "en": EN, "fr": EN}}, "notice-incomplete", "texts", "unknown-language"),
    "a text that turns around": ({"texts": {"ar": AR + "\u202e", "en": EN}}, "notice-incomplete", "texts.ar", "control-character"),
    "a text too long": ({"texts": {"ar": AR * 400, "en": EN}}, "notice-incomplete", "texts.ar", "too-long"),
    "a twelfth part": ({"parts": {**body()["parts"], "weather": "الطقس"}}, "notice-incomplete", "parts", "unknown-part"),
    "a part in English alone": (
        {"parts": {**body()["parts"], "rights": "your rights"}},
        "notice-incomplete",
        "parts.rights",
        "no-arabic",
    ),
    "a part of which the English is empty": (
        {"parts": {**body()["parts"], "rights": {"ar": "حقوقك", "en": " "}}},
        "notice-incomplete",
        "parts.rights.en",
        "missing",
    ),
    "a purpose there is none of": ({"purpose": "nothing"}, "invalid", "purpose", "unknown-purpose"),
    "a purpose without consent": ({"purpose": "legal_order"}, "invalid", "purpose", "no-consent-asked"),
    "a day to come": ({"approved_on": "2100-01-01"}, "invalid", "approved_on", "out-of-range"),
    "nobody who approved": ({"approved_by": " "}, "invalid", "approved_by", "out-of-range"),
    "a field there is none of": ({"fields": ["full_name", "shoe_size"]}, "invalid", "fields.1", "unknown-field"),
    "no field at all": ({"fields": []}, "invalid", "fields", "no-fields"),
    "a field twice": ({"fields": ["full_name", "full_name"]}, "invalid", "fields", "out-of-range"),
    "a party there is none of": ({"purpose": "partner_sharing", "recipients": ["nobody"]}, "invalid", "recipients.0", "unknown-recipient"),
    "a party outside for use inside": ({"recipients": ["partner"]}, "invalid", "recipients.0", "unknown-recipient"),
    "no party at all": ({"purpose": "partner_sharing", "recipients": []}, "invalid", "recipients", "unknown-recipient"),
    "a day to ask anew without a change": ({"reconsent_by": "2027-01-01T00:00:00Z"}, "invalid", "reconsent_by", "out-of-range"),
    "a day to ask anew that is over": (
        {"material": True, "reconsent_by": "2020-01-01T00:00:00Z"},
        "invalid",
        "reconsent_by",
        "out-of-range",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_a_notice_lacks_is_named_and_nothing_is_drafted(till: Desk, case: str):
    change, code, member, said = WRONG[case]
    answer = await till("admin", "POST", "/notices", body(**change))
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert {"field": member, "code": said} in answer.json()["errors"]
    assert not any(entry.kind == "notice.drafted" for entry in till.world.entries())


async def test_a_part_that_is_missing_altogether_is_named(till: Desk):
    parts = {part: text for part, text in body()["parts"].items() if part != "withdrawal"}
    answer = await till("admin", "POST", "/notices", body(parts=parts))
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "parts.withdrawal", "code": "missing"}])


async def test_after_a_material_change_old_consents_last_until_the_day_for_asking_anew(desk: Desk):
    world = desk.world
    first = await desk.draft()
    await desk.publish(first)
    kept = await store(world)
    await grant(world, kept.record)
    ends = world.clock.now + 30 * DAY * SECOND
    changed = version(material=True, reconsent_by=write_time(ends), fields=list(BASIC))
    second = await desk.draft(f"/notices/{first['id']}/versions", changed)
    assert second["version"] == 2
    await desk.publish(second)
    assert (await desk.current())["version"] == 2
    assert [line.closing for line in world.association.log.journal.lines()] == [Closing("notice", "service_delivery", str(ends))]
    assert await read(world, kept.record, fields=("mobile",))
    world.clock.now = ends - 1
    assert await read(world, kept.record, fields=("mobile",))
    world.clock.now = ends
    with pytest.raises(Refused) as refused:
        await read(world, kept.record, fields=("mobile",))
    assert refused.value.code == "notice-superseded"
    # Asked anew under the words that are in force now, and not beyond them.
    await grant(world, kept.record, await asked(world))
    assert await read(world, kept.record, fields=("mobile",))


async def test_a_material_change_without_a_day_ends_what_was_before_at_once_and_another_change_nothing(till: Desk):
    world = till.world
    kept = await store(world)
    await grant(world, kept.record)
    mild = await till.draft()
    await till.publish(mild)
    assert await read(world, kept.record, fields=("mobile",))
    hard = await till.draft(f"/notices/{mild['id']}/versions", version(material=True))
    await till.publish(hard)
    with pytest.raises(Refused) as refused:
        await read(world, kept.record, fields=("mobile",))
    assert refused.value.code == "notice-superseded"


async def test_a_day_for_asking_anew_that_passed_while_the_draft_waited_is_no_day(till: Desk):
    soon = write_time(till.world.clock.now + 60 * SECOND)
    told = await till.draft(said=body(material=True, reconsent_by=soon))
    till.world.clock.forward(120)
    answer = await till.publish(told)
    assert (answer.status_code, answer.json()["code"]) == (409, "reconsent-past")


async def test_versions_are_published_in_their_order_and_only_once(till: Desk):
    first = await till.draft()
    second = await till.draft(f"/notices/{first['id']}/versions", version())
    await till.publish(second)
    assert (await till.publish(first)).status_code == 409
    assert (await till.current())["version"] == 2


async def test_a_repeat_with_its_key_is_the_same_draft(till: Desk):
    key = "k" * 20
    made = [(await till("admin", "POST", "/notices", body(), key=key)).json() for _ in range(2)]
    assert made[0] == made[1]
    path = f"/notices/{made[0]['id']}/versions"
    again = [(await till("admin", "POST", path, version(), key="v" * 20)).json() for _ in range(2)]
    assert (again[0], again[0]["version"]) == (again[1], 2)
    other = await till("admin", "POST", path, version(approved_by="آخر"), key="v" * 20)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")


async def test_what_is_not_there_is_not_found(till: Desk):
    nobody = "00000000-0000-4000-8000-000000000000"
    assert (await till("admin", "POST", f"/notices/{nobody}/versions", version())).status_code == 404
    for number in ("1", "x", "-1", "99999"):
        assert (await till("key", "GET", f"/notices/{nobody}/versions/{number}")).status_code == 404


async def test_who_approves_is_told_which_parts_do_not_stand_in_the_text(till: Desk):
    parts = {**body()["parts"], "rights": {"ar": "حق الوصول", "en": "access"}}
    told = await till.draft(said=body(parts=parts))
    seen = (await till("key", "GET", f"/notices/{told['id']}/versions/1")).json()
    assert seen["not_in_text"] == ["rights"]
    assert seen["parts"]["rights"] == {"ar": "حق الوصول", "en": "access"}


async def test_a_material_change_that_only_the_journal_knows_ends_what_was_agreed_to_before(till: Desk):
    world = till.world
    kept = await store(world)
    await grant(world, kept.record)
    ends = world.clock.now + 2 * DAY * SECOND
    world.clock.forward(1)
    world.association.log.journal.append(10**6, world.clock.now, [Closing("notice", "service_delivery", str(ends))])
    world.clock.forward(1)
    assert reclose(world.association, world.clock) == 1
    assert reclose(world.association, world.clock) == 0
    await world.association.refresh()
    assert await read(world, kept.record, fields=("mobile",))
    world.clock.now = ends
    with pytest.raises(Refused) as refused:
        await read(world, kept.record, fields=("mobile",))
    assert refused.value.code == "notice-superseded"
    # Two people publish it anew, and it is asked for anew.
    await till.publish(await till.draft())
    await grant(world, kept.record)
    assert await read(world, kept.record, fields=("mobile",))


async def test_nothing_is_closed_again_where_the_change_is_there(till: Desk):
    await till.publish(await till.draft(said=body(material=True)))
    assert reclose(till.world.association, till.world.clock) == 0
