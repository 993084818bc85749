"""The call that tells how many reports came in a year, without the small numbers; every look is an entry."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports.reports import Reports
from vault.breach_reports.service import entry_of, is_excluded
from vault.breach_reports.small_cells import LEAST
from vault.breach_reports.statistics import FIRST_YEAR, LAST_YEAR, Soon, Statistics, counted
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web import Answer, Call, Person, Query, Route
from vault.web.times import RIYADH

COUNTED: Final = "breach_report.counted"
DRAWN: Final = "breach-statistics"
"""What the pepper draws by: which larger cells are hidden beside a small one."""
YEAR: Final = Query(kind="integer", low=FIRST_YEAR, high=LAST_YEAR)


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
    """The reports of a year that came in months that are over, the last of them `through`; null where there are too few to tell.

    Numbers from 1 to `least` - 1 are hidden, and others with them so that these cannot be computed. Reports that exclude the reader are not
    counted.
    """

    year: int
    through: str | None
    least: int
    reports: int | None
    tables: TablesTold
    acknowledged_hours: SoonTold | None


def statistics_routes(reports: Reports) -> list[Route]:
    """Return the call of this file."""

    async def read(call: Call) -> Answer:
        """The statistics of a year."""
        return Answer(_told(await statistics(reports, call)))

    return [
        Route(
            method="GET",
            path="/v1/breach-reports/statistics",
            name="breach_reports.statistics",
            handler=read,
            access=Person("log:read"),
            query={"year": YEAR},
            answer=StatisticsTold,
            summary="Count the reports of a year, without the small numbers; the look is an entry of the access log.",
        )
    ]


async def statistics(reports: Reports, call: Call) -> Statistics:
    """The statistics of the year asked for, else of this one; the entry of the look is committed first. Raises Unavailable."""
    errand = Errand(call.caller, call.request_id)
    association = errand.asker.association
    year = call.query["year"] or datetime.fromtimestamp(call.now // 1_000_000, UTC).astimezone(RIYADH).year

    def note(deed: Deed) -> None:
        still = errand.still(deed)
        deed.append(entry_of(still, deed, COUNTED, basis="law"))

    async def made() -> Statistics:
        await association.run(note)
        known = await reports.index.known(association)
        seen = [fact for fact in known.values() if not is_excluded(errand, fact)]
        pepper = association.cabinet.pepper
        return counted(seen, await reports.categories(association), year, call.now, lambda name: pepper.hash(DRAWN, name))

    return await heard(errand, made)


def _told(found: Statistics) -> StatisticsTold:
    cells = {
        table: None if found_ is None else [CellTold(name, count) for name, count in found_.items()]
        for table, found_ in found.tables.items()
    }
    soon: Soon | None = found.acknowledged
    return StatisticsTold(
        year=found.year,
        through=found.through or None,
        least=LEAST,
        reports=found.reports,
        tables=TablesTold(**cells),
        acknowledged_hours=None if soon is None else SoonTold(soon.half, soon.most),
    )
