"""Clocks of a report: judged within a day, answered within thirty, looked at within two working days, the authority's."""

import asyncio
from datetime import date
from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, incident, opened, plain
from tests.breach_reports.test_clocks import another_process
from tests.simulator import START
from vault.access.alert_facts import ALERT, DETECTION, DeclaredFact
from vault.access.detection import DetectionFact
from vault.access.watching import Watcher
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot
from vault.breach_reports import clocks, incidents
from vault.breach_reports.incident_examine import late_reports
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.ringing import Ringer
from vault.breach_reports.service import Wanted
from vault.breach_reports.shapes import PartFact, ReportFact, WorkFired
from vault.errors import Unavailable
from vault.officer.frame import Speaker
from vault.officer.incidents import line as incident_line
from vault.officer.reports import line
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.working_days import holidays
from vault.web.times import write_time

DAY = 24 * HOUR


def fact(**changes: Any) -> ReportFact:
    given: dict[str, Any] = {"id": "00", "reference": "", "state": "received", "received_at": DAY, "language": "ar", "category": "other"}
    return ReportFact(**(given | {"receipt": "", "parts": ()} | changes))


def running(one: ReportFact) -> list[tuple[str, int]]:
    return [(each.work, each.due_at) for each in clocks.of_report(one)]


def test_a_report_is_judged_within_a_day_and_answered_within_thirty_from_its_arrival():
    assert running(fact()) == [("triage", 2 * DAY), ("answer", 31 * DAY)]
    assert running(fact(state="acknowledged", seen_at=0)) == [("triage", DAY), ("answer", 30 * DAY)]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"state": "triaged"}, ["answer"]),
        ({"state": "acknowledged", "incident": "01"}, ["answer"]),
        ({"parts": (PartFact(kind="reply", by="staff:1", at=0, sha256=""),)}, ["triage"]),
        ({"state": "triaged", "parts": (PartFact(kind="reply", by="staff:1", at=0, sha256=""),)}, []),
        ({"state": "dismissed"}, []),
        ({"state": "quarantined"}, []),
    ],
)
def test_what_ends_a_clock_of_the_work(changes: dict[str, Any], left: list[str]):
    assert [work for work, _ in running(fact(**changes))] == left


def test_a_clock_of_the_work_is_due_at_its_very_moment_and_rings_once():
    assert [each.work for each in clocks.work_due(fact(), 2 * DAY - 1)] == []
    assert [each.work for each in clocks.work_due(fact(), 2 * DAY)] == ["triage"]
    rung = fact(fired=(WorkFired(work="triage", due_at=2 * DAY, fired_at=2 * DAY),))
    assert [each.work for each in clocks.work_due(rung, 31 * DAY)] == ["answer"]


def rang(desk: Desk) -> list[str | None]:
    return [entry.reason for entry in desk.world.entries() if entry.kind == "breach_report.clock"]


async def ring(desk: Desk, until: float) -> list[str | None]:
    """Let it be so many hours after the beginning, and another process look."""
    desk.world.clock.now = max(desk.world.clock.now, START + int(until * HOUR))
    await Ringer(desk.world.association).round()
    return rang(desk)


async def items(desk: Desk) -> list[dict[str, Any]]:
    await incident(desk, "officer", "GET", "")
    found: list[dict[str, Any]] = (await desk.as_("officer", "GET", "")).json()["items"]
    return found


@pytest.mark.asyncio(loop_scope="function")
async def test_each_clock_of_a_report_rings_once_in_the_log_and_as_an_alert_and_a_restart_repeats_nothing(desk: Desk):
    await desk.report()
    assert await ring(desk, 23.9) == []
    assert await ring(desk, 24) == ["TRIAGE_24"]
    again = desk.world.reopen()
    assert await Ringer(again).round() == 0
    again.log.close()
    assert await ring(desk, 719) == ["TRIAGE_24"]
    assert await ring(desk, 721) == await ring(desk, 3000) == ["TRIAGE_24", "ANSWER_720"]
    told = next(entry for entry in desk.world.entries() if entry.kind == "breach_report.clock")
    assert (told.actor, told.outcome, told.article, told.count) == ("system", "error", "cooperative:8", 24)
    assert await Watcher(desk.world.association).look_through() == 2
    found = await desk.world.association.run(
        lambda deed: facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ALERT)
    )
    assert sorted((each.rule, each.limit) for each in found.values()) == [("report_clock", 24), ("report_clock", 720)]
    assert desk.findings() == []


