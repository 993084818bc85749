"""docs/two-people.md: every route that approves stands on it, and every test it names exists."""

import re
from pathlib import Path

from tests.docs.test_api import routes

PAGE = Path("docs/two-people.md").read_text(encoding="utf-8")
APPROVING = {"person:approve", "person:consents:verify"}
ROUTE = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]+)`")
TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")


def test_every_route_that_approves_stands_on_the_page_and_every_route_on_it_exists():
    every = {f"{route.method} {route.template}": route.access.label for route in routes()}
    told = set(ROUTE.findall(PAGE))
    assert told <= every.keys()
    assert {name for name, access in every.items() if access in APPROVING and not name.startswith("GET ")} <= told


def test_every_row_has_a_test_that_exists():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(rows) == len([line for line in PAGE.splitlines() if line.startswith("| ")]) - 1
    for file, name in TEST.findall(PAGE):
        assert f"def {name}(" in Path(file).read_text(encoding="utf-8"), name
