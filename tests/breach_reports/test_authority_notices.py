"""The notice to the authority over HTTP: five parts, gaps, partial filing, supplements, lateness (reference 3.13, 18 and 19)."""

import uuid
from typing import Any

import httpx
import pytest

from tests.access.desk import put, rows_of
from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import approve, done, hours, incident, now, opened, proposed, read, refused
from tests.simulator import START
from vault.access_log.tables import entry
from vault.breach_reports import authority_notice
from vault.breach_reports.authority_notice import MEMBERS, Content, Words
from vault.breach_reports.incident_tables import incident_part
from vault.breach_reports.lifecycle import HOUR
from vault.rulebook.tables import fact
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
SECRET = "أُرسل كشف المستفيدين إلى بريد خاطئ"
WHOLE: dict[str, Any] = {
    "description": {"ar": SECRET, "en": "The list of beneficiaries went to a wrong mailbox"},
    "happened_at": write_time(START),
    "circumstances": {"ar": "أُرفق الملف برسالة إلى جهة خارجية"},
    "categories": {"ar": "مستفيدون وأولياؤهم"},
    "people": 120,
    "estimated": True,
    "data": {"ar": "أسماء وأرقام جوالات"},
    "effects": {"ar": "قد يُتواصل معهم دون رغبتهم"},
    "measures": {"ar": "طُلب من المرسل إليه إتلاف الملف"},
    "planned": {"ar": "منع إرسال الكشوف بالبريد"},
    "told": "not_yet",
    "contact": {"ar": "مسؤول حماية البيانات، ٠١١٥٥٥٥٥٥٥", "en": "Data protection officer"},
}


async def drafted(desk: Desk, id_: str, **changes: Any) -> dict[str, Any]:
    """A draft; a member that is None is left out."""
    body = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    return await done(desk, f"/{id_}/authority-notices", body)


def filing(desk: Desk, **more: Any) -> dict[str, Any]:
    return {"filed_at": now(desk), "reference": "SDAIA-1", **more}


@pytest.mark.parametrize(
    ("left", "parts"),
    [
        (("description",), ["a"]),
        (("happened_at", "circumstances"), ["a", "a"]),
        (("people",), ["b"]),
        (("effects", "measures", "planned"), ["c", "c", "c"]),
        (("told",), ["d"]),
        (("contact",), ["e"]),
    ],
)
async def test_a_draft_that_lacks_something_says_of_which_part_and_is_filed_as_partial_with_reasons_only(
    desk: Desk, left: tuple[str, ...], parts: list[str]
):
    id_ = await opened(desk)
    draft = await drafted(desk, id_, **dict.fromkeys(left))
    assert (draft["complete"], [(each["part"], each["member"]) for each in draft["gaps"]]) == (
        False,
        list(zip(parts, left, strict=True)),
    )
    place = f"/{id_}/authority-notices/{draft['notice']}/filing"
    assert await refused(desk, place, filing(desk)) == (422, "invalid", [(name, "missing") for name in left])
    assert await refused(desk, place, filing(desk, partial=True)) == (422, "invalid", [("reasons", "missing")])
    assert (await done(desk, f"/{id_}/authority-notices", method="GET"))["supplement"] is None
    told = await done(desk, place, filing(desk, partial=True, reasons="لم تنتهِ المراجعة بعد"))
    assert (told["authority"], told["items"][0]["kind"], told["items"][0]["partial"]) == ("filed", "initial", True)
    assert [each["member"] for each in told["supplement"]["gaps"]] == list(left)
    assert told["supplement"]["since"] == told["items"][0]["filed_at"]
    assert await refused(desk, place, filing(desk, partial=True, reasons="x")) == (409, "incident-state", [])


