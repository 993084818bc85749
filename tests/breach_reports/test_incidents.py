"""Officers and incidents over HTTP: opened, linked, weighed, settled; whoever is excluded from a report sees nothing of its incident."""

import uuid
from typing import Any

import msgspec
import pytest

from tests.breach_reports.desk import NARRATIVE, Desk
from tests.breach_reports.incident_desk import (
    PARTS,
    SUMMARY,
    approve,
    done,
    hours,
    incident,
    now,
    opened,
    proposed,
    rang,
    read,
    refused,
    report,
    ring,
)
from tests.household import lay_down
from vault.access import withholding
from vault.rulebook.shapes import STAFF

pytestmark = pytest.mark.asyncio(loop_scope="function")
SAME: tuple[int, str, list[Any]] = (403, "same-person", [])
STATE: tuple[int, str, list[Any]] = (409, "incident-state", [])


async def test_an_incident_opened_from_reports_is_aware_since_the_earliest_of_them_and_takes_over_their_clock(desk: Desk):
    first = await report(desk)
    desk.world.clock.forward(3600)
    second = await report(desk)
    desk.world.clock.forward(3600)
    told = await done(desk, "", {"summary": SUMMARY, "reports": [second, first]})
    assert (told["state"], told["authority"], told["people"], told["waiting"]) == ("suspected", "open", "open", [])
    assert told["clock"]["aware_at"] == told["aware_at"] == (await desk.read(first))["received_at"]
    assert (told["clock"]["provisional"], told["clock"]["due_riyadh"][-6:]) == (True, "+03:00")
    assert [each["clock"] for each in (await desk.as_("officer", "GET", "")).json()["items"]] == [None, None]
    entry = next(each for each in desk.world.entries() if each.kind == "incident.opened")
    assert (entry.outcome, len(entry.about), {each.kind for each in entry.facts}) == ("allow", 3, {"incident", "breach_report"})
    whole = await read(desk, told["id"])
    assert (whole["summary"], sorted(whole["reports"])) == (SUMMARY, sorted([first, second]))
    assert [(each["why"], each["to"]) for each in whole["awareness"]] == [("opened", told["aware_at"])]
    look = desk.world.entries()[whole["entry"]["index"]]
    assert (look.kind, look.outcome, look.basis, look.fields, look.law) == (
        "incident.read",
        "allow",
        "law",
        ("note", "reason", "summary"),
        "sa-pdpl:20",
    )


async def test_linking_an_older_report_moves_awareness_earlier_and_a_later_one_moves_nothing(desk: Desk):
    older = await report(desk)
    desk.world.clock.forward(10 * 3600)
    middle = await report(desk)
    id_ = await opened(desk, middle)
    before = (await read(desk, id_))["clock"]["due_at"]
    desk.world.clock.forward(3600)
    newer = await report(desk)
    assert (await done(desk, f"/{id_}/link", {"report": newer}))["clock"]["due_at"] == before
    moved = await done(desk, f"/{id_}/link", {"report": older})
    received = (await desk.read(older))["received_at"]
    assert (moved["aware_at"], moved["clock"]["due_at"] < before) == (received, True)
    events = (await read(desk, id_))["awareness"]
    assert [(each["why"], each.get("was"), each["to"]) for each in events][1:] == [("linked", events[0]["to"], received)]
    assert await refused(desk, f"/{id_}/link", {"report": older}) == STATE, "a report is of one incident"


