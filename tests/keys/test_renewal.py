"""Under another key of its class a record is sealed, checked and handed down without a value leaving, and in no other direction."""

import dataclasses
from typing import Any

import pytest

from keys.blind_index import check
from keys.cells import Value
from keys.container import Checked, header, recheck, reseal_under
from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys
from keys.secret import Secret
from keys.succession import hand_down, handed_down
from tests.keys.world import KEYS, OTHER, SUBJECT, around, named_id, opened, place, stored

CELLS: dict[int, Value] = {1: "سلام", 2: None, 7: 12}
KEY, OLD = stored(CELLS)
HEIR, WRAPPED = KEYS.new_key(SUBJECT, 3, 2)


def renewed(revision: int = 2) -> Any:
    return around(place(key_version=2, revision=revision), WRAPPED, reseal_under(HEIR, KEYS, OLD, revision))


def test_the_same_cells_open_under_the_other_key_at_the_later_revision():
    new = renewed(5)
    assert opened(new) == {"1": "سلام", "2": None, "7": 12}
    told = header(new.container)
    assert (told.key_version, told.revision, told.schema, told.field_ids) == (2, 5, 1, (1, 2, 7))
    assert len(new.container) == len(OLD.container), "no cell shows by its size that it moved"


def test_the_old_key_does_not_open_the_new_container_nor_the_new_key_the_old():
    new = renewed()
    for wrong in (
        dataclasses.replace(new, wrapped=OLD.wrapped),
        dataclasses.replace(new, place=dataclasses.replace(new.place, key_version=1), wrapped=OLD.wrapped),
        dataclasses.replace(new, container=OLD.container, salt=OLD.salt),
        dataclasses.replace(OLD, wrapped=WRAPPED),
    ):
        with pytest.raises(Unopenable):
            opened(wrong)


def test_only_a_later_key_of_the_class_at_a_later_revision_is_taken():
    for key, revision in (
        (HEIR, 1),
        (HEIR, 0),
        (KEY, 2),
        (KEYS.new_key(SUBJECT, 3, 1)[0], 2),
        (KEYS.new_key(SUBJECT, 4, 2)[0], 2),
    ):
        with pytest.raises(Unsealable):
            reseal_under(key, KEYS, OLD, revision)
    stranger = AssociationKeys(OTHER, {1: Secret(bytes(31) + b"\x01")}, 1)
    with pytest.raises(Unsealable):
        reseal_under(HEIR, stranger, OLD, 2)


@pytest.mark.parametrize("change", [{"wrapped": WRAPPED}, {"salt": bytes(16)}, {"container": b""}, {"container": OLD.container[:-1]}])
def test_what_does_not_open_is_not_sealed_anew(change: dict[str, Any]):
    broken = dataclasses.replace(OLD, **change)
    with pytest.raises(Unopenable):
        reseal_under(HEIR, KEYS, broken, 2)
    with pytest.raises(Unopenable):
        recheck(HEIR, KEYS, broken, Checked(1, 9, str))


def test_a_check_is_made_anew_over_what_the_cell_holds():
    seen: list[Value] = []

    def over(value: Value) -> str:
        seen.append(value)
        return "r\n" + str(value)

    assert recheck(HEIR, KEYS, OLD, Checked(1, 9, over)) == check(HEIR, 1, 9, "r\nسلام")
    assert seen == ["سلام"], "of the cells only this one was opened"
    assert recheck(HEIR, KEYS, OLD, Checked(2, 9, lambda _: None)) is None


def test_a_check_of_a_cell_that_is_not_there_or_is_no_value_of_its_field_is_none():
    def not_so(_value: Value) -> str:
        raise ValueError("سلام")

    for wanted in (Checked(3, 9, str), Checked(1, 9, not_so)):
        with pytest.raises(Unopenable) as refused:
            recheck(HEIR, KEYS, OLD, wanted)
        assert refused.value.__context__ is None, "the error holds no value"


def test_a_former_key_opens_by_way_of_its_heir_in_its_place_and_not_otherwise():
    sealed = hand_down(HEIR, b"here", KEY)
    former = handed_down(HEIR, b"here", sealed)
    assert (former.reveal(), former.class_id, former.version) == (KEY.reveal(), 3, 1)
    other = KEYS.new_key(SUBJECT, 3, 2)[0]
    for heir, where, what in ((HEIR, b"there", sealed), (other, b"here", sealed), (HEIR, b"here", sealed[:-1]), (HEIR, b"here", b"")):
        with pytest.raises(Unopenable):
            handed_down(heir, where, what)
    assert KEY.reveal() not in sealed


def test_no_later_key_and_none_of_another_class_is_handed_down():
    for key in (KEYS.new_key(SUBJECT, 3, 3)[0], KEYS.new_key(SUBJECT, 3, 2)[0], KEYS.new_key(named_id("x"), 4, 1)[0]):
        with pytest.raises(Unopenable):
            handed_down(HEIR, b"here", hand_down(HEIR, b"here", key))
