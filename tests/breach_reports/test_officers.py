"""What officers do: every look is an entry first, and what one could abuse takes two."""

import uuid
from typing import Any

import msgspec
import pytest

from tests.breach_reports.desk import NARRATIVE, Desk
from tests.breach_reports.incident_desk import done, opened, report
from tests.household import lay_down
from vault.access_log.deed import Deed
from vault.breach_reports import case, door
from vault.breach_reports.case import MOST_PARTS
from vault.breach_reports.shapes import ALL_KINDS
from vault.errors import Unavailable
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import STAFF
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def told(desk: Desk, **changes: Any) -> tuple[str, str]:
    """The id of a report and its receipt."""
    taken = await desk.report(**changes)
    return await desk.id_of(taken["reference"]), taken["receipt"]


async def test_an_officer_reads_a_report_and_the_entry_names_it_before(desk: Desk):
    id_, receipt = await told(desk, contact="0500000000", noticed_on="2025-12-31")
    await desk.public("/messages", {"receipt": receipt, "text": "أضيف شيئًا"})
    read = await desk.read(id_)
    assert (read["narrative"], read["contact"], read["noticed_on"]) == (NARRATIVE, "0500000000", "2025-12-31")
    assert [(each["from"], each["text"]) for each in read["messages"]] == [("reporter", "أضيف شيئًا")]
    entry = desk.world.entries()[read["entry"]["index"]]
    assert (entry.kind, entry.outcome, entry.fields, entry.basis) == ("breach_report.read", "allow", ALL_KINDS, "law")
    assert entry.about[0].record == bytes.fromhex(id_.replace("-", ""))
    assert entry.actor.startswith("staff:")


async def test_whom_a_report_may_be_about_sees_nothing_of_it_and_her_tries_are_entries(desk: Desk):
    id_, _ = await told(desk)
    other, _ = await told(desk)
    officer = await desk.world.person("officer")
    path = f"/{id_}/exclusion"
    done = await desk.as_("second_officer", "POST", path, {"staff": str(uuid.UUID(officer.id))})
    assert (done.status_code, done.json()["state"]) == (200, "received")
    told_ = desk.world.entries()[-1]
    assert (told_.kind, {one.kind for one in told_.facts}) == ("breach_report.excluded", {"breach_report", "breach_exclusions"})
    deeds = {
        "": None,
        "/acknowledgement": {},
        "/triage": {"finding": "breach"},
        "/reply": {"text": "نعم"},
        "/exclusion": {"staff": str(uuid.UUID(officer.id))},
        "/dismissal": {"reason": "spam"},
        "/dismissal/approval": {"reason": "spam", "code": "000000"},
        "/awareness": {"aware_at": write_time(desk.world.clock.now), "reason": "x"},
        "/awareness/approval": {"aware_at": write_time(desk.world.clock.now), "code": "000000"},
    }
    for deed, body in deeds.items():
        answer = await desk.as_("officer", "GET" if body is None else "POST", f"/{id_}{deed}", body)
        assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, "excluded", "cooperative:8"), deed
        assert NARRATIVE not in answer.text
        entry = desk.world.entries()[-1]
        assert (entry.kind, entry.outcome, entry.reason, entry.actor) == ("breach_report.refused", "refuse", "EXCLUDED", officer.ref)
    page = (await desk.as_("officer", "GET", "")).json()
    assert ([each["id"] for each in page["items"]], page["withheld"]) == ([other], 1)
    page = (await desk.as_("second_officer", "GET", "")).json()
    assert ({each["id"] for each in page["items"]}, page["withheld"]) == ({id_, other}, 0)
    assert (await desk.as_("second_officer", "GET", f"/{id_}")).status_code == 200


