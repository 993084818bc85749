"""Reports by the time that is left, and how the log stands."""

from dataclasses import replace

import pytest

from tests.officer.browser import Window, text_of
from tests.simulator import NETWORK
from vault.access_log.checkpoint import opened
from vault.breach_reports.intake import Told
from vault.breach_reports.reports import Knock, Reports
from vault.breach_reports.service import Wanted
from vault.officer.frame import Speaker
from vault.officer.reports import by_time_left, line
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")
NARRATIVE = "نشرت الجمعية صورة ابنتي في حسابها دون أن أوافق على النشر."
HOUR = 3600


async def reported(window: Window, seen: str = "") -> str:
    """A report that was taken; its reference."""
    reports: Reports = window.reports
    knock = Knock(NETWORK, window.world.clock.now, "request-1", seen)  # type: ignore[arg-type]  # a word of the room's
    told = Told("published_without_consent", NARRATIVE, "ar", "", "")
    return (await reports.receive(window.world.association, told, knock)).reference


async def test_the_report_with_the_least_time_left_stands_first(window: Window):
    first = await reported(window)
    window.world.clock.forward(10 * HOUR)
    second = await reported(window)
    await reported(window, "trap")
    window.world.clock.forward(60 * HOUR)
    await window.sign_in()
    page = await window.get("/officer/reports")
    said = text_of(page)
    assert said.index(first) < said.index(second)
    assert "2 h" in said or "1 h" in said
    assert "that wait for a look: 1" in said
    assert "نشرت" not in page.text
    window.world.clock.forward(5 * HOUR)
    assert "overdue by 3 h" in text_of(await window.get("/officer/reports"))


async def test_what_runs_out_first_is_never_cut_by_what_came_later(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.officer.reports.MOST", 1)
    first = await reported(small_window)
    small_window.world.clock.forward(80 * HOUR)
    second = await reported(small_window)
    await small_window.sign_in()
    page = await small_window.get("/officer/reports")
    assert (first in page.text, second in page.text) == (True, False)
    assert "the 500 reports with the least time left" in text_of(page)
    assert "running now 2 Of these overdue 1" in text_of(await small_window.get("/officer/month"))


async def test_reports_by_their_clocks_go_on_page_after_page(small_window: Window):
    references = []
    for _ in range(3):
        references.append(await reported(small_window))
        small_window.world.clock.forward(HOUR)
    errand = Errand(await small_window.world.person("officer"), "request-1")
    found: list[str] = []
    after: bytes | None = None
    for _ in references:
        here, page = await small_window.reports.listed(errand, Wanted(limit=1, by_clock=True, after=after))
        found, after = [*found, here[0].case.fact.reference], page.more
    assert (found, after) == (references, None)


async def test_without_reports_the_page_says_so(small_window: Window):
    await small_window.sign_in()
    assert "There are no reports" in text_of(await small_window.get("/officer/reports"))


async def test_a_report_without_a_clock_comes_last_and_is_told_so(small_window: Window):
    reference = await reported(small_window)
    found, _ = await small_window.reports.listed(Errand(await small_window.world.person("officer"), "request-1"), Wanted())
    open_, closed = found[0], replace(found[0], clock=None)
    assert by_time_left([closed, open_]) == [open_, closed]
    told = line(closed, {}, Speaker("en"), small_window.world.clock.now)
    assert (told.reference, told.left, told.due, told.overdue, told.used) == (reference, None, None, False, 0)
    assert told.category == "published_without_consent"


async def test_the_log_is_told_verified_with_its_age_and_a_note_to_keep(window: Window):
    await window.sign_in()
    window.world.clock.forward(2)
    page = await window.get("/officer/standing")
    said = text_of(page)
    assert page.status_code == 200
    assert "Verified" in said
    assert "min" in said
    note = window.world.association.outside.read()
    assert note.splitlines()[0] in said
    found = opened(note, window.world.association.cabinet.signer.vkey_at, window.world.code)
    assert f"Entries {found.size}" in said


async def test_a_log_that_does_not_begin_with_its_checkpoint_is_told_so(small_window: Window):
    await small_window.sign_in()
    small_window.world.association.outside.path.unlink()
    page = await small_window.get("/officer/standing")
    assert page.status_code == 503
    assert "The log is not verified" in text_of(page)