async def test_since_when_a_linked_report_was_known_is_a_matter_of_its_incident(desk: Desk):
    desk.world.clock.forward(3600)
    one, other = await report(desk), await report(desk)
    assert (await desk.as_("officer", "POST", f"/{one}/triage", {"finding": "breach"})).status_code == 200
    waits = {"aware_at": hours(0.5), "reason": PARTS}
    assert (await desk.as_("officer", "POST", f"/{one}/awareness", waits)).status_code == 200
    await opened(desk, one, other)
    code = desk.world.one_time_code("second_officer")
    answers = [
        await desk.as_("officer", "POST", f"/{one}/awareness", waits),
        await desk.as_("second_officer", "POST", f"/{one}/awareness/approval", {"aware_at": hours(0.5), "code": code}),
        await desk.as_("officer", "POST", f"/{other}/triage", {"finding": "breach", "aware_at": hours(0.5)}),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "report-state")] * 3
    assert (await desk.as_("officer", "POST", f"/{other}/triage", {"finding": "breach"})).json()["clock"] is None


async def test_only_what_somebody_looks_at_is_linked_and_nothing_to_what_is_settled(desk: Desk):
    fresh = await desk.id_of((await desk.report())["reference"])
    id_ = await opened(desk)
    assert await refused(desk, f"/{id_}/link", {"report": fresh}) == STATE
    assert await refused(desk, "", {"summary": SUMMARY, "reports": [fresh]}) == STATE
    assert await refused(desk, f"/{id_}/link", {"report": str(uuid.uuid4())}) == (404, "not-found", [])
    assert await refused(desk, f"/{id_}/link", {"report": "x"}) == (422, "invalid", [("report", "out-of-range")])
    known = await report(desk)
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R-1"})
    assert await refused(desk, f"/{id_}/link", {"report": known}) == STATE, "its own clock would stop by one hand"
    assert (await desk.read(known))["clock"] is not None


async def test_a_report_taken_out_again_has_its_own_clock_and_the_awareness_stays(desk: Desk):
    first = await report(desk)
    desk.world.clock.forward(3600)
    second = await report(desk)
    id_ = await opened(desk, first, second)
    aware = (await read(desk, id_))["aware_at"]
    assert (await refused(desk, f"/{id_}/unlink", {"report": first, "reason": " "}))[2] == [("reason", "out-of-range")]
    told = await done(desk, f"/{id_}/unlink", {"report": first, "reason": PARTS})
    assert (told["aware_at"], (await desk.read(first))["clock"] is None) == (aware, False)
    whole = await read(desk, id_)
    assert (whole["reports"], [(each["report"], each["reason"]) for each in whole["unlinked"]]) == ([second], [(first, PARTS)])
    assert await refused(desk, f"/{id_}/unlink", {"report": first, "reason": PARTS}) == STATE
    assert desk.findings() == []


async def test_an_own_finding_begins_when_the_officer_says_and_never_in_the_future(desk: Desk):
    desk.world.clock.forward(5 * 3600)
    id_ = await opened(desk, aware_at=hours(1))
    assert (await read(desk, id_))["aware_at"] == hours(1)
    body = {"summary": SUMMARY, "aware_at": hours(100)}
    assert await refused(desk, "", body) == (422, "future-dated", [("aware_at", "future-dated")])
    assert (await refused(desk, "", body | {"aware_at": "2019-12-31T23:59:59Z"}))[2] == [("aware_at", "out-of-range")]
    assert (await refused(desk, "", body | {"aware_at": "yesterday"}))[2] == [("aware_at", "wrong-type")]
    assert (await refused(desk, "", {"summary": " "}))[2] == [("summary", "out-of-range")]
    assert (await refused(desk, "", {"summary": SUMMARY, "reports": ["x"]}))[2] == [("reports", "out-of-range")]
    assert (await refused(desk, "", {"summary": SUMMARY, "reports": [str(uuid.uuid4()) for _ in range(101)]}))[2] == [
        ("reports", "too-long")
    ]