async def test_somebody_is_always_left_to_work_on_a_report(desk: Desk):
    id_, _ = await told(desk)
    officer, second = await desk.world.person("officer"), await desk.world.person("second_officer")
    path = f"/{id_}/exclusion"
    for _ in range(2):
        assert (await desk.as_("officer", "POST", path, {"staff": str(uuid.UUID(second.id))})).status_code == 200
    assert [entry.kind for entry in desk.world.entries()].count("breach_report.excluded") == 1
    last = await desk.as_("officer", "POST", path, {"staff": str(uuid.UUID(officer.id))})
    assert (last.status_code, last.json()["code"]) == (409, "last-officer")
    for nobody in (str(uuid.UUID(int=1)), "somebody"):
        wrong = await desk.as_("officer", "POST", path, {"staff": nobody})
        assert (wrong.status_code, wrong.json()["errors"]) == (422, [{"field": "staff", "code": "unknown-staff"}])


async def test_nobody_excludes_everybody_else(desk: Desk):
    id_, _ = await told(desk)
    officer, second = await desk.world.person("officer"), await desk.world.person("second_officer")
    known = (await desk.world.association.refresh()).staff[officer.id]
    third, fourth = (msgspec.structs.replace(known, id=uuid.uuid4().hex, name_hash=uuid.uuid4().hex * 2) for _ in range(2))
    for one in (third, fourth):
        await lay_down(desk.world, STAFF, one.id, one)

    async def exclude(who: str, whom: str) -> tuple[int, str | None]:
        answer = await desk.as_(who, "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(whom))})
        return answer.status_code, answer.json().get("code")

    assert await exclude("officer", third.id) == (200, None)
    assert await exclude("officer", second.id) == (403, "same-person")
    entry = desk.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.reason, entry.article) == ("breach_report.excluded", "refuse", "SAME_PERSON", "cooperative:7")
    assert await exclude("officer", third.id) == (200, None), "what is so already is said again"
    assert await exclude("second_officer", fourth.id) == (200, None)
    assert await exclude("officer", officer.id) == (200, None), "oneself at any time"
    assert await exclude("officer", second.id) == (403, "excluded")


async def test_nothing_opens_before_the_commit_of_the_entry_nor_twice(desk: Desk):
    id_, _ = await told(desk)
    errand = Errand(await desk.world.person("officer"), "r")
    report = bytes.fromhex(id_.replace("-", ""))

    def unit(deed: Deed) -> door.Taken:
        entry = errand.entry(kind="breach_report.read", outcome="allow", purpose="breach_report", article="cooperative:8")
        taken = door.take(deed, case.load(deed, report), entry, ALL_KINDS)
        with pytest.raises(Unavailable):
            door.give_out(taken)
        return taken

    taken = await desk.world.association.run(unit)
    assert len(door.give_out(taken)) == 1
    with pytest.raises(Unavailable) as second:
        door.give_out(taken)
    assert second.value.code == "integrity"


async def test_a_log_that_cannot_be_written_shows_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_, _ = await told(desk)

    def fails(_deed: Deed) -> None:
        raise Unavailable("log-unavailable")

    monkeypatch.setattr(Deed, "close", fails)
    answer = await desk.as_("officer", "GET", f"/{id_}")
    assert answer.status_code == 503
    assert NARRATIVE not in answer.text


async def test_the_list_tells_state_and_time_left_and_opens_nothing(desk: Desk):
    first = await desk.report()
    desk.world.clock.forward(3600)
    second = await desk.report(category="loss_theft_hack")
    before = len(desk.world.entries())
    page = (await desk.as_("officer", "GET", "?limit=1")).json()
    assert [each["reference"] for each in page["items"]] == [second["reference"]]
    assert page["items"][0]["clock"]["seconds_left"] == 72 * 3600
    assert page["items"][0]["clock"]["provisional"] is True
    rest = (await desk.as_("officer", "GET", f"?limit=1&after={page['next']}")).json()
    assert ([each["reference"] for each in rest["items"]], rest["next"]) == ([first["reference"]], None)
    assert rest["items"][0]["clock"]["seconds_left"] == 71 * 3600
    assert len(desk.world.entries()) - before == 1, "the sign-in alone"
    assert (await desk.as_("officer", "GET", "?state=dismissed")).json()["items"] == []


