"""A cell opens at its place and nowhere else; the numbers in the names are the rows of attacks it was designed against."""

import dataclasses
import json
import struct
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keys.container
from keys.cells import PADDED_SIZES, Value
from keys.container import Place, Sealed, header, open_cells, reseal, seal
from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys, DataKey
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, KEYS, OTHER, RECORD, SUBJECT, around, named_id, opened, place, receipt, stored, stuck

CELLS: dict[int, Value] = {1: "سلام", 2: None, 3: -7, 4: b"\x00\x80\x00", 5: {"b": [1, None, True], "a": "٣"}, 6: "", 9: [1.5]}
BY_NAME = {str(field): value for field, value in CELLS.items()}
KEY, SEALED = stored(CELLS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", max_size=4), inner, max_size=4),
    max_leaves=8,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
VALUES = st.none() | TEXTS | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=200) | JSON.filter(lambda v: isinstance(v, list | dict))


def refused(sealed: Sealed, keys: AssociationKeys = KEYS) -> None:
    """Neither opening nor re-sealing takes it, and the error says and holds nothing."""
    with pytest.raises(Unopenable) as caught:
        open_cells(receipt(sealed), keys, [sealed])
    assert str(caught.value) == "does not open"
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    later = dataclasses.replace(sealed.place, revision=sealed.place.revision + 1)
    with pytest.raises((Unopenable, Unsealable)):
        reseal(keys, sealed, later, {})


def altered(container: bytes, **changes: object) -> Sealed:
    facts: dict[str, object] = {"container": container, "salt": container[20:36]}
    return dataclasses.replace(SEALED, **(facts | changes))  # type: ignore[arg-type]


def test_every_kind_of_value_comes_back_as_it_went_in() -> None:
    assert opened(SEALED) == BY_NAME
    assert type(opened(SEALED)["3"]) is int


@given(st.dictionaries(st.integers(1, 65535), VALUES, min_size=1, max_size=12))
def test_any_values_come_back_as_they_went_in(cells: dict[int, Value]) -> None:
    assert opened(stored(cells)[1]) == {str(field): value for field, value in cells.items()}


@given(
    VALUES,
    st.sampled_from(["association", "subject", "record", "class_id", "key_version", "revision", "schema"]),
    st.integers(1, 2**15),
)
def test_a_cell_opens_at_its_place_and_nowhere_else(value: Value, part: str, other: int) -> None:
    key, right = stored({7: value})
    assert opened(right) == {"7": value}
    moved = getattr(right.place, part)
    moved = named_id(str(other)) if isinstance(moved, bytes) else moved + other
    wrong = place(**{part: moved})
    # The attacker may wrap the very key for the other place, so that the container alone has to refuse.
    wrapped = KEYS._wrap(wrong.subject, DataKey(key.reveal(), wrong.class_id, wrong.key_version))
    refused(dataclasses.replace(right, place=wrong, wrapped=wrapped))
    head = struct.pack(">HIQI", wrong.class_id, wrong.key_version, wrong.revision, wrong.schema)
    refused(dataclasses.replace(right, place=wrong, wrapped=wrapped, container=right.container[:2] + head + right.container[20:]))


def test_attack_01_a_container_copied_to_another_record_does_not_open() -> None:
    refused(dataclasses.replace(SEALED, place=place(record=named_id("record B"))))


def test_attack_02_a_container_copied_to_another_subject_does_not_open() -> None:
    refused(dataclasses.replace(SEALED, place=place(subject=named_id("somebody"))))
    _, theirs = stored(CELLS, place(subject=named_id("somebody")))
    refused(dataclasses.replace(theirs, container=SEALED.container, salt=SEALED.salt))


