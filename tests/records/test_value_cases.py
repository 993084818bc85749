"""The tables of values, dates and names, and any file of the same format that VALUE_CASES, DATE_CASES or NAME_CASES names."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from vault.records import values
from vault.records.values import PartialDate, ValueRefused, date, full_capacity, name, same_loose, same_strict

TABLES = Path(__file__).parents[1] / "vectors" / "values"


def files(kind: str, variable: str) -> list[Path]:
    """The tables of one kind that lie beside the tests, and the one the environment names."""
    given = os.environ.get(variable)
    return [*sorted(TABLES.glob(f"*{kind}.json")), *([Path(given)] if given else [])]


def cases(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert found, f"{path.name} holds no case"
    return found


def said(capsys: pytest.CaptureFixture[str], path: Path, counts: Counter[tuple[str, str]]) -> None:
    """Print what was counted, group by group, past pytest's capture."""
    groups = sorted({group for group, _ in counts})
    with capsys.disabled():
        sys.stdout.write(f"\n{path.name}: {sum(counts[group, 'cases'] for group in groups)} cases\n")
        for group in groups:
            told = ", ".join(f"{what} {counts[group, what]}" for what in dict.fromkeys(w for g, w in sorted(counts) if g == group))
            sys.stdout.write(f"  {group}: {told}\n")


def normal_of(case: dict[str, Any]) -> str | None:
    try:
        found: str = getattr(values, case["type"])(case["input"])
    except ValueRefused:
        return None
    return found


@pytest.mark.parametrize("path", files("values", "VALUE_CASES"), ids=lambda path: path.stem)
def test_every_value_is_stored_in_its_normal_form_or_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for case in cases(path):
        right = normal_of(case) == case["normal"] and case["valid"] == (case["normal"] is not None)
        counts.update([(case["type"], "cases"), (case["type"], "met" if right else "missed")])
        if not right:
            wrong.append((case["id"], case["why"]))
    said(capsys, path, counts)
    assert wrong == []


def date_members(case: dict[str, Any]) -> dict[str, Any]:
    try:
        found = date(case["input"])
    except ValueRefused:
        return {"valid": False}
    return {
        "valid": True,
        "calendar": found.calendar,
        "precision": found.precision,
        "normal": found.normal,
        "hijri": found.hijri,
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
    }


def majority_members(case: dict[str, Any]) -> dict[str, Any]:
    birth = date(case["birth"])
    capacity = full_capacity(birth)
    told = {"birth_calendar": birth.calendar, "provisional": capacity.provisional}
    if "earliest" in case:
        return told | {"earliest": capacity.earliest.isoformat(), "latest": capacity.latest.isoformat()}
    assert capacity.earliest == capacity.latest
    return told | {"full_capacity_hijri": capacity.hijri, "full_capacity_from": capacity.latest.isoformat()}


@pytest.mark.parametrize("path", files("dates", "DATE_CASES"), ids=lambda path: path.stem)
def test_every_date_and_day_of_full_capacity_is_the_one_in_the_table(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for case in cases(path):
        members = date_members(case) if case["kind"] == "date" else majority_members(case)
        right = all(case[member] == found for member, found in members.items())
        counts.update([(case["kind"], "cases"), (case["kind"], "met" if right else "missed")])
        if not right:
            wrong.append((case["id"], case["why"], members))
    said(capsys, path, counts)
    assert wrong == []


def verdict(level: str, *, same: bool, expected: bool) -> str:
    if same == expected:
        return f"{level} {'found' if same else 'apart'}"
    return f"{level} {'WRONG' if same else 'missed'}"


def told_apart(case: dict[str, Any]) -> tuple[bool, bool]:
    try:
        return same_strict(case["a"], case["b"]), same_loose(case["a"], case["b"])
    except ValueRefused:
        return False, False


@pytest.mark.parametrize("path", files("names", "NAME_CASES"), ids=lambda path: path.stem)
def test_no_two_names_are_merged_at_the_strict_level(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    merged = []
    for case in cases(path):
        strict, loose = told_apart(case)
        group = case["group"]
        counts.update([(group, "cases"), (group, verdict("strict", same=strict, expected=case["same_strict"]))])
        counts[group, verdict("loose", same=loose, expected=case["same_loose"])] += 1
        if strict and not case["same_strict"]:
            merged.append((case["id"], case["why"]))
    said(capsys, path, counts)
    assert merged == []


@pytest.mark.parametrize("path", sorted(TABLES.glob("*names.json")), ids=lambda path: path.stem)
def test_our_own_name_tables_hold_at_both_levels(path: Path) -> None:
    wrong = [
        (case["id"], case["group"], told_apart(case))
        for case in cases(path)
        if told_apart(case) != (case["same_strict"], case["same_loose"])
    ]
    assert wrong == []


@pytest.mark.parametrize("path", sorted(TABLES.glob("*names.json")), ids=lambda path: path.stem)
def test_likeness_is_the_same_whichever_name_comes_first(path: Path) -> None:
    turned = [{**case, "a": case["b"], "b": case["a"]} for case in cases(path)]
    assert [case["id"] for case, other in zip(cases(path), turned, strict=True) if told_apart(case) != told_apart(other)] == []


def test_names_with_one_strict_key_are_strictly_the_same_unless_son_stands_against_daughter() -> None:
    for case in cases(TABLES / "names.json"):
        if same_strict(case["a"], case["b"]):
            assert name(case["a"]).strict == name(case["b"]).strict, case["id"]


def test_a_stored_date_is_derived_again_from_its_normal_form() -> None:
    for case in cases(TABLES / "dates.json"):
        if case["kind"] == "date" and case["valid"]:
            stored = values.normalise("date", case["input"])
            assert isinstance(stored, dict)
            assert PartialDate.of(stored) == date(case["input"]), case["id"]