async def test_a_reporters_new_message_is_seen_in_the_list_until_it_is_replied_to(desk: Desk):
    quiet, (id_, receipt) = await told(desk), await told(desk)

    async def seen(query: str = "") -> dict[str, tuple[int, str | None]]:
        items = (await desk.as_("officer", "GET", query)).json()["items"]
        return {each["id"]: (each["unanswered"], each["last_message_at"]) for each in items}

    assert await seen() == {quiet[0]: (0, None), id_: (0, None)}
    for _ in range(2):
        desk.world.clock.forward(60)
        await desk.public("/messages", {"receipt": receipt, "text": "أضيف شيئًا"})
    waiting = {id_: (2, write_time(desk.world.clock.now))}
    assert await seen("?unanswered=true") == waiting
    assert await seen("?unanswered=false") == {quiet[0]: (0, None)}
    assert await seen() == waiting | {quiet[0]: (0, None)}
    await desk.read(id_)
    assert await seen("?unanswered=true") == waiting, "reading is no reply"
    assert await seen("?unanswered=true&state=dismissed") == {}
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "وصلنا"})).status_code == 200
    assert await seen("?unanswered=true") == {}
    await desk.public("/messages", {"receipt": receipt, "text": "شكرًا"})
    assert await seen("?unanswered=true") == {id_: (1, write_time(desk.world.clock.now))}
    third, receipt = await told(desk)
    await desk.public("/messages", {"receipt": receipt, "text": "أضيف شيئًا"})
    page = (await desk.as_("officer", "GET", "?unanswered=true&limit=1")).json()
    rest = (await desk.as_("officer", "GET", f"?unanswered=true&limit=1&after={page['next']}")).json()
    assert {each["id"] for each in (*page["items"], *rest["items"])} == {id_, third}
    assert rest["next"] is None
    assert (await desk.as_("officer", "GET", "?unanswered=perhaps")).status_code == 422
    assert (await desk.as_("officer", "GET", "?after=00000000-0000-4000-8000-000000000000")).status_code == 404


async def test_reports_made_in_one_moment_are_paged_without_a_gap(desk: Desk):
    made = {(await desk.report())["reference"] for _ in range(5)}
    seen, after = [], ""
    while True:
        page = (await desk.as_("officer", "GET", f"?limit=2{after}")).json()
        seen += [each["reference"] for each in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == sorted(made)


async def test_acknowledging_and_answering_reach_the_reporter(desk: Desk):
    id_, receipt = await told(desk)
    done = await desk.as_("officer", "POST", f"/{id_}/acknowledgement")
    assert (done.status_code, done.json()["state"]) == (200, "acknowledged")
    assert (await desk.as_("officer", "POST", f"/{id_}/acknowledgement")).json()["code"] == "report-state"
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": " نعمل على ذلك "})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "  "})).status_code == 422
    seen = (await desk.public("/status", {"receipt": receipt})).json()
    assert seen["state"] == "acknowledged"
    assert [(each["from"], each["text"]) for each in seen["messages"]] == [("association", "نعمل على ذلك")]
    kinds = [entry.kind for entry in desk.world.entries()]
    assert {"breach_report.acknowledged", "breach_report.replied"} <= set(kinds)
    assert desk.findings() == []


async def test_triage_starts_the_clock_and_nobody_alone_stops_it(desk: Desk):
    id_, receipt = await told(desk)
    desk.world.clock.forward(10 * 3600)
    desk.tokens.clear()  # the session is over by now
    later = {"finding": "breach", "aware_at": "2026-01-01T05:00:00Z"}
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", later)).status_code == 422
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach", "aware_at": "noon"})).status_code == 422
    done = await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach", "note": "حاسوب مسروق"})
    clock = done.json()["clock"]
    assert (clock["aware_at"], clock["due_at"]) == ("2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z")
    assert (clock["due_riyadh"], clock["seconds_left"]) == ("2026-01-04T03:00:00+03:00", 62 * 3600)
    assert (clock["overdue"], clock["provisional"]) == (False, False)
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})).json()["code"] == "report-state"
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach"})).json()["code"] == "clock-running"
    desk.world.clock.forward(62 * 3600 + 1)
    desk.tokens.clear()
    read = await desk.read(id_)
    assert read["clock"]["overdue"] is True
    assert read["clock"]["seconds_left"] == -1
    assert [each["text"] for each in read["notes"]] == ["حاسوب مسروق"]
    assert (await desk.public("/status", {"receipt": receipt})).json()["state"] == "in_review"
    triaged = next(entry for entry in desk.world.entries() if entry.kind == "breach_report.triaged")
    assert (triaged.article, triaged.law) == ("cooperative:8", "sa-pdpl:20")


