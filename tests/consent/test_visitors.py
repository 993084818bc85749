"""A website's visitor over HTTP: her data is refused until she agrees, and again once she takes it back (article 6.5)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from tests.household import errand, findings, lay_down, store
from tests.simulator import World
from vault.access.api import routes as access_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verify_log
from vault.consent import visitors as visitors_of_consent
from vault.consent import visitors_api
from vault.consent.api import ROUTES
from vault.consent.visitor_limits import VisitorLimits
from vault.consent.visitors_api import routes as visitor_routes
from vault.errors import Unavailable
from vault.policy.events import Locked, SubjectsMerged
from vault.policy.facts import key
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.rulebook.shapes import RECORD_TYPE, FieldFact
from vault.storage.journal import Closing
from vault.subjects import people, tables, visitors
from vault.subjects.sheet import happened
from vault.web.call import parse_id, write_id
from vault.web.limits import Limits

pytestmark = pytest.mark.asyncio(loop_scope="function")
VISITOR = "Zm9vYmFyYmF6cXV4MTIzNA"
OTHER = "another-visitor_000000"
PURPOSE = "visitor_analytics"


def erasure_of(subject: bytes) -> Closing:
    return Closing("erasure", subject.hex(), "00" * 16)


class Site:
    """The association's website: its visitors, who have no key, and its system, which has one."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world, self.http = world, http

    async def system(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.world.ceremony.api_key}"}
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def say(self, visitor: str = VISITOR, *, code: str = "probe", header: str = "", **over: Any) -> httpx.Response:
        notice = (await self.system("GET", f"/notices/current?purpose={PURPOSE}")).json()
        body = {
            "visitor": visitor,
            "purpose": PURPOSE,
            "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": notice["texts"]["ar"]["sha256"]},
            "act": "button",
            "gpc": False,
            **over,
        }
        headers = {"Sec-GPC": header} if header else {}
        return await self.http.post(f"/v1/public/{code}/visitor-consents", json=body, headers=headers)

    async def take_back(self, visitor: str = VISITOR, *, code: str = "probe", **over: Any) -> httpx.Response:
        body = {"visitor": visitor, "purpose": PURPOSE, **over}
        return await self.http.post(f"/v1/public/{code}/visitor-consents/withdrawal", json=body)

    async def store(self, visitor: str = VISITOR, visit: str = "three pages") -> httpx.Response:
        return await self.system("POST", "/records", {"type": "visitor", "fields": {"visit": visit}, "subject": {"visitor": visitor}})

    async def read(self, record: str, purpose: str = PURPOSE) -> tuple[int, str]:
        self.world.clock.forward(1)
        answer = await self.system("GET", f"/records/{record}?purpose={purpose}&fields=visit")
        told = answer.json()
        article = told.get("article") or told["decision"]["article"]
        assert article == ("cooperative:6.5" if purpose == PURPOSE else article)
        return answer.status_code, told["code"] if "code" in told else told["fields"]["visit"]


async def site_of(world: World, bounds: VisitorLimits | None = None) -> AsyncIterator[Site]:
    routes = visitor_routes(world.associations, Limits(world.clock), bounds)
    async with world.front(*routes, *ROUTES, *RECORDS, *access_routes(), *withdrawal_routes(world.associations, {})) as http:
        yield Site(world, http)


