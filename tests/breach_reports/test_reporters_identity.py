"""The person complained about never learns who reported her: tried by every call, page, log, export and letter there is (article 8).

The person complained about is the strongest there is: an officer with every scope of her role, excluded from the report by another.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx
import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import select

from tests.breach_reports.letters import letter, signed
from tests.breach_reports.post import post_of, receiving
from tests.breach_reports.test_files import brought
from tests.household import lay_down
from tests.simulator import START, World
from vault.access import withholding
from vault.access.questions import QUESTIONS
from vault.access.watching import Watcher
from vault.access_log import tables
from vault.access_log.verify import snapshot
from vault.breach_reports import service
from vault.breach_reports.incidents_api import WHICH
from vault.breach_reports.ringing import Ringer
from vault.calls import Rooms, all_calls
from vault.errors import Refused
from vault.identity.api import routes as identity_routes
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import STAFF
from vault.rulebook.two_people import accounts_of
from vault.web.route import Person, Public, Query, Route
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
NAME: Final = "نورة بنت سعد العتيبي"
PHONE: Final = "0551239876"
NARRATIVE: Final = f"أنا {NAME}، ورقم جوالي {PHONE}، وقد اطّلع مسؤول الالتزام على ملفي بلا سبب."
MESSAGE: Final = "أعمل في فرع الجمعية بالخبر منذ رمضان"
REPLY: Final = f"شكرًا لك يا {NAME}"
FILE: Final = "noura-alotaibi.txt"
IN_FILE: Final = "كتبتُ هذا بخط يدي"
NOTE: Final = f"المبلّغة {NAME}"
MAIL: Final = "noura.alotaibi@example.org"
LENT: Final = (NAME, PHONE, NARRATIVE, MESSAGE, REPLY, FILE, IN_FILE, NOTE, MAIL)
COMPLAINED: Final = "officer"
HONEST: Final = "second_officer"


@dataclass(slots=True)
class House:
    """The whole service over one world, and what the report left in it; `ids` by the names of path parameters."""

    world: World
    http: httpx.AsyncClient
    calls: list[Route]
    ids: dict[str, str] = field(default_factory=dict)
    receipt: str = ""
    references: tuple[str, ...] = ()
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A call of somebody of the ceremony; pages take her session as a cookie."""
        if who not in self.tokens:
            self.tokens[who] = await self.world.session(who)
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Cookie": f"__Host-amanah={self.tokens[who]}"}
        if path.startswith("/officer"):
            del headers["Authorization"]
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def done(self, path: str, body: Any = None, who: str = HONEST) -> dict[str, Any]:
        """A deed that succeeds."""
        answer = await self.ask(who, "POST", path, body)
        assert answer.status_code in {200, 201}, answer.text
        told: dict[str, Any] = answer.json()
        return told

    @property
    def secrets(self) -> tuple[str, ...]:
        """Whatever says who reported, or lets somebody ask as the reporter, or names the report and its incident."""
        ids = [each for name in ("report", "incident", "file") for each in (self.ids[name], self.ids[name].replace("-", ""))]
        return (*LENT, self.receipt, *self.references, *ids)

    def clean(self, answer: httpx.Response, where: str) -> None:
        """Nothing of it is in an answer: neither in its body nor in a header."""
        said = answer.content.decode("utf-8", "replace") + str(dict(answer.headers))
        found = [secret for secret in self.secrets if secret in said]
        assert not found, (where, found)


@asynccontextmanager
async def house_of(world: World) -> AsyncIterator[House]:
    """The whole service, and a report that was worked on; the officer it is about is excluded from it."""
    own = {route.name for route in identity_routes(world.identity)}
    calls = [route for route in all_calls(Rooms(world.identity, world.limits), world.clock) if route.name not in own]
    async with world.front(*calls) as http:
        house = House(world, http, calls)
        await report_and_work(house)
        yield house


@pytest_asyncio.fixture(loop_scope="function")
async def house(vault: World) -> AsyncIterator[House]:
    async with house_of(vault) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="function")
async def small_house(small: World) -> AsyncIterator[House]:
    async with house_of(small) as made:
        yield made


