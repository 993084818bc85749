"""The ASVS page has every number of its chapters, names tests that exist, and the tests it names pass."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path("docs/asvs.md")
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")
NUMBERS = {
    "4": {"1": "1-3", "2": "1", "3": "1-2", "4": "1-4"},
    "6": {"1": "1-3", "2": "1-11", "3": "1-3", "4": "1-4", "5": "1-5", "6": "1-3", "8": "1-4"},
    "7": {"1": "1-3", "2": "1-4", "3": "1-2", "4": "1-5", "5": "1-2", "6": "1-2"},
    "8": {"1": "1-2", "2": "1-3", "3": "1", "4": "1"},
    "16": {"1": "1", "2": "1-5", "3": "1-4", "4": "1-3", "5": "1-3"},
}
"""The requirements of levels 1 and 2 of ASVS 5.0 in these chapters, section by section, first to last."""


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_requirement_of_the_chapters_has_one_row():
    wanted = []
    for chapter, sections in NUMBERS.items():
        for section, span in sections.items():
            first, _, last = span.partition("-")
            wanted += [f"{chapter}.{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    assert [number for number, _, _ in rows()] == wanted


def test_every_row_names_a_test_that_exists_or_says_why_not():
    for number, asks, how in rows():
        assert asks.strip(), number
        named = TEST.findall(how)
        assert named or how.startswith(("not applicable: ", "120: ")) or "operate.md#" in how, number
        for file, test in named:
            assert f"def {test}(" in Path(file).read_text(encoding="utf-8"), (number, file, test)


def test_every_place_the_page_points_to_is_there():
    operate = Path("docs/operate.md").read_text(encoding="utf-8")
    for anchor in set(re.findall(r"\(operate\.md#([a-z-]+)\)", PAGE.read_text(encoding="utf-8"))):
        assert any(line.startswith("## ") and line[3:].lower().replace(" ", "-") == anchor for line in operate.splitlines()), anchor


def test_the_named_tests_pass():
    named = sorted({f"{file}::{test}" for _, _, how in rows() for file, test in TEST.findall(how)})
    quick = [each for each in named if "test_hanging" not in each and "test_checkpoint_mail" not in each and "test_independent" not in each]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--no-cov",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
        "-k",
        "not postgresql",
        *quick,
    ]
    ran = subprocess.run(command, capture_output=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stdout[-3000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None
    assert int(passed.group(1)) >= len(quick)
    assert "skipped" not in ran.stdout.splitlines()[-1]
