"""Hides small numbers of a table so that they cannot be computed from the others and the total either.

Invariants: a number from 1 to 4 is never told; what is hidden together adds up to 5 at least, is two cells at least, and has more than one
answer; which larger cells are hidden beside a small one is drawn by a key, so that who knows the rule learns nothing from the choice.
Zeros are told: nobody is behind them. Method: complementary cell suppression of official statistics.
"""

from collections.abc import Callable, Mapping
from typing import Final

LEAST: Final = 5
"""The least number that is told."""
LEAST_OF_ALL: Final = 2 * LEAST
"""Of fewer reports than this nothing is told: one table could not be protected from another."""


def told(cells: Mapping[str, int], draw: Callable[[str], bytes]) -> dict[str, int | None] | None:
    """The cells with None for what is hidden; None where no choice of cells protects the small ones.

    `draw` gives bytes for a cell's name that nobody without the key can foresee.
    """
    hidden = {name for name, count in cells.items() if 0 < count < LEAST}
    larger = sorted((name for name, count in cells.items() if count >= LEAST), key=draw)
    while hidden and not _is_safe([cells[name] for name in hidden]):
        if not larger:
            return None
        hidden.add(larger.pop())
    return {name: None if name in hidden else count for name, count in cells.items()}


def _is_safe(counts: list[int]) -> bool:
    """Whether who knows the sum of these, and that small ones are among them, still does not know a single one."""
    whole, many = sum(counts), len(counts)
    # All of them 1, or all of them 4, is what such a sum would say.
    return many > 1 and whole >= LEAST and whole not in {many, (LEAST - 1) * many}