def test_attack_03_a_container_copied_to_another_association_does_not_open_even_under_the_same_key() -> None:
    same = AssociationKeys(OTHER, {1: Secret(bytes(31) + b"\x01"), 2: Secret(bytes(31) + b"\x02")}, 1)
    refused(SEALED, same)
    refused(dataclasses.replace(SEALED, place=place(association=OTHER)), same)
    wrapped = same._wrap(SUBJECT, KEY)
    refused(dataclasses.replace(SEALED, place=place(association=OTHER), wrapped=wrapped), same)
    refused(dataclasses.replace(SEALED, wrapped=wrapped), same)


def test_attack_04_two_cells_of_equal_length_do_not_open_swapped() -> None:
    start = 70 + 6 * len(CELLS)
    one, two = slice(start, start + 48), slice(start + 48, start + 96)
    swapped = SEALED.container[:start] + SEALED.container[two] + SEALED.container[one] + SEALED.container[start + 96 :]
    refused(altered(swapped))
    with pytest.raises(Unopenable):
        opened(dataclasses.replace(altered(swapped), fields={"2": 2}))


def test_attack_05_a_cell_of_an_old_revision_does_not_open_inside_a_newer_one() -> None:
    newer = reseal(KEYS, SEALED, place(revision=2), {})
    start = 70 + 6 * len(CELLS)
    spliced = newer[:start] + SEALED.container[start : start + 48] + newer[start + 48 :]
    refused(around(place(revision=2), SEALED.wrapped, spliced))


@pytest.mark.parametrize("part", ["class_id", "key_version", "revision", "schema"])
def test_attack_08_a_forged_header_does_not_open(part: str) -> None:
    forged = place(**{part: 2})
    head = struct.pack(">HIQI", forged.class_id, forged.key_version, forged.revision, forged.schema)
    container = SEALED.container[:2] + head + SEALED.container[20:]
    refused(altered(container))
    refused(altered(container, place=forged))


def _with(entries: list[tuple[int, int]], count: int | None = None, body: bytes | None = None) -> bytes:
    directory = b"".join(struct.pack(">HI", *entry) for entry in entries)
    cells = SEALED.container[70 + 6 * len(CELLS) :] if body is None else body
    return SEALED.container[:36] + struct.pack(">H", len(entries) if count is None else count) + SEALED.container[38:70] + directory + cells


ENTRIES = [struct.unpack_from(">HI", SEALED.container, 70 + 6 * turn) for turn in range(len(CELLS))]


def test_attack_09_a_dropped_cell_is_noticed() -> None:
    refused(altered(_with(ENTRIES[:-1], body=SEALED.container[70 + 6 * len(CELLS) : -ENTRIES[-1][1]])))


@pytest.mark.parametrize(
    "entries",
    [
        [*ENTRIES, (10, 48)],
        [ENTRIES[0], *ENTRIES],
        [ENTRIES[1], ENTRIES[0], *ENTRIES[2:]],
        [(0, ENTRIES[0][1]), *ENTRIES[1:]],
    ],
    ids=["added", "doubled", "unsorted", "field zero"],
)
def test_attack_10_an_added_doubled_or_unsorted_cell_is_refused(entries: list[tuple[int, int]]) -> None:
    extra = b"\x00" * (48 * (len(entries) - len(ENTRIES)))
    container = _with(entries, body=SEALED.container[70 + 6 * len(CELLS) :] + extra)
    if entries[-1][0] != 10:  # one more at the end is well-formed, and only the associated data tells
        with pytest.raises(Unopenable):
            header(container)
    refused(altered(container))


def test_attack_11_every_truncation_and_one_byte_more_are_refused() -> None:
    for length in range(len(SEALED.container)):
        refused(dataclasses.replace(SEALED, container=SEALED.container[:length]))
    refused(dataclasses.replace(SEALED, container=SEALED.container + b"\x00"))


def test_attack_12_one_bit_changed_in_any_byte_is_refused() -> None:
    for position in range(len(SEALED.container)):
        changed = bytearray(SEALED.container)
        changed[position] ^= 1 << position % 8
        refused(dataclasses.replace(SEALED, container=bytes(changed)))
        refused(altered(bytes(changed)))


