"""What runs on one engine: never nothing of a test, always the same, both engines in every file, and all where the engine matters."""

import re
import subprocess
import sys

import pytest

from tests.conftest import LONGEST
from tests.engines import ENGINES, ROOMS, WHOLE, Variant, left_out, line
from tests.house import tree


def variants(file: str, *names: str, wanted: tuple[str, ...] = ()) -> list[Variant]:
    return [Variant(file, name, engine, frozenset(wanted)) for name in names for engine in ENGINES]


def engines_of(given: list[Variant]) -> dict[str, set[str]]:
    """On which engines each test runs."""
    out = left_out(given)
    return {name: {each.engine for each in given if each.name == name and each not in out} for name in {each.name for each in given}}


@pytest.mark.parametrize("count", range(2, 40))
def test_every_test_runs_on_one_engine_and_both_engines_have_some_of_every_file(count: int):
    found = engines_of(variants(f"tests/consent/test_{count}.py", *(f"test_{number}[*]" for number in range(count))))
    assert {len(each) for each in found.values()} == {1}
    assert set.union(*found.values()) == set(ENGINES)


def test_a_file_that_shares_one_vault_has_one_engine():
    files = [engines_of(variants(f"tests/journeys/test_{file}.py", *(f"test_{number}[*]" for number in range(9)))) for file in range(12)]
    each = [set.union(*found.values()) for found in files]
    assert {len(one) for one in each} == {1}
    assert set.union(*each) == set(ENGINES)


def test_what_is_wanted_runs_and_what_has_one_engine_alone_is_never_left_out():
    file = "tests/roof/test_one.py"
    both, one = variants(file, "test_both[*]", wanted=ENGINES), variants(file, "test_story[*]", wanted=("postgresql",))
    alone = [Variant(file, "test_alone[*]", "sqlite", frozenset())]
    found = engines_of([*both, *one, *alone])
    assert found == {"test_both[*]": set(ENGINES), "test_story[*]": {"postgresql"}, "test_alone[*]": {"sqlite"}}


def test_the_choice_is_made_by_the_name_and_not_by_the_order():
    given = variants("tests/consent/test_it.py", *(f"test_{number}[*]" for number in range(20)))
    assert left_out(given) == left_out(reversed(given))


def test_the_rooms_are_there():
    rooms = {path.parts[1] for path in tree.files() if path.parts[0] == "tests" and len(path.parts) > 2}
    assert rooms >= ROOMS | WHOLE


def test_the_longest_files_are_there():
    assert [name for name in LONGEST if not (tree.TREE / "tests" / name).is_file()] == []


def test_what_is_left_out_is_counted_by_whoever_collects():
    words = [sys.executable, "-m", "pytest", "tests/publication", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    counts = []
    for engines in ("both", "one"):
        told = subprocess.run([*words, "--engines", engines], cwd=tree.TREE, capture_output=True, text=True, check=True).stdout
        found = re.search(r"^on one engine: (none|\d+)", told, re.MULTILINE)
        assert found, told
        counts.append((0 if found[1] == "none" else int(found[1]), told.count("::")))
    (none, all_), (left, some) = counts
    assert none == 0 < left == all_ - some


def test_the_line_says_how_many_and_how_to_run_them():
    assert line(0) == "on one engine: none"
    assert line(7) == "on one engine: 7 tests, whose variant on the other did not run; make test ENGINES=both runs all"
