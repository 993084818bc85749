"""What opens without showing gives a yes, a no or the rows a record is found by, and no value; a log's key serves its later names."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from keys.cabinet import Cabinet, furnish
from keys.container import found_by, opens
from keys.errors import Unopenable
from keys.keyring import DataKey
from keys.notes import renamed, verify
from tests.keys.world import KEYS, around, stored

_, SEALED = stored({1: "سلام", 2: None})
ROW = (1, 5, bytes(16))


def test_a_container_says_only_whether_it_opens() -> None:
    assert opens(KEYS, SEALED) is True
    for wrong in (
        dataclasses.replace(SEALED, wrapped=b""),
        dataclasses.replace(SEALED, salt=bytes(16)),
        dataclasses.replace(SEALED, container=SEALED.container[:-1] + bytes([SEALED.container[-1] ^ 1])),
    ):
        assert opens(KEYS, wrong) is False


def test_rows_are_made_of_the_fields_asked_for_and_nothing_else_leaves() -> None:
    met: list[Mapping[str, Any]] = []

    def make(values: Mapping[str, Any], key: DataKey) -> list[Any]:
        met.append(values)
        assert key.class_id == SEALED.place.class_id
        return [ROW]

    one = around(SEALED.place, SEALED.wrapped, SEALED.container, "1")
    assert found_by(KEYS, one, make) == [ROW]
    assert met == [{"1": "سلام"}]


@pytest.mark.parametrize(
    "row",
    [
        ("سلام", 5, bytes(16)),
        (1, "سلام", bytes(16)),
        (1, 5, "سلام"),
        (1, 5, bytes(15)),
        (1, -1, bytes(16)),
        (1, 1 << 64, bytes(16)),
        (1, 5),
        "سلام",
    ],
)
def test_what_is_no_row_does_not_leave(row: Any) -> None:
    with pytest.raises(Unopenable) as refused:
        found_by(KEYS, SEALED, lambda *_: [ROW, row])
    assert refused.value.__context__ is None


def test_what_does_not_open_makes_no_rows() -> None:
    with pytest.raises(Unopenable):
        found_by(KEYS, dataclasses.replace(SEALED, salt=bytes(16)), lambda *_: [ROW])
    with pytest.raises(Unopenable):
        found_by(KEYS, dataclasses.replace(SEALED, wrapped=b""), lambda *_: [ROW])


def test_the_logs_key_signs_under_a_later_name_and_the_old_verifier_key_tells_it_apart() -> None:
    first = Cabinet.open(KEYS, furnish(KEYS), "amanah/birr/1")
    later = first.signing_as("amanah/birr/2")
    note = later.signer.sign("x\n")
    assert renamed(first.signer.vkey, "amanah/birr/2") == later.signer.vkey != first.signer.vkey
    assert verify(note, later.signer.vkey) == "x\n"
    with pytest.raises(Unopenable):
        verify(note, first.signer.vkey)
    assert later.journal.holds("t", b"k", b"b", first.journal.seal("t", b"k", b"b"))


@pytest.mark.parametrize(
    ("vkey", "name"), [("x", "amanah/birr/2"), (Cabinet.open(KEYS, furnish(KEYS), "a").signer.vkey, "no name")], ids=["no key", "no name"]
)
def test_what_is_no_key_or_no_name_is_not_renamed(vkey: str, name: str) -> None:
    with pytest.raises(Unopenable):
        renamed(vkey, name)
