"""The page of what lies in the clear names every column there is, once, and none there is not."""

import re
from collections import Counter
from pathlib import Path

from vault.app import House
from vault.storage.metadata import metadata

PAGE = Path(__file__).parents[2] / "docs/spec/in-the-clear.md"
ROW = re.compile(r"^\| `([a-z_]+)\.([a-z_]+)` \| (\S.*) \|$", re.MULTILINE)


def listed(text: str) -> Counter[str]:
    """Every column the page lists, with how often."""
    return Counter(f"{table}.{column}" for table, column, _ in ROW.findall(text))


def columns() -> set[str]:
    """Every column of the schema."""
    return {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}


def test_the_page_lists_every_column_once_and_no_other():
    assert House.__module__ == "vault.app", "the roof knows every room, and with it every table"
    found = listed(PAGE.read_text(encoding="utf-8"))
    assert columns() - found.keys() == set(), "columns that are not listed"
    assert found.keys() - columns() == set(), "listed columns that are not in the schema"
    assert [name for name, times in found.items() if times > 1] == []


def test_a_column_that_is_not_listed_would_be_found():
    text = PAGE.read_text(encoding="utf-8")
    assert columns() - listed(text.replace("| `subject_record.type` |", "| `subject_record.kind` |")).keys() == {"subject_record.type"}