async def report_and_work(house: House) -> None:
    """A report with everything a reporter could be known by; acknowledged, answered, noted on, and made an incident with evidence."""
    public, world = f"/v1/public/{house.world.code}/breach-reports", house.world
    body = {"category": "staff_snooping", "narrative": NARRATIVE, "language": "ar", "contact": f"{NAME} {PHONE}"}
    taken = (await house.http.post(public, json=body)).json()
    house.receipt, house.references = taken["receipt"], (taken["reference"],)
    form = brought((FILE, IN_FILE.encode()), receipt=house.receipt, text=MESSAGE)
    sent = await house.http.post(f"{public}/messages/files", **form)
    assert sent.status_code == 201, sent.text
    [item] = (await house.ask(HONEST, "GET", "/v1/breach-reports")).json()["items"]
    house.ids["report"] = item["id"]
    one = f"/v1/breach-reports/{item['id']}"
    complained = str(uuid.UUID((await world.person(COMPLAINED)).id))
    await house.done(f"{one}/exclusion", {"staff": complained})
    await house.done(f"{one}/acknowledgement")
    await house.done(f"{one}/triage", {"finding": "breach", "note": NOTE})
    await house.done(f"{one}/reply", {"text": REPLY})
    told = (await house.ask(HONEST, "GET", one)).json()
    assert told["contact"] == f"{NAME} {PHONE}"
    house.ids["file"] = told["messages"][0]["files"][0]["id"]
    incident = await house.done("/v1/incidents", {"summary": NOTE, "reports": [item["id"]]})
    house.ids["incident"], house.references = incident["id"], (*house.references, incident["reference"])
    await house.done(f"/v1/incidents/{incident['id']}/not-required", {"track": "people", "reason": NOTE})
    world.clock.forward(1)
    asked = {"actor": f"staff:{complained}", "from": write_time(START), "to": write_time(world.clock.now)}
    house.ids["piece"] = (await house.done(f"/v1/incidents/{incident['id']}/evidence", asked))["id"]
    world.clock.forward(25 * 3600)
    await Ringer(world.association).round()
    await Watcher(world.association).look_through()
    house.tokens.clear()


def bodies(house: House) -> Mapping[str, Any]:
    """A body for every deed on a report or an incident, by the last words of its path; the deeds without one take none."""
    now = write_time(house.world.clock.now)
    return {
        "triage": {"finding": "breach"},
        "reply": {"text": "x"},
        "exclusion": {"staff": str(uuid.uuid4())},
        "dismissal": {"reason": "spam"},
        "dismissal/approval": {"reason": "spam", "code": "000000"},
        "dismissal/rejection": {"reason": "spam"},
        "awareness/rejection": {"aware_at": now},
        "rejection": {"proposal": 2},
        "legal-hold": {"reason": "x"},
        "legal-hold/lifting": {"reason": "x"},
        "legal-hold/approval": {"proposal": 1, "code": "000000"},
        "authority-notices": {"people": 1},
        "authority-notices/{version}/filing": {"filed_at": now, "reference": "R"},
        "people-notices": {part: {"ar": "س"} for part in ("description", "risks", "contact", "advice")},
        "people-notices/{version}/people": {"records": [str(uuid.uuid4())]},
        "people-notices/{version}/approval": {"people": 1, "list_version": 1, "code": "000000"},
        "people-notices/{version}/again": {},
        "awareness/approval": {"aware_at": now, "code": "000000"},
        "awareness": {"aware_at": now, "reason": "x"},
        "reporter-exclusion": {"staff": []},
        "link": {"report": house.ids["report"]},
        "unlink": {"report": house.ids["report"], "reason": "x"},
        "state": {"state": "confirmed"},
        "assessment": {"sensitive": "yes", "over_100": "yes"},
        "not-required": {"track": "people", "reason": "x"},
        "ruling-out": {"reason": "x"},
        "approval": {"proposal": 2, "code": "000000"},
        "filing": {"track": "people", "filed_at": now},
        "reopening": {"track": "people", "reason": "x"},
        "evidence": {"actor": f"staff:{uuid.uuid4()}", "from": write_time(START), "to": now},
    }


def asked(query: Query, house: House) -> str:
    """A value that a query parameter takes."""
    if query.kind == "choice":
        return query.choices[0]
    values = {"id": house.ids["report"], "integer": str(query.low or 1), "time": write_time(START), "fields": "full_name"}
    return values.get(query.kind, "service_delivery")


def paths(route: Route, house: House) -> list[str]:
    """The paths of a call with the ids of the case in them; all questions, and every bundle of entries there is."""
    if "question" in route.parameters:
        return [route.path.replace("{question}", name) for name in QUESTIONS]
    path = route.path
    for name in route.parameters:
        value = {"association": house.world.code, "tile": "entries/000"}.get(name, house.ids.get(name, house.ids["report"]))
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
    return [path]


