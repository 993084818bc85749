"""What may be declared to be asked in the place of a value, and what may not: one test, a fixed constant, three for a field."""

from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from vault.policy.overlay import overlaid
from vault.policy.pack import Field, PackRefused, Predicate, Text, load, parse
from vault.policy.pack_file import KINDS
from vault.policy.predicates import unsound

LABEL = Text("سؤال", "Question")
KIND_OF = {kind: Field(kind, number, kind, "identity", LABEL) for number, kind in enumerate(KINDS, 1)}
KIND_OF["choice"] = replace(KIND_OF["choice"], choices=("a", "b", "c"))
SOUND: list[tuple[str, dict[str, Any]]] = [
    ("date", {"younger_than": 1}),
    ("date", {"younger_than": 150}),
    ("integer", {"below": 1}),
    ("integer", {"below": 10**12}),
    ("choice", {"one_of": ("a", "b")}),
    ("text", {"one_of": tuple(f"word {number}" for number in range(20))}),
    ("short_address", {"begins_with": "R"}),
    ("short_address", {"begins_with": "RR"}),
    ("postal_code", {"begins_with": "11"}),
]
TESTS: list[dict[str, Any]] = [{"younger_than": 18}, {"below": 5}, {"one_of": ("a",)}, {"begins_with": "R"}, {"begins_with": "1"}]


def asked(field: str, name: str = "is_so", **test: Any) -> Predicate:
    return Predicate(name=name, field=field, label=LABEL, **test)


@pytest.mark.parametrize(("kind", "test"), SOUND, ids=str)
def test_each_test_fits_the_kind_it_is_for(kind: str, test: dict[str, Any]):
    assert unsound(KIND_OF, [asked(kind, **test)]) == []


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("date", {}),
        ("date", {"younger_than": 0}),
        ("date", {"younger_than": 151}),
        ("integer", {"younger_than": 5}),
        ("integer", {"below": 0}),
        ("integer", {"below": 10**12 + 1}),
        ("integer", {"below": 5, "younger_than": 5}),
        ("choice", {"one_of": ("a", "b", "c")}),
        ("choice", {"one_of": ("a", "z")}),
        ("text", {"one_of": ("a", "a")}),
        ("text", {"one_of": (" a",)}),
        ("text", {"one_of": ("",)}),
        ("text", {"one_of": ("a\nb",)}),
        ("text", {"one_of": tuple(f"word {number}" for number in range(21))}),
        ("short_address", {"begins_with": "RRR"}),
        ("short_address", {"begins_with": "r"}),
        ("short_address", {"begins_with": "1"}),
        ("postal_code", {"begins_with": "112"}),
        ("text", {"begins_with": "R"}),
    ],
    ids=str,
)
def test_a_constant_that_is_none_or_for_another_kind_is_refused(kind: str, test: dict[str, Any]):
    assert unsound(KIND_OF, [asked(kind, **test)]) == [(0, "out-of-range")]


@pytest.mark.parametrize(
    "kind", ["national_id", "mobile", "email", "iban", "unified_number", "national_address", "name", "long_text", "attachment"]
)
def test_what_names_somebody_is_asked_nothing(kind: str):
    assert all(unsound(KIND_OF, [asked(kind, **test)]) == [(0, "out-of-range")] for test in TESTS)


def test_a_field_bears_three_and_a_fourth_would_tell_it():
    four = [asked("integer", f"below_{number}", below=number) for number in range(1, 5)]
    assert unsound(KIND_OF, four[:3]) == []
    assert unsound(KIND_OF, four) == [(number, "too-many") for number in range(4)]
    beside = [*four[:3], asked("date", younger_than=18)]
    assert unsound(KIND_OF, beside) == []


def test_a_name_is_one_predicates_and_no_fields_and_its_field_is_there():
    twice = [asked("date", younger_than=18), asked("integer", below=5)]
    assert unsound(KIND_OF, twice) == [(0, "name-taken"), (1, "name-taken")]
    assert unsound(KIND_OF, [asked("date", "integer", younger_than=18)]) == [(0, "name-taken")]
    assert unsound(KIND_OF, [asked("shoe_size", below=5)]) == [(0, "unknown-field")]
    for name in ("Is", "", "x" * 65, "1a", "a-b"):
        assert unsound(KIND_OF, [asked("date", name, younger_than=18)]) == [(0, "out-of-range")], name


def text_of(name: str) -> str:
    return resources.files("vault.policy.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def test_the_packs_declare_who_is_a_minor_in_the_laws_years():
    declared = {each.name: each for each in load("cooperative").record_types["beneficiary"].predicates}
    assert (declared["is_minor"].field, declared["is_minor"].younger_than) == ("birth_date", 18)
    assert "is_minor" in {each.name for each in load("orphan-care").record_types["beneficiary"].predicates}, (
        "a pack laid over it has it too"
    )


@pytest.mark.parametrize(
    ("old", "new", "path", "code"),
    [
        ("younger_than = 18", "younger_than = 151", "is_minor.younger_than", "out-of-range"),
        ("younger_than = 18", "below = 18", "is_minor", "out-of-range"),
        ("younger_than = 18", "older_than = 18", "is_minor.older_than", "unknown"),
        ('field = "birth_date"', 'field = "shoe_size"', "is_minor", "unknown-field"),
        ('begins_with = "R"', 'one_of = ["R"]', "lives_in_riyadh_region", "out-of-range"),
    ],
)
def test_a_pack_whose_predicate_cannot_stand_is_refused_with_its_path(old: str, new: str, path: str, code: str):
    with pytest.raises(PackRefused) as refused:
        parse(text_of("cooperative").replace(old, new, 1), load)
    assert (refused.value.path, refused.value.code) == (f"record_types.beneficiary.predicates.{path}", code)


def test_a_pack_laid_over_another_adds_predicates_and_changes_none():
    below = {"record_types": {"beneficiary": {"id": 1, "fields": {"f": {}}, "predicates": {"p": {"below": 5}}}}}
    added = overlaid(below, {"record_types": {"beneficiary": {"predicates": {"q": {"below": 6}}}}})
    assert added["record_types"]["beneficiary"]["predicates"] == {"p": {"below": 5}, "q": {"below": 6}}
    with pytest.raises(PackRefused) as refused:
        overlaid(below, {"record_types": {"beneficiary": {"predicates": {"p": {"below": 6}}}}})
    assert (refused.value.path, refused.value.code) == ("record_types.beneficiary.predicates.p", "laid-down-already")
