"""Blobs, MACs of facts, the blind index and its planner."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from keys import blind_index
from keys.blind_index import Index, LowCardinality
from keys.blobs import _bound, open_blob, seal_blob
from keys.derive import subkey
from keys.errors import Unopenable, Unsealable
from keys.facts import FactMac
from keys.keyring import DataKey
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, OTHER

KEY, OTHER_KEY = DataKey(b"k" * 32, 1, 1), DataKey(b"o" * 32, 1, 1)
BLOB = seal_blob(KEY, b"context", b"a sheet")
MAC = FactMac(Secret(b"m" * 32))
INDEX = Index(Secret(b"i" * 32), ASSOCIATION)
PLANS = json.loads((Path(__file__).parents[1] / "vectors/keys/blind_index_plan.json").read_text())


@given(st.binary(max_size=2000), st.binary(max_size=60), st.integers(1, 512))
def test_a_blob_opens_in_its_context_and_nowhere_else(content: bytes, context: bytes, bucket: int) -> None:
    blob = seal_blob(KEY, context, content, bucket=bucket)
    assert open_blob(KEY, context, blob) == content
    assert (len(blob) - 30) % bucket == 0
    assert 0 < len(blob) - 30 - len(content) <= bucket
    for key, where in ((OTHER_KEY, context), (KEY, context + b"\x00"), (KEY, b"x" + context)):
        with pytest.raises(Unopenable):
            open_blob(key, where, blob)


def test_a_blob_cut_or_changed_anywhere_is_refused() -> None:
    changed = [BLOB[:position] + bytes([BLOB[position] ^ (1 << position % 8)]) + BLOB[position + 1 :] for position in range(len(BLOB))]
    for content in [*changed, *(BLOB[:length] for length in range(len(BLOB))), BLOB + b"\x00", None, "text"]:
        with pytest.raises(Unopenable) as caught:
            open_blob(KEY, b"context", content)  # type: ignore[arg-type]
        assert caught.value.__context__ is None


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: BLOB[:14] + rest))
def test_random_bytes_are_no_blob(content: bytes) -> None:
    with pytest.raises(Unopenable):
        open_blob(KEY, b"context", content)


def test_a_plaintext_without_an_end_mark_is_no_blob() -> None:
    for content in (b"", bytes(256), b"x" * 256):
        blob = b"\x21\x01" + bytes(12) + AESGCM(subkey(KEY.reveal(), b"vault/blob/v1")).encrypt(bytes(12), content, _bound(b""))
        with pytest.raises(Unopenable):
            open_blob(KEY, b"", blob)


def test_what_is_too_large_is_no_blob() -> None:
    assert open_blob(KEY, b"", seal_blob(KEY, b"", bytes((1 << 24) - 1))) == bytes((1 << 24) - 1)
    with pytest.raises(Unsealable):
        seal_blob(KEY, b"", bytes(1 << 24))


def test_two_blobs_of_one_text_differ() -> None:
    assert len({seal_blob(KEY, b"", b"x") for _ in range(1000)}) == 1000


@given(
    st.tuples(st.text(max_size=9), st.binary(max_size=9), st.binary(max_size=9)),
    st.tuples(st.text(max_size=9), st.binary(max_size=9), st.binary(max_size=9)),
)
def test_a_mac_holds_for_its_row_and_no_other(row: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]) -> None:
    mac = MAC.seal(*row)
    assert len(mac) == 32
    assert MAC.holds(*row, mac)
    assert MAC.holds(*other, mac) == (row == other)
    assert not FactMac(Secret(b"n" * 32)).holds(*row, mac)


def test_rows_of_two_tables_or_keys_have_other_macs() -> None:
    assert len({MAC.seal("a", b"k", b"b"), MAC.seal("b", b"k", b"b"), MAC.seal("a", b"l", b"b"), MAC.seal("a", b"k", b"c")}) == 4


def test_attack_35_the_borders_between_table_key_and_body_count() -> None:
    assert len({MAC.seal("ab", b"c", b""), MAC.seal("a", b"bc", b""), MAC.seal("a", b"b", b"c"), MAC.seal("", b"abc", b"")}) == 4


@pytest.mark.parametrize("mac", [b"", b"x" * 31, b"x" * 32, b"x" * 33, None, "text", 7])
def test_what_is_no_mac_does_not_hold(mac: bytes) -> None:
    assert not MAC.holds("t", b"k", b"b", mac)
    assert not MAC.holds("t", None, "text", mac)  # type: ignore[arg-type]


def test_attack_31_one_value_has_other_tokens_in_other_associations_fields_and_versions() -> None:
    others = [Index(Secret(b"i" * 32), OTHER), Index(Secret(b"j" * 32), ASSOCIATION)]
    tokens = [INDEX.token(1, 1, 32, "1000000008"), INDEX.token(2, 1, 32, "1000000008"), INDEX.token(1, 2, 32, "1000000008")]
    tokens += [INDEX.token(1, 1, 32, "1000000008", partition=1), *(one.token(1, 1, 32, "1000000008") for one in others)]
    assert len(set(tokens)) == len(tokens)
    assert INDEX.token(1, 1, 32, "1000000008") == tokens[0]


def test_attack_35_the_border_inside_a_compound_counts() -> None:
    assert (
        len(
            {
                INDEX.token(1, 1, 32, "ab", "c"),
                INDEX.token(1, 1, 32, "a", "bc"),
                INDEX.token(1, 1, 32, "abc"),
                INDEX.token(1, 1, 32, "abc", ""),
            }
        )
        == 4
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(1, 32))
def test_a_token_is_the_leftmost_bits(value: str, bits: int) -> None:
    whole = INDEX.token(1, 1, 32, value)
    assert INDEX.token(1, 1, bits, value) == whole >> (32 - bits)


@pytest.mark.parametrize("bits", [0, -1, 33])
def test_a_token_of_no_length_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        INDEX.token(1, 1, bits, "x")


def test_an_index_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Index(Secret(b"i" * 32), b"short")


def test_a_check_is_of_one_person_field_version_and_value() -> None:
    found = [
        blind_index.check(key, field, version, value)
        for key in (KEY, OTHER_KEY)
        for field in (1, 2)
        for version in (1, 2)
        for value in ("a", "b")
    ]
    assert len(set(found)) == 16
    assert {len(one) for one in found} == {16}
    assert blind_index.check(DataKey(b"k" * 32, 9, 9), 1, 1, "a") == found[0]


@pytest.mark.parametrize("row", PLANS, ids=lambda row: str(row["population"]))
def test_the_planner_keeps_to_its_table(row: dict[str, int]) -> None:
    assert blind_index.span(row["population"], row["distinct"]) == (row["shortest"], row["planned"])
    assert blind_index.plan(row["population"], row["distinct"]) == row["planned"]


@given(st.integers(16, 2**40), st.integers(16, 2**40))
def test_a_token_always_stands_for_more_than_two_values(population: int, distinct: int) -> None:
    assert 1 <= blind_index.plan(population, distinct) <= 32
    assert 2 ** blind_index.plan(population, distinct) < min(population, distinct) / 2


@pytest.mark.parametrize(("population", "distinct"), [(5000, 2), (5000, 15), (15, 5000), (0, 0), (100, -1)])
def test_attack_33_an_index_over_few_values_is_refused(population: int, distinct: int) -> None:
    with pytest.raises(LowCardinality):
        blind_index.plan(population, distinct)
