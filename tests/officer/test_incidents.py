"""Incidents by the time that is left, as the officer's page tells them."""

import uuid

import pytest

from tests.household import lay_down
from tests.officer.browser import Window, text_of
from tests.simulator import START
from vault.breach_reports import incidents
from vault.breach_reports.incidents import Filing, Opening
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")
SUMMARY = "وصلت قائمة أسماء إلى جهة لا شأن لها بها"
HOUR = 3_600_000_000


async def opened(window: Window, aware: int | None = None) -> tuple[str, bytes]:
    """Reference and id of a new incident."""
    errand, world = Errand(await window.world.person("officer"), "request-1"), window.world
    made = await world.association.run(lambda deed: incidents.open_(deed, errand, Opening(SUMMARY, aware_at=aware), None))
    return made.reference, bytes.fromhex(made.id)


async def test_the_incident_with_the_least_time_left_stands_first_in_riyadhs_time(window: Window):
    world = window.world
    world.clock.forward(70 * 3600)
    later, id_ = await opened(window, START + 20 * HOUR)
    first, _ = await opened(window, START)
    errand = Errand(await world.person("officer"), "request-1")
    await world.association.run(lambda deed: incidents.assess(deed, errand, id_, ("yes", "yes"), ""))
    await window.sign_in()
    page = await window.get("/officer/incidents")
    said = text_of(page)
    assert said.index(first) < said.index(later)
    assert "1 h provisional until two people agree" in said
    assert "2026-01-04 03:00" in said, "72 hours from midnight UTC, on the clocks of Riyadh"
    assert "suspected sensitive data, over 100 people" in said
    assert SUMMARY not in page.text
    world.clock.forward(5 * 3600)
    assert "overdue by 3 h" in text_of(await window.get("/officer/incidents"))
    assert "running now 2 Of these overdue 1" in text_of(await window.get("/officer/month"))
    window.language = "ar"
    arabic = text_of(await window.get("/officer/incidents"))
    assert "الحوادث بحسب الوقت المتبقي لإشعار الجهة المختصة" in arabic
    assert "بيانات حساسة، أكثر من 100 شخص" in arabic


async def test_where_the_authority_was_told_no_clock_runs_and_the_people_are_still_named(small_window: Window):
    reference, id_ = await opened(small_window)
    world = small_window.world
    errand = Errand(await world.person("officer"), "request-1")
    filing = Filing("authority", world.clock.now, "R-1")
    await world.association.run(lambda deed: incidents.file(deed, errand, id_, filing))
    await small_window.sign_in()
    said = text_of(await small_window.get("/officer/incidents"))
    assert f"no clock {reference}" in said
    assert "told to be told" in said


async def test_without_incidents_the_page_says_so_and_cuts_what_is_too_long(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    await small_window.sign_in()
    assert "No incident is open" in text_of(await small_window.get("/officer/incidents"))
    monkeypatch.setattr("vault.officer.incidents.MOST", 1)
    for _ in range(2):
        await opened(small_window)
    assert "the 500 incidents with the least time left" in text_of(await small_window.get("/officer/incidents"))


async def test_whom_an_incident_excludes_is_told_how_many_are_kept_from_her(small_window: Window):
    reference, id_ = await opened(small_window)
    world = small_window.world
    errand, officer = Errand(await world.person("second_officer"), "request-1"), (await world.person("officer")).id
    await world.association.run(lambda deed: incidents.exclude(deed, errand, id_, uuid.UUID(officer).bytes))
    await small_window.sign_in()
    page = await small_window.get("/officer/incidents")
    assert (reference in page.text, "since you are excluded from them: 1" in text_of(page)) == (False, True)
    await lay_down(world, EXCLUSIONS, officer, ExclusionsFact())
    assert reference not in (await small_window.get("/officer/incidents")).text, "the incident itself says so"
