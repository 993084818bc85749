"""docs/articles.md tells the truth: every article has its row, and every rule, pack key, case and test it names exists."""

import json
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from vault.access.rights_words import LISTS
from vault.policy import articles
from vault.policy.pack import load
from vault.policy.pack import names as pack_names

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if re.match(r"\| \d", line)]
TESTED = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if "`tests/" in line and line.startswith("|")
]
PACK = tomllib.loads(resources.files("vault.policy.packs").joinpath("cooperative.toml").read_text(encoding="utf-8"))


def ids():
    for path in (ROOT / "tests" / "vectors" / "decisions").rglob("*.json"):
        book = json.loads(path.read_text(encoding="utf-8"))
        yield from (case["id"] for group in ("cases", "reports") for case in book.get(group, ()) if "id" in case)


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_every_article_has_its_row():
    assert [row[0].lstrip("| ") for row in ROWS] == ["1", "2", "3", "4", "5", "6.1", "6.2", "6.3", "6.4", "6.5", "7", "8"]


def test_every_rule_on_the_page_is_a_function_and_every_rule_is_on_the_page():
    told = {name for row in ROWS for name in names(row[2])}
    assert told == {name for name in vars(articles) if name.startswith("article_")}
    for row in ROWS:
        assert any(name.startswith(f"article_{row[0].lstrip('| ').replace('.', '_')}_") for name in names(row[2]))


def test_every_pack_key_on_the_page_is_in_the_pack():
    for row in ROWS:
        for key in names(row[3]):
            table = PACK
            for part in key.split("."):
                table = table[part]
            assert table


def test_every_case_on_the_page_is_in_the_vectors():
    known = set(ids())
    for row in ROWS:
        told = row[4].split()
        assert told
        assert set(told) <= known, row[0]


def test_every_test_on_the_page_is_in_the_tests():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "policy").glob("test_*.py"))
    for row in ROWS:
        for name in names(row[5]):
            assert f"def {name}(" in text


def test_every_article_of_a_relationship_pack_has_a_row_with_a_rule_and_a_test_that_exists():
    told = {name for row in TESTED for name in names(row[1])}
    over = [load(name) for name in pack_names() if load(name).extends]
    assert told == {f"{pack.name}:{number}" for pack in over for number in pack.articles.keys() - load(pack.extends).articles.keys()}
    for row in TESTED:
        assert row[2]
        assert names(row[3])
        for test in names(row[3]):
            file, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), test


# What each policy says of data, clause by clause, as its own text numbers it; what lies in a pack is held above.
CLAUSES = {
    "000": {"preamble", "goals 1", "goals 2 to 4", "tools", "handling 6", "handling 7"},
    "001": {"preamble", "goals 1", "goals 2 to 4", "handling 5"},
    "003": {"preamble", "goals 1", "goals 2 to 4", "tools", "handling 6", "handling 7", "end"},
    "004": {
        *("1-1", "1-3", "2-2 (1)", "2-2 (2)", "3-1", "3-2", "3-3", "5-6", "5-8"),
        *("6.1", "6-4", "6-5", "7-2", "partners 1", "partners 5"),
    },
}


def told_clauses(policy):
    """The clauses of a policy that a second column names: policies before their clauses, several with the same ones side by side."""
    found = set()
    for row in TESTED:
        for part in row[1].split(","):
            numbers = re.match(r"\s*((?:00\d ?)+)(.*)", part)
            if numbers is None or policy not in numbers[1].split():
                continue
            first, *more = numbers[2].strip().split(" and ")
            head = first.rpartition(" ")[0] + " " if first.startswith("partners") else ""
            found |= {first, *(head + each for each in more)}
    return found


@pytest.mark.parametrize("policy", CLAUSES)
def test_every_clause_of_a_relationship_policy_that_touches_data_has_a_row(policy):
    assert told_clauses(policy) == CLAUSES[policy]


def test_the_persons_requests_stand_with_every_kind_and_every_article_of_the_closed_lists():
    section = PAGE.partition("## The person's requests")[2].partition("## ")[0]
    rows = [row for row in TESTED if f"| {row[0].lstrip('| ')} |" in section]
    assert len(rows) > len(LISTS.kinds)
    assert [kind for kind, told in LISTS.kinds.items() if told.short.en.lower() not in section.lower()] == []
    cited = {member: {number for row in rows for number in of(row[1], member)} for member in ("law", "regulation")}
    for ground in (*LISTS.kinds.values(), *LISTS.refusals.values()):
        assert ground.law in cited["law"] or ground.regulation in cited["regulation"], ground.en


def of(cell, member):
    """The numbers that a cell such as "law 4 and 18, regulation 3" names of the law, or of the regulation."""
    return [number for found in re.findall(rf"{member} ((?:\d+(?:, (?=\d)| and )?)+)", cell) for number in re.findall(r"\d+", found)]


def test_every_file_a_rule_of_a_tested_row_names_is_there():
    for row in TESTED:
        for path in re.findall(r"`(vault/[^`]+)`", row[2]):
            assert (ROOT / path).exists(), path


def test_the_example_of_the_format_page_is_a_pack_but_for_its_notice():
    from_page = (ROOT / "docs" / "spec" / "policy-pack.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert set(tomllib.loads(from_page)) <= set(PACK)
    assert tomllib.loads(from_page)["purposes"]["sms_offers"] == PACK["purposes"]["sms_offers"]