async def test_the_same_request_opens_one_incident(desk: Desk):
    body, key = {"summary": SUMMARY}, uuid.uuid4().hex
    one, two = [(await incident(desk, "officer", "POST", "", body, Idempotency_Key=key)).json()["id"] for _ in range(2)]
    assert one == two
    other = await incident(desk, "officer", "POST", "", {"summary": "other"}, Idempotency_Key=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-mismatch")


async def test_awareness_takes_two_and_keeps_what_it_was_with_both_people_and_the_reason(desk: Desk):
    desk.world.clock.forward(20 * 3600)
    id_ = await opened(desk, aware_at=hours(2))
    number = await proposed(desk, id_, "awareness", aware_at=hours(12))
    waiting = (await read(desk, id_))["proposals"]
    assert [(each["act"], each["aware_at"], each["reason"]) for each in waiting] == [("awareness", hours(12), PARTS)]
    assert (await read(desk, id_))["aware_at"] == hours(2), "nothing moves before the second person"
    body = {"proposal": number, "code": desk.world.one_time_code("officer")}
    assert await refused(desk, f"/{id_}/approval", body) == SAME
    entry = desk.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.about[0].subject.hex()) == ("incident.awareness-moved", "refuse", uuid.UUID(id_).hex)
    assert (await refused(desk, f"/{id_}/approval", {"proposal": number}, "second_officer"))[:2] == (403, "step-up-required")
    assert await refused(desk, f"/{id_}/approval", {"proposal": number + 1}, "second_officer") == STATE
    told = await approve(desk, id_, number)
    assert (told["aware_at"], told["clock"]["provisional"], told["clock"]["due_at"]) == (hours(12), False, hours(84))
    event = (await read(desk, id_))["awareness"][-1]
    assert (event["was"], event["to"], event["why"], event["reason"]) == (hours(2), hours(12), "corrected", PARTS)
    assert event["by"] != event["approved_by"]
    assert await refused(desk, f"/{id_}/approval", {"proposal": number}, "second_officer") == STATE, "once"
    assert (await refused(desk, f"/{id_}/awareness", {"aware_at": hours(500), "reason": PARTS}))[1] == "future-dated"


async def test_a_second_person_approves_what_was_meant_and_not_what_took_its_place(desk: Desk):
    desk.world.clock.forward(20 * 3600)
    id_ = await opened(desk)
    first = await proposed(desk, id_, "awareness", aware_at=hours(10))
    second = await proposed(desk, id_, "awareness", aware_at=hours(10))
    assert await refused(desk, f"/{id_}/approval", {"proposal": first}, "second_officer") == STATE
    assert [each.get("replaced", False) for each in (await read(desk, id_))["proposals"]] == [True, False]
    await approve(desk, id_, second)