async def test_no_call_and_no_page_to_look_at_tells_her_anything(house: House):
    looked = 0
    for route in house.calls:
        if route.method != "GET" or isinstance(route.access, Public):
            continue
        for path in paths(route, house):
            wide = {name: str(query.high) for name, query in route.query.items() if name == "limit"}
            needed = {name: asked(query, house) for name, query in route.query.items() if query.required}
            answer = await house.ask(COMPLAINED, "GET", path, params={**needed, **wide})
            assert answer.status_code < 500, (path, answer.text)
            house.clean(answer, path)
            looked += 1
    assert looked > 60, "every call there is"
    for language in ("ar", "en"):
        pages = [route.path for route in house.calls if route.path.startswith("/officer") and route.method == "GET"]
        for path in pages:
            house.clean(await house.ask(COMPLAINED, "GET", path, params={"lang": language}), path)


async def test_no_deed_on_it_is_hers_and_each_try_is_an_entry(house: House):
    tried = 0
    for route in house.calls:
        on_case = route.path.startswith(("/v1/breach-reports/{report}", "/v1/incidents/{incident}"))
        # There is no letter here: what she gets of one is tried in tests/breach_reports/test_people_notices.py.
        if not on_case or route.name == "breach_reports.reply_files" or "letter" in route.parameters:
            continue
        path = route.path.replace("{report}", house.ids["report"]).replace("{incident}", house.ids["incident"])
        path = path.replace("{file}", house.ids["file"]).replace("{piece}", house.ids["piece"]).replace("{version}", "1")
        body = None if route.body is None else bodies(house)[route.path.split("}/", 1)[1]]
        answer = await house.ask(COMPLAINED, route.method, path, body)
        house.clean(answer, path)
        assert (answer.status_code, answer.json()["code"]) == (403, "excluded"), (path, answer.text)
        tried += 1
    refusals = [entry for entry in house.world.entries() if entry.reason == "EXCLUDED"]
    assert len(refusals) == tried > 25
    files = await house.http.post(
        f"/v1/breach-reports/{house.ids['report']}/reply/files",
        headers={"Authorization": f"Bearer {await house.world.session(COMPLAINED)}"},
        **brought(("a.txt", b"x" * 100), text="x"),
    )
    assert files.json()["code"] == "excluded"
    house.clean(files, "reply/files")


async def test_no_list_tells_where_it_would_stand_nor_what_became_of_it(house: House):
    """One number, whatever is asked for: with a filter, a page or a queue that counted its own, she would learn its state bit by bit."""
    asked_for = {
        "/v1/breach-reports": [*(f"state={state}" for state in service.STATES), *(f"unanswered={told}" for told in ("true", "false"))],
        "/v1/breach-reports/groups": ["state=received", "state=quarantined"],
        "/v1/incidents": [f"state={state}" for state in WHICH],
    }
    for path, queries in asked_for.items():
        counts = {(await house.ask(COMPLAINED, "GET", f"{path}?{query}")).json()["withheld"] for query in ("limit=1", *queries)}
        assert counts == {1}, path
    listed = (await house.ask(COMPLAINED, "GET", "/v1/breach-reports?limit=1")).json()
    assert (listed["next"], listed["quarantined"]) == (None, 0), "the id a page ends with is none of hers to know"
    assert (await house.ask(COMPLAINED, "GET", f"/v1/breach-reports?after={house.ids['report']}")).status_code == 404
    assert (await house.ask(COMPLAINED, "GET", "/v1/breach-retention")).json()["withheld"] == 2


async def test_lists_and_numbers_leave_it_out_and_count_what_is_withheld(house: House):
    listed = (await house.ask(COMPLAINED, "GET", "/v1/breach-reports")).json()
    incidents = (await house.ask(COMPLAINED, "GET", "/v1/incidents?state=all")).json()
    assert (listed["items"], listed["withheld"], incidents["items"], incidents["withheld"]) == ([], 1, [], 1)
    log = (await house.ask(COMPLAINED, "GET", "/v1/access-log?limit=500")).json()
    kinds = {each["kind"] for each in log["items"]}
    assert not {kind for kind in kinds if kind.startswith(("breach_report.", "incident."))} - {"breach_report.counted"}
    assert log["withheld"] > 10
    assert (await house.ask(COMPLAINED, "GET", "/v1/alerts")).json()["items"] == [], "its clock rang, and not for her"
    alerts = (await house.ask(HONEST, "GET", "/v1/alerts")).json()["items"]
    assert [each["rule"] for each in alerts] == ["breach_clock"]
    size = len(house.world.entries())
    bundle = await house.ask(COMPLAINED, "GET", f"/v1/access-log/tile/entries/000.p/{min(size, 255)}")
    assert (bundle.status_code, bundle.json()["code"]) == (403, "excluded")


