"""What reaches the house otherwise is taken down by a clerk, who reads it back once, confirms, and sees nothing of it after that."""

import asyncio
import uuid
from typing import Any

import httpx
import msgspec
import pytest

from tests.breach_reports.desk import NARRATIVE, Desk
from tests.household import lay_down
from vault.breach_reports.entering import READ_BACK
from vault.breach_reports.limits import LEAST_FREE
from vault.identity.scopes import ROLES
from vault.rulebook.shapes import RECIPIENT, STAFF, RecipientFact
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
HOUR = 3_600_000_000
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


async def clerk(desk: Desk, who: str = "admin") -> str:
    """Make somebody of the ceremony a clerk; her reference in the log."""
    person = await desk.world.person(who)
    member = (await desk.world.association.refresh()).staff[person.id]
    await lay_down(desk.world, STAFF, person.id, msgspec.structs.replace(member, roles=("clerk",), scopes=ROLES["clerk"]))
    desk.tokens.pop(who, None)
    return person.ref


def told(desk: Desk, **changes: Any) -> dict[str, Any]:
    """A report by telephone, heard an hour ago."""
    heard = write_time(desk.world.clock.now - HOUR)
    body = {"channel": "telephone", "category": "other", "narrative": NARRATIVE, "language": "ar", "seen_at": heard, **changes}
    return {name: value for name, value in body.items() if value is not None}


def posted(desk: Desk, **changes: Any) -> dict[str, Any]:
    """A report that stood on a social account."""
    lines = {"platform": "X", "handle": "@invented", "link": "https://social.example/1"}
    return told(desk, channel="social_media", posted_at=write_time(desk.world.clock.now - 2 * HOUR), **{**lines, **changes})


async def entered(desk: Desk, body: dict[str, Any], who: str = "admin") -> httpx.Response:
    """The answer to what somebody takes down."""
    return await desk.as_(who, "POST", "/entries", body)


async def wrong_in(desk: Desk, body: dict[str, Any]) -> list[tuple[str, str]]:
    """What does not hold in what is taken down."""
    answer = await entered(desk, body)
    assert answer.status_code == 422, answer.text
    return [(each["field"], each["code"]) for each in answer.json()["errors"]]


