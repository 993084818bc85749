"""The guard on bodies, by table and by property."""

import json
import time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.fake_roof import StoreBody
from vault.errors import Invalid, Malformed
from vault.web import Body
from vault.web.body import MAX_DEPTH, BodyReader, field_error, require_sound

TABLE = json.loads((Path(__file__).parent / "vectors" / "bodies.json").read_text(encoding="utf-8"))
READER = BodyReader(StoreBody)


class Colour(Enum):
    RED = "red"


class Item(Body):
    name: Annotated[str, msgspec.Meta(max_length=3)]
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    table: dict[str, int] | None = None


class Many(Body):
    items: list[Item]


@pytest.mark.parametrize("body", TABLE["taken"])
def test_sound_bodies_are_taken(body: str) -> None:
    assert isinstance(READER.read(body.encode()), StoreBody)


@pytest.mark.parametrize("body", TABLE["malformed"])
def test_what_parsers_disagree_about_is_malformed(body: str) -> None:
    with pytest.raises(Malformed) as refused:
        READER.read(body.encode())
    assert refused.value.code == "malformed"


@pytest.mark.parametrize("case", TABLE["invalid"], ids=lambda case: case["body"][:40])
def test_what_does_not_hold_is_named_by_declared_members_only(case: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        READER.read(case["body"].encode())
    assert [[each.field, each.code] for each in refused.value.errors] == case["errors"]


@pytest.mark.parametrize(
    ("item", "field", "code"),
    [
        ({"name": "long"}, "items.1.name", "out-of-range"),
        ({"name": "a", "colour": "ECHO"}, "items.1.colour", "out-of-range"),
        ({"name": "a", "colour": "x' - at `$.items`"}, "items.1.colour", "out-of-range"),
        ({"name": "a", "kind": "ECHO"}, "items.1.kind", "out-of-range"),
        ({"name": "a", "table": {"ECHO": "ECHO"}}, "items.1.table.?", "wrong-type"),
        ({"name": None}, "items.1.name", "wrong-type"),
        ({"ECHO": 1}, "items.1.?", "unknown-member"),
    ],
)
def test_rows_are_named_by_their_number(item: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        BodyReader(Many).read(json.dumps({"items": [{"name": "a"}, item]}).encode())
    assert [(each.field, each.code) for each in refused.value.errors] == [(field, code)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_refused_before_parsing_and_not_one_level_early(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    require_sound((opening * MAX_DEPTH + "1" + closing * MAX_DEPTH).encode())
    with pytest.raises(Malformed):
        require_sound((opening * (MAX_DEPTH + 1) + "1" + closing * (MAX_DEPTH + 1)).encode())


def test_many_shallow_brackets_are_not_deep() -> None:
    require_sound(b"[" + b",".join([b'{"a":["]",{}]}'] * 1000) + b"]")


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "0." + "9" * 5000, "1e" + "9" * 400, str(2**53), str(-(2**64))])
def test_a_number_no_database_holds_is_refused(number: str) -> None:
    with pytest.raises(Invalid) as refused:
        require_sound(b'{"a":' + number.encode() + b"}")
    assert [(each.field, each.code) for each in refused.value.errors] == [("", "out-of-range")]


@pytest.mark.parametrize("raw", [b'{"a":"' + b"\\" * 4_000_000, b"[" * 4_000_000, b'"' * 4_000_000, b'["' + b"\\ud83d" * 600_000 + b'"]'])
def test_a_full_size_body_made_to_be_slow_is_not(raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(Malformed):
        require_sound(raw)
    assert time.process_time() - started < 2  # a thousandfold of what it takes would still be caught as quadratic


@given(st.binary(max_size=100))
def test_whatever_comes_is_sound_or_refused(raw: bytes) -> None:
    try:
        require_sound(raw)
    except (Malformed, Invalid):
        return
    assert raw.decode()
    assert b"\0" not in raw


LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(
    st.dictionaries(
        st.text(LETTERS, max_size=5),
        st.text(LETTERS) | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_every_sound_value_is_taken_escaped_or_not(value: dict[str, Any]) -> None:
    for escaped in (True, False):
        require_sound(json.dumps(value, ensure_ascii=escaped).encode())


@given(st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\u0041", "\\\\", "x"]), max_size=8))
def test_surrogates_pass_exactly_when_they_are_pairs(parts: list[str]) -> None:
    text = '"' + "".join(parts) + '"'
    try:
        json.loads(text).encode()
        is_whole = True
    except UnicodeEncodeError:
        is_whole = False
    if is_whole:
        require_sound(text.encode())
    else:
        with pytest.raises(Malformed):
            require_sound(text.encode())


@given(
    st.text(),
    st.sampled_from(["Object contains unknown field `{}`", "Invalid enum value '{}'", "Expected `int`, got `{}` - at `$.{}`", "{}"]),
)
def test_no_word_of_a_message_gets_out_that_is_not_declared(word: str, message: str) -> None:
    error = field_error(message.format(word, word), frozenset({"type"}))
    assert all(step in {"type", "?", ""} or (step.isdigit() and len(step) <= 4) for step in error.field.split("."))