@pytest.mark.asyncio(loop_scope="function")
async def test_processes_that_look_at_once_ring_each_clock_of_a_report_once_and_one_that_died_rang_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        await desk.report()
    desk.world.clock.now = START + 25 * HOUR

    def fails(*_args: Any) -> None:
        raise Unavailable("log-unavailable")

    with monkeypatch.context() as broken:
        broken.setattr("vault.access_log.deed.Deed.close", fails)
        with pytest.raises(Unavailable):
            await Ringer(desk.world.association).round()
    assert rang(desk) == []
    async with another_process(desk) as second, another_process(desk) as third:
        counted = await asyncio.gather(*(Ringer(each).round() for each in (desk.world.association, second, third)))
    assert sum(counted) == 3
    assert rang(desk) == ["TRIAGE_24"] * 3


@pytest.mark.asyncio(loop_scope="function")
async def test_the_queue_tells_the_time_left_to_judge_and_to_answer_in_utc_and_in_riyadh(desk: Desk):
    given = await desk.report()
    desk.world.clock.now = START + 25 * HOUR
    [item] = await items(desk)
    triage, answer = item["work"]
    passed = (desk.world.clock.now - START) // 1_000_000
    assert (triage["work"], triage["overdue"], triage["seconds_left"]) == ("triage", True, 24 * 3600 - passed)
    assert (triage["due_at"], triage["due_riyadh"]) == (write_time(START + DAY), "2026-01-02T03:00:00+03:00")
    assert (answer["work"], answer["overdue"], answer["due_at"]) == ("answer", False, write_time(START + 30 * DAY))
    id_ = await desk.id_of(given["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach"})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "answered"})).status_code == 200
    [item] = await items(desk)
    assert item["work"] == (await desk.read(id_))["work"] == []


@pytest.mark.asyncio(loop_scope="function")
async def test_doctor_names_a_report_that_waited_too_long_and_a_clock_that_did_not_ring(desk: Desk):
    def named() -> list[str]:
        world = desk.world
        with snapshot(world.database, world.association.id) as connection:
            found = list(late_reports(connection, world.association.cabinet, world.association.id, 72, world.clock.now))
        return [each.partition(": ")[2] for each in found]

    given = await desk.report()
    desk.world.clock.now = START + DAY
    assert named() == []
    desk.world.clock.now = START + DAY + HOUR
    waited = "it was to be judged, 1 hours ago (GET /v1/breach-reports)"
    assert named() == [waited, "a clock was due and did not ring; it rings when the service runs"]
    await Ringer(desk.world.association).round()
    assert named() == [waited]
    await incident(desk, "officer", "GET", "")
    id_ = await desk.id_of(given["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach"})).status_code == 200
    assert named() == []
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})).status_code == 200
    unrung = "a clock was due and did not ring; it rings when the service runs"
    assert named() == [unrung], "the 24th hour is over since it was told"
    desk.world.clock.now = START + 74 * HOUR
    untold = "a breach in no incident, the authority was to be told, 2 hours ago (POST /v1/incidents)"
    assert named() == [untold, unrung]
    await Ringer(desk.world.association).round()
    assert named() == [untold]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_linked_report_still_wants_an_answer(desk: Desk):
    id_ = await desk.id_of((await desk.report())["reference"])
    await desk.as_("officer", "POST", f"/{id_}/acknowledgement")
    await opened(desk, id_)
    assert await ring(desk, 30 * 24) == ["ANSWER_720"]
    assert next(each for each in desk.world.entries() if each.kind == "breach_report.clock").about[0].subject.hex() == plain(id_)