async def test_a_clerk_takes_down_reads_back_once_confirms_and_sees_nothing_of_it_after(desk: Desk):
    """Test 24 of the reference, its last part."""
    ref = await clerk(desk)
    taken = await entered(desk, told(desk, contact="0500000000", noticed_on="2025-12-31"))
    assert taken.status_code == 201, taken.text
    id_ = taken.json()["id"]
    entry = desk.world.entries()[-1]
    assert (entry.kind, entry.actor, entry.article) == ("breach_report.received", ref, "cooperative:8")
    assert (await desk.as_("admin", "POST", f"/entries/{id_}/confirmation", {})).json()["code"] == "report-state", "read it back first"
    back = await desk.as_("admin", "GET", f"/entries/{id_}")
    assert back.status_code == 200, back.text
    shown = back.json()
    assert (shown["narrative"], shown["contact"], shown["noticed_on"]) == (NARRATIVE, "0500000000", "2025-12-31")
    entry = desk.world.entries()[shown["entry"]["index"]]
    assert (entry.kind, entry.actor, entry.fields, entry.basis) == ("breach_report.read", ref, READ_BACK, "law")
    twice = await desk.as_("admin", "GET", f"/entries/{id_}")
    assert (twice.status_code, twice.json()["code"], twice.json()["article"]) == (403, "entry-closed", "cooperative:8")
    done = await desk.as_("admin", "POST", f"/entries/{id_}/confirmation", {"correction": "كان ذلك يوم الثلاثاء."})
    assert (done.status_code, done.json()["reference"]) == (200, taken.json()["reference"])
    assert desk.world.entries()[-1].kind == "breach_report.entry-confirmed"
    for method, path, body in (("GET", "", None), ("POST", "/confirmation", {})):
        answer = await desk.as_("admin", method, f"/entries/{id_}{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (403, "entry-closed")
        assert NARRATIVE not in answer.text
        last = desk.world.entries()[-1]
        assert (last.kind, last.outcome, last.reason, last.actor) == ("breach_report.refused", "refuse", "ENTRY_CLOSED", ref)
    assert (await desk.as_("admin", "GET", f"/{id_}")).json()["code"] == "out-of-scope", "she needs no right to read"
    assert (await desk.as_("admin", "GET", "")).json()["code"] == "out-of-scope"
    read = await desk.read(id_)
    assert (read["narrative"], read["channel"], read["taken_down"]["by"]) == (NARRATIVE, "telephone", ref)
    assert [(each["from"], each["text"]) for each in read["messages"]] == [("reporter", "كان ذلك يوم الثلاثاء.")]
    status = (await desk.public("/status", {"receipt": done.json()["receipt"]})).json()
    assert (status["reference"], status["state"]) == (taken.json()["reference"], "received")
    assert [each["text"] for each in status["messages"]] == ["كان ذلك يوم الثلاثاء."]
    assert desk.findings() == []


async def test_a_time_of_seeing_after_that_of_entering_does_not_hold_and_a_gap_of_a_day_needs_its_reason(desk: Desk):
    """Test 24 of the reference, its first two parts."""
    await clerk(desk)
    now = desk.world.clock.now
    assert await wrong_in(desk, told(desk, seen_at=write_time(now + 1_000_000))) == [("seen_at", "future-dated")]
    assert await wrong_in(desk, told(desk, seen_at="2019-12-31T23:59:59Z")) == [("seen_at", "out-of-range")]
    assert await wrong_in(desk, told(desk, seen_at="yesterday")) == [("seen_at", "wrong-type")]
    late = write_time(now - 25 * HOUR)
    assert await wrong_in(desk, told(desk, seen_at=late)) == [("late_reason", "missing")]
    assert await wrong_in(desk, told(desk, seen_at=late, late_reason="س" * 501)) == [("late_reason", "out-of-range")]
    assert not [one for one in desk.world.entries() if one.kind == "breach_report.received"]
    taken = await entered(desk, told(desk, seen_at=late, late_reason="كان المكتب مغلقًا"))
    assert taken.status_code == 201, taken.text
    assert (await desk.read(taken.json()["id"]))["taken_down"]["late_reason"] == "كان المكتب مغلقًا"
    assert (await entered(desk, told(desk, seen_at=write_time(now - 24 * HOUR)))).status_code == 201


async def test_its_clocks_run_from_when_somebody_of_the_house_knew_of_it(desk: Desk):
    await clerk(desk)
    seen = desk.world.clock.now - 30 * HOUR
    taken = (await entered(desk, told(desk, seen_at=write_time(seen), late_reason="عطلة"))).json()
    web = await desk.report()
    listed = {each["reference"]: each for each in (await desk.as_("officer", "GET", "")).json()["items"]}
    mine, other = listed[taken["reference"]], listed[web["reference"]]
    assert mine["clock"]["aware_at"] == mine["seen_at"] == taken["seen_at"] == write_time(seen)
    assert mine["clock"]["due_at"] == write_time(seen + 72 * HOUR)
    assert mine["acknowledge_by"] == taken["acknowledge_by"]
    assert mine["acknowledge_by"] < other["acknowledge_by"], "a day and more was lost before it was taken down"
    judged = await desk.as_("officer", "POST", f"/{taken['id']}/triage", {"finding": "breach"})
    assert judged.json()["clock"]["aware_at"] == write_time(seen)


async def test_one_officer_alone_does_not_move_awareness_later_by_judging_what_was_taken_down_late(desk: Desk):
    await clerk(desk)
    now = desk.world.clock.now
    seen = now - 120 * HOUR
    taken = (await entered(desk, told(desk, seen_at=write_time(seen), late_reason="كانت في الدرج"))).json()
    before = (await desk.read(taken["id"]))["clock"]
    assert (before["aware_at"], before["overdue"]) == (write_time(seen), True)
    for later in (now, seen + 1_000_000):
        judged = await desk.as_("officer", "POST", f"/{taken['id']}/triage", {"finding": "breach", "aware_at": write_time(later)})
        assert (judged.status_code, judged.json()["errors"]) == (422, [{"field": "aware_at", "code": "out-of-range"}])
    judged = await desk.as_("officer", "POST", f"/{taken['id']}/triage", {"finding": "breach", "aware_at": write_time(seen - HOUR)})
    assert judged.json()["clock"]["aware_at"] == write_time(seen - HOUR)


async def test_what_stood_on_a_social_account_says_where_and_gets_no_receipt(desk: Desk):
    await clerk(desk)
    assert await wrong_in(desk, posted(desk, platform=" ")) == [("platform", "missing")]
    assert await wrong_in(desk, posted(desk, handle="", link="")) == [("link", "missing")]
    assert await wrong_in(desk, {**posted(desk), "posted_at": None}) == [("posted_at", "missing")]
    assert await wrong_in(desk, posted(desk, link="javascript:alert(1)")) == [("link", "wrong-type")]
    assert await wrong_in(desk, posted(desk, handle="x" * 301)) == [("handle", "out-of-range")]
    future = {**posted(desk), "posted_at": write_time(desk.world.clock.now)}
    assert await wrong_in(desk, future) == [("posted_at", "out-of-range")], "nobody sees what is posted later"
    assert await wrong_in(desk, told(desk, handle="@x", platform="X")) == [("platform", "out-of-range"), ("handle", "out-of-range")]
    taken = (await entered(desk, posted(desk, handle=""))).json()
    await desk.as_("admin", "GET", f"/entries/{taken['id']}")
    done = (await desk.as_("admin", "POST", f"/entries/{taken['id']}/confirmation", {})).json()
    assert done["receipt"] is None
    read = (await desk.read(taken["id"]))["taken_down"]
    assert (read["platform"], read["handle"], read["link"]) == ("X", None, "https://social.example/1")
    assert read["posted_at"] < read["confirmed_at"]


async def test_a_processors_notice_names_a_processor_of_the_house(desk: Desk):
    await clerk(desk)
    for code, kind in (("host", "processor"), ("friend", "partner")):
        await lay_down(desk.world, RECIPIENT, code, RecipientFact(code=code, name={}, kind=kind, country="SA"))  # type: ignore[arg-type]
    notice = told(desk, channel="processor_notice", processor="host")
    taken = await entered(desk, notice)
    assert taken.status_code == 201, taken.text
    assert (await desk.read(taken.json()["id"]))["taken_down"]["processor"] == "host"
    for wrong in ("friend", "nobody"):
        assert await wrong_in(desk, {**notice, "processor": wrong}) == [("processor", "unknown-recipient")]
    assert await wrong_in(desk, told(desk, processor="host")) == [("processor", "out-of-range")]
    assert (await entered(desk, {**notice, "processor": ""})).status_code == 201


async def test_whom_the_reporter_excludes_sees_nothing_and_takes_nothing_down_that_excludes_her(desk: Desk):
    words = {"exclude": {"offices": [], "words": "المسؤولة التي أشكو منها"}}
    refused = await entered(desk, told(desk, **words), "officer")
    assert (refused.status_code, refused.json()["errors"]) == (422, [{"field": "exclude", "code": "same-person"}])
    await clerk(desk, "second_officer")
    taken = await entered(desk, told(desk, **words), "second_officer")
    assert taken.status_code == 201, taken.text
    assert [one.reason for one in desk.world.entries() if one.kind == "alarm"] == ["EXCLUSION_WAITS"]
    assert (await desk.as_("officer", "GET", f"/{taken.json()['id']}")).json()["code"] == "excluded"
    waiting = (await desk.as_("admin", "GET", "/reporter-exclusions")).json()["items"]
    assert [each["id"] for each in waiting] == [taken.json()["id"]]
    back = await desk.as_("second_officer", "GET", f"/entries/{taken.json()['id']}")
    assert back.status_code == 200, "who took it down reads it back all the same"
    long = told(desk, exclude={"offices": [], "words": "س" * 301})
    assert (await entered(desk, long, "second_officer")).json()["errors"] == [{"field": "exclude", "code": "out-of-range"}]


async def test_a_clerk_who_turns_out_to_be_meant_sees_nothing_of_it(desk: Desk):
    await clerk(desk)
    id_ = (await entered(desk, told(desk))).json()["id"]
    person = await desk.world.person("admin")
    await desk.as_("officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(person.id))})
    for method, path, body in (("GET", "", None), ("POST", "/confirmation", {})):
        answer = await desk.as_("admin", method, f"/entries/{id_}{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (403, "excluded")


async def test_who_took_a_report_down_and_was_excluded_since_is_not_told_how_it_stands_by_asking_again(desk: Desk):
    await clerk(desk)
    desk.tokens["admin"] = await desk.world.session("admin")
    body = told(desk)
    headers = {"Authorization": f"Bearer {desk.tokens['admin']}", "Idempotency-Key": uuid.uuid4().hex}
    taken = await desk.http.post("/v1/breach-reports/entries", json=body, headers=headers)
    path = f"/{taken.json()['id']}"
    meant = str(uuid.UUID((await desk.world.person("admin")).id))
    assert (await desk.as_("officer", "POST", f"{path}/exclusion", {"staff": meant})).status_code == 200
    assert (await desk.as_("officer", "POST", f"{path}/acknowledgement")).status_code == 200
    again = await desk.http.post("/v1/breach-reports/entries", json=body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (403, "excluded"), again.text
    entry = desk.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.reason) == ("breach_report.refused", "refuse", "EXCLUDED")


async def test_nobody_reads_back_or_confirms_what_another_took_down(desk: Desk):
    await clerk(desk)
    await clerk(desk, "second_officer")
    id_ = (await entered(desk, told(desk))).json()["id"]
    web = await desk.id_of((await desk.report())["reference"])
    for other in (id_, web, str(uuid.uuid4())):
        for method, path in (("GET", ""), ("POST", "/confirmation")):
            answer = await desk.as_("second_officer", method, f"/entries/{other}{path}", None if method == "GET" else {})
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    await lay_down_as(desk, "officer", "second")
    for answer in (await desk.as_("officer", "POST", "/entries", told(desk)), await desk.as_("officer", "GET", f"/entries/{id_}")):
        assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")


async def lay_down_as(desk: Desk, who: str, role: str) -> None:
    """Give somebody of the ceremony another role."""
    person = await desk.world.person(who)
    member = (await desk.world.association.refresh()).staff[person.id]
    await lay_down(desk.world, STAFF, person.id, msgspec.structs.replace(member, roles=(role,), scopes=ROLES[role]))
    desk.tokens.pop(who, None)


async def test_it_is_a_report_from_the_first_answer_on_and_a_repeat_makes_no_second(desk: Desk):
    await clerk(desk)
    body, key = told(desk), uuid.uuid4().hex
    await entered(desk, told(desk, narrative="غير هذا: ضاع ملف ورقي فيه أسماء."))

    async def again(body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {desk.tokens['admin']}", "Idempotency-Key": key}
        return await desk.http.post("/v1/breach-reports/entries", json=body, headers=headers)

    first, second, other = await again(body), await again(body), await again({**body, "category": "wrong_recipient"})
    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 409)
    assert (second.json()["id"], second.json()["already"]) == (first.json()["id"], True)
    listed = (await desk.as_("officer", "GET", "")).json()["items"]
    assert sum(each["id"] == first.json()["id"] for each in listed) == 1, "whether it is confirmed or not"
    assert (await desk.read(first.json()["id"]))["taken_down"]["confirmed_at"] is None
    groups = (await desk.as_("officer", "GET", "/groups")).json()["items"]
    assert [each["count"] for each in groups] == [1, 1], "what a person took down is never put with others"


async def files(desk: Desk, id_: str, content: bytes = PNG, name: str = "لقطة.png", who: str = "admin") -> httpx.Response:
    """The answer to a file that somebody adds."""
    headers = {"Authorization": f"Bearer {desk.tokens[who]}"}
    return await desk.http.post(f"/v1/breach-reports/entries/{id_}/files", files={"file": (name, content)}, headers=headers)


async def test_a_screenshot_lies_with_it_until_it_is_confirmed(desk: Desk):
    ref = await clerk(desk)
    id_ = (await entered(desk, posted(desk))).json()["id"]
    added = await files(desk, id_)
    assert (added.status_code, added.json()["files"]) == (201, 1), added.text
    assert (desk.world.entries()[-1].kind, desk.world.entries()[-1].actor) == ("breach_report.entry-files", ref)
    wrong = await files(desk, id_, b"PK\x03\x04" + b"\x00" * 99)
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "unknown-file-type")
    back = (await desk.as_("admin", "GET", f"/entries/{id_}")).json()
    assert [(each["type"], each["name"]) for each in back["files"]] == [("image/png", "لقطة.png")]
    await desk.as_("admin", "POST", f"/entries/{id_}/confirmation", {})
    late = await files(desk, id_)
    assert (late.status_code, late.json()["code"]) == (403, "entry-closed")
    read = await desk.read(id_)
    shown = await desk.as_("officer", "GET", f"/{id_}/files/{read['files'][0]['id']}")
    assert shown.content == PNG
    assert desk.findings() == []


async def test_what_is_taken_down_wrongly_is_told_field_by_field(desk: Desk):
    await clerk(desk)
    found = await wrong_in(desk, told(desk, category="gossip", narrative="قصير", contact="0" * 301))
    assert found == [("category", "out-of-range"), ("narrative", "out-of-range"), ("contact", "out-of-range")]
    assert await wrong_in(desk, told(desk, channel="pigeon")) == [("channel", "out-of-range")]
    id_ = (await entered(desk, told(desk))).json()["id"]
    await desk.as_("admin", "GET", f"/entries/{id_}")
    long = await desk.as_("admin", "POST", f"/entries/{id_}/confirmation", {"correction": "س" * 5001})
    assert (long.status_code, long.json()["errors"]) == (422, [{"field": "correction", "code": "out-of-range"}])
    desk.free[0] = LEAST_FREE - 1
    paused = await entered(desk, told(desk))
    assert (paused.status_code, paused.json()["code"]) == (503, "intake-paused")


async def test_it_is_read_back_once_however_often_it_is_asked_at_one_time(desk: Desk):
    await clerk(desk)
    id_ = (await entered(desk, told(desk))).json()["id"]
    answers = await asyncio.gather(*(desk.as_("admin", "GET", f"/entries/{id_}") for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 403, 403, 403, 403]
