"""The month for the board: numbers that are those of the log, charts beside them, and no id of anybody."""

import re
from dataclasses import replace

import pytest

from tests.household import grant, lay_down, read, store
from tests.officer.browser import Window, text_of, uuid_of
from tests.officer.test_clocks_and_standing import reported
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.errors import Refused
from vault.officer.frame import Frame
from vault.officer.month import Month, _Months

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 86_400


async def lived(window: Window) -> bytes:
    """Two reads on the third day of January, a refusal and a report on the first; it is the fourth."""
    kept, other = await store(window.world), await store(window.world)
    await grant(window.world, kept.record)
    with pytest.raises(Refused):
        await read(window.world, other.record)
    await reported(window)
    window.world.clock.forward(2 * DAY)
    await read(window.world, kept.record)
    await read(window.world, kept.record)
    window.world.clock.forward(DAY)
    return kept.record


async def test_the_board_is_told_what_the_log_says(window: Window):
    record = await lived(window)
    await window.sign_in()
    page = await window.get("/officer/month")
    said = text_of(page)
    for told in ("in the month January 2026", "Times data was shown 2", "Refusals 1", "Consents recorded 1", "Breach reports received 1"):
        assert told in said
    assert "Clocks to the authority running now 1 Of these overdue 0" in said
    assert "<title>3: " in page.text
    assert page.text.count('<svg class="chart"') == 2
    ids = [uuid_of(record), window.world.ceremony.staff["officer"].username]
    assert not [each for each in ids if each in page.text]
    assert re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+", page.text.replace(window.token, "")) == []
    last = window.world.entries()[-1]
    assert (last.kind, last.outcome) == ("access_log.read", "allow")


async def test_a_reader_who_is_excluded_from_a_report_is_told_how_much_is_kept_from_her(small_window: Window):
    world = small_window.world
    await lived(small_window)
    [taken] = [entry for entry in world.entries() if entry.kind == "breach_report.received"]
    officer = (await world.person("officer")).id
    await lay_down(world, EXCLUSIONS, officer, ExclusionsFact(cases=(taken.about[0].subject.hex(),)))
    await small_window.sign_in()
    said = text_of(await small_window.get("/officer/month"))
    assert "Breach reports received 0" in said
    assert "entries kept from you since they are about reports you are excluded from: 1." in said


async def test_other_months_are_a_link_away_and_the_next_is_not_there_yet(small_window: Window):
    await small_window.sign_in()
    page = await small_window.get("/officer/month")
    assert "month=2025-12" in page.text
    assert "month=2026-02" not in page.text
    before = await small_window.get("/officer/month", month="٢٠٢٥-١٢")
    assert "No data was shown" in text_of(before)
    assert "Nothing was refused" in text_of(before)
    assert "month=2026-01" in before.text


@pytest.mark.parametrize("month", ["2026-13", "x", "2026-1", "1999-01"])
async def test_what_is_no_month_is_told_so(small_window: Window, month: str):
    await small_window.sign_in()
    assert (await small_window.get("/officer/month", month=month)).status_code == 422


async def test_who_may_not_know_of_reports_is_told_none(small_window: Window):
    await reported(small_window)
    await small_window.sign_in()
    caller = await small_window.world.person("officer")
    call = small_window.world.call()
    call.caller = replace(caller, scopes=caller.scopes - {"reports"})
    frame = Frame(small_window.world.identity, {})
    assert await _Months(frame, small_window.reports)._clocks(call) == []


@pytest.mark.parametrize(
    ("text", "days", "after", "before"), [("2026-02", 28, "2026-03", "2026-01"), ("2025-12", 31, "2026-01", "2025-11")]
)
async def test_months_follow_each_other(text: str, days: int, after: str, before: str):
    month = Month.parse(text)
    assert (month.days, str(month.next), str(month.previous), str(month)) == (days, after, before, text)
    assert month.next.begins - month.begins == days * DAY * 1_000_000