async def test_that_nobody_need_be_told_takes_two_on_each_track_for_itself(desk: Desk):
    id_ = await opened(desk)
    number = await proposed(desk, id_, "not-required", track="authority")
    assert (await read(desk, id_))["clock"] is not None
    told = await approve(desk, id_, number)
    assert (told["authority"], told["people"], told["clock"]) == ("not_required", "open", None)
    track = (await read(desk, id_))["authority"]
    assert (track["reason"], track["by"] != track["approved_by"]) == (PARTS, True)
    assert await refused(desk, f"/{id_}/not-required", {"track": "authority", "reason": PARTS}) == STATE
    assert await refused(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R"}) == STATE
    again = await done(desk, f"/{id_}/reopening", {"track": "authority", "reason": PARTS})
    assert (again["authority"], again["clock"] is None) == ("open", False)
    assert await refused(desk, f"/{id_}/reopening", {"track": "authority", "reason": PARTS}) == STATE
    [before] = (await read(desk, id_))["settled_before"]["authority"]
    assert (before["state"], before["reopened_reason"]) == ("not_required", PARTS)


async def test_18_what_is_filed_a_second_late_needs_a_reason_and_is_never_in_time(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    desk.world.clock.forward(73 * 3600)
    body = {"track": "authority", "filed_at": hours(72 + 1 / 3600), "reference": "NDGP-1"}
    assert await refused(desk, f"/{id_}/filing", body) == (422, "invalid", [("late_reason", "missing")])
    assert (await refused(desk, f"/{id_}/filing", body | {"reference": ""}))[2] == [("reference", "missing")]
    assert (await refused(desk, f"/{id_}/filing", body | {"reference": "r" * 101}))[2] == [("reference", "out-of-range")]
    assert (await refused(desk, f"/{id_}/filing", body | {"filed_at": hours(-1)}))[2] == [("filed_at", "out-of-range")]
    assert (await refused(desk, f"/{id_}/filing", body | {"filed_at": hours(99)}))[1] == "future-dated"
    told = await done(desk, f"/{id_}/filing", body | {"late_reason": PARTS})
    assert (told["authority"], told["clock"]) == ("late", None)
    track = (await read(desk, id_))["authority"]
    assert (track["state"], track["filed_at"], track["reference"], track["reason"]) == ("late", body["filed_at"], "NDGP-1", PARTS)
    other = await opened(desk, aware_at=hours(0))
    assert (await done(desk, f"/{other}/filing", body | {"filed_at": hours(72)}))["authority"] == "filed"
    people = await done(desk, f"/{other}/filing", {"track": "people", "filed_at": hours(73)})
    assert people["people"] == "filed", "the law sets no hours for the people"


async def test_an_incident_closes_when_nobody_is_left_to_be_told_and_opens_again(desk: Desk):
    id_ = await opened(desk)
    assert await refused(desk, f"/{id_}/state", {"state": "closed"}) == STATE
    await done(desk, f"/{id_}/state", {"state": "confirmed", "note": PARTS})
    assert await refused(desk, f"/{id_}/state", {"state": "closed"}) == (409, "tracks-open", [])
    assert await refused(desk, f"/{id_}/ruling-out", {"reason": PARTS}) == STATE
    for track in ("authority", "people"):
        await done(desk, f"/{id_}/filing", {"track": track, "filed_at": now(desk), "reference": "R-1"})
    for state in ("contained", "remediating", "closed"):
        assert (await done(desk, f"/{id_}/state", {"state": state}))["state"] == state
    assert await refused(desk, f"/{id_}/assessment", {"sensitive": "yes", "over_100": "no"}) == STATE
    assert await refused(desk, f"/{id_}/reopening", {"track": "people", "reason": PARTS}) == STATE
    assert (await done(desk, f"/{id_}/state", {"state": "remediating"}))["state"] == "remediating"
    steps = (await read(desk, id_))["steps"]
    assert [each["state"] for each in steps] == ["confirmed", "contained", "remediating", "closed", "remediating"]
    assert steps[0]["note"] == PARTS


async def test_ruling_out_takes_two_stops_every_clock_and_is_taken_back_by_one(desk: Desk):
    id_ = await opened(desk, aware_at=hours(0))
    number = await proposed(desk, id_, "ruling-out")
    told = await approve(desk, id_, number)
    assert (told["state"], told["clock"]) == ("ruled_out", None)
    assert await ring(desk, 30) == []
    assert (await done(desk, "?state=open", method="GET"))["items"] == []
    assert len((await done(desk, "?state=settled", method="GET"))["items"]) == 1
    assert await refused(desk, f"/{id_}/awareness", {"aware_at": hours(1), "reason": PARTS}) == STATE
    again = await done(desk, f"/{id_}/state", {"state": "suspected"})
    assert again["clock"]["aware_at"] == hours(0)
    assert await ring(desk) == [24]


async def test_the_two_questions_of_weight_are_answered_again_and_never_overwritten(desk: Desk):
    id_ = await opened(desk)
    await done(desk, f"/{id_}/assessment", {"sensitive": "unknown", "over_100": "no"})
    await done(desk, f"/{id_}/assessment", {"sensitive": "yes", "over_100": "yes", "note": PARTS})
    [item] = (await done(desk, "", method="GET"))["items"]
    assert (item["sensitive"], item["over_100"]) == ("yes", "yes")
    weights = (await read(desk, id_))["weights"]
    assert [(each["sensitive"], each["over_100"], each.get("note")) for each in weights] == [("unknown", "no", None), ("yes", "yes", PARTS)]
    assert await refused(desk, f"/{id_}/assessment", {"sensitive": "perhaps", "over_100": "no"}) != STATE


async def test_the_queue_is_by_time_left_page_by_page(desk: Desk):
    desk.world.clock.forward(50 * 3600)
    late, soon, fresh = [await opened(desk, aware_at=hours(each)) for each in (1, 20, 40)]
    told = await opened(desk, aware_at=hours(0))
    await done(desk, f"/{told}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R"})
    page = await done(desk, "?limit=2", method="GET")
    assert ([each["id"] for each in page["items"]], page["next"]) == ([late, soon], soon)
    rest = await done(desk, f"?limit=2&after={soon}", method="GET")
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([fresh, told], None)
    assert rest["items"][1]["clock"] is None, "the people are still to be told"
    assert await refused(desk, f"?after={uuid.uuid4()}", method="GET") == (404, "not-found", [])


async def test_whom_a_linked_report_excludes_sees_nothing_of_the_incident_and_of_its_other_reports(desk: Desk):
    first, second = await report(desk), await report(desk)
    id_ = await opened(desk, first)
    officer = await desk.world.person("officer")
    excluded = await desk.as_("second_officer", "POST", f"/{second}/exclusion", {"staff": str(uuid.UUID(officer.id))})
    assert excluded.status_code == 200
    await done(desk, f"/{id_}/link", {"report": second}, "second_officer")
    deeds = {
        "": None,
        "/link": {"report": first},
        "/unlink": {"report": first, "reason": "x"},
        "/state": {"state": "confirmed"},
        "/assessment": {"sensitive": "no", "over_100": "no"},
        "/awareness": {"aware_at": hours(0), "reason": "x"},
        "/not-required": {"track": "people", "reason": "x"},
        "/ruling-out": {"reason": "x"},
        "/approval": {"proposal": 0},
        "/filing": {"track": "people", "filed_at": hours(0)},
        "/reopening": {"track": "people", "reason": "x"},
        "/exclusion": {"staff": str(uuid.UUID(officer.id))},
    }
    for deed, body in deeds.items():
        answer = await incident(desk, "officer", "GET" if body is None else "POST", f"/{id_}{deed}", body)
        assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, "excluded", "cooperative:8"), deed
        assert SUMMARY not in answer.text
        entry = desk.world.entries()[-1]
        assert (entry.kind, entry.outcome, entry.reason, entry.actor) == ("incident.refused", "refuse", "EXCLUDED", officer.ref)
    page = await done(desk, "", method="GET")
    assert (page["items"], page["withheld"]) == ([], 1)
    reports = (await desk.as_("officer", "GET", "")).json()
    assert (reports["items"], reports["withheld"]) == ([], 2), "the other report of one matter tells of it too"
    page = await done(desk, "", who="second_officer", method="GET")
    assert ([each["id"] for each in page["items"]], page["withheld"]) == ([id_], 0)
    hidden = await desk.world.association.run(lambda deed: withholding.hidden_from(deed, officer))
    assert {each.hex() for each in hidden} == {uuid.UUID(each).hex for each in (id_, first, second)}
    assert desk.findings() == []


