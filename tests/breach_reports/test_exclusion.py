"""A reporter excludes an office or describes somebody: whoever may be meant sees nothing of it, and somebody else says who is meant."""

import uuid
from typing import Any

import httpx
import msgspec
import pytest

from tests.breach_reports.desk import NARRATIVE, Desk
from tests.breach_reports.test_page import FORM, receipt_in
from tests.household import lay_down
from vault.access import withholding
from vault.access_log.deed import Deed
from vault.breach_reports import exclusion, limits
from vault.breach_reports.page import PAGES
from vault.rulebook.shapes import STAFF
from vault.web.times import write_time

aio = pytest.mark.asyncio(loop_scope="function")
WORDS = "مدير الامتثال الجديد في الفرع"


async def waiting(desk: Desk, who: str = "admin") -> list[dict[str, Any]]:
    """What somebody sees that waits to be settled."""
    answer = await desk.as_(who, "GET", "/reporter-exclusions")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def settle(desk: Desk, id_: str, staff: list[str], who: str = "admin") -> httpx.Response:
    return await desk.as_(who, "POST", f"/{id_}/reporter-exclusion", {"staff": staff})


async def id_in_account(desk: Desk, who: str) -> str:
    return str(uuid.UUID((await desk.world.person(who)).id))


def hidden(desk: Desk, who_id: str) -> tuple[bytes, ...]:
    """The cases the log keeps from this account."""
    world = desk.world
    found: list[tuple[bytes, ...]] = []

    class Somebody:
        ref = f"staff:{uuid.UUID(who_id).hex}"
        on_behalf = None
        association = world.association

    def unit(deed: Deed) -> None:
        found.append(withholding.hidden_from(deed, Somebody()))  # type: ignore[arg-type]  # all that is asked of her

    world.association.log.run_now(world.database, [unit], world.clock)
    return found[0]


@aio
@pytest.mark.parametrize("exclude", [{"words": WORDS}, {"offices": ["officer"]}, {"offices": ["officer"], "words": WORDS}])
async def test_whoever_may_be_meant_sees_nothing_until_somebody_else_says_who_is(desk: Desk, exclude: dict[str, Any]):
    told = await desk.report(exclude=exclude)
    assert told.keys() == {"reference", "receipt"}, "the reporter is told what every reporter is"
    [item] = await waiting(desk)
    id_ = item["id"]
    assert item.keys() == {"id", "received_at", "offices", "described", "like"}
    assert (item["offices"], item["described"], item["like"]) == (["officer"], "words" in exclude, id_)
    officer, second = [await id_in_account(desk, who) for who in ("officer", "second_officer")]
    deeds: dict[str, Any] = {
        "": None,
        "/reporter-exclusion": None,
        "/acknowledgement": {},
        "/triage": {"finding": "breach"},
        "/reply": {"text": "نعم"},
        "/exclusion": {"staff": officer},
        "/dismissal": {"reason": "spam"},
        "/dismissal/approval": {"reason": "spam", "code": "000000"},
        "/awareness": {"aware_at": write_time(desk.world.clock.now), "reason": "x"},
        "/awareness/approval": {"aware_at": write_time(desk.world.clock.now), "code": "000000"},
    }
    for who in ("officer", "second_officer"):
        for deed, body in deeds.items():
            answer = await desk.as_(who, "GET" if body is None else "POST", f"/{id_}{deed}", body)
            assert (answer.status_code, answer.json()["code"]) == (403, "excluded"), deed
            assert NARRATIVE not in answer.text
            assert WORDS not in answer.text
        assert (await settle(desk, id_, [second], who)).json()["code"] == "excluded", "nobody settles what may mean her"
        listed = (await desk.as_(who, "GET", "")).json()
        assert (listed["items"], listed["withheld"]) == ([], 1)
        assert await waiting(desk, who) == []
    assert len(hidden(desk, officer)) == len(hidden(desk, second)) == 1, "nor does the log tell them of it"
    assert (await desk.as_("admin", "GET", f"/{id_}")).status_code == 403, "who settles reads no report"
    read = (await desk.as_("admin", "GET", f"/{id_}/reporter-exclusion")).json()
    assert read["words"] == (WORDS if "words" in exclude else None)
    entry = desk.world.entries()[read["entry"]["index"]]
    assert (entry.kind, entry.outcome, entry.fields) == ("breach_report.read", "allow", ("exclusion",))
    done = await settle(desk, id_, [officer])
    assert (done.status_code, done.json()) == (200, {"id": id_, "excluded": 1})
    assert desk.world.entries()[-1].kind == "breach_report.exclusion-settled"
    assert await waiting(desk) == []
    assert (await desk.as_("officer", "GET", f"/{id_}")).json()["code"] == "excluded"
    assert (await desk.as_("second_officer", "GET", f"/{id_}")).json()["narrative"] == NARRATIVE
    assert (len(hidden(desk, officer)), len(hidden(desk, second))) == (1, 0)
    assert (await settle(desk, id_, [second])).json()["code"] == "report-state", "what is said is said"
    assert desk.findings() == []


