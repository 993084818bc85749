"""What a study may be declared to look at: bands, and nothing that names somebody."""

from typing import Any

import pytest

from vault.policy.pack_facts import Field, Text
from vault.policy.research import KINDS, MOST_CELLS, Dimension, bands, unsound

BLANK = Text("", "")
FIELDS = {
    kind: Field(kind, number, kind, "identity", BLANK, choices=("a", "b", "c"))
    for number, kind in enumerate(
        (
            *("date", "integer", "choice", "text", "short_address", "postal_code"),
            *("name", "national_id", "mobile", "email", "iban", "national_address", "long_text", "attachment", "unified_number"),
        )
    )
}


def dimension(field: str, name: str = "one", **test: Any) -> Dimension:
    return Dimension(name=name, field=field, **{"groups": {}, **test})


def why(*dimensions: Dimension, linked: bool = False) -> list[tuple[int, str]]:
    return unsound(FIELDS, dimensions, linked=linked)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("date", {"steps": (18,)}),
        ("date", {"steps": (5, 10, 150)}),
        ("integer", {"steps": (1, 2, 10**12)}),
        ("choice", {"groups": {"x": ("a",), "y": ("b", "c")}}),
        ("text", {"groups": {"x": ("إيجار",)}}),
        ("short_address", {"groups": {"x": ("R",), "y": ("MA", "MB")}}),
        ("postal_code", {"groups": {"x": ("1", "23")}}),
    ],
)
def test_each_kind_has_its_bands(kind: str, test: dict[str, Any]):
    assert why(dimension(kind, **test)) == []


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("date", {}),
        ("date", {"steps": (4,)}),
        ("date", {"steps": (18, 22)}),
        ("date", {"steps": (18, 18)}),
        ("date", {"steps": (151,)}),
        ("date", {"steps": (18,), "groups": {"x": ("a",)}}),
        ("date", {"steps": tuple(range(5, 60, 5))}),
        ("integer", {"steps": (0,)}),
        ("integer", {"steps": (2, 1)}),
        ("integer", {"steps": (10**12 + 1,)}),
        ("choice", {}),
        ("choice", {"steps": (1,)}),
        ("choice", {"groups": {"x": ()}}),
        ("choice", {"groups": {"x": ("d",)}}),
        ("choice", {"groups": {"x": ("a",), "y": ("a",)}}),
        ("choice", {"groups": {"X": ("a",)}}),
        ("choice", {"groups": {"other": ("a",)}}),
        ("choice", {"groups": {"unknown": ("a",)}}),
        ("text", {"groups": {f"g{number}": (str(number),) for number in range(11)}}),
        ("text", {"groups": {"x": tuple(map(str, range(31)))}}),
        ("text", {"groups": {"x": ("",)}}),
        ("text", {"groups": {"x": (" a",)}}),
        ("text", {"groups": {"x": ("a\x07",)}}),
        ("short_address", {"groups": {"x": ("RAA",)}}),
        ("short_address", {"groups": {"x": ("r",)}}),
        ("short_address", {"groups": {"x": ("R",), "y": ("RA",)}}),
        ("postal_code", {"groups": {"x": ("123",)}}),
        ("postal_code", {"groups": {"x": ("١",)}}),
    ],
)
def test_what_is_no_band_is_refused(kind: str, test: dict[str, Any]):
    assert why(dimension(kind, **test)) == [(0, "out-of-range")]


@pytest.mark.parametrize("kind", sorted(set(FIELDS) - KINDS))
def test_what_names_somebody_is_no_dimension(kind: str):
    assert why(dimension(kind, groups={"x": ("a",)})) == [(0, "identifying-field")]


def test_a_name_and_a_field_are_one_dimensions_and_the_field_is_there():
    date, choice = dimension("date", steps=(18,)), dimension("choice", "two", groups={"x": ("a",)})
    assert why(date, choice) == []
    assert why(dimension("nothing")) == [(0, "unknown-field")]
    assert why(date, dimension("choice", groups={"x": ("a",)})) == [(0, "name-taken"), (1, "name-taken")]
    assert why(date, dimension("date", "two", steps=(30,))) == [(0, "name-taken"), (1, "name-taken")]
    for name in ("", "One", "1", "a" * 33, "one\n"):
        assert why(dimension("date", name, steps=(18,))) == [(0, "out-of-range")]


def test_a_table_has_three_dimensions_and_two_hundred_cells_and_an_extract_eight():
    every = [
        dimension("date", "d", steps=(18,)),
        dimension("integer", "i", steps=(18,)),
        dimension("choice", "c", groups={"x": ("a",)}),
        dimension("text", "t", groups={"x": ("a",)}),
    ]
    assert why(*every[:3]) == []
    assert why(*every) == [(3, "too-many")]
    assert why(*every, linked=True) == []
    wide = [dimension("date", "d", steps=tuple(range(10, 110, 10))), dimension("integer", "i", steps=tuple(range(1, 11)))]
    assert len(bands(wide[0])) * len(bands(wide[1])) <= MOST_CELLS
    assert why(*wide) == []
    assert why(*wide, every[2]) == [(2, "too-many")]
    fields = {f"f{number}": Field(f"f{number}", number, "integer", "finance", BLANK) for number in range(9)}
    many = [dimension(name, name, steps=(5,)) for name in fields]
    assert unsound(fields, many, linked=True) == [(8, "too-many")]


def test_the_bands_of_a_dimension_by_name():
    assert bands(dimension("date", steps=(18, 35))) == ("0-17", "18-34", "35+", "unknown")
    assert bands(dimension("integer", steps=(1,))) == ("0-0", "1+", "unknown")
    assert bands(dimension("choice", groups={"x": ("a",)})) == ("x", "other", "unknown")
