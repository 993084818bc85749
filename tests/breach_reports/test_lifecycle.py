"""The clock to the authority, to the microsecond."""

import json
from pathlib import Path

import pytest

from vault.breach_reports.lifecycle import clock, in_riyadh
from vault.breach_reports.service import hours
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.telling import clock as told
from vault.web.times import parse_time

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/breach_reports/clocks.json").read_text(encoding="utf-8"))["clocks"]


def fact(**changes: object) -> ReportFact:
    given: dict[str, object] = {"id": "00", "reference": "", "state": "triaged", "received_at": 0, "language": "ar", "category": "other"}
    return ReportFact(**(given | {"receipt": "", "parts": ()} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", VECTORS)
def test_seventy_two_hours_are_counted_from_awareness_nights_and_feasts_included(case):
    aware, now = parse_time(case["aware"]), parse_time(case["now"])
    running = told(fact(finding="breach", aware_at=aware), 72, now)
    assert running is not None
    assert (running.due_at, running.due_riyadh) == (case["due"], case["riyadh"])
    assert (running.seconds_left, running.overdue, running.provisional) == (case["left"], case["overdue"], False)


def test_before_anybody_judged_the_clock_runs_from_the_arrival():
    running = clock(fact(state="quarantined", received_at=5), 72)
    assert running is not None
    assert (running.aware_at, running.provisional) == (5, True)


@pytest.mark.parametrize("changes", [{"finding": "no_breach"}, {"finding": "breach", "aware_at": 1}])
def test_what_is_dismissed_has_no_clock(changes):
    assert clock(fact(**changes), 72) is not None
    assert clock(fact(**changes | {"state": "dismissed"}), 72) is None


def test_no_breach_lets_the_clock_run_on_provisionally():
    running = clock(fact(finding="no_breach", received_at=5), 72)
    assert running is not None
    assert (running.aware_at, running.provisional) == (5, True)


def test_riyadh_is_three_hours_ahead_all_year():
    for day in ("2026-01-15", "2026-07-15"):
        assert in_riyadh(parse_time(f"{day}T21:00:00Z")).hour == 0


@pytest.mark.asyncio(loop_scope="function")
async def test_the_hours_are_the_packs_and_the_laws_whichever_is_stricter(small):
    assert hours(await small.association.book()) == 72