@aio
async def test_an_office_without_which_others_work_on_reports_is_excluded_for_good(desk: Desk):
    world = desk.world
    officers = [await id_in_account(desk, who) for who in ("officer", "second_officer")]
    told = await desk.report(exclude={"offices": ["administrator"]})
    assert await waiting(desk) == []
    id_ = await desk.id_of(told["reference"])
    assert (await desk.as_("admin", "GET", f"/{id_}/reporter-exclusion")).json()["code"] == "excluded"
    assert (await desk.as_("second_officer", "GET", f"/{id_}/reporter-exclusion")).status_code == 404
    assert len(hidden(desk, await id_in_account(desk, "admin"))) == 1
    known = (await world.association.refresh()).staff[uuid.UUID(officers[0]).hex]
    trustee = msgspec.structs.replace(known, id=uuid.uuid4().hex, name_hash=uuid.uuid4().hex * 2, roles=("second",), scopes=("reports",))
    await lay_down(world, STAFF, trustee.id, trustee)
    await desk.report(exclude={"offices": ["officer"]})
    assert await waiting(desk) == [], "another works on it, so there is nothing to ask"
    for who in ("officer", "second_officer"):
        listed = (await desk.as_(who, "GET", "")).json()
        assert (len(listed["items"]), listed["withheld"]) == (1, 1)


@aio
async def test_who_may_work_on_it_meanwhile_shows_it_to_nobody_it_may_mean_by_way_of_an_incident(desk: Desk):
    world = desk.world
    known = (await world.association.refresh()).staff[uuid.UUID(await id_in_account(desk, "second_officer")).hex]
    await lay_down(world, STAFF, known.id, msgspec.structs.replace(known, roles=("second",)))
    await desk.report(exclude={"words": WORDS})
    [item] = (await desk.as_("second_officer", "GET", "")).json()["items"]
    id_ = item["id"]
    assert (await desk.as_("officer", "GET", f"/{id_}")).status_code == 403
    for deed, body in (("acknowledgement", None), ("triage", {"finding": "breach"})):
        assert (await desk.as_("second_officer", "POST", f"/{id_}/{deed}", body)).status_code == 200
    told = {"Authorization": f"Bearer {desk.tokens['second_officer']}"}
    opened = {"summary": "x", "reports": [id_]}
    answer = await desk.http.post("/v1/incidents", json=opened, headers=told)
    assert (answer.status_code, answer.json()["code"]) == (409, "incident-state"), "first somebody says whom it means"
    assert (await settle(desk, id_, [await id_in_account(desk, "officer")])).status_code == 200
    incident = (await desk.http.post("/v1/incidents", json=opened, headers=told)).json()
    officer = {"Authorization": f"Bearer {desk.tokens['officer']}"}
    assert (await desk.http.get(f"/v1/incidents/{incident['id']}", headers=officer)).json()["code"] == "excluded"


@aio
async def test_an_exclusion_that_leaves_nobody_is_no_report_and_is_said_before(desk: Desk):
    offices = ["officer", "second", "administrator"]
    leaving: list[dict[str, Any]] = [{"offices": offices}, {"offices": ["administrator"], "words": WORDS}]
    for exclude in leaving:
        answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar", "exclude": exclude})
        assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "exclude", "code": "nobody-left"}])
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"words": "x" * 301}, "exclude", "out-of-range"),
        ({"offices": ["sultan"]}, "exclude.offices.0", "out-of-range"),
        ({"staff": ["x"]}, "exclude.?", "unknown-member"),
    ]
    for exclude, field, code in wrong:
        answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar", "exclude": exclude})
        assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": field, "code": code}])
    assert [entry for entry in desk.world.entries() if entry.kind == "breach_report.received"] == []


