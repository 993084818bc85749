"""Reports in numbers on the officer's page: tables and bars in her language, and nothing of the few."""

import msgspec
import pytest

from tests.household import lay_down
from tests.officer.browser import Window, text_of
from tests.simulator import START
from vault.access_log.verify import snapshot
from vault.breach_reports import intake
from vault.breach_reports.exclusion import NOBODY
from vault.breach_reports.intake import Arriving, Told
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.shapes import BREACH_REPORT
from vault.rulebook import facts
from vault.rulebook.asker import Errand, Stranger

pytestmark = pytest.mark.asyncio(loop_scope="function")
NARRATIVE = "نشرت الجمعية صورة ابنتي في حسابها دون أن أوافق على النشر."


async def reported(window: Window, count: int, category: str, **changes: object) -> None:
    """So many reports; `changes` are members of their facts."""
    world = window.world
    errand, told = Errand(Stranger(world.association, "reporter"), "request-1"), Told(category, NARRATIVE, "ar", "", "", NOBODY)
    for _ in range(count):
        await world.association.run(lambda deed: intake.receive(deed, errand, told, Arriving(), None))
        if changes:
            key = next(fact.key for fact in world.entries()[-1].facts if fact.kind == "breach_report")
            with snapshot(world.database) as connection:
                known = facts.read_from(connection, world.association.cabinet, world.association.id, BREACH_REPORT, key)
            assert known is not None
            await lay_down(world, BREACH_REPORT, key, msgspec.structs.replace(known, **changes))


async def test_half_a_year_is_told_in_tables_bars_and_a_column_for_each_month(small_window: Window):
    await reported(small_window, 11, "published_without_consent", acknowledged_at=START + 7 * HOUR)
    await reported(small_window, 2, "visitor_data", channel="walk-in")
    small_window.world.clock.forward(200 * 24 * 3600)
    await small_window.sign_in()
    page = await small_window.get("/officer/statistics")
    said = text_of(page)
    assert "Breach reports January 2026 – June 2026" in said
    assert "Reports 13 Half acknowledged within 7 h Nine of ten acknowledged within 7 h" in said
    assert "published without consent hidden" in said
    assert "By month Reports January 2026 13 February 2026 0" in said
    assert '<svg class="chart"' in page.text
    small_window.language = "ar"
    arabic = text_of(await small_window.get("/officer/statistics"))
    assert "محجوب" in arabic
    assert "إحصاءات البلاغات يناير 2026 – يونيو 2026" in arabic
    assert small_window.world.entries()[-1].kind == "breach_report.counted"


async def test_of_few_reports_no_number_is_told_and_of_a_table_that_cannot_be_protected_none(small_window: Window):
    await reported(small_window, 2, "visitor_data")
    small_window.world.clock.forward(200 * 24 * 3600)
    await small_window.sign_in()
    assert "Fewer than 10 reports" in text_of(await small_window.get("/officer/statistics"))
    earlier = text_of(await small_window.get("/officer/statistics", year="2025", half="2"))
    assert "The half-year before · The half-year after" in earlier
    assert "not over yet" in text_of(await small_window.get("/officer/statistics", year="2026", half="2"))


async def test_a_table_that_cannot_be_protected_is_said_to_be_none(small_window: Window):
    for category in ("visitor_data", "staff_snooping", "other"):
        await reported(small_window, 4, category)
    small_window.world.clock.forward(200 * 24 * 3600)
    await small_window.sign_in()
    said = text_of(await small_window.get("/officer/statistics"))
    assert "By category This table is not shown" in said
    assert "report page 12" in said