async def test_one_officers_no_breach_stops_no_clock_and_may_become_a_breach(desk: Desk):
    id_, _ = await told(desk)
    assert (
        await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach", "aware_at": "2025-12-31T00:00:00Z"})
    ).status_code == 422
    done = await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach"})
    assert (done.json()["state"], done.json()["clock"]["provisional"]) == ("triaged", True)
    assert done.json()["clock"]["due_at"] == "2026-01-04T00:00:00Z"
    assert next(each["clock"] for each in (await desk.as_("officer", "GET", "")).json()["items"] if each["id"] == id_)["provisional"]
    earlier = {"finding": "breach", "aware_at": "2025-12-31T22:00:00Z"}
    clock = (await desk.as_("officer", "POST", f"/{id_}/triage", earlier)).json()["clock"]
    assert (clock["due_at"], clock["provisional"]) == ("2026-01-03T22:00:00Z", False)


async def test_what_one_officer_calls_no_breach_ends_with_a_second_persons_dismissal(desk: Desk):
    id_, _ = await told(desk)
    await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach"})
    await desk.as_("officer", "POST", f"/{id_}/dismissal", {"reason": "no_basis"})
    assert (await desk.read(id_))["clock"]["provisional"] is True
    await desk.as_("second_officer", "GET", f"/{id_}")
    body = {"reason": "no_basis", "code": desk.world.one_time_code("second_officer")}
    assert (await desk.as_("second_officer", "POST", f"/{id_}/dismissal/approval", body)).json()["clock"] is None


async def test_a_dismissal_takes_two_people_who_mean_the_same(desk: Desk):
    id_, receipt = await told(desk)
    path = f"/{id_}/dismissal"
    code = desk.world.one_time_code
    assert (await desk.as_("second_officer", "POST", f"{path}/approval", {"reason": "spam"})).json()["code"] == "report-state"
    assert (await desk.as_("officer", "POST", path, {"reason": "duplicate", "note": "كالسابق"})).json()["state"] == "received"
    same = await desk.as_("officer", "POST", f"{path}/approval", {"reason": "duplicate", "code": code("officer")})
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    assert same.json()["entry"]["leaf_hash"]
    other = await desk.as_("second_officer", "POST", f"{path}/approval", {"reason": "spam", "code": code("second_officer")})
    assert other.json()["code"] == "report-state"
    bare = await desk.as_("second_officer", "POST", f"{path}/approval", {"reason": "duplicate"})
    assert bare.json()["code"] == "step-up-required"
    done = await desk.as_("second_officer", "POST", f"{path}/approval", {"reason": "duplicate", "code": code("second_officer")})
    assert (done.status_code, done.json()["state"], done.json()["clock"]) == (200, "dismissed", None)
    assert (await desk.public("/status", {"receipt": receipt})).json()["state"] == "closed"
    read = await desk.read(id_)
    assert read["dismissal"]["proposed_by"] != read["dismissal"]["settled_by"]
    for deed, body in (("triage", {"finding": "breach"}), ("dismissal", {"reason": "spam"}), ("acknowledgement", None)):
        assert (await desk.as_("officer", "POST", f"/{id_}/{deed}", body)).json()["code"] == "report-state"
    assert "ceremony" in next(entry for entry in desk.world.entries() if entry.kind == "breach_report.dismissed").flags
    assert desk.findings() == []


