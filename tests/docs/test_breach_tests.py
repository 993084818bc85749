"""docs/breach-tests.md: every one of the twenty-five tests has its row, and every test named on the page exists."""

import re
from pathlib import Path

PAGE = Path("docs/breach-tests.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)(?:::(test_[a-z0-9_]+))?`")
FALLS_AWAY = 10


def rows() -> dict[int, list[tuple[str, str]]]:
    """The files and tests that each number's row names."""
    found = [re.match(r"\| (\d+) \|[^|]*\|([^|]*)\|", line) for line in PAGE.splitlines()]
    return {int(each[1]): NAMED.findall(each[2]) for each in found if each}


def test_every_number_but_the_tenth_has_a_row_with_a_test():
    told = rows()
    assert list(told) == [number for number in range(1, 26) if number != FALLS_AWAY]
    assert [number for number, named in told.items() if not named] == []


def test_every_test_named_on_the_page_exists_and_a_file_that_is_there_is_named_by_its_tests():
    named = [each for line in PAGE.splitlines() if line.startswith("| ") for each in NAMED.findall(line)]
    assert len(named) > 40
    for file, name in named:
        if name or Path(file).exists():
            assert name, f"{file} is there: name its tests"
            assert f"def {name}(" in Path(file).read_text(encoding="utf-8"), name


def test_every_row_of_the_page_names_a_test():
    wanted = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| number", "| what |"))]
    assert [line for line in wanted if not NAMED.search(line)] == []
