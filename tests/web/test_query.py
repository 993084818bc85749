"""The query string, by table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import Invalid, Malformed
from vault.web import Query
from vault.web.query import parse_query

DECLARED = {
    "limit": Query(kind="integer", low=1, high=500, default=50),
    "record": Query(kind="id"),
    "from": Query(kind="time"),
    "outcome": Query(kind="choice", choices=("allow", "refuse")),
    "fields": Query(kind="fields", high=3),
    "after": Query(kind="text", low=2, high=5),
}
ID = "6f1e1a52-3c1b-4a4e-9a53-0d8f5b1f2c3d"


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ("limit=1", "limit", 1),
        ("limit=500", "limit", 500),
        ("limit=%D9%A3%D9%A0", "limit", 30),
        ("limit=٣", "limit", 3),
        ("limit=%DB%B4", "limit", 4),
        (f"record={ID}", "record", bytes.fromhex(ID.replace("-", ""))),
        ("from=1970-01-01T00:00:01.5Z", "from", 1_500_000),
        ("from=1970-01-01T00:00:00%2B00:00", "from", 0),
        ("outcome=allow", "outcome", "allow"),
        ("fields=a,b", "fields", ("a", "b")),
        ("fields=a%2Cb", "fields", ("a", "b")),
        ("after=a+b", "after", "a b"),
        ("%61fter=%D8%B3%D8%A7", "after", "سا"),
    ],
)
def test_a_declared_parameter_is_parsed(raw: str, name: str, value: object) -> None:
    assert parse_query(raw.encode(), DECLARED)[name] == value


def test_what_is_absent_has_its_default_or_none() -> None:
    assert parse_query(b"", DECLARED) == {"limit": 50, "record": None, "from": None, "outcome": None, "fields": None, "after": None}


@pytest.mark.parametrize("raw", ["x=1", "limit=1&limit=1", "limit=", "limit", "&", "limit=1&", "Limit=1", "=", "limit=1;x=2&y=1"])
def test_unknown_repeated_or_empty_is_refused(raw: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_query(raw.encode(), DECLARED)
    assert refused.value.code == "unknown-parameter"


def test_a_required_parameter_that_is_missing_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        parse_query(b"", {"purpose": Query(kind="text", required=True)})
    assert refused.value.code == "missing-parameter"


@pytest.mark.parametrize(
    "raw", [b"after=%ff", b"after=%00a", b"after=a%0ab", b"after=%ED%A0%80", b"after=\xff\xff", b"after=a%7f", b"after=" + b"a" * 20_000]
)
def test_what_cannot_be_read_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        parse_query(raw, DECLARED)
    assert refused.value.code == "malformed"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("limit=0", "out-of-range"),
        ("limit=501", "out-of-range"),
        ("limit=-1", "out-of-range"),
        ("limit=" + "9" * 400, "out-of-range"),
        ("limit=1e9", "wrong-type"),
        ("limit=1.5", "wrong-type"),
        ("limit=%F0%9D%9F%99", "wrong-type"),
        ("record=x", "wrong-type"),
        (f"record={ID.upper()}", "wrong-type"),
        (f"record={ID.replace('-', '')}", "wrong-type"),
        ("from=2026-13-45", "wrong-type"),
        ("from=2026-13-45T99:99:99Z", "wrong-type"),
        ("from=2026-01-01T00:00:00%2B03:00", "wrong-type"),
        ("outcome=error", "out-of-range"),
        ("fields=a,a", "wrong-type"),
        ("fields=a,", "wrong-type"),
        ("fields=" + "a" * 65, "wrong-type"),
        ("fields=a,b,c,d", "out-of-range"),
        ("after=a", "out-of-range"),
        ("after=aaaaaa", "out-of-range"),
    ],
)
def test_a_value_that_does_not_hold_is_named_and_not_repeated(raw: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_query(raw.encode(), DECLARED)
    assert [(each.field, each.code) for each in refused.value.errors] == [(raw.partition("=")[0], code)]


def test_all_values_that_do_not_hold_are_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        parse_query(b"limit=0&outcome=x", DECLARED)
    assert [each.field for each in refused.value.errors] == ["limit", "outcome"]


@given(st.binary(max_size=80))
def test_whatever_comes_is_parsed_or_refused(raw: bytes) -> None:
    try:
        parsed = parse_query(raw, DECLARED)
    except (Malformed, Invalid):
        return
    assert set(parsed) == set(DECLARED)
