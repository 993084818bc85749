"""Reports in numbers: by category, channel, month, state and time to acknowledge, without the small ones and those of the excluded."""

import random
from typing import Any

import msgspec
import pytest

from tests.breach_reports.desk import Desk
from tests.household import lay_down
from tests.simulator import START
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.shapes import BREACH_REPORT, ReportFact
from vault.breach_reports.statistics import Half, Soon, Statistics, counted, month_of, soon
from vault.breach_reports.statistics_api import statistics_routes

RNG = random.Random("statistics")  # invented reports
DAY = 24 * HOUR


def report(at: int, **more: Any) -> ReportFact:
    told = {"id": RNG.randbytes(16).hex(), "reference": "BR-2026-000001", "state": "received", "language": "ar", "category": "other"}
    return ReportFact(**{**told, "received_at": at, "receipt": "", "parts": (), **more})


def test_only_half_years_that_are_over_in_riyadh_are_counted_and_no_two_overlap():
    first = Half(2026, 1)
    assert (Half.of(START), Half.last(START), first.before, first.after) == (first, Half(2025, 2), Half(2025, 2), Half(2026, 2))
    assert (first.after.after, first.after.before) == (Half(2027, 1), first)
    assert first.months == ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"]
    assert first.after.months[0] == "2026-07"
    over = START + 181 * DAY - 3 * HOUR
    assert [first.is_over(moment) for moment in (START, over - 1, over)] == [False, False, True]
    assert (month_of(START - 3 * HOUR - 1), month_of(START - 3 * HOUR)) == ("2025-12", "2026-01")
    found = counted([report(START)] * 20, (), first, over - 1, str.encode)
    assert found == Statistics(first, None, dict.fromkeys(("category", "channel", "month", "state")), None)


def test_the_tables_add_up_to_what_came_in_and_small_numbers_are_hidden_with_others():
    reports = [report(START, state="triaged", acknowledged_at=START + 5 * HOUR)] * 11
    reports += [report(START, category="visitor_data", channel="email")] * 3
    reports += [report(START, category="wrong_recipient")] * 6
    codes = ("other", "visitor_data", "wrong_recipient", "staff_snooping")
    found = counted(reports, codes, Half(2026, 1), START + 200 * DAY, str.encode)
    assert (found.reports, found.acknowledged) == (20, Soon(5, 5))
    assert found.tables["month"] == {"2026-01": 20, **dict.fromkeys(Half(2026, 1).months[1:], 0)}
    assert found.tables["category"] is not None
    assert found.tables["category"]["visitor_data"] is None
    assert list(found.tables["category"].values()).count(None) == 2
    assert found.tables["category"]["staff_snooping"] == 0
    assert found.tables["channel"] == {"web": None, "email": None}, "the total less the one would be the other"
    assert found.tables["state"] == {"received": 9, "quarantined": 0, "acknowledged": 0, "triaged": 11, "dismissed": 0}


def test_how_soon_somebody_looked_is_told_by_hours_begun_and_not_of_a_few():
    reports = [report(START, acknowledged_at=START + hours * HOUR - 1) for hours in range(1, 11)]
    assert soon(reports) == Soon(5, 9)
    assert soon(reports[1:]) is None


async def read(desk: Desk, query: str = "", who: str = "officer", status: int = 200) -> Any:
    token = await desk.world.session(who)
    async with desk.world.front(*statistics_routes(desk.reports)) as http:
        path = f"/v1/breach-reports/statistics{query}"
        answer = await http.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status, answer.text
    return answer.json()


async def many(desk: Desk, count: int) -> list[str]:
    """The ids of so many reports: one that was taken, and copies of its fact."""
    reference = (await desk.report())["reference"]
    id_ = await desk.id_of(reference)
    return [id_, *[(await desk.report())["reference"] for _ in range(count - 1)]]


@pytest.mark.asyncio(loop_scope="function")
async def test_half_a_year_is_read_by_an_entry_and_nobody_without_the_scope(desk: Desk):
    await many(desk, 12)
    running = await read(desk, "?year=2026&half=1")
    assert (running["year"], running["half"], running["over"], running["reports"]) == (2026, 1, False, None)
    desk.world.clock.forward(200 * 24 * 3600)
    told = await read(desk)
    assert (told["year"], told["half"], told["over"]) == (2026, 1, True), "the last that is over"
    assert (told["reports"], told["least"], told["acknowledged_hours"]) == (12, 5, None)
    assert {"code": "published_without_consent", "count": 12} in told["tables"]["category"]
    assert told["tables"]["month"][0] == {"code": "2026-01", "count": 12}
    entry = [each for each in desk.world.entries() if each.kind == "breach_report.counted"][-1]
    assert (entry.outcome, entry.purpose, entry.basis) == ("allow", "breach_report", "law")
    for wrong in ("?year=1999&half=1", "?year=x&half=1", "?year=2026&half=3", "?year=2026", "?half=1"):
        await read(desk, wrong, status=422)
    assert (await read(desk, who="admin", status=403))["code"] == "out-of-scope"
    empty = await read(desk, "?year=2025&half=2")
    assert empty["tables"] == {"category": None, "channel": None, "month": None, "state": None}


@pytest.mark.asyncio(loop_scope="function")
async def test_a_report_that_excludes_the_reader_is_in_none_of_her_counts(desk: Desk):
    id_, *_ = await many(desk, 12)
    officer = (await desk.world.person("officer")).id
    known = await desk.reports.index.known(desk.world.association)
    key = id_.replace("-", "")
    hidden = msgspec.structs.replace(known[bytes.fromhex(key)], excluded=(f"staff:{officer}",))
    await lay_down(desk.world, BREACH_REPORT, key, hidden)
    desk.world.clock.forward(200 * 24 * 3600)
    assert (await read(desk))["reports"] == 11