async def test_whoever_opened_it_and_is_excluded_since_is_told_nothing_by_the_same_request(desk: Desk):
    body, once = {"summary": SUMMARY}, {"Idempotency_Key": "0123456789abcdef"}
    made = (await incident(desk, "officer", "POST", "", body, **once)).json()
    officer = await desk.world.person("officer")
    await done(desk, f"/{made['id']}/exclusion", {"staff": str(uuid.UUID(officer.id))}, "second_officer")
    again = await incident(desk, "officer", "POST", "", body, **once)
    assert (again.status_code, again.json()["code"]) == (403, "excluded"), again.text
    assert desk.findings() == []


async def test_who_is_excluded_from_a_report_later_is_excluded_from_its_incident_at_once(desk: Desk):
    first, second = await report(desk), await report(desk)
    id_ = await opened(desk, first, second)
    officer = str(uuid.UUID((await desk.world.person("officer")).id))
    assert (await desk.as_("second_officer", "POST", f"/{first}/exclusion", {"staff": officer})).status_code == 200
    assert (await refused(desk, f"/{id_}", method="GET"))[:2] == (403, "excluded")
    assert (await desk.as_("officer", "GET", f"/{second}")).json()["code"] == "excluded"
    assert NARRATIVE not in (await desk.as_("officer", "GET", f"/{second}")).text


