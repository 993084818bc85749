"""A case full of notes: what has to be said of it with a reason is said all the same, whoever filled it up."""

from typing import Any

import pytest

from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import PARTS, approve, done, now, opened, proposed, refused, report
from tests.breach_reports.notices import WORDING
from tests.breach_reports.test_authority_notices import WHOLE
from tests.simulator import START
from vault.breach_reports import case
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
FULL: tuple[int, str, list[Any]] = (429, "too-many-requests", [])
NOTE: dict[str, Any] = {"sensitive": "no", "over_100": "no", "note": PARTS}


async def test_an_incident_full_of_notes_takes_the_reasons_of_deeds_and_no_more_notes(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    linked = await report(desk)
    id_ = await opened(desk, linked)
    monkeypatch.setattr(case, "MOST_PARTS", 1)
    assert await refused(desk, f"/{id_}/assessment", NOTE) == FULL
    await done(desk, f"/{id_}/unlink", {"report": linked, "reason": PARTS})
    await proposed(desk, id_, "awareness", aware_at=write_time(START))
    number = await proposed(desk, id_, "not-required", track="people")
    await approve(desk, id_, number)
    await done(desk, f"/{id_}/reopening", {"track": "people", "reason": PARTS})
    await approve(desk, id_, await proposed(desk, id_, "ruling-out"))
    assert (await done(desk, f"/{id_}", method="GET"))["state"] == "ruled_out"
    assert await refused(desk, f"/{id_}/state", {"state": "suspected", "note": PARTS}) == FULL
    assert desk.findings() == []


async def test_an_incident_full_of_notes_has_its_notices_written_and_filed_late(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await opened(desk, aware_at=write_time(START))
    monkeypatch.setattr(case, "MOST_PARTS", 1)
    await done(desk, f"/{id_}/people-notices", WORDING)
    number = (await done(desk, f"/{id_}/authority-notices", WHOLE))["notice"]
    desk.world.clock.forward(4 * 86_400)
    body = {"filed_at": now(desk), "reference": "SDAIA-1", "late_reason": PARTS}
    assert (await done(desk, f"/{id_}/authority-notices/{number}/filing", body))["authority"] == "late"


async def test_nobody_alone_fills_the_places_that_are_kept_for_reasons(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await opened(desk)
    monkeypatch.setattr(case, "MOST_PARTS", 1)
    for _ in range(case.KEPT_EACH):
        await proposed(desk, id_, "ruling-out")
    body = {"reason": PARTS}
    assert await refused(desk, f"/{id_}/ruling-out", body) == FULL
    await done(desk, f"/{id_}/ruling-out", body, "second_officer")
    monkeypatch.setattr(case, "KEPT_FOR_DEEDS", case.KEPT_EACH + 1)
    assert await refused(desk, f"/{id_}/ruling-out", body, "second_officer") == FULL, "bounded for all together"
    assert case.KEPT_FREE > case.KEPT_FOR_DEEDS
    await done(desk, f"/{id_}/legal-hold", body)


async def test_who_used_up_her_places_files_a_notice_late_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await opened(desk, aware_at=write_time(START))
    number = (await done(desk, f"/{id_}/authority-notices", WHOLE))["notice"]
    monkeypatch.setattr(case, "MOST_PARTS", 2)
    for _ in range(case.KEPT_EACH):
        await proposed(desk, id_, "ruling-out")
    desk.world.clock.forward(4 * 86_400)
    body = {"filed_at": now(desk), "reference": "SDAIA-1", "late_reason": PARTS}
    assert (await done(desk, f"/{id_}/authority-notices/{number}/filing", body))["authority"] == "late"


async def test_a_report_full_of_notes_takes_the_reason_of_another_moment_of_awareness(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_ = await report(desk)
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "breach"})).status_code == 200
    monkeypatch.setattr(case, "MOST_PARTS", 1)
    body = {"aware_at": write_time(START - 3_600_000_000), "reason": PARTS}
    answer = await desk.as_("officer", "POST", f"/{id_}/awareness", body)
    assert answer.status_code == 200, answer.text
    assert (await desk.as_("officer", "POST", f"/{id_}/dismissal", {"reason": "no_basis", "note": PARTS})).status_code == 429