@aio
async def test_settling_leaves_somebody_and_names_people_who_are_here(desk: Desk):
    officer, second = [await id_in_account(desk, who) for who in ("officer", "second_officer")]
    await desk.report(exclude={"offices": ["officer"]})
    [item] = await waiting(desk)
    for staff, status, code in (
        ([officer, second], 409, "last-officer"),
        ([str(uuid.UUID(int=1))], 422, "invalid"),
        (["somebody"], 422, "invalid"),
        ([], 422, "invalid"),
    ):
        answer = await settle(desk, item["id"], staff)
        assert (answer.status_code, answer.json()["code"]) == (status, code), staff
    assert len(await waiting(desk)) == 1
    assert (await desk.as_("officer", "GET", "/reporter-exclusions")).json() == {"items": [], "next": None, "waiting": 0}


@aio
async def test_words_that_mean_nobody_here_release_the_report_and_those_that_mean_somebody_else_keep_it_from_her(desk: Desk):
    admin = await id_in_account(desk, "admin")
    for staff in ([], [admin]):
        await desk.report(exclude={"words": WORDS})
        [item] = await waiting(desk)
        assert (await settle(desk, item["id"], staff)).json() == {"id": item["id"], "excluded": len(staff)}
        assert (await desk.as_("officer", "GET", f"/{item['id']}")).status_code == 200
        assert len(hidden(desk, admin)) == len(staff)


@aio
async def test_a_flood_that_excludes_the_officers_is_settled_together_and_cleared_by_those_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    """Ticking one box took a flood out of groups and of deeds on many, and what fills intake could only be settled one by one."""
    monkeypatch.setattr(limits, "MOST_LYING", 4)
    for number in range(8):
        await desk.report(narrative=f"{NARRATIVE} {number}", exclude={"offices": ["officer"]})
    full = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"})
    assert (full.status_code, full.json()["code"]) == (429, "intake-full")
    items = await waiting(desk)
    assert len({each["like"] for each in items}) == 1, "they are one group"
    ids, officer = [each["id"] for each in items], await id_in_account(desk, "officer")
    many = {"reports": [*ids, str(uuid.UUID(int=7))], "staff": [officer]}
    own = (await desk.as_("officer", "POST", "/reporter-exclusions", many)).json()["results"]
    assert [each["status"] for each in own] == [403] * 8 + [404], "nobody settles what may mean her"
    results = (await desk.as_("admin", "POST", "/reporter-exclusions", many)).json()["results"]
    assert [each["status"] for each in results] == [200] * 8 + [404]
    assert (results[0], results[-1]["problem"]["code"]) == ({"id": ids[0], "status": 200, "excluded": 1}, "not-found")
    assert [one.kind for one in desk.world.entries()].count("breach_report.exclusion-settled") == 8, "each has its own entry"
    again = (await desk.as_("admin", "POST", "/reporter-exclusions", many)).json()["results"]
    assert {each["problem"]["code"] for each in again} == {"report-state", "not-found"}
    for who, statuses in (("officer", {403}), ("second_officer", {200})):
        body = {"reports": ids, "deed": "acknowledgement"}
        assert {each["status"] for each in (await desk.as_(who, "POST", "/groups/triage", body)).json()["results"]} == statuses
    honest = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"})
    assert honest.status_code == 201, honest.json()
    assert desk.findings() == []


@aio
async def test_many_are_settled_within_bounds(desk: Desk):
    officer = await id_in_account(desk, "officer")
    await desk.report(exclude={"offices": ["officer"]})
    [id_] = [each["id"] for each in await waiting(desk)]
    for reports, staff, errors in (
        ([], [officer], [{"field": "reports", "code": "out-of-range"}]),
        ([id_, id_], [officer], [{"field": "reports", "code": "out-of-range"}]),
        (["x"], [officer], [{"field": "reports", "code": "wrong-type"}]),
        ([id_], ["x"], [{"field": "staff", "code": "unknown-staff"}]),
        ([id_], [], [{"field": "staff", "code": "out-of-range"}]),
        ([id_] * 501, [officer], [{"field": "reports", "code": "out-of-range"}]),
    ):
        answer = await desk.as_("admin", "POST", "/reporter-exclusions", {"reports": reports, "staff": staff})
        assert (answer.status_code, answer.json()["errors"]) == (422, errors)
    assert len(await waiting(desk)) == 1


