"""Every decision case of tests/vectors/decisions, and of the file named by DECISION_CASES, gets the answer it expects."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.policy.case_world import answer, differs

FOLDER = Path(__file__).parent.parent / "vectors" / "decisions"
FILES = [*sorted(FOLDER.glob("*.json")), *([Path(os.environ["DECISION_CASES"])] if os.environ.get("DECISION_CASES") else [])]
BOOKS = {path.stem if path.parent == FOLDER else str(path): json.loads(path.read_text(encoding="utf-8")) for path in FILES}


@pytest.mark.parametrize("name", BOOKS)
def test_every_case_of_the_file_gets_the_answer_it_expects(name, capsys):
    book, wrong = BOOKS[name], []
    met: Counter[tuple[str, bool]] = Counter()
    for case in book["cases"]:
        difference = differs(answer(book, case), case["expect"])
        met[case["expect"]["reason"], not difference] += 1
        if difference:
            wrong.append(f"{case['id']} {case.get('title', '')}: {difference}")
    told = [f"{reason} {met[reason, True]}/{met[reason, True] + met[reason, False]}" for reason in sorted({reason for reason, _ in met})]
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {', '.join(told)}\n")
    assert book["cases"]
    assert not wrong, "\n".join(wrong)


def test_no_case_is_told_twice():
    ids = Counter(case["id"] for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text(encoding="utf-8"))["cases"])
    assert [each for each, times in ids.items() if times > 1] == []
