"""Decisions are numbered, each number once, and tell context, decision and consequences on one page."""

import re

import pytest

from tests.house import tree

RECORDS = sorted(path for path in tree.files() if path.parent.as_posix() == "docs/adr" and path.suffix == ".md")


def test_every_decision_has_a_number_of_its_own():
    numbers = [path.name[:5] for path in RECORDS]
    assert numbers[0] == "0001-"
    assert all(re.fullmatch(r"\d{4}-", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_its_three_parts(path):
    text = (tree.TREE / path).read_text(encoding="utf-8")
    assert re.match(rf"# {path.name[:4]}: \S", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert re.search(r"^Status: (accepted|superseded by \d{4})$", text, re.MULTILINE)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_fits_on_one_page(path):
    assert len((tree.TREE / path).read_text(encoding="utf-8").split()) <= 600
