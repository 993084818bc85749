"""How many reports came in half a year, as tables and bars, without the small numbers; nothing anybody wrote is opened here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from vault.breach_reports.reports import Reports
from vault.breach_reports.statistics import TABLES, Cells, Half, Table
from vault.breach_reports.statistics_api import WHICH, statistics
from vault.officer.charts import Columns, bars, columns
from vault.officer.frame import Frame, Speaker, link, looks, speaker_of
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Route
from vault.web.times import month_in_words

PATH: Final = "/officer/statistics"
CHANNELS: Final = frozenset({"web", "email"})
"""Channels that have a word on the pages; others are told by their code."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cell in words: its count, None for one that is hidden, and a bar of so many of a hundred from `x` on."""

    text: str
    count: int | None
    length: int
    x: int


def statistics_pages(frame: Frame, reports: Reports) -> list[Route]:
    """The page of this file."""
    pages, summary = _Statistics(frame, reports), "Reports of half a year by category, channel, month and state."
    return [looks(PATH, "officer.statistics", pages.look, "log:read", summary, **WHICH)]


@dataclass(frozen=True, slots=True)
class _Statistics:
    """The handler."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        found = await statistics(self.reports, call)
        categories = await self.reports.categories(call.caller.association)
        speaker, leftwards = speaker_of(call), call.language != "en"
        labels = {code: text.en if call.language == "en" else text.ar for code, text in categories.items()}
        tables = {table: _rows(table, found.tables[table], labels, speaker) for table in TABLES}
        return await self.frame.page(
            "statistics.html",
            call,
            found=found,
            is_over=found.half.is_over(call.now),
            period=_period(found.half, speaker),
            tables=tables,
            chart=_by_month(found.tables["month"], speaker, leftwards=leftwards),
            half=speaker.counted("hours", found.acknowledged.half) if found.acknowledged else "",
            most=speaker.counted("hours", found.acknowledged.most) if found.acknowledged else "",
            before=_link(found.half.before, call),
            after=_link(found.half.after, call) if found.half.after.is_over(call.now) else None,
            made=speaker.time(call.now),
        )


def _link(half: Half, call: Call) -> str:
    return link(PATH, call.language, year=half.year, half=half.half)


def _period(half: Half, speaker: Speaker) -> str:
    """Its first month and its last, in words."""
    ends = (half.months[0], half.months[-1])
    return " – ".join(month_in_words(date.fromisoformat(f"{month}-01"), speaker.language) for month in ends)


def _rows(table: Table, cells: Cells | None, labels: Mapping[str, str], speaker: Speaker) -> list[Row] | None:
    """The cells of a table in words: months in their order, the others the largest first and what is hidden last."""
    if cells is None:
        return None
    words = {name: _word(table, name, labels, speaker) for name in cells}
    drawn = {
        bar.text: bar for bar in bars([(words[name], count) for name, count in cells.items() if count], leftwards=speaker.language != "en")
    }
    rows = [Row(words[name], count, *((bar.length, bar.x) if (bar := drawn.get(words[name])) else (0, 0))) for name, count in cells.items()]
    return rows if table == "month" else sorted(rows, key=lambda row: (row.count is None, -(row.count or 0)))


def _word(table: Table, name: str, labels: Mapping[str, str], speaker: Speaker) -> str:
    if table == "month":
        return month_in_words(date.fromisoformat(f"{name}-01"), speaker.language)
    if table == "state":
        return speaker.word(f"state_{name}")
    if table == "channel":
        return speaker.word(f"channel_{name}") if name in CHANNELS else name
    return labels.get(name, name)


def _by_month(cells: Cells | None, speaker: Speaker, *, leftwards: bool) -> Columns | None:
    """A column for each month that may be told; None where there is none."""
    word = speaker.word("statistics_reports")
    counts = {(number, word): count for number, count in enumerate((cells or {}).values()) if count}
    return columns(len(cells or {}), counts, "", leftwards=leftwards) if counts else None
