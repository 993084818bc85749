"""The call that tells how many reports came in half a year, without the small numbers; every look is an entry."""

from collections.abc import Mapping
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports.reports import Reports
from vault.breach_reports.service import entry_of, is_excluded
from vault.breach_reports.small_cells import LEAST
from vault.breach_reports.statistics import FIRST_YEAR, LAST_YEAR, Half, Soon, Statistics, counted
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web import Answer, Call, Person, Query, Route

COUNTED: Final = "breach_report.counted"
DRAWN: Final = "breach-statistics"
"""What the pepper draws by: which larger cells are hidden beside a small one."""
WHICH: Final[Mapping[str, Query]] = {
    "year": Query(kind="integer", low=FIRST_YEAR, high=LAST_YEAR),
    "half": Query(kind="integer", low=1, high=2),
}
"""Which half of a year is asked for: both, or neither for the last that is over."""


class CellTold(msgspec.Struct):
    """One cell: null where it is hidden."""

    code: str
    count: int | None


class SoonTold(msgspec.Struct):
    """How soon somebody looked at a report, in hours begun: half of them within `half`, nine of ten within `nine_of_ten`."""

    half: int
    nine_of_ten: int


class TablesTold(msgspec.Struct):
    """The tables; null for one whose small numbers could be computed whatever is hidden."""

    category: list[CellTold] | None
    channel: list[CellTold] | None
    month: list[CellTold] | None
    state: list[CellTold] | None


class StatisticsTold(msgspec.Struct, kw_only=True):
    """The reports of half a year; null where it is not over (`over`) or there are too few to tell.

    Numbers from 1 to `least` - 1 are hidden, and others with them so that these cannot be computed. Reports that exclude the reader are not
    counted.
    """

    year: int
    half: int
    over: bool
    least: int
    reports: int | None
    tables: TablesTold
    acknowledged_hours: SoonTold | None


def statistics_routes(reports: Reports) -> list[Route]:
    """Return the call of this file."""

    async def read(call: Call) -> Answer:
        """The statistics of half a year."""
        found = await statistics(reports, call)
        return Answer(_told(found, over=found.half.is_over(call.now)))

    return [
        Route(
            method="GET",
            path="/v1/breach-reports/statistics",
            name="breach_reports.statistics",
            handler=read,
            access=Person("log:read"),
            query=WHICH,
            answer=StatisticsTold,
            summary="Count the reports of half a year, without the small numbers; the look is an entry of the access log.",
        )
    ]


async def statistics(reports: Reports, call: Call) -> Statistics:
    """The statistics asked for, else of the last half-year that is over; the entry is committed first. Raises Invalid, Unavailable."""
    errand = Errand(call.caller, call.request_id)
    association = errand.asker.association
    half = _half(call)

    def note(deed: Deed) -> None:
        still = errand.still(deed)
        deed.append(entry_of(still, deed, COUNTED, basis="law"))

    async def made() -> Statistics:
        await association.run(note)
        known = await reports.index.known(association)
        seen = [fact for fact in known.values() if not is_excluded(errand, fact)]
        pepper = association.cabinet.pepper
        return counted(seen, await reports.categories(association), half, call.now, lambda name: pepper.hash(DRAWN, name))

    return await heard(errand, made)


def _half(call: Call) -> Half:
    year, half = call.query["year"], call.query["half"]
    if year is None and half is None:
        return Half.last(call.now)
    if year is None or half is None:
        raise Invalid([FieldError("year" if year is None else "half", "missing")])
    return Half(year, half)


def _told(found: Statistics, *, over: bool) -> StatisticsTold:
    cells = {
        table: None if found_ is None else [CellTold(name, count) for name, count in found_.items()]
        for table, found_ in found.tables.items()
    }
    soon: Soon | None = found.acknowledged
    return StatisticsTold(
        year=found.half.year,
        half=found.half.half,
        over=over,
        least=LEAST,
        reports=found.reports,
        tables=TablesTold(**cells),
        acknowledged_hours=None if soon is None else SoonTold(soon.half, soon.most),
    )