async def test_no_search_of_the_log_by_the_cases_ids_tells_of_it(small_house: House):
    for name in ("report", "incident"):
        for query in (f"record={small_house.ids[name]}", f"record={small_house.ids[name]}&kind=breach_report.read"):
            answer = await small_house.ask(COMPLAINED, "GET", f"/v1/access-log?{query}")
            assert (answer.status_code, answer.json()["items"]) == (200, [])
        answer = await small_house.ask(COMPLAINED, "GET", f"/v1/records/{small_house.ids[name]}/access-report")
        assert answer.status_code == 404


async def test_the_file_an_honest_officer_exports_may_reach_her_and_names_nobody_who_reported(house: House):
    """An officer's own words are hers to weigh: here the incident's texts name the reporter, so they are taken out before comparing."""
    answer = await house.ask(HONEST, "GET", f"/v1/incidents/{house.ids['incident']}/export")
    assert answer.status_code == 200
    said = answer.content.decode("utf-8", "replace").replace(NOTE, "")
    assert not [secret for secret in (*LENT, house.receipt, house.ids["file"]) if secret in said]
    refused = await house.ask(COMPLAINED, "GET", f"/v1/incidents/{house.ids['incident']}/export")
    assert refused.json()["code"] == "excluded"


async def test_the_log_itself_holds_nothing_of_a_reporter(house: House):
    with snapshot(house.world.database, house.world.association.id) as connection:
        bodies_ = b"".join(connection.execute(select(tables.entry.c.body)).scalars())
    assert not [secret for secret in (*LENT, house.receipt) if secret.encode() in bodies_ or msgspec.json.encode(secret)[1:-1] in bodies_]


async def test_a_second_account_of_hers_is_excluded_with_the_first(house: House):
    """Found here: an account made anew for the same member of staff, by the record it names, read what the first was excluded from."""
    world, one = house.world, await house.world.person(COMPLAINED)
    book, record, twin = await world.association.refresh(), uuid.uuid4().hex, uuid.uuid4().hex
    member = msgspec.structs.replace(book.staff[one.id], record=record)
    await lay_down(world, STAFF, one.id, member)
    await lay_down(world, STAFF, twin, msgspec.structs.replace(member, id=twin, name_hash="00" * 32))
    book = await world.association.refresh()
    assert accounts_of(book, [f"staff:{twin}"]) == {f"staff:{twin}", f"staff:{one.id}"}
    assert accounts_of(book, ["system", f"staff:{uuid.uuid4().hex}"]) >= {"system"}

    class Twin:
        """Her second account, as the entrance would hand it to a room."""

        ref, on_behalf, association = f"staff:{twin}", None, world.association
        scopes, flags, assignees, asker = one.scopes, (), frozenset[str](), one.asker

        def still(self, _deed: Any) -> "Twin":
            return self

    errand, report = Errand(Twin(), "request-1"), uuid.UUID(house.ids["report"]).bytes
    with pytest.raises(Refused, match=r"(?i)excluded"):
        await world.association.run(lambda deed: service.read(deed, errand, report))
    hidden = await world.association.run(lambda deed: withholding.hidden_from(deed, Twin()))
    assert report in hidden
    assert replace(errand, request="request-2").accounts == {f"staff:{twin}", f"staff:{one.id}"}


async def test_no_letter_goes_to_anybody_but_the_reporter_and_none_quotes_what_was_reported(small: World, free_port: int):
    with receiving(free_port) as box:
        async with post_of(small, free_port, box) as post:
            raw = signed(letter(NARRATIVE, From=f"{NAME} <{MAIL}>"))
            told = await post.taken(raw)
            await post.desk.as_(COMPLAINED, "GET", "")
    assert all(to == [MAIL] for _, to in box.envelopes), "nobody of the house is written to"
    for each in box.letters:
        said = each.as_bytes().decode("utf-8", "replace") + each.get_body().get_content()  # type: ignore[union-attr]  # it has one
        assert not [secret for secret in (NAME, PHONE, NARRATIVE) if secret in said]
    assert told["reference"]


async def test_every_call_on_a_case_is_a_persons_own_so_that_no_key_reads_it(small_house: House):
    on_case = [route for route in small_house.calls if route.path.startswith(("/v1/breach-reports", "/v1/incidents"))]
    assert {route.name for route in on_case if not isinstance(route.access, Person)} == {"breach_reports.mail.take"} | {
        route.name for route in on_case if route.name.startswith("breach_reports.mail.") and not isinstance(route.access, Person)
    }
    system = small_house.world.ceremony.api_key
    for route in on_case:
        if isinstance(route.access, Person):
            [path] = paths(route, small_house)
            answer = await small_house.http.request(route.method, path, headers={"Authorization": f"Bearer {system}"})
            assert answer.status_code in {401, 403, 415, 422}, path
            small_house.clean(answer, path)
