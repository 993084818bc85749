"""Charts as shapes: what is counted is as tall as it should be, stands where it should, and nothing is lost."""

import pytest

from vault.officer.charts import COLOURS, HEIGHT, LEFT, REST, WIDTH, bars, columns, scale


@pytest.mark.parametrize(("most", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (5, 10), (11, 20), (21, 40), (41, 100), (101, 200), (999, 1000)])
def test_the_top_of_an_axis_is_an_even_number_at_or_above_the_most(most: int, top: int):
    assert scale(most) == top


@pytest.mark.parametrize("leftwards", [False, True])
def test_blocks_are_as_tall_as_their_counts_and_inside_the_chart(leftwards: bool):  # a table
    drawn = columns(31, {(0, "a"): 4, (0, "b"): 2, (30, "a"): 1}, "rest", leftwards=leftwards)
    heights = {(block.title, block.fill): block.height for block in drawn.blocks}
    tall = heights["1: a 4", COLOURS[0]]
    assert heights["1: b 2", COLOURS[1]] == pytest.approx(tall / 2)
    assert heights["31: a 1", COLOURS[0]] == pytest.approx(tall / 4)
    assert all(
        block.x >= 0 and block.x + block.width <= WIDTH and block.y >= 0 and block.y + block.height <= HEIGHT for block in drawn.blocks
    )
    first, last = drawn.blocks[0].x, drawn.blocks[-1].x
    assert (first > last) is leftwards
    assert [mark.text for mark in drawn.days] == ["1", "5", "10", "15", "20", "25", "30"]
    assert [mark.text for mark in drawn.steps] == ["0", "5", "10"]
    assert all((mark.x > WIDTH - LEFT) is leftwards for mark in drawn.steps)


def test_more_series_than_colours_share_one():
    drawn = columns(1, {(0, f"s{number}"): 10 - number for number in range(7)}, "rest", leftwards=False)
    assert drawn.legend == [*((f"s{number}", COLOURS[number]) for number in range(5)), ("rest", REST)]
    assert [block.fill for block in drawn.blocks][5:] == [REST, REST]


def test_bars_are_sorted_and_mirrored():
    assert [(bar.text, bar.length, bar.x) for bar in bars([("b", 1), ("a", 4)], leftwards=True)] == [("a", 100, 0), ("b", 25, 75)]
    assert [(bar.length, bar.x) for bar in bars([("a", 1000), ("b", 1)], leftwards=False)] == [(100, 0), (1, 0)]
    assert bars([], leftwards=False) == []
