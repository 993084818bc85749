"""Small numbers of a table: hidden, and not to be computed from what is told, whoever knows the rule."""

import itertools
from collections import defaultdict
from functools import partial

import pytest

from vault.breach_reports.small_cells import LEAST, LEAST_OF_ALL, told

View = tuple[int, tuple[int | None, ...]]
NAMES = "abcd"


def place_in(order: tuple[str, ...], name: str) -> bytes:
    """What a key that draws this order gives for a cell."""
    return bytes([order.index(name)])


def views(many: int, most: int) -> dict[View, set[tuple[int, ...]]]:
    """What is told of every table of so many cells up to `most`, whatever the key draws, and which tables say exactly that."""
    found: dict[View, set[tuple[int, ...]]] = defaultdict(set)
    for counts in itertools.product(range(most + 1), repeat=many):
        if sum(counts) < LEAST_OF_ALL:
            continue
        for order in itertools.permutations(NAMES[:many]):
            shown = told(dict(zip(NAMES, counts, strict=False)), partial(place_in, order))
            if shown is not None:
                found[sum(counts), tuple(shown.values())].add(counts)
    return found


@pytest.mark.parametrize(("many", "most"), [(2, 16), (3, 13), (4, 7)])
def test_no_hidden_number_can_be_computed_from_the_others_the_total_and_the_rule(many: int, most: int):
    for (whole, shown), tables in views(many, most).items():
        hidden = [at for at, count in enumerate(shown) if count is None]
        rest = whole - sum(count for count in shown if count is not None)
        if rest > most:
            continue  # beyond the tables that were tried
        for at in hidden:
            assert len({table[at] for table in tables}) > 1, (whole, shown)


def test_a_small_number_is_never_told_and_zeros_and_large_ones_are_where_nothing_is_small():
    assert told({"a": 0, "b": 5, "c": 9}, str.encode) == {"a": 0, "b": 5, "c": 9}
    shown = told({"a": 0, "b": 3, "c": 9, "d": 6}, str.encode)
    assert shown is not None
    assert (shown["a"], shown["b"], list(shown.values()).count(None)) == (0, None, 2)
    assert all(count is None or count == 0 or count >= LEAST for count in shown.values())


def test_what_no_choice_protects_is_not_told_at_all():
    assert told(dict.fromkeys("abcdefghijkl", 1), str.encode) is None
    assert told({"a": 4, "b": 4, "c": 4, "d": 0}, str.encode) is None
    assert told({"a": 3}, str.encode) is None