async def test_a_supplement_task_stays_with_its_own_time_until_the_gaps_are_filed_too(desk: Desk):
    id_ = await opened(desk)
    first = await drafted(desk, id_, people=None, planned={"en": "only in English"})
    await done(desk, f"/{id_}/authority-notices/{first['notice']}/filing", filing(desk, partial=True, reasons="العدد غير معروف"))
    desk.world.clock.now = START + 80 * HOUR
    owed = (await done(desk, f"/{id_}/authority-notices", method="GET"))["supplement"]
    assert ([each["member"] for each in owed["gaps"]], owed["remind_at"]) == (["people", "planned"], hours(96))
    assert (owed["hours"], owed["remind_riyadh"]) == (80, "2026-01-05T03:00:00+03:00")
    await done(desk, f"/{id_}/state", {"state": "confirmed"})
    await done(desk, f"/{id_}/not-required", {"track": "people", "reason": "x"})
    waiting = (await read(desk, id_))["proposals"][-1]["proposal"]
    await approve(desk, id_, waiting)
    assert await refused(desk, f"/{id_}/state", {"state": "closed"}) == (409, "tracks-open", [])
    half = await drafted(desk, id_, people=None)
    place = f"/{id_}/authority-notices/{half['notice']}/filing"
    early = {**filing(desk), "filed_at": hours(-1), "partial": True, "reasons": "x"}
    assert await refused(desk, place, early) == (422, "invalid", [("filed_at", "out-of-range")])
    assert await refused(desk, place, {**early, "filed_at": now(desk), "reference": " "}) == (422, "invalid", [("reference", "missing")])
    told = await done(desk, place, {**early, "filed_at": now(desk), "reference": "SDAIA-2"})
    assert [each["kind"] for each in told["items"]] == ["initial", "supplement"]
    assert [each["member"] for each in told["supplement"]["gaps"]] == ["people"]
    last = await drafted(desk, id_)
    place = f"/{id_}/authority-notices/{last['notice']}/filing"
    assert await refused(desk, place, filing(desk, partial=True, reasons="x")) == (422, "invalid", [("partial", "out-of-range")])
    told = await done(desk, place, filing(desk, reference="SDAIA-3"))
    assert (told["supplement"], told["authority"]) == (None, "filed"), "what settled the track is the first filing"
    assert (await done(desk, f"/{id_}/state", {"state": "closed"}))["state"] == "closed"
    assert await refused(desk, f"/{id_}/authority-notices", WHOLE) == (409, "incident-state", [])
    kinds = [each.kind for each in desk.world.entries() if each.kind.startswith("incident.notice-")]
    assert kinds == [
        *["incident.notice-drafted", "incident.notice-filed"],
        *["incident.notice-drafted", "incident.notice-supplemented"] * 2,
    ]


async def test_one_second_after_72_hours_takes_a_reason_and_the_track_is_late(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    draft = await drafted(desk, id_)
    place = f"/{id_}/authority-notices/{draft['notice']}/filing"
    desk.world.clock.now = START + 73 * HOUR
    late = {"filed_at": write_time(START + 72 * HOUR + 1_000_000), "reference": "SDAIA-1"}
    assert await refused(desk, place, late) == (422, "invalid", [("late_reason", "missing")])
    told = await done(desk, place, {**late, "late_reason": "تعطلت المنصة"})
    assert (told["authority"], told["supplement"]) == ("late", None)
    authority = (await read(desk, id_))["authority"]
    assert (authority["state"], authority["reason"], authority["reference"]) == ("late", "تعطلت المنصة", "SDAIA-1")


async def test_in_the_last_microsecond_of_72_hours_nothing_is_late(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    draft = await drafted(desk, id_)
    desk.world.clock.now = START + 73 * HOUR
    told = await done(desk, f"/{id_}/authority-notices/{draft['notice']}/filing", {"filed_at": hours(72), "reference": "R"})
    assert told["authority"] == "filed"


async def test_what_was_filed_without_a_copy_here_is_owed_whole(desk: Desk):
    id_ = await opened(desk)
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R-1"})
    owed = (await done(desk, f"/{id_}/authority-notices", method="GET"))["supplement"]
    assert [each["member"] for each in owed["gaps"]] == list(MEMBERS)


async def test_its_words_are_read_and_printed_after_an_entry_and_lie_in_no_column(desk: Desk):
    id_ = await opened(desk)
    draft = await drafted(desk, id_, people=None)
    place = f"/{id_}/authority-notices/{draft['notice']}"
    await done(desk, f"{place}/filing", filing(desk, partial=True, reasons="سبب لا يقرؤه غير المسؤولين"))
    told = await done(desk, place, method="GET")
    assert (told["description"]["ar"], told["people"], told["reasons"]) == (SECRET, None, "سبب لا يقرؤه غير المسؤولين")
    assert told["aware_riyadh"].endswith("+03:00")
    look = desk.world.entries()[told["entry"]["index"]]
    assert (look.kind, look.outcome, look.basis, look.fields, look.law) == (
        "incident.read",
        "allow",
        "law",
        ("authority_notice", "reason"),
        "sa-pdpl:20",
    )
    before = len(desk.world.entries())
    page = await incident(desk, "officer", "GET", f"{place}/page?lang=ar")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for said in (SECRET, "إشعار الجهة المختصة بحادثة تسرّب بيانات شخصية", 'dir="rtl"', "غير متوافر بعد", "SDAIA-1", "عدد تقديري"):
        assert (said in page.text) == (said != "عدد تقديري"), said
    english = (await incident(desk, "officer", "GET", f"{place}/page?lang=en")).text
    assert "(a) The incident" in english
    assert SECRET in english
    assert "went to a wrong mailbox" in english
    assert len(desk.world.entries()) == before + 2
    listed = await done(desk, f"/{id_}/authority-notices", method="GET")
    assert SECRET not in str(listed)
    assert SECRET not in str(await read(desk, id_)), "the incident's own page opens what it opened before"
    for table in (incident_part, fact, entry):
        held = [value if isinstance(value, bytes) else str(value).encode() for row in rows_of(desk.world, table) for value in row.values()]
        assert not [value for value in held if SECRET.encode() in value]
    assert desk.findings() == []


async def test_whom_the_incident_excludes_sees_no_notice_and_her_tries_are_entries(desk: Desk):
    id_ = await opened(desk)
    draft = await drafted(desk, id_)
    officer = str(uuid.UUID((await desk.world.person("second_officer")).id))
    await done(desk, f"/{id_}/exclusion", {"staff": officer})
    place = f"/{id_}/authority-notices"
    one = f"{place}/{draft['notice']}"
    tries: list[tuple[str, str, Any]] = [
        ("GET", place, None),
        ("POST", place, WHOLE),
        ("GET", one, None),
        ("GET", f"{one}/page", None),
        ("POST", f"{one}/filing", filing(desk)),
    ]
    for method, path, body in tries:
        assert await refused(desk, path, body, "second_officer", method) == (403, "excluded", []), path
    assert len([each for each in desk.world.entries() if each.kind == "incident.refused"]) == len(tries)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"happened_at": "yesterday"}, "happened_at", "wrong-type"),
        ({"happened_at": "2099-01-01T00:00:00Z"}, "happened_at", "future-dated"),
        ({"people": -1}, "people", "out-of-range"),
        ({"told": "maybe"}, "told", "out-of-range"),
        ({"description": {"ar": "x" * 2001}}, "description.ar", "out-of-range"),
        ({"description": {"fr": "x"}}, "description.?", "unknown-member"),
        ({"severity": 3}, "?", "unknown-member"),
    ],
)
async def test_what_is_no_notice_is_told_by_its_member(desk: Desk, changes: dict[str, Any], field: str, code: str):
    id_ = await opened(desk)
    status, _, errors = await refused(desk, f"/{id_}/authority-notices", {**WHOLE, **changes})
    assert (status, errors) == (422, [(field, code)])