async def test_a_dismissal_proposed_before_the_report_was_judged_a_breach_ends_no_clock_of_the_authority(desk: Desk):
    id_, _ = await told(desk)
    path = f"/{id_}/dismissal"
    assert (await desk.as_("officer", "POST", path, {"reason": "spam"})).status_code == 200
    assert (await desk.as_("second_officer", "POST", f"/{id_}/triage", {"finding": "breach"})).status_code == 200
    desk.world.clock.forward(60)
    body = {"reason": "spam", "code": desk.world.one_time_code("second_officer")}
    answer = await desk.as_("second_officer", "POST", f"{path}/approval", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "report-state")
    read = await desk.read(id_)
    second = (await desk.world.person("second_officer")).ref
    assert (read["state"], read["clock"]["provisional"], read["dismissal"]["overtaken_by"]) == ("triaged", False, second)
    assert (await desk.as_("second_officer", "POST", f"{path}/rejection", {"reason": "spam"})).json()["code"] == "report-state"
    assert (await desk.as_("officer", "POST", path, {"reason": "spam"})).status_code == 200
    fresh = {"reason": "spam", "code": desk.world.one_time_code("second_officer")}
    assert (await desk.as_("second_officer", "POST", f"{path}/approval", fresh)).json()["state"] == "dismissed"
    assert desk.findings() == []


async def test_what_was_proposed_about_a_report_ends_where_it_is_linked_or_taken_out_of_its_incident(desk: Desk):
    id_ = await report(desk)
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})).status_code == 200
    to, spam = write_time(desk.world.clock.now), {"reason": "spam"}
    assert (await desk.as_("officer", "POST", f"/{id_}/awareness", {"aware_at": to, "reason": "x"})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/dismissal", spam)).status_code == 200
    case_ = await opened(desk, id_)
    assert (await desk.as_("second_officer", "POST", f"/{id_}/dismissal/approval", spam)).json()["code"] == "report-state"
    assert (await desk.as_("officer", "POST", f"/{id_}/dismissal", spam)).status_code == 200
    await done(desk, f"/{case_}/unlink", {"report": id_, "reason": "x"})
    assert (await desk.as_("second_officer", "POST", f"/{id_}/dismissal/approval", spam)).json()["code"] == "report-state"
    assert (await desk.as_("second_officer", "POST", f"/{id_}/awareness/approval", {"aware_at": to})).json()["code"] == "report-state"
    assert (await desk.read(id_))["clock"]["provisional"] is False
    assert desk.findings() == []


async def test_awareness_is_no_moment_before_2020(desk: Desk):
    id_, _ = await told(desk)
    early, edge = "2019-12-31T23:59:59Z", "2020-01-01T00:00:00Z"
    for path, more in (("triage", {"finding": "breach"}), ("awareness", {"reason": "x"})):
        answer = await desk.as_("officer", "POST", f"/{id_}/{path}", {"aware_at": early, **more})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "out-of-range")
        assert (await desk.as_("officer", "POST", f"/{id_}/{path}", {"aware_at": edge, **more})).status_code == 200