@pytest.mark.asyncio(loop_scope="function")
async def test_declared_holidays_are_no_working_days_and_riyadhs_midnight_is_shown(desk: Desk):
    """The beginning is a Thursday: Sunday and Monday are the two days, unless they are holidays."""
    given = await desk.report()
    [item] = await items(desk)
    assert (item["acknowledge_by"], item["acknowledge_by_riyadh"]) == ("2026-01-05T21:00:00Z", "2026-01-06T00:00:00+03:00")

    def declare(deed: Any) -> None:
        rules = DetectionFact(holidays=("2026-01-04", "2026-01-05"), canaries=(("00", "01"),))
        written = facts.write(deed, DETECTION, "own", DeclaredFact(rules=rules, approved_by="staff:1"))
        deed.append(Entry(kind="test", outcome="allow", actor="system", facts=(written,)))

    await desk.world.association.run(declare)
    assert await desk.world.association.run(holidays) == {date(2026, 1, 4), date(2026, 1, 5)}
    [item] = await items(desk)
    assert item["acknowledge_by"] == "2026-01-07T21:00:00Z"
    id_ = await desk.id_of(given["reference"])
    assert (await desk.read(id_))["acknowledge_by"] == "2026-01-07T21:00:00Z"
    [group] = (await desk.as_("officer", "GET", "/groups")).json()["items"]
    [member] = (await desk.as_("officer", "GET", f"/groups/{id_}")).json()["items"]
    assert [each["acknowledge_by"] for each in (group["example"], member)] == ["2026-01-07T21:00:00Z"] * 2, "and by likeness the same"


@pytest.mark.asyncio(loop_scope="function")
async def test_the_officers_queue_says_the_time_left_for_the_work_and_a_legal_hold_in_both_languages(desk: Desk):
    id_ = await desk.id_of((await desk.report())["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": "a case before the court"})).status_code == 200
    case = await opened(desk)
    await done(desk, f"/{case}/legal-hold", {"reason": "the same"})
    desk.world.clock.now = START + 27 * HOUR
    errand = Errand(await desk.world.person("officer"), "r")
    [one], _ = await desk.reports.listed(errand, Wanted(by_clock=True))
    arabic, english = (line(one, {}, Speaker(language), START + 27 * HOUR) for language in ("ar", "en"))
    assert (english.held, english.work) == (True, "not judged, late by 3 h, to be answered within 693 h")
    assert arabic.work.startswith("تأخَّر تقييمه")
    page = await desk.world.association.run(lambda deed: incidents.listed(deed, errand, "open", None, 5))
    [incident_] = [incident_line(each, 72, Speaker("en"), desk.world.clock.now) for each in page.items]
    assert incident_.held


@pytest.mark.asyncio(loop_scope="function")
async def test_a_report_judged_a_breach_rings_until_the_authoritys_time_is_over_as_an_incident_does(desk: Desk):
    given, other = await desk.report(), await desk.report()
    await incident(desk, "officer", "GET", "")
    id_, no_breach = [await desk.id_of(each["reference"]) for each in (given, other)]
    for one, finding in ((id_, "breach"), (no_breach, "no_breach")):
        assert (await desk.as_("officer", "POST", f"/{one}/triage", {"finding": finding})).status_code == 200
    assert await ring(desk, 23.9) == []
    assert await ring(desk, 25) == ["AUTHORITY_24"]
    again = desk.world.reopen()
    assert await Ringer(again).round() == 0
    again.log.close()
    told = next(entry for entry in desk.world.entries() if entry.kind == "breach_report.clock")
    assert (told.actor, told.outcome, told.law, told.count) == ("system", "error", "sa-pdpl:20", 24)
    assert told.about[0].subject.hex() == plain(id_)
    assert await ring(desk, 71.5) == [f"AUTHORITY_{hours}" for hours in (24, 48, 60, 66, 71)]
    assert await ring(desk, 200) == [f"AUTHORITY_{hours}" for hours in (24, 48, 60, 66, 71, 72)]
    await Watcher(desk.world.association).look_through()
    found = await desk.world.association.run(
        lambda deed: facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ALERT)
    )
    assert sorted((each.rule, each.limit) for each in found.values() if each.rule.endswith("clock")) == [
        ("breach_clock", hours) for hours in (24, 48, 60, 66, 71, 72)
    ]
    assert desk.findings() == []


@pytest.mark.asyncio(loop_scope="function")
async def test_the_authoritys_clock_of_a_report_is_its_incidents_from_the_link_on_and_its_own_again_when_it_is_taken_out(desk: Desk):
    id_ = await desk.id_of((await desk.report())["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})).status_code == 200
    assert await ring(desk, 24) == ["AUTHORITY_24"]
    case = await opened(desk, id_)
    assert await ring(desk, 60) == ["AUTHORITY_24"]
    assert [each.count for each in desk.world.entries() if each.kind == "incident.clock"] == [24, 48, 60]
    await done(desk, f"/{case}/unlink", {"report": id_, "reason": "another matter"})
    assert await ring(desk, 61) == ["AUTHORITY_24", "AUTHORITY_48", "AUTHORITY_60"]
    assert desk.findings() == []
