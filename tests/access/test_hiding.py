"""Hidden numbers: no number of people under ten is shown, and none that is hidden can be computed from what is shown."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.attacker import bounds
from vault.access import hiding
from vault.access.hiding import shown, totals, withheld
from vault.policy.research import LEAST

Counts = dict[tuple[int, ...], int]
PEOPLE = st.one_of(st.integers(0, 4), st.integers(5, 14), st.integers(0, 60))


@st.composite
def tables(draw: st.DrawFn, sizes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], dict[tuple[int, ...], int]]:
    """A table's sizes and the people in each of its cells."""
    size = draw(st.sampled_from(sizes))
    return size, {cell: draw(PEOPLE) for cell in product(*map(range, size))}


def require_hidden(size: tuple[int, ...], counts: Counts, before: Any = ()) -> None:
    """What must hold of every table."""
    truth, told = totals(counts, size), shown(counts, size, before)
    assert all(people is None or people == truth[at] >= LEAST for at, people in told.items())
    if told[(None,) * len(size)] is None:
        assert set(told.values()) == {None}
        return
    for at, (low, high) in bounds(told, size).items():
        assert high is None or high - low >= LEAST, (at, truth[at], low, high)
        assert low <= truth[at]


@given(tables(((2,), (4,), (6,))))
@settings(max_examples=150, deadline=None)
def test_no_hidden_number_of_a_list_comes_out_of_what_is_shown(table: Any):
    require_hidden(*table)


@given(tables(((2, 2), (2, 4), (3, 3), (4, 3))), st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3))))
@settings(max_examples=120, deadline=None)
def test_no_hidden_number_of_a_table_of_two_comes_out_of_what_is_shown(table: Any, before: Any):
    size, counts = table
    require_hidden(size, counts, before)


@given(tables(((2, 2, 2), (2, 3, 2))))
@settings(max_examples=40, deadline=None)
def test_no_hidden_number_of_a_table_of_three_comes_out_of_what_is_shown(table: Any):
    require_hidden(*table)


def test_the_attacker_finds_what_is_only_hidden_by_itself():
    """Without complements each of these is one subtraction away: the test above can fail."""
    counts: Counts = dict(zip(product(range(2), range(3)), (3, 40, 50, 30, 20, 60), strict=True))
    alone = {at: people if people >= LEAST else None for at, people in totals(counts, (2, 3)).items()}
    [(at, between)] = bounds(alone, (2, 3)).items()
    assert (at, *map(int, filter(None, between))) == (at, 3, 3)
    assert at == (0, 0)
    told = shown(counts, (2, 3))
    assert [at for at, people in told.items() if people is None] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_two_small_numbers_do_not_hide_each_other_where_together_they_are_few():
    told = shown({(0,): 3, (1,): 4, (2,): 20, (3,): 30}, (4,))
    assert [told[at,] for at in range(4)] == [None, None, None, 30]
    assert told[None,] == 57


def test_a_dimension_that_no_move_hides_is_not_told_at_all():
    counts: Counts = {(0,): 3, (1,): 4, (2,): 4}
    assert shown(counts, (3,)) == {(0,): None, (1,): None, (2,): None, (None,): 11}
    both: Counts = {(one, two): 4 for one in range(3) for two in range(2)}
    assert {at for at, people in shown(both, (3, 2)).items() if people is not None} == {(None, 0), (None, 1), (None, None)}


def test_of_fewer_than_ten_people_nothing_is_told():
    assert set(shown({(0,): 5, (1,): 4}, (2,)).values()) == {None}


def test_a_table_where_everybody_is_many_is_shown_whole():
    assert shown({(0,): 10, (1,): 12}, (2,)) == {(0,): 10, (1,): 12, (None,): 22}


def test_the_same_people_give_the_same_table_in_whatever_order_they_come():
    counts = Counter(zip(*[[number * 7 % 5 for number in range(400)], [number * 3 % 7 % 4 for number in range(400)]], strict=True))
    again = dict(reversed(counts.items()))
    assert shown(counts, (5, 4)) == shown(again, (5, 4))


@given(st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 5)), st.integers(1, 40), max_size=12))
@settings(max_examples=300)
def test_rows_of_few_are_withheld_and_so_many_beside_them_that_their_number_is_not_known(groups: dict[tuple[int, ...], int]):
    gone = withheld(groups)
    small = {group for group, people in groups.items() if people < LEAST}
    assert small <= gone
    assert bool(gone) == bool(small)
    if gone and gone != set(groups):
        assert len(gone) > 1
        assert sum(groups[group] for group in gone) >= LEAST


def test_what_the_month_before_hid_is_hidden_again_where_it_serves():
    """Else the second month would show 12, and who knows that nobody came or went there would have the 5 of the first."""
    first = shown({(0,): 5, (1,): 12, (2,): 20}, (3,))
    assert [at for at, people in first.items() if people is None] == [(0,), (1,)]
    now: Counts = {(0,): 5, (1,): 12, (2,): 11}
    assert [at for at, people in shown(now, (3,)).items() if people is None] == [(0,), (2,)]
    again = shown(now, (3,), [at for at, people in first.items() if people is None])
    assert [at for at, people in again.items() if people is None] == [(0,), (1,)]


@pytest.mark.parametrize("size", [(12, 16), (6, 6, 5)])
def test_the_largest_tables_are_hidden_in_no_time(size: tuple[int, ...]):
    counts = {cell: (sum(cell) * 7 + cell[0]) % 25 for cell in product(*map(range, size))}
    assert None in shown(counts, size).values()


def test_what_a_table_of_none_is():
    assert hiding.totals({}, (2,)) == {(0,): 0, (1,): 0, (None,): 0}