async def test_somebody_is_excluded_from_an_own_finding_and_somebody_is_always_left(desk: Desk):
    first = await report(desk)
    id_ = await opened(desk, first)
    officer, second = [str(uuid.UUID((await desk.world.person(each)).id)) for each in ("officer", "second_officer")]
    for nobody in (str(uuid.UUID(int=1)), "somebody"):
        assert (await refused(desk, f"/{id_}/exclusion", {"staff": nobody}))[2] == [("staff", "unknown-staff")]
    for _ in range(2):
        await done(desk, f"/{id_}/exclusion", {"staff": second})
    assert [entry.kind for entry in desk.world.entries()].count("incident.excluded") == 1
    assert await refused(desk, f"/{id_}/exclusion", {"staff": officer}) == (409, "last-officer", [])
    assert (await refused(desk, f"/{id_}", who="second_officer", method="GET"))[1] == "excluded"
    assert (await desk.as_("second_officer", "GET", f"/{first}")).json()["code"] == "excluded"


async def test_nobody_empties_the_desk_by_joining_what_she_excluded_two_others_from(desk: Desk):
    officer, second = [await desk.world.person(each) for each in ("officer", "second_officer")]
    known = (await desk.world.association.refresh()).staff[officer.id]
    third = msgspec.structs.replace(known, id=uuid.uuid4().hex, name_hash=uuid.uuid4().hex * 2)
    await lay_down(desk.world, STAFF, third.id, third)
    one, other = await report(desk), await report(desk)
    for id_, whom in ((one, second.id), (other, third.id)):
        assert (await desk.as_("officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(whom))})).status_code == 200
    assert await refused(desk, "", {"summary": SUMMARY, "reports": [one, other]}) == SAME
    id_ = await opened(desk, one)
    assert await refused(desk, f"/{id_}/link", {"report": other}) == SAME
    entry = desk.world.entries()[-1]
    assert (entry.kind, entry.outcome, entry.reason) == ("incident.linked", "refuse", "SAME_PERSON")
    third_one = await opened(desk)
    await done(desk, f"/{third_one}/exclusion", {"staff": str(uuid.UUID(second.id))})
    assert await refused(desk, f"/{third_one}/exclusion", {"staff": str(uuid.UUID(third.id))}) == SAME


async def test_who_excluded_somebody_is_remembered_in_every_report_of_the_incident(desk: Desk):
    officer = await desk.world.person("officer")
    known = (await desk.world.association.refresh()).staff[officer.id]
    third, fourth = (msgspec.structs.replace(known, id=uuid.uuid4().hex, name_hash=uuid.uuid4().hex * 2) for _ in range(2))
    for each in (third, fourth):
        await lay_down(desk.world, STAFF, each.id, each)
    one, other = await report(desk), await report(desk)
    for who, id_ in (("second_officer", one), ("officer", other)):
        answer = await desk.as_(who, "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(third.id))})
        assert answer.status_code == 200
    id_ = await opened(desk, one)
    await done(desk, f"/{id_}/link", {"report": other})
    again = await desk.as_("officer", "POST", f"/{one}/exclusion", {"staff": str(uuid.UUID(fourth.id))})
    assert (again.status_code, again.json()["code"]) == (403, "same-person"), "she excluded one from the other report"
    assert (await desk.as_("officer", "POST", f"/{one}/exclusion", {"staff": str(uuid.UUID(officer.id))})).status_code == 200
    assert await refused(desk, f"/{id_}/exclusion", {"staff": str(uuid.UUID(fourth.id))}, "second_officer") == SAME


async def test_what_would_leave_nobody_is_not_joined(desk: Desk):
    officer, second = [str(uuid.UUID((await desk.world.person(each)).id)) for each in ("officer", "second_officer")]
    one, other = await report(desk), await report(desk)
    assert (await desk.as_("officer", "POST", f"/{one}/exclusion", {"staff": second})).status_code == 200
    id_ = await opened(desk, one)
    await done(desk, f"/{id_}/unlink", {"report": one, "reason": PARTS})
    assert (await desk.as_("second_officer", "POST", f"/{other}/exclusion", {"staff": officer})).status_code == 200
    assert (await refused(desk, f"/{id_}/link", {"report": other}))[1] == "excluded"
    assert rang(desk) == []


async def test_a_case_takes_two_hundred_texts_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.breach_reports.case.MOST_PARTS", 2)
    id_ = await opened(desk)
    await done(desk, f"/{id_}/state", {"state": "confirmed", "note": PARTS})
    assert (await refused(desk, f"/{id_}/state", {"state": "contained", "note": PARTS}))[0] == 429


async def test_a_proposal_is_turned_down_by_whoever_approves_and_the_clock_runs_on(desk: Desk):
    id_ = await opened(desk)
    number = await proposed(desk, id_, "ruling-out")
    before = (await read(desk, id_))["clock"]["due_at"]
    assert (await refused(desk, f"/{id_}/rejection", {"proposal": number + 1}))[:2] == (409, "incident-state")
    assert (await done(desk, f"/{id_}/rejection", {"proposal": number}, "second_officer"))["waiting"] == []
    assert (await refused(desk, f"/{id_}/rejection", {"proposal": number}))[:2] == (409, "incident-state")
    told = await read(desk, id_)
    assert (told["state"], told["clock"]["due_at"], bool(told["proposals"][0]["turned_down_by"])) == ("suspected", before, True)
    assert desk.findings() == []


@pytest.mark.parametrize(("path", "more"), [("ruling-out", {}), ("not-required", {"track": "authority"})])
async def test_nobody_alone_stops_the_clock_of_a_report_by_linking_it_to_what_another_proposed_to_end(desk: Desk, path: str, more: Any):
    id_ = await opened(desk)
    number = await proposed(desk, id_, path, **more)
    breach = await report(desk)
    assert (await desk.as_("officer", "POST", f"/{breach}/triage", {"finding": "breach"})).status_code == 200
    assert (await done(desk, f"/{id_}/link", {"report": breach}, "second_officer"))["waiting"] == []
    desk.world.clock.forward(60)
    body = {"proposal": number, "code": desk.world.one_time_code("second_officer")}
    assert await refused(desk, f"/{id_}/approval", body, "second_officer") == STATE
    whole = await read(desk, id_)
    assert (whole["state"], whole["authority"]["state"], whole["clock"] is None) == ("suspected", "open", False)
    second = (await desk.world.person("second_officer")).ref
    assert [(each["overtaken_by"], each["proposal"]) for each in whole["proposals"]] == [(second, number)]
    await approve(desk, id_, await proposed(desk, id_, path, **more))
    assert desk.findings() == []


async def test_what_an_incident_rests_on_changes_and_ends_what_was_proposed_before(desk: Desk):
    desk.world.clock.forward(20 * 3600)
    linked = await report(desk)
    id_ = await opened(desk, linked, aware_at=hours(2))
    deeds: dict[str, tuple[str, dict[str, Any]]] = {
        "unlinked": ("/unlink", {"report": linked, "reason": PARTS}),
        "linked": ("/link", {"report": linked}),
        "assessed": ("/assessment", {"sensitive": "yes", "over_100": "no"}),
        "told": ("/filing", {"track": "authority", "filed_at": now(desk), "reference": "R-1"}),
        "to be told again": ("/reopening", {"track": "authority", "reason": PARTS}),
        "moved": ("/state", {"state": "confirmed"}),
    }
    for what, (path, body) in deeds.items():
        number = await proposed(desk, id_, "ruling-out")
        assert (await done(desk, f"/{id_}{path}", body, "second_officer"))["waiting"] == [], what
        assert await refused(desk, f"/{id_}/approval", {"proposal": number}, "second_officer") == STATE, what
    number = await proposed(desk, id_, "not-required", track="authority")
    judged = await desk.as_("second_officer", "POST", f"/{linked}/triage", {"finding": "breach"})
    assert judged.status_code == 200
    assert await refused(desk, f"/{id_}/approval", {"proposal": number}, "second_officer") == STATE, "a report of it was judged"
    told = await proposed(desk, id_, "not-required", track="people")
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "R-1"}, "second_officer")
    moved = await proposed(desk, id_, "awareness", aware_at=hours(1))
    assert [each["proposal"] for each in (await done(desk, f"/{id_}", method="GET"))["proposals"] if "overtaken_at" not in each] == [
        told,
        moved,
    ], "that the authority was told is no matter of the people"
    assert (await approve(desk, id_, moved))["waiting"] == []
    assert await refused(desk, f"/{id_}/approval", {"proposal": told}, "second_officer") == STATE, "awareness is another"
    assert desk.findings() == []


async def test_two_tracks_proposed_together_are_each_approved(desk: Desk):
    id_ = await opened(desk)
    numbers = [await proposed(desk, id_, "not-required", track=track) for track in ("authority", "people")]
    await approve(desk, id_, numbers[0])
    desk.world.clock.forward(60)
    assert (await approve(desk, id_, numbers[1]))["people"] == "not_required"


async def test_an_approval_moves_awareness_from_where_it_was_shown_to_stand(desk: Desk):
    old = await report(desk)
    desk.world.clock.forward(48 * 3600)
    id_ = await opened(desk)
    number = await proposed(desk, id_, "awareness", aware_at=hours(24))
    received = (await desk.read(old))["received_at"]
    assert (await done(desk, f"/{id_}/link", {"report": old}))["aware_at"] == received
    assert (await incident(desk, "second_officer", "GET", "")).status_code == 200
    body = {"proposal": number, "code": desk.world.one_time_code("second_officer")}
    assert await refused(desk, f"/{id_}/approval", body, "second_officer") == STATE
    assert (await read(desk, id_))["aware_at"] == received, "proposed was to go earlier; the approval would go later"


async def test_a_page_goes_on_behind_an_incident_that_was_settled_or_opened_again_meanwhile(desk: Desk):
    desk.world.clock.forward(50 * 3600)
    late, soon, fresh = [await opened(desk, aware_at=hours(each)) for each in (1, 20, 40)]
    page = await done(desk, "?limit=2", method="GET")
    assert page["next"] == soon
    for track in ("authority", "people"):
        await done(desk, f"/{soon}/filing", {"track": track, "filed_at": now(desk), "reference": "R"})
    assert [each["id"] for each in (await done(desk, f"?limit=2&after={soon}", method="GET"))["items"]] == [fresh]
    assert (await done(desk, f"?state=settled&after={late}", method="GET"))["items"] != []
    await done(desk, f"/{soon}/reopening", {"track": "people", "reason": PARTS})
    assert (await done(desk, f"?state=settled&after={soon}", method="GET"))["items"] == []
