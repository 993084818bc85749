"""The README keeps to what is there: its links lead somewhere, its placeholders are marked, its numbers and statuses are the vault's."""

import json
import re
from pathlib import Path

import pytest

from vault.records.values import national_id
from vault.web.problems import SENTENCES, TYPE_PREFIX

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_it_begins_in_arabic():
    text = re.sub(r"<[^>]*>", "", README).strip()
    assert text.startswith("# أمانة")
    assert README.index("# أمانة") < README.index("# Amanah")


def test_it_is_short_enough_to_be_read_and_calls_three_languages():
    assert len(README.splitlines()) < 250
    assert {"sh", "php", "js", "json"} <= {language for language, _ in BLOCKS}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_every_link_leads_to_something_in_the_tree(target: str):
    assert (ROOT / target).exists()


def test_every_placeholder_is_marked():
    lines = README.splitlines()
    # The mark stands behind it, or above it where a shell would take it for a word.
    marked = ["<-- placeholder" in lines[number - 1] + line for number, line in enumerate(lines) if "PASTE_THE_KEY" in line]
    assert marked == [True, True, True]


def test_the_identity_numbers_in_it_are_valid_and_none_is_one_somebody_has():
    numbers = re.findall(r"\b[12][0-9]{9}\b", README)
    assert len(numbers) == 3
    assert all(national_id(number) == number and number.startswith("19") for number in numbers)


def test_the_refusal_it_shows_is_one_the_vault_gives():
    refusals = [body for language, body in BLOCKS if language == "json" and '"status"' in body]
    (shown,) = (json.loads(body) for body in refusals)
    assert shown["code"] in SENTENCES
    assert shown["type"] == TYPE_PREFIX + shown["code"]


@pytest.mark.parametrize("command", ["run", "test"])
def test_the_commands_it_names_are_the_makefiles(command: str):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"make {command}" in README
