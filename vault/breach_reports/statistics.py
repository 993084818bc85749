"""How many reports came in a year, by category, channel, month and state, and how soon somebody looked: counts only, small ones hidden.

Invariants: only months that are over are counted, by the calendar of Riyadh, and only whole years are asked for, so that no two answers
differ by a few reports that somebody chose; a report that excludes the reader is in none of her counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.service import STATES
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.small_cells import LEAST_OF_ALL, told
from vault.web.times import RIYADH

Table = Literal["category", "channel", "month", "state"]
TABLES: Final[tuple[Table, ...]] = ("category", "channel", "month", "state")
FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2100
Cells = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Soon:
    """How soon somebody looked at a report, in hours begun: half of them within `half`, nine of ten within `most`."""

    half: int
    most: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The counts of a year up to the end of its month `through` ("" for none); None where there are too few to tell.

    A cell that is None is hidden, a table that is None could not be protected.
    """

    year: int
    through: str
    reports: int | None
    tables: Mapping[Table, Cells | None]
    acknowledged: Soon | None


def months(year: int, now: int) -> list[str]:
    """The months of a year that are over in Riyadh at this moment, as `2026-01`."""
    today = datetime.fromtimestamp(now // 1_000_000, UTC).astimezone(RIYADH)
    return [f"{year}-{month:02}" for month in range(1, 13) if (year, month) < (today.year, today.month)]


def counted(reports: Iterable[ReportFact], codes: Iterable[str], year: int, now: int, draw: Callable[[str], bytes]) -> Statistics:
    """The statistics of a year; `codes` are the categories there are, `draw` is as `small_cells.told` takes it."""
    over = months(year, now)
    through = over[-1] if over else ""
    meant = [one for one in reports if month_of(one.received_at) in over]
    if len(meant) < LEAST_OF_ALL:
        return Statistics(year, through, None, dict.fromkeys(TABLES), None)
    names: dict[Table, Iterable[str]] = {"category": codes, "channel": (), "month": over, "state": STATES}
    cells = {table: Counter(dict.fromkeys(names[table], 0)) for table in TABLES}
    for one in meant:
        for table, name in (
            ("category", one.category),
            ("channel", one.channel),
            ("month", month_of(one.received_at)),
            ("state", one.state),
        ):
            cells[table][name] += 1  # type: ignore[index]  # each is one of TABLES
    shown = {table: told(cells[table], partial(_drawn, draw, year, table)) for table in TABLES}
    return Statistics(year, through, len(meant), shown, soon(meant))


def _drawn(draw: Callable[[str], bytes], year: int, table: Table, name: str) -> bytes:
    return draw(f"{year} {table} {name}")


def soon(reports: Iterable[ReportFact]) -> Soon | None:
    """How soon somebody looked at those that somebody looked at, None where these are too few."""
    hours = sorted(-(-(one.acknowledged_at - one.received_at) // HOUR) for one in reports if one.acknowledged_at is not None)
    if len(hours) < LEAST_OF_ALL:
        return None
    return Soon(hours[(len(hours) - 1) // 2], hours[(len(hours) * 9 - 1) // 10])


def month_of(moment: int) -> str:
    """The month of a moment as the calendar of Riyadh has it, as `2026-01`."""
    return datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(RIYADH).strftime("%Y-%m")