async def test_moving_the_moment_of_awareness_takes_two_people_and_keeps_its_history(desk: Desk):
    id_, _ = await told(desk)
    desk.world.clock.forward(7200)
    path, code = f"/{id_}/awareness", desk.world.one_time_code
    move = {"aware_at": "2026-01-01T01:00:00Z", "reason": "قرأناه في ذلك الوقت"}
    assert (await desk.as_("officer", "POST", path, move)).json()["code"] == "report-state", "no clock runs yet"
    await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})
    assert (await desk.as_("officer", "POST", path, {**move, "aware_at": "2026-02-01T00:00:00Z"})).json()["code"] == "future-dated"
    assert (await desk.as_("officer", "POST", path, {**move, "reason": " "})).status_code == 422
    waits = await desk.as_("officer", "POST", path, move)
    assert waits.json()["clock"]["aware_at"] == "2026-01-01T00:00:00Z", "nothing moved yet"
    same = await desk.as_("officer", "POST", f"{path}/approval", {"aware_at": move["aware_at"], "code": code("officer")})
    assert same.json()["code"] == "same-person"
    swapped = await desk.as_("second_officer", "POST", f"{path}/approval", {"aware_at": "2026-01-01T02:00:00Z"})
    assert swapped.json()["code"] == "report-state", "she means another moment"
    done = await desk.as_("second_officer", "POST", f"{path}/approval", {"aware_at": move["aware_at"], "code": code("second_officer")})
    assert done.json()["clock"]["due_at"] == "2026-01-04T01:00:00Z"
    again = await desk.as_("second_officer", "POST", f"{path}/approval", {"aware_at": move["aware_at"]})
    assert again.json()["code"] == "report-state"
    await desk.as_("officer", "POST", path, {**move, "aware_at": "2026-01-01T00:30:00Z"})
    await desk.as_("officer", "POST", path, {**move, "aware_at": "2026-01-01T00:45:00Z"})
    history = (await desk.read(id_))["awareness"]
    assert [(each["was"], each["to"], "settled_by" in each) for each in history] == [
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", True),
        ("2026-01-01T01:00:00Z", "2026-01-01T00:45:00Z", False),
    ]
    assert desk.findings() == []


async def test_a_case_whose_key_is_gone_or_anothers_takes_no_more_texts(desk: Desk):
    (id_, _), (other, _) = await told(desk), await told(desk)
    swap = "UPDATE breach_report_key SET wrapped = (SELECT wrapped FROM breach_report_key ORDER BY wrapped LIMIT 1)"
    for statement in (swap, "DELETE FROM breach_report_key"):
        with desk.world.database.connect() as connection, connection.begin():
            connection.exec_driver_sql(statement)
        answers = [await desk.as_("officer", "POST", f"/{each}/reply", {"text": "x"}) for each in (id_, other)]
        assert "integrity" in {answer.json().get("code") for answer in answers}
        assert desk.world.entries()[-1].kind in ("alarm", "breach_report.replied")
    assert [answer.status_code for answer in answers] == [503, 503]


async def test_only_people_with_the_scope_work_on_reports(desk: Desk):
    id_, _ = await told(desk)
    for method, path, body in (
        ("GET", "", None),
        ("GET", f"/{id_}", None),
        ("POST", f"/{id_}/acknowledgement", None),
        ("POST", f"/{id_}/dismissal/approval", {"reason": "spam"}),
    ):
        answer = await desk.as_("admin", method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")
    key = {"Authorization": f"Bearer {desk.world.ceremony.api_key}"}
    assert (await desk.http.get("/v1/breach-reports", headers=key)).status_code == 403


async def test_an_id_of_nothing_is_not_found(desk: Desk):
    nobody = "/00000000-0000-4000-8000-000000000000"
    assert (await desk.as_("officer", "GET", nobody)).status_code == 404
    assert (await desk.as_("officer", "POST", f"{nobody}/reply", {"text": "x"})).status_code == 404


async def test_a_report_takes_so_many_texts_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    assert MOST_PARTS == 200
    monkeypatch.setattr(case, "MOST_PARTS", 2)
    id_, _ = await told(desk)
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "x"})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "x"})).status_code == 429
    for path, body in (("triage", {"finding": "breach", "note": "x" * 5001}), ("reply", {"text": "x" * 5001})):
        assert (await desk.as_("officer", "POST", f"/{id_}/{path}", body)).status_code == 422