@pytest.mark.parametrize("length", [0, 1, 16, 47, 49, 64, 96, 112, 1024 + 64 + 16, (1 << 20) + 17, (1 << 20) + 256 + 16, 2**31, 2**32 - 1])
def test_attack_13_a_length_no_cell_has_is_refused_before_anything_is_made_of_it(length: int) -> None:
    container = _with([(1, length)])
    with pytest.raises(Unopenable):
        header(container)
    refused(altered(container))
    if length < 2**21:  # and where the whole length fits, the size is still none that a cell has
        with pytest.raises(Unopenable):
            header(_with([(1, length)], body=bytes(length)))


@pytest.mark.parametrize("count", [0, 513, 65535])
def test_attack_13_a_number_of_cells_no_container_has_is_refused(count: int) -> None:
    refused(altered(_with(ENTRIES, count)))
    whole = _with([(field, 48) for field in range(1, count + 1)], body=bytes(48 * count))
    with pytest.raises(Unopenable):
        header(whole)
    assert len(header(_with([(field, 48) for field in range(1, 513)], body=bytes(48 * 512))).field_ids) == 512


def noted(calls: list[int]) -> bytes:
    calls.append(1)
    return bytes(64)


@pytest.mark.parametrize("head", [b"\x01\x00", b"\x01\x02", b"\x01\xff", b"\x00\x01", b"\x02\x01", b"\x11\x01"])
def test_attack_14_attack_15_another_suite_or_format_is_refused_before_a_key_is_derived(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[int] = []
    monkeypatch.setattr(keys.container, "hkdf", lambda *_: noted(derived))
    with pytest.raises(Unopenable):
        opened(altered(head + SEALED.container[2:]))
    with pytest.raises(Unopenable):
        header(head + SEALED.container[2:])
    assert not derived
    with pytest.raises(Unopenable):
        opened(SEALED)  # and here it is derived, so the line above can fail
    assert derived


def test_attack_16_a_wrapped_key_of_another_version_does_not_serve() -> None:
    second = KEYS._wrap(SUBJECT, DataKey(KEY.reveal(), 3, 2))
    refused(dataclasses.replace(SEALED, wrapped=second))


def test_attack_18_the_commitment_is_compared_before_a_cell_is_deciphered(monkeypatch: pytest.MonkeyPatch) -> None:
    deciphered: list[int] = []

    class Watched:
        def __init__(self, key: bytes) -> None:
            deciphered.append(1)

    monkeypatch.setattr(keys.container, "AESGCM", Watched)
    other = bytes(32)
    with pytest.raises(Unopenable):
        opened(altered(SEALED.container[:38] + other + SEALED.container[70:]))
    assert not deciphered
    with pytest.raises(Unopenable):
        opened(SEALED)
    assert deciphered


def test_attack_19_with_randomness_stuck_at_zero_other_content_gets_another_salt() -> None:
    contents: list[dict[int, Value]] = [{1: "a"}, {1: "b"}, {2: "a"}, {1: "a", 2: "a"}, {1: b"a"}, {1: None}]
    salts = {header(seal(KEY, place(), cells, entropy=stuck)).salt for cells in contents}
    places = [place(revision=2), place(schema=2), place(record=named_id("x")), place(subject=named_id("x")), place(association=OTHER)]
    salts |= {header(seal(KEY, where, {1: "a"}, entropy=stuck)).salt for where in places}
    assert len(salts) == len(contents) + len(places)


def test_attack_19_sixteen_bytes_of_randomness_go_into_a_salt() -> None:
    asked: list[int] = []

    def counted(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    seal(KEY, place(), {1: "a"}, entropy=counted)
    assert asked == [16]


def test_attack_19_cells_cut_at_other_borders_get_another_salt() -> None:
    long, short = "x" * 61, "y" * 29  # 64 and 32 bytes padded: the same bytes joined in another order of lengths
    one = seal(KEY, place(), {1: b"", 2: long}, floors={1: 64}, entropy=stuck)
    two = seal(KEY, place(), {1: b"", 2: long}, floors={1: 128}, entropy=stuck)
    assert len({header(one).salt, header(two).salt, header(seal(KEY, place(), {1: short, 2: long}, entropy=stuck)).salt}) == 3


def test_attack_22_a_planted_double_salt_shows_in_the_headers() -> None:
    containers = [seal(KEY, place(), {1: str(turn)}) for turn in range(50)]
    assert len({header(one).salt for one in containers}) == 50
    assert len({header(one).salt for one in [*containers, containers[7]]}) == 50


def test_attack_25_a_short_or_missing_tag_is_refused() -> None:
    single = stored({1: "x"})[1]
    for short in (1, 4, 12, 16):
        cut = single.container[:70] + struct.pack(">HI", 1, 48 - short) + single.container[76:-short]
        refused(dataclasses.replace(single, container=cut))


def test_attack_26_plaintext_where_a_container_belongs_is_noticed() -> None:
    for plaintext in (None, "text", 7, b"", b"\x01", "محمد".encode(), b'{"full_name":"x"}', b"\x01\x01" + bytes(200)):
        with pytest.raises(Unopenable):
            header(plaintext)  # type: ignore[arg-type]


def test_attack_27_a_failure_is_an_error_and_never_a_value() -> None:
    broken = SEALED.container[:-1] + bytes([SEALED.container[-1] ^ 1])
    refused(altered(broken))
    assert opened(dataclasses.replace(altered(broken), fields={"1": 1})) == {"1": "سلام"}


def test_attack_28_what_a_person_is_or_lacks_does_not_show_by_length() -> None:
    short: list[Value] = ["ذكر", "أنثى", "yes", "no", "", None, 0, 2**62, b"", [], {}, "x" * 30]
    assert len({len(seal(KEY, place(), {1: value})) for value in short}) == 1
    assert len(seal(KEY, place(), {1: None}, floors={1: 256})) == len(seal(KEY, place(), {1: "x" * 250}, floors={1: 256}))


def test_attack_29_equal_plaintexts_never_give_equal_containers() -> None:
    assert len({seal(KEY, place(), {1: "واحد"})[70:] for _ in range(10_000)}) == 10_000


def test_attack_45_nothing_that_fails_or_prints_shows_a_canary() -> None:
    canary = "كناري-7731"
    key, sealed = stored({1: canary, 2: None})
    shown = [repr(key), str(key), repr(sealed), repr(KEYS), str(sealed.place), repr(receipt(sealed))]
    for deed in (
        lambda: opened(dataclasses.replace(sealed, fields={"3": 3})),
        lambda: seal(key, place(), {1: canary + "\ud800"}),
        lambda: seal(key, place(), {1: {canary: float("nan")}}),
        lambda: seal(key, place(), {1: {canary}}),  # type: ignore[dict-item]
        lambda: reseal(KEYS, sealed, place(revision=2), {1: canary + "\udfff"}),
    ):
        with pytest.raises((Unopenable, Unsealable)) as caught:
            deed()
        assert caught.value.__context__ is None
        shown.append("".join(traceback.format_exception(caught.value, chain=True)[-1:]))
    for secret in (canary, repr(key.reveal())[2:-1], key.reveal().hex()):
        assert not any(secret in text for text in shown)


def test_attack_50_ids_of_another_length_are_impossible() -> None:
    for wrong in (b"", b"x" * 15, b"x" * 17, "سلام".encode()):
        for part in ("association", "subject", "record"):
            with pytest.raises(ValueError, match=r"^ids are 16 bytes$"):
                place(**{part: wrong})


def test_only_the_wanted_cells_are_deciphered() -> None:
    assert opened(dataclasses.replace(SEALED, fields={"name": 1, "income": 3})) == {"name": "سلام", "income": -7}


def test_several_containers_of_one_record_open_under_one_receipt() -> None:
    other = dataclasses.replace(stored({1: "b"}, place(class_id=4))[1], fields={"second": 1})
    assert opened(SEALED, other) == BY_NAME | {"second": "b"}


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(Unopenable):
        opened(dataclasses.replace(SEALED, fields={"x": 8}))


def test_a_salt_other_than_the_one_the_sheet_names_is_refused() -> None:
    refused(dataclasses.replace(SEALED, salt=bytes(16)))
    older = seal(KEY, place(), CELLS)
    refused(dataclasses.replace(SEALED, container=older))


@pytest.mark.parametrize(
    "changes",
    [
        {"record": named_id("another")},
        {"revision": 2},
        {"fields": frozenset(BY_NAME) - {"1"}},
        {"fields": frozenset(BY_NAME) | {"more"}},
        {"fields": frozenset()},
        {"fields": frozenset(list(BY_NAME)[1:]) | {"other"}},
    ],
)
def test_a_receipt_for_something_else_opens_nothing_and_is_used_up(changes: dict[str, object]) -> None:
    paper = receipt(SEALED, **changes)
    with pytest.raises(Unopenable):
        open_cells(paper, KEYS, [SEALED])
    with pytest.raises(Unopenable):
        paper.consume()


def test_a_receipt_opens_once() -> None:
    paper = receipt(SEALED)
    assert open_cells(paper, KEYS, [SEALED]) == BY_NAME
    with pytest.raises(Unopenable):
        open_cells(paper, KEYS, [SEALED])


def test_a_name_asked_of_two_containers_is_refused() -> None:
    one = dataclasses.replace(SEALED, fields={"a": 1})
    with pytest.raises(Unopenable):
        open_cells(receipt(one, fields=frozenset("a")), KEYS, [one, one])
    with pytest.raises(Unopenable):
        open_cells(receipt(one, fields=frozenset("ab")), KEYS, [one, one])


def test_no_container_opens_nothing() -> None:
    assert open_cells(receipt(SEALED, fields=frozenset()), KEYS, []) == {}
    with pytest.raises(Unopenable):
        open_cells(receipt(SEALED), KEYS, [])


def test_a_change_is_sealed_at_the_next_revision_and_the_rest_is_kept() -> None:
    where = place(revision=2, schema=2)
    changed = reseal(KEYS, SEALED, where, {1: None, 3: 8, 20: "new"}, floors={20: 100})
    assert opened(around(where, SEALED.wrapped, changed)) == BY_NAME | {"1": None, "3": 8, "20": "new"}
    assert isinstance(changed, bytes)
    assert header(changed).salt != SEALED.salt
    # A field that is new has the size usual there, however short its first value.
    bare = reseal(KEYS, SEALED, where, {1: None, 3: 8, 20: "new"})
    assert len(changed) - len(bare) == 128 - 32


def test_a_cell_never_gets_smaller_by_a_change() -> None:
    _, long = stored({1: "x" * 900})
    assert len(reseal(KEYS, long, place(revision=2), {1: None})) == len(long.container)
    assert len(reseal(KEYS, stored({1: None})[1], place(revision=2), {1: "x" * 900})) == len(long.container)


@pytest.mark.parametrize(
    "where",
    [
        place(revision=1),
        place(revision=2, record=named_id("x")),
        place(revision=2, subject=named_id("x")),
        place(revision=2, association=OTHER),
        place(revision=2, class_id=4),
        place(revision=2, key_version=2),
    ],
    ids=["same revision", "record", "subject", "association", "class", "key version"],
)
def test_a_change_never_moves_a_container(where: Place) -> None:
    with pytest.raises(Unsealable):
        reseal(KEYS, SEALED, where, {})


def test_a_change_is_refused_where_the_keys_are_another_associations() -> None:
    with pytest.raises(Unsealable):
        reseal(AssociationKeys(OTHER, {1: Secret.random()}, 1), SEALED, place(revision=2), {})


@pytest.mark.parametrize(
    "value", [True, 1.5, 2**63, -(2**63) - 1, "\ud800", {1, 2}, object(), ("a",), "x" * (1 << 20), {"a": b""}, [float("inf")]]
)
def test_what_is_no_value_is_not_sealed(value: Value) -> None:
    with pytest.raises(Unsealable):
        seal(KEY, place(), {1: value})
    with pytest.raises(Unsealable):
        reseal(KEYS, SEALED, place(revision=2), {1: value})


@pytest.mark.parametrize("cells", [{}, {0: "x"}, {-1: "x"}, {65536: "x"}, dict.fromkeys(range(1, 514))])
def test_a_field_id_or_a_number_of_cells_that_does_not_fit_is_not_sealed(cells: dict[int, Value]) -> None:
    with pytest.raises(Unsealable):
        seal(KEY, place(), cells)


@pytest.mark.parametrize("where", [place(class_id=4), place(key_version=2), place(revision=-1), place(schema=2**32)])
def test_a_place_that_is_not_the_keys_or_does_not_fit_is_not_sealed(where: Place) -> None:
    with pytest.raises(Unsealable):
        seal(KEY, where, {1: "x"})


def test_the_largest_container_opens() -> None:
    cells: dict[int, Value] = {field: str(field) for field in range(1, 513)}
    assert opened(stored(cells)[1]) == {str(field): str(field) for field in range(1, 513)}
    assert opened(stored({1: "x" * ((1 << 20) - 2)})[1]) == {"1": "x" * ((1 << 20) - 2)}


@given(st.integers(0, 5000), st.integers(0, 3000))
def test_a_cell_has_one_of_the_padded_sizes_and_at_least_its_floor(length: int, floor: int) -> None:
    container = seal(KEY, place(), {1: b"x" * length}, floors={1: floor})
    size = len(container) - 76 - 16
    assert size in PADDED_SIZES
    assert size >= max(floor, length + 2)
    assert size == min(one for one in PADDED_SIZES if one >= max(floor, length + 2))


@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda rest: SEALED.container[:36] + rest))
def test_random_bytes_raise_only_the_one_error(content: bytes) -> None:
    with pytest.raises(Unopenable) as caught:
        header(content)
    assert caught.value.__context__ is None
    refused(dataclasses.replace(SEALED, container=content))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80",
        b"\x01x",
        b"\x00\x80",
        b"\x03x\x80",
        b"\x07\x80",
        b"\x01\xff\x80",
        b"\x02123\x80",
        b"\x05x\x80",
        b"\x06{\x80",
        b"\x06[1]x\x80",
        b"\x01x\x81",
    ],
)
def test_a_plaintext_that_is_no_value_is_refused(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys.container, "padded", lambda *_: body.ljust(32, b"\x00"))
    container = seal(KEY, place(), {1: "x"})
    with pytest.raises(Unopenable) as caught:
        opened(around(place(), SEALED.wrapped, container))
    assert caught.value.__context__ is None


def test_json_nested_too_deep_is_refused_and_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(Unsealable):
        seal(KEY, place(), {1: nested})
    body = b"\x06" + b"[" * 100_000 + b"]" * 100_000 + b"\x80"
    monkeypatch.setattr(keys.container, "padded", lambda *_: body.ljust(PADDED_SIZES[-1], b"\x00"))
    container = seal(KEY, place(), {1: "x"})
    with pytest.raises(Unopenable):
        opened(around(place(), SEALED.wrapped, container))


def test_json_has_one_encoding() -> None:
    one = seal(KEY, place(), {1: {"b": 1, "a": "ء"}}, entropy=stuck)
    assert one == seal(KEY, place(), {1: json.loads('{"a": "ء", "b": 1}')}, entropy=stuck)


def test_the_header_tells_what_is_in_the_clear() -> None:
    found = header(SEALED.container)
    assert (found.class_id, found.key_version, found.revision, found.schema) == (3, 1, 1, 1)
    assert found.salt == SEALED.container[20:36]
    assert found.field_ids == tuple(CELLS)
    assert (ASSOCIATION + SUBJECT + RECORD) not in SEALED.container
