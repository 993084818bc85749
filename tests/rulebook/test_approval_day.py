"""The day of approval: the calendar it was written in is the truth, and it is not still to come."""

import pytest

from vault.errors import Invalid
from vault.rulebook.approval_day import ApprovalDay, approval_day

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00Z


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2021-01-01", ApprovalDay("2021-01-01", "gregorian", "2021-01-01")),
        ("1445-01-09", ApprovalDay("1445-01-09", "hijri", "2023-07-27")),
        (" ١٤٤٥-٠١-٠٩ ", ApprovalDay("1445-01-09", "hijri", "2023-07-27")),
        ("1343-01-01", ApprovalDay("1343-01-01", "hijri", "1924-08-01")),
        ("2026-01-01", ApprovalDay("2026-01-01", "gregorian", "2026-01-01")),
    ],
)
def test_a_day_of_either_calendar_is_kept_as_written(text: str, day: ApprovalDay):
    assert approval_day(text, NOON) == day


@pytest.mark.parametrize("text", ["", "yesterday", "2021-1-1", "01-01-2021", "2021-01-01T00:00:00Z", "20210101", "2021-01"])
def test_what_is_no_day_is_refused(text: str):
    with pytest.raises(Invalid) as refused:
        approval_day(text, NOON)
    assert [(each.field, each.code) for each in refused.value.errors] == [("approved_on", "wrong-type")]


@pytest.mark.parametrize(
    "text", ["2021-02-29", "2021-13-01", "1445-02-31", "1445-00-01", "0000-01-01", "2026-01-02", "1447-12-01", "1500-12-30"]
)
def test_a_day_there_is_none_of_or_still_to_come_is_refused(text: str):
    with pytest.raises(Invalid) as refused:
        approval_day(text, NOON)
    assert [(each.field, each.code) for each in refused.value.errors] == [("approved_on", "out-of-range")]


def test_today_is_todays_date_in_riyadh():
    late = NOON + 9 * 3600 * 1_000_000  # 21:00Z is midnight there
    assert approval_day("2026-01-02", late).day == "2026-01-02"
    with pytest.raises(Invalid):
        approval_day("2026-01-02", late - 1_000_000)