@aio
async def test_what_waits_goes_page_by_page_behind_what_was_settled_meanwhile(desk: Desk):
    for exclude in ({"offices": ["officer"]}, {"words": WORDS}, {"offices": ["officer"]}):
        desk.world.clock.forward(1)
        await desk.report(exclude=exclude)
    ids, officer = [each["id"] for each in await waiting(desk)], await id_in_account(desk, "officer")
    page = (await desk.as_("admin", "GET", "/reporter-exclusions?limit=1")).json()
    assert ([each["id"] for each in page["items"]], page["next"], page["waiting"]) == (ids[:1], ids[0], 3)
    assert (await settle(desk, ids[0], [officer])).status_code == 200
    page = (await desk.as_("admin", "GET", f"/reporter-exclusions?limit=2&after={ids[0]}")).json()
    assert ([each["id"] for each in page["items"]], page["next"], page["waiting"]) == (ids[1:], None, 2)
    assert [each["like"] == each["id"] for each in page["items"]] == [True, True], "who describes somebody is alike to none that does not"
    for after in (str(uuid.uuid4()), await desk.id_of((await desk.report())["reference"])):
        assert (await desk.as_("admin", "GET", f"/reporter-exclusions?after={after}")).status_code == 404
    assert (await desk.as_("officer", "GET", f"/reporter-exclusions?after={ids[1]}")).status_code == 404, "nor is its place told to her"


@aio
async def test_what_waits_is_told_in_the_log_without_what_it_is_about(desk: Desk):
    await desk.report(exclude={"words": WORDS})
    [alarm] = [entry for entry in desk.world.entries() if entry.kind == "alarm"]
    assert (alarm.reason, alarm.about, alarm.article) == ("EXCLUSION_WAITS", (), "cooperative:8")
    await desk.report(exclude={"words": WORDS})
    assert len([entry for entry in desk.world.entries() if entry.kind == "alarm"]) == 1, "once an hour"


@aio
async def test_the_page_offers_the_offices_somebody_holds_and_no_name(desk: Desk):
    for language in ("ar", "en"):
        words = PAGES.words(language)
        page = (await desk.http.get(f"/probe/report?lang={language}")).text
        assert words.office_officer in page
        assert words.office_administrator in page
        assert words.office_second not in page, "nobody holds it here"
    filled = FORM | {"exclude_officer": "1", "exclude": WORDS}
    taken = await desk.http.post("/probe/report", data=filled)
    assert taken.status_code == 201
    assert WORDS not in taken.text
    assert receipt_in(taken)
    assert len(await waiting(desk)) == 1
    again = await desk.http.post("/probe/report?lang=en", data=filled | {"exclude_administrator": "1"})
    assert again.status_code == 422
    assert again.text.count(PAGES.words("en").wrong_nobody_left) == 2
    assert again.text.count(" checked") == 2, "what was chosen is kept"
    assert f'value="{WORDS}"' in again.text
    long = await desk.http.post("/probe/report?lang=en", data=filled | {"exclude": "x" * 301})
    assert PAGES.words("en").wrong_exclude in long.text


@aio
async def test_whose_account_has_ended_is_nobody_to_leave_a_report_to(desk: Desk):
    book = await desk.world.association.refresh()
    admin = book.staff[(await desk.world.person("admin")).id]
    ended = msgspec.structs.replace(admin, valid_to=desk.world.clock.now)
    without = msgspec.structs.replace(admin, active=False)
    for one in (ended, without):
        alone = {admin.id: one}
        assert not exclusion.somebody(type(book)(**{**_members(book), "staff": alone}), "staff:read", (), desk.world.clock.now)


def _members(book: Any) -> dict[str, Any]:
    return {name: getattr(book, name) for name in book.__dataclass_fields__}


@pytest.mark.asyncio(loop_scope="function")
async def test_reports_that_keep_different_people_out_are_no_one_group(desk: Desk):
    """One word on a group sets free whom the example keeps out, and not who held the office when the younger arrived."""
    await desk.report(exclude={"offices": ["officer"]})
    known = (await desk.world.association.refresh()).staff[uuid.UUID(await id_in_account(desk, "officer")).hex]
    new = msgspec.structs.replace(known, id=uuid.uuid4().hex, name_hash=uuid.uuid4().hex * 2)
    await lay_down(desk.world, STAFF, new.id, new)
    desk.world.clock.forward(1)
    await desk.report(exclude={"offices": ["officer"]})
    items = await waiting(desk)
    assert [each["like"] for each in items] == [each["id"] for each in items]
