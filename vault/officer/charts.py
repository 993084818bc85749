"""Charts as plain shapes: where each bar stands, how tall it is, which colour it has; templates write them as SVG.

Invariants: no style and no script, only attributes, so the strict policy stays; time runs from right to left where the page does; what a
chart shows stands beside it as a table.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 190
LEFT: Final = 34
TOP: Final = 12
BOTTOM: Final = 22
COLOURS: Final = ("#0b5a4c", "#d55e00", "#0072b2", "#cc79a7", "#8a6d00")
"""Told apart also by who sees few colours (after Okabe and Ito); the rest share the last one."""
REST: Final = "#66717d"
_LABELLED: Final = 5


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a column: its place, its colour, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A number at an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A column for each day, in blocks one upon the other; `legend` is each series with its colour, the largest first."""

    blocks: list[Block]
    days: list[Mark]
    steps: list[Mark]
    legend: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A lying bar: its words, its number, its length out of a hundred, and where it begins."""

    text: str
    count: int
    length: int
    x: int


def columns(days: int, counts: Mapping[tuple[int, str], int], rest: str, *, leftwards: bool) -> Columns:
    """The chart of counts by day (0 for the first) and series; series beyond the five largest are told together as `rest`."""
    totals: Counter[str] = Counter()
    for (_, name), count in counts.items():
        totals[name] += count
    names = [name for name, _ in sorted(totals.items(), key=lambda each: (-each[1], each[0]))]
    fills = dict(zip(names, COLOURS, strict=False))
    top = scale(max((sum(counts.get((day, name), 0) for name in names) for day in range(days)), default=0))
    wide, tall = (WIDTH - LEFT) / days, HEIGHT - TOP - BOTTOM
    blocks, marks = [], []
    for day in range(days):
        x = (days - 1 - day) * wide if leftwards else LEFT + day * wide
        y = float(HEIGHT - BOTTOM)
        for name in names:
            height = tall * counts.get((day, name), 0) / top
            y -= height
            if height:
                title = f"{day + 1}: {name} {counts[day, name]}"
                blocks.append(
                    Block(round(x + wide * 0.1, 2), round(y, 2), round(wide * 0.8, 2), round(height, 2), fills.get(name, REST), title)
                )
        if day == 0 or (day + 1) % _LABELLED == 0:
            marks.append(Mark(round(x + wide / 2, 2), HEIGHT - 6, str(day + 1)))
    edge = WIDTH - LEFT / 2 if leftwards else LEFT / 2
    steps = [Mark(edge, round(HEIGHT - BOTTOM - tall * part, 2), f"{top * part:g}") for part in (0, 0.5, 1)]
    legend = [*fills.items(), *([(rest, REST)] if len(names) > len(fills) else [])]
    return Columns(blocks, marks, steps, legend)


def bars(counts: Sequence[tuple[str, int]], *, leftwards: bool) -> list[Bar]:
    """Lying bars, the longest first."""
    most = max((count for _, count in counts), default=0)
    lengths = [(text, count, max(1, count * 100 // most)) for text, count in sorted(counts, key=lambda each: (-each[1], each[0]))]
    return [Bar(text, count, length, 100 - length if leftwards else 0) for text, count, length in lengths]


def scale(most: int) -> int:
    """The even number at the top of an axis: 2, 4, 10, 20, 40, 100 and so on, the first that is not below `most`."""
    step = 2
    while step < most:
        step = step * 5 // 2 if str(step)[0] == "4" else step * 2
    return step