async def test_a_notice_of_another_number_is_none_and_a_long_reference_is_refused(desk: Desk):
    id_ = await opened(desk)
    draft = await drafted(desk, id_)
    place = f"/{id_}/authority-notices"
    for number in ("999", "0", "-1", "x", "9" * 30, "٢"):
        for path, method, body in ((f"{place}/{number}", "GET", None), (f"{place}/{number}/filing", "POST", filing(desk))):
            answer = await incident(desk, "officer", method, path, body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (number, path)
    long = filing(desk, reference="R" * 101)
    assert await refused(desk, f"{place}/{draft['notice']}/filing", long) == (422, "invalid", [("reference", "out-of-range")])


async def test_where_nobody_need_be_told_no_notice_is_written_or_filed(desk: Desk):
    id_ = await opened(desk)
    draft = await drafted(desk, id_)
    await approve(desk, id_, await proposed(desk, id_, "not-required", track="authority"))
    assert await refused(desk, f"/{id_}/authority-notices", WHOLE) == (409, "incident-state", [])
    place = f"/{id_}/authority-notices/{draft['notice']}/filing"
    assert await refused(desk, place, filing(desk)) == (409, "incident-state", [])


async def test_a_part_that_was_altered_opens_to_nobody(desk: Desk):
    id_ = await opened(desk)
    draft = await drafted(desk, id_)
    world = desk.world
    rows = rows_of(world, incident_part)
    put(world, incident_part, [{**row, "sealed": rows[0]["sealed"]} for row in rows])
    answer: httpx.Response = await incident(desk, "officer", "GET", f"/{id_}/authority-notices/{draft['notice']}")
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


async def test_the_five_parts_are_those_of_the_regulation_and_arabic_counts():
    assert set(authority_notice.PARTS) == set("abcde")
    english = Words(en="only English")
    assert "description" in authority_notice.gaps(Content(description=english))
    assert authority_notice.gaps(Content(people=0)) == tuple(name for name in MEMBERS if name != "people"), "nobody is a number"
