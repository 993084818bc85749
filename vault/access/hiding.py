"""Which numbers of a table are hidden, so that none of them can be computed from those that are shown, from totals as little.

Invariants: a number of people under `LEAST` is never shown, none at all included; for every number that is hidden there are two tables of
people which agree in everything that is shown and differ in it by `LEAST` or more, so that whoever knows all that is shown knows it no
closer than that. It holds by construction: each hidden number lies on a *move*, which takes people from some corners of a cube of cells and
puts as many into the others; every number a move changes is hidden, and every other stays what it was. Pure; docs/spec/research.md 3.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product

from vault.policy.research import LEAST

At = tuple[int | None, ...]
"""Where a number stands: for each dimension the place of a band, None where it is the total over all of them."""


def totals(counts: Mapping[tuple[int, ...], int], sizes: Sequence[int]) -> dict[At, int]:
    """Every number of a table: how many people lie in each cell, and in each total over some dimensions or all."""
    found: dict[At, int] = dict.fromkeys(product(*((*range(size), None) for size in sizes)), 0)
    for cell, people in counts.items():
        for kept in product((True, False), repeat=len(sizes)):
            found[tuple(place if keep else None for place, keep in zip(cell, kept, strict=True))] += people
    return found


def shown(counts: Mapping[tuple[int, ...], int], sizes: Sequence[int], before: Collection[At] = ()) -> dict[At, int | None]:
    """Every number of the table, None for one that is hidden.

    `before` is what the month before hid: of what may be hidden beside a small number that comes first, so that one month does not show
    what another hid.
    """
    table = totals(counts, sizes)
    hidden = _hidden(table, sizes, frozenset(before))
    return {at: None if at in hidden else people for at, people in table.items()}


def _hidden(table: Mapping[At, int], sizes: Sequence[int], before: frozenset[At]) -> set[At]:
    if table[(None,) * len(sizes)] < LEAST:
        return set(table)
    small = [at for at, people in table.items() if people < LEAST]
    hidden, dropped = set(small), set[int]()
    # The coarsest first: what is hidden for a total serves the cells under it.
    for at in sorted(small, key=lambda one: (sum(place is not None for place in one), _order(one))):
        own = {axis for axis, place in enumerate(at) if place is not None}
        if own & dropped:
            continue
        moves = ((_cost(table, changed, hidden, before), changed) for changed in _moves(table, sizes, at))
        best = min(moves, key=lambda one: one[0], default=None)
        if best is not None:
            hidden |= best[1]
            continue
        # Where nothing at all is told by a dimension, everybody of a total may be in this band of it or nobody: `LEAST` at least.
        axis = max(own, key=lambda one: (sizes[one], one))
        dropped.add(axis)
        hidden |= {each for each in table if each[axis] is not None}
    return hidden


def withheld(groups: Mapping[tuple[int, ...], int]) -> set[tuple[int, ...]]:
    """The combinations of which no row of an extract is given: those of under `LEAST` people, and the smallest others beside them.

    Those are so many that at least two are withheld, of `LEAST` people together: whoever knows how many people there are in all and
    counts the rows learns of each of them no more than that.
    """
    gone = {group for group, people in groups.items() if people < LEAST}
    for group in sorted(groups.keys() - gone, key=lambda one: (groups[one], one)):
        if not gone or (len(gone) > 1 and sum(groups[one] for one in gone) >= LEAST):
            break
        gone.add(group)
    return gone


def _moves(table: Mapping[At, int], sizes: Sequence[int], at: At) -> Iterator[set[At]]:
    """The numbers changed by each move that leaves `at` open by `LEAST` or more.

    A move goes between `at` and a band across from it in each of its dimensions, at one band of every other dimension.
    """
    across = [
        range(size) if place is None else [each for each in range(size) if each != place] for size, place in zip(sizes, at, strict=True)
    ]
    own = [axis for axis, place in enumerate(at) if place is not None]
    for chosen in product(*across):
        corners = list(_corners(at, chosen, own))
        up = min(table[cell] for cell, odd in corners if odd)
        down = min(table[cell] for cell, odd in corners if not odd)
        if up + down >= LEAST:
            yield _changed(corners, own, len(sizes))


def _corners(at: At, chosen: tuple[int, ...], own: Sequence[int]) -> Iterator[tuple[At, bool]]:
    """The cells of the move: those across from `at` in an odd number of its dimensions give what the others take."""
    for crossed in product((False, True), repeat=len(own)):
        cell: list[int | None] = list(chosen)
        for axis, cross in zip(own, crossed, strict=True):
            if not cross:
                cell[axis] = at[axis]
        yield tuple(cell), sum(crossed) % 2 == 1


def _changed(corners: Sequence[tuple[At, bool]], own: Sequence[int], axes: int) -> set[At]:
    """The numbers a move changes: its cells, and their totals over dimensions it does not go along."""
    others = [axis for axis in range(axes) if axis not in own]
    summed = [frozenset(some) for size in range(len(others) + 1) for some in combinations(others, size)]
    return {tuple(None if axis in over else place for axis, place in enumerate(cell)) for cell, _ in corners for over in summed}


def _cost(table: Mapping[At, int], changed: set[At], hidden: set[At], before: frozenset[At]) -> tuple[int, int, int, list[tuple[int, ...]]]:
    """How much a move hides that is not hidden yet: how many numbers that were shown before, how many numbers, of how many people.

    Then by place, so that it is always the same.
    """
    new = changed - hidden
    return len(new - before), len(new), sum(table[each] for each in new), sorted(_order(each) for each in changed)


def _order(at: At) -> tuple[int, ...]:
    return tuple(-1 if place is None else place for place in at)
