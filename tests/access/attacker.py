"""What an attacker computes from a table: the lowest and the highest each hidden number can be, by linear programming in exact fractions.

It knows nothing of how numbers are hidden: only what is shown, that totals are totals, and that no number of people is below none.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product

At = tuple[int | None, ...]


def bounds(shown: Mapping[At, int | None], sizes: Sequence[int]) -> dict[At, tuple[Fraction, Fraction | None]]:
    """For each hidden number the lowest and the highest value it can have, None where it has no highest."""
    cells = list(product(*(range(size) for size in sizes)))
    rows = [[*_row(at, cells), people] for at, people in shown.items() if people is not None]
    found: dict[At, tuple[Fraction, Fraction | None]] = {}
    for at in (at for at, people in shown.items() if people is None):
        low, high = _highest(rows, [-one for one in _row(at, cells)]), _highest(rows, _row(at, cells))
        assert low is not None
        found[at] = (-low, high)
    return found


def _row(at: At, cells: Sequence[tuple[int, ...]]) -> list[int]:
    return [int(all(place is None or place == here for place, here in zip(at, cell, strict=True))) for cell in cells]


def _highest(rows: Sequence[Sequence[int]], aim: Sequence[int]) -> Fraction | None:
    """The highest value of `aim` over x >= 0 where each row holds (its last member is the sum): the simplex method, by Bland's rule."""
    width = len(aim)
    table = [
        [*map(Fraction, row[:-1]), *(Fraction(here == each) for each in range(len(rows))), Fraction(row[-1])]
        for here, row in enumerate(rows)
    ]
    basis = [width + number for number in range(len(rows))]
    _climb(table, basis, [Fraction(0)] * width + [Fraction(-1)] * len(rows), width + len(rows))
    assert not any(line[-1] for line, own in zip(table, basis, strict=True) if own >= width), "what is shown is of no table at all"
    for line, own in list(zip(table, basis, strict=True)):
        # An artificial variable that stayed at zero leaves; where it cannot, the row said nothing new.
        if own >= width:
            into = next((each for each in range(width) if line[each]), None)
            if into is not None:
                _turn(table, basis, table.index(line), into)
    kept = [number for number, own in enumerate(basis) if own < width]
    table, basis = [[*table[number][:width], table[number][-1]] for number in kept], [basis[number] for number in kept]
    return _climb(table, basis, list(map(Fraction, aim)), width)


def _climb(table: list[list[Fraction]], basis: list[int], aim: Sequence[Fraction], width: int) -> Fraction | None:
    while True:
        gains = (aim[each] - sum(aim[own] * line[each] for own, line in zip(basis, table, strict=True)) for each in range(width))
        into = next((each for each, gain in enumerate(gains) if gain > 0), None)
        if into is None:
            return sum((aim[own] * line[-1] for own, line in zip(basis, table, strict=True)), Fraction(0))
        ways = [(line[-1] / line[into], own, number) for number, (own, line) in enumerate(zip(basis, table, strict=True)) if line[into] > 0]
        if not ways:
            return None
        _turn(table, basis, min(ways)[2], into)


def _turn(table: list[list[Fraction]], basis: list[int], out: int, into: int) -> None:
    pivot = table[out][into]
    table[out] = [each / pivot for each in table[out]]
    for number, line in enumerate(table):
        if number != out and line[into]:
            by = line[into]
            table[number] = [each - by * own for each, own in zip(line, table[out], strict=True)]
    basis[out] = into
