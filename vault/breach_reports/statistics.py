"""How many reports came in half a year, by category, channel, month and state, and how soon somebody looked: counts, small ones hidden.

Invariants: only half-years are counted that are over by the calendar of Riyadh, and no two of them overlap, so that nobody subtracts one
answer from another; a report that excludes the reader is in none of her counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from vault.breach_reports.lifecycle import HOUR, in_riyadh
from vault.breach_reports.service import STATES
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.small_cells import LEAST_OF_ALL, told

Table = Literal["category", "channel", "month", "state"]
TABLES: Final[tuple[Table, ...]] = ("category", "channel", "month", "state")
FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2100
_MONTHS: Final = 6
Cells = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Half:
    """Half a year: the year, and 1 or 2."""

    year: int
    half: int

    @classmethod
    def last(cls, now: int) -> "Half":
        """The last that is over in Riyadh at this moment."""
        return cls.of(now).before

    @classmethod
    def of(cls, moment: int) -> "Half":
        """The one of a moment."""
        at = in_riyadh(moment)
        return cls(at.year, 1 if at.month <= _MONTHS else 2)

    @property
    def before(self) -> "Half":
        """The one before."""
        return Half(self.year, 1) if self.half == 2 else Half(self.year - 1, 2)  # noqa: PLR2004  # of two halves

    @property
    def after(self) -> "Half":
        """The one after."""
        return Half(self.year, 2) if self.half == 1 else Half(self.year + 1, 1)

    @property
    def months(self) -> list[str]:
        """Its months, as `2026-01`."""
        first = 1 + (self.half - 1) * _MONTHS
        return [f"{self.year}-{month:02}" for month in range(first, first + _MONTHS)]

    def is_over(self, now: int) -> bool:
        """Whether it is over in Riyadh at this moment."""
        return self.months[-1] < month_of(now)


@dataclass(frozen=True, slots=True)
class Soon:
    """How soon somebody looked at a report, in hours begun: half of them within `half`, nine of ten within `most`."""

    half: int
    most: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The counts of half a year; None where it is not over, or where there are too few to tell.

    A cell that is None is hidden, a table that is None could not be protected.
    """

    half: Half
    reports: int | None
    tables: Mapping[Table, Cells | None]
    acknowledged: Soon | None


def counted(reports: Iterable[ReportFact], codes: Iterable[str], half: Half, now: int, draw: Callable[[str], bytes]) -> Statistics:
    """The statistics of half a year; `codes` are the categories there are, `draw` is as `small_cells.told` takes it."""
    months = half.months if half.is_over(now) else []
    meant = [one for one in reports if month_of(one.received_at) in months]
    if len(meant) < LEAST_OF_ALL:
        return Statistics(half, None, dict.fromkeys(TABLES), None)
    names: dict[Table, Iterable[str]] = {"category": codes, "channel": (), "month": months, "state": STATES}
    cells = {table: Counter(dict.fromkeys(names[table], 0)) for table in TABLES}
    for one in meant:
        for table, name in (
            ("category", one.category),
            ("channel", one.channel),
            ("month", month_of(one.received_at)),
            ("state", one.state),
        ):
            cells[table][name] += 1  # type: ignore[index]  # each is one of TABLES
    shown = {table: told(cells[table], partial(_drawn, draw, half, table)) for table in TABLES}
    return Statistics(half, len(meant), shown, soon(meant))


def _drawn(draw: Callable[[str], bytes], half: Half, table: Table, name: str) -> bytes:
    return draw(f"{half.year} {half.half} {table} {name}")


def soon(reports: Iterable[ReportFact]) -> Soon | None:
    """How soon somebody looked at those that somebody looked at, None where these are too few."""
    hours = sorted(-(-(one.acknowledged_at - one.received_at) // HOUR) for one in reports if one.acknowledged_at is not None)
    if len(hours) < LEAST_OF_ALL:
        return None
    return Soon(hours[(len(hours) - 1) // 2], hours[(len(hours) * 9 - 1) // 10])


def month_of(moment: int) -> str:
    """The month of a moment as the calendar of Riyadh has it, as `2026-01`."""
    return in_riyadh(moment).strftime("%Y-%m")