@pytest_asyncio.fixture(loop_scope="function")
async def site(vault: World) -> AsyncIterator[Site]:
    async for made in site_of(vault):
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def small_site(small: World) -> AsyncIterator[Site]:
    async for made in site_of(small):
        yield made


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_a_visitors_data_is_refused_without_electronic_consent(site: Site):
    kept = await site.store()
    assert kept.status_code == 201
    record = kept.json()["id"]
    assert await site.read(record) == (403, "no-consent")
    given = await site.say()
    assert (given.status_code, given.json()["state"]) == (201, "given")
    assert await site.read(record) == (200, "three pages")
    taken = await site.take_back()
    assert (taken.status_code, taken.json()) == (201, {"state": "withdrawn"})
    assert await site.read(record) == (403, "consent-withdrawn")
    assert (await site.say()).status_code == 201
    assert await site.read(record) == (200, "three pages")
    entries = [one for one in site.world.entries() if one.actor == "visitor"]
    assert [one.kind for one in entries] == ["consent.granted", "consent.withdrawn", "consent.granted"]
    assert {one.article for one in entries} == {"cooperative:6.5"}
    assert {one.about[0].subject.hex() for one in entries} == {parse_id(kept.json()["subject"]).hex()}
    assert findings(site.world) == []
    cabinet = site.world.association.cabinet
    with snapshot(site.world.database) as connection:
        found = verify_log(connection, site.world.association.id, "probe", cabinet.signer.vkey, None, deep=True)
        assert [one for one in found if "checkpoint" not in str(one)] == []


async def test_a_visitor_may_agree_before_anything_of_hers_is_stored(site: Site):
    given = (await site.say()).json()
    record = (await site.store()).json()
    assert await site.read(record["id"]) == (200, "three pages")
    told = (await site.system("GET", f"/records/{record['id']}/consents")).json()["items"]
    assert [(one["id"], one["state"], one["form"], one["fields"]) for one in told] == [(given["id"], "given", "electronic", ["visit"])]
    assert (await site.system("POST", f"/consents/{given['id']}/withdrawal", {"given_by": "self"})).status_code == 201
    assert await site.read(record["id"]) == (403, "consent-withdrawn")
    assert findings(site.world) == []


async def test_the_same_browser_is_the_same_visitor_and_another_is_another(small_site: Site):
    subjects = [(await small_site.store(visitor)).json()["subject"] for visitor in (VISITOR, OTHER, VISITOR)]
    assert subjects[0] == subjects[2] != subjects[1]
    await small_site.say(OTHER)
    record = (await small_site.store(VISITOR)).json()["id"]
    assert await small_site.read(record) == (403, "no-consent")


async def test_the_same_word_said_again_is_one_consent(small_site: Site):
    first = (await small_site.say()).json()
    before = len(small_site.world.entries())
    assert [(await small_site.say()).json() for _ in range(3)] == [first] * 3
    assert len(small_site.world.entries()) == before
    small_site.world.clock.forward(1)
    await small_site.take_back()
    small_site.world.clock.forward(1)
    assert (await small_site.say()).json()["id"] != first["id"]


@pytest.mark.parametrize("how", ["body", "header"])
async def test_a_browsers_signal_goes_before_what_is_clicked(site: Site, how: str):
    record = (await site.store()).json()["id"]
    await site.say()
    assert (await site.read(record))[0] == 200
    signal: dict[str, Any] = {"gpc": True} if how == "body" else {"header": "1"}
    assert (await site.say(**signal)).json()["state"] == "opted-out"
    assert await site.read(record) == (403, "signal-opt-out")
    before = len(site.world.entries())
    assert (await site.say(**signal)).json()["state"] == "opted-out"
    assert len(site.world.entries()) == before
    site.world.clock.forward(1)
    assert (await site.say()).json()["state"] == "given"
    assert await site.read(record) == (200, "three pages")
    assert findings(site.world) == []


