"""The page of attacks tells the truth: each test on it exists, and each test that has an attack's number in its name is on it."""

import re
from pathlib import Path

from tests.house import tree

PAGE = (tree.TREE / "docs/attacks.md").read_text(encoding="utf-8")
ROWS = {int(number): shown for number, shown in re.findall(r"^\| (\d+) \| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)}
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)(?:::(test_[a-z0-9_]+))?`")


def defined(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", (tree.TREE / path).read_text(encoding="utf-8"), re.MULTILINE))


def test_every_attack_of_the_list_has_its_row():
    assert list(ROWS) == list(range(1, 51))


def test_every_test_on_the_page_exists():
    for path, name in NAMED.findall(PAGE):
        assert not name or name in defined(Path(path)), f"{path}::{name}"


def test_every_test_with_a_number_in_its_name_stands_in_the_row_of_its_number():
    seen = 0
    for path in tree.files():
        if path.parts[0] == "tests" and path.suffix == ".py":
            for name in defined(path):
                for number in re.findall(r"attack_(\d+)", name):
                    assert f"`{path.as_posix()}::{name}`" in ROWS[int(number)], f"{name}: docs/attacks.md, row {int(number)}"
                    seen += 1
    assert seen > 40


def test_a_row_without_a_test_says_so():
    for number, shown in ROWS.items():
        assert NAMED.search(shown) or shown.startswith("open: "), number
        if shown.startswith("open"):
            assert f"attack_{number:02d}" not in shown, f"{number} is open no more"
