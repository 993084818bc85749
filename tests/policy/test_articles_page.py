"""docs/articles.md tells the truth: every article has its row, and every rule, pack key, case and test it names exists."""

import json
import re
import tomllib
from importlib import resources
from pathlib import Path

from vault.policy import articles
from vault.policy.pack import load
from vault.policy.pack import names as pack_names

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if re.match(r"\| \d", line)]
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
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if "`tests/" in line and line.startswith("|")
    ]
    told = {name for row in rows for name in names(row[1])}
    over = [load(name) for name in pack_names() if load(name).extends]
    assert told == {f"{pack.name}:{number}" for pack in over for number in pack.articles.keys() - load(pack.extends).articles.keys()}
    for row in rows:
        assert row[2]
        for test in names(row[3]):
            file, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_the_example_of_the_format_page_is_a_pack_but_for_its_notice():
    from_page = (ROOT / "docs" / "spec" / "policy-pack.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert set(tomllib.loads(from_page)) <= set(PACK)
    assert tomllib.loads(from_page)["purposes"]["sms_offers"] == PACK["purposes"]["sms_offers"]