async def test_a_withdrawal_is_answered_alike_whoever_asks(site: Site):
    await site.say(OTHER)
    answers = [await site.take_back(), await site.take_back(OTHER), await site.take_back(OTHER), await site.take_back("x" * 22)]
    assert {(one.status_code, one.text) for one in answers} == {(201, '{"state":"withdrawn"}')}
    assert [one.kind for one in site.world.entries()].count("consent.withdrawn") == 1


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "a pre-ticked box": ({"act": "preticked"}, 422, "not-affirmative"),
    "silence": ({"act": ""}, 422, "not-affirmative"),
    "a reply to a message": ({"act": "reply_code"}, 422, "not-affirmative"),
    "another purpose": ({"purpose": "service_delivery"}, 422, "invalid"),
    "no purpose there is": ({"purpose": "sale"}, 422, "invalid"),
    "a short id": ({"visitor": "a" * 21}, 422, "invalid"),
    "a long id": ({"visitor": "a" * 23}, 422, "invalid"),
    "an id of other characters": ({"visitor": "a" * 21 + "="}, 422, "invalid"),
    "an id and a line": ({"visitor": "a" * 22 + "\n"}, 422, "invalid"),
    "a notice that is none": ({"notice": {"id": "x", "version": 1, "language": "ar", "sha256": "0"}}, 422, "invalid"),
    "a signal that is no bool": ({"gpc": "1"}, 422, "invalid"),
    "a member more": ({"name": "x"}, 422, "invalid"),
    "a large body": ({"act": "x" * 70_000}, 413, "too-large"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_does_not_hold_is_refused_and_leaves_nothing(small_site: Site, case: str):
    change, status, expected = WRONG[case]
    before = len(small_site.world.entries())
    assert code(await small_site.say(**change)) == (status, expected)
    assert len(small_site.world.entries()) == before
    with small_site.world.database.connect() as connection:
        assert connection.execute(select(tables.sheet)).all() == []


async def test_the_text_of_another_notice_is_refused(small_site: Site):
    notice = (await small_site.system("GET", f"/notices/current?purpose={PURPOSE}")).json()
    shown = {"id": notice["id"], "version": notice["version"], "language": "en", "sha256": notice["texts"]["ar"]["sha256"]}
    assert code(await small_site.say(notice=shown)) == (422, "notice-hash-mismatch")


@pytest.mark.parametrize("change", [{"purpose": "sms_offers"}, {"visitor": "short"}, {"visitor": 7}])
async def test_a_withdrawal_that_does_not_hold_is_refused(small_site: Site, change: dict[str, Any]):
    assert code(await small_site.take_back(**change)) == (422, "invalid")


@pytest.mark.parametrize("unknown", ["nobody", "v1", "PROBE", "probe2"])
async def test_an_unknown_association_is_one_404(small_site: Site, unknown: str):
    for answer in (await small_site.say(code=unknown), await small_site.take_back(code=unknown)):
        assert code(answer) == (404, "not-found")


async def test_the_same_visitor_twice_in_a_batch_is_one_person(site: Site):
    item = {"type": "visitor", "fields": {"visit": "v"}, "subject": {"visitor": VISITOR}}
    new = {"type": "visitor", "fields": {"visit": "v"}}
    rows = (await site.system("POST", "/records/batch", {"items": [item, new, item, item]})).json()["results"]
    assert [row["status"] for row in rows] == [201] * 4
    assert len({row["subject"] for row in rows}) == 2
    assert findings(site.world) == []


async def test_only_visitors_are_known_by_what_a_browser_keeps(small_site: Site):
    bodies: list[dict[str, Any]] = [
        {"type": "donor", "fields": {"full_name": "نورة"}, "subject": {"visitor": VISITOR}},
        {"type": "visitor", "fields": {"visit": "x"}, "subject": {"visitor": "short"}},
        {"type": "visitor", "fields": {"visit": "x"}, "subject": {"visitor": VISITOR, "kind": "visitor"}},
        {"type": "visitor", "fields": {"visit": "x"}, "subject": {"visitor": VISITOR, "id": "00000000-0000-0000-0000-000000000001"}},
    ]
    for body in bodies:
        assert code(await small_site.system("POST", "/records", body)) == (422, "invalid")


async def test_networks_and_all_visitors_together_are_bounded(small_site: Site, monkeypatch: pytest.MonkeyPatch):
    answers = [await small_site.take_back(f"{number:022d}") for number in range(visitors_api.WITHDRAWALS_PER_NETWORK.burst + 1)]
    assert [one.status_code for one in answers].count(429) == 1
    assert code(answers[-1]) == (429, "too-many-requests")
    assert (await small_site.say()).status_code == 201, "a bucket of its own"
    monkeypatch.setattr(visitors_api, "OF_ALL", ("consents-of-all", 1, 0.01))
    assert [(await small_site.say(f"{number:022d}")).status_code for number in range(2)] == [201, 429]


async def test_who_changes_her_mind_without_end_is_slowed_but_no_no_is_dropped(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(visitors_of_consent, "MOST_CHANGES", 4)
    record = (await site.store()).json()["id"]
    for gpc in (False, True, False):
        site.world.clock.forward(1)
        assert (await site.say(gpc=gpc)).status_code == 201
    site.world.clock.forward(1)
    assert (await site.say(gpc=True)).json()["state"] == "opted-out"
    before = len(site.world.entries())
    assert code(await site.say()) == (429, "too-many-requests")
    assert len(site.world.entries()) == before
    assert await site.read(record) == (403, "signal-opt-out")
    assert (await site.take_back()).status_code == 201
    assert site.world.entries()[-1].kind == "consent.withdrawn"
    site.world.clock.forward(25 * 3600)
    assert (await site.say()).status_code == 201


async def test_a_visitors_own_id_is_in_no_row(site: Site):
    await site.say()
    await site.store()
    await site.take_back()
    with site.world.database.connect() as connection:
        for table in tables.sheet.metadata.sorted_tables:
            for row in connection.execute(select(table)).all():
                assert VISITOR.encode() not in repr(tuple(row)).encode()


async def test_a_visitor_whose_erasure_is_asked_for_adds_nothing(small_site: Site):
    subject = parse_id((await small_site.store()).json()["subject"])
    job = await errand(small_site.world)

    def lock(deed: Any) -> None:
        event = happened(Locked(deed.now), at=deed.now, by="x")
        people.change(deed, people.of_subject(deed, subject), [event], job.entry(kind="erasure.locked", outcome="allow"))

    await small_site.world.association.run(lock)
    assert code(await small_site.say()) == (409, "erasure-pending")
    assert code(await small_site.store()) == (409, "erasure-pending")


async def test_who_was_erased_begins_anew(site: Site):
    first = (await site.store()).json()
    await site.say()
    job, subject = await errand(site.world), parse_id(first["subject"])
    told = job.entry(kind="erasure.approved", outcome="allow")
    await site.world.association.run(lambda deed: people.erase(deed, subject, [parse_id(first["id"])], told, closes=erasure_of(subject)))
    again = (await site.store()).json()
    assert again["subject"] != first["subject"]
    assert await site.read(again["id"]) == (403, "no-consent")
    assert (await site.say()).status_code == 201
    assert (await site.read(again["id"]))[0] == 200


async def test_a_browser_whose_every_life_ended_is_told_so(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(people, "is_erased", lambda *_: True)
    with pytest.raises(Unavailable, match="integrity"):
        await small.association.run(lambda deed: visitors.known(deed, VISITOR))


async def test_a_withdrawal_deleted_by_sql_does_not_bring_the_consent_back(site: Site):
    record = (await site.store()).json()["id"]
    await site.say()
    with site.world.database.connect() as connection:
        row = connection.execute(select(tables.sheet)).one()
    site.world.clock.forward(1)
    await site.take_back()
    with site.world.database.connect() as connection, connection.begin():
        connection.execute(tables.sheet.update().values(version=row.version, sealed=row.sealed))
    answer = await site.system("GET", f"/records/{record}?purpose={PURPOSE}&fields=visit")
    assert code(answer) == (503, "integrity")
    assert code(await site.say()) == (503, "integrity")
    assert code(await site.take_back()) == (503, "integrity")
    assert next(iter(findings(site.world))).startswith("subject_sheet")
    alarms = [one for one in site.world.entries() if one.kind == "alarm"]
    assert [one.actor for one in alarms][1:] == ["visitor", "visitor"]
    assert len({about.subject for one in alarms[1:] for about in one.about}) == 1


NO_WORDS: dict[str, Callable[[Site], Awaitable[httpx.Response]]] = {
    "a withdrawal": lambda site: site.take_back(),
    "an opt-out": lambda site: site.say(gpc=True),
}


@pytest.mark.parametrize("case", NO_WORDS)
async def test_a_visitors_no_is_not_taken_and_lost_while_her_sheet_is_away(site: Site, case: str):
    record = (await site.store()).json()["id"]
    await site.say()
    with site.world.database.connect() as connection, connection.begin():
        rows = [dict(row._mapping) for row in connection.execute(select(tables.sheet))]
        connection.execute(tables.sheet.delete())
    before = len(site.world.entries())
    assert code(await NO_WORDS[case](site)) == (503, "integrity")
    assert code(await site.store()) == (503, "integrity")
    assert {one.kind for one in site.world.entries()[before:]} == {"alarm"}
    with site.world.database.connect() as connection, connection.begin():
        connection.execute(tables.sheet.insert(), rows)
    site.world.clock.forward(1)
    assert (await NO_WORDS[case](site)).status_code == 201
    assert (await site.read(record))[0] == 403
    assert findings(site.world) == []


async def test_a_withdrawal_that_only_the_journal_knows_bites(site: Site):
    record = (await site.store()).json()
    await site.say()
    assert (await site.read(record["id"]))[0] == 200
    world = site.world
    world.clock.forward(1)
    closing = Closing("withdrawal", parse_id(record["subject"]).hex(), key(PURPOSE, "INTERNAL"))
    world.association.log.journal.append(len(world.entries()), world.clock.now, [closing])
    assert reclose(world.association, world.clock) == 1
    assert await site.read(record["id"]) == (403, "consent-withdrawn")


async def test_a_visitor_speaks_for_no_sensitive_field_and_for_none_beyond_the_notice(small: World):
    book = await small.association.refresh()
    shape = book.types["visitor"]
    more = FieldFact(name="health_note", number=40, kind="text", field_class="health", class_id=6)
    wider = type(shape)(name="visitor", schema=shape.schema, fields=(*shape.fields, more))
    await lay_down(small, RECORD_TYPE, "visitor", wider)
    async for site in site_of(small):
        await site.say()
        record = (await site.store()).json()["id"]
        told = (await site.system("GET", f"/records/{record}/consents")).json()["items"]
        assert told[0]["fields"] == ["visit"]
        await lay_down(small, RECORD_TYPE, "visitor", type(shape)(name="visitor", schema=shape.schema, fields=(more,)))
        assert code(await site.say(OTHER)) == (422, "exceeds-notice")


async def test_what_a_merged_visitor_said_is_not_taken_for_said_again(small_site: Site):
    first = (await small_site.say()).json()
    subject = parse_id((await small_site.store()).json()["subject"])
    job = await errand(small_site.world)

    def merge(deed: Any) -> None:
        visitor = people.of_subject(deed, subject)
        assert visitor.sheet is not None
        event = happened(SubjectsMerged(visitor.sheet.person, deed.now), at=deed.now, by="x")
        people.change(deed, visitor, [event], job.entry(kind="subjects.merged", outcome="allow"))

    await small_site.world.association.run(merge)
    assert (await small_site.say()).json()["id"] != first["id"]
    assert (await small_site.take_back()).status_code == 201
    assert await small_site.read((await small_site.store()).json()["id"]) == (403, "consent-withdrawn")


async def test_the_word_of_a_visitor_is_no_word_of_a_beneficiary(small_site: Site):
    kept = await store(small_site.world)
    await small_site.say()
    answer = await small_site.system("GET", f"/records/{write_id(kept.record)}?purpose={PURPOSE}&fields=full_name")
    assert code(answer) == (403, "no-consent")
