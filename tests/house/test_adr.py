"""Decisions are numbered without gaps and tell context, decision and consequences on one page."""

import re

import pytest

from tests.house import tree

RECORDS = sorted(path for path in tree.files() if path.parent.as_posix() == "docs/adr" and path.suffix == ".md")


def test_decisions_are_numbered_from_one_without_gaps():
    assert RECORDS
    assert [path.name[:5] for path in RECORDS] == [f"{number:04}-" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_its_three_parts(path):
    text = (tree.TREE / path).read_text(encoding="utf-8")
    assert re.match(rf"# {path.name[:4]}: \S", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert re.search(r"^Status: (accepted|superseded by \d{4})$", text, re.MULTILINE)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_fits_on_one_page(path):
    assert len((tree.TREE / path).read_text(encoding="utf-8").split()) <= 600
