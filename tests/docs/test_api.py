"""The API page and the committed OpenAPI file say what the routes say; `python -m tests.docs.test_api` writes the file anew."""

import json
import re
import sys
from pathlib import Path

import pytest

from vault.app import clock
from vault.calls import Rooms, all_calls
from vault.identity.service import Identity
from vault.web.limits import Limits
from vault.web.openapi import describe
from vault.web.route import Route

PAGE = Path("docs/api.md")
FILE = Path("docs/openapi.json")


def routes() -> list[Route]:
    limits = Limits(clock)
    identity = Identity.over({}, limits)
    try:
        return all_calls(Rooms(identity, limits), clock)
    finally:
        identity.close()


def described() -> str:
    content = json.loads(describe(routes(), title="Amanah", version="0"))
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_every_route_stands_on_the_page_with_its_access_class_and_no_other():
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| ([a-z:_]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    own = {("GET /health/live", "public"), ("GET /health/ready", "public"), ("GET /schema/openapi.json", "public")}
    assert told == {(f"{route.method} {route.template}", route.access.label) for route in routes()} | (told & own)


def test_the_committed_openapi_file_is_what_the_routes_give():
    assert FILE.read_text(encoding="utf-8") == described()


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_every_route_declares_who_may_come_in_and_what_it_is_for(route):
    assert route.access.label
    assert route.summary.endswith((".", "; the reading is an entry itself."))


if __name__ == "__main__":
    sys.stdout.write(f"{FILE}: {FILE.write_text(described(), encoding='utf-8')} characters\n")
