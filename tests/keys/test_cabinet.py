"""An association's own keys open each under its own name, and the cabinet tells nothing of them."""

import pytest

from keys.cabinet import FACTS, Cabinet, furnish
from keys.errors import Unopenable
from keys.keyring import AssociationKeys
from keys.notes import verify
from keys.secret import Secret
from tests.keys.world import ASSOCIATION, KEYS, OTHER

WRAPPED = furnish(KEYS)


def test_what_is_furnished_opens_and_serves() -> None:
    cabinet = Cabinet.open(KEYS, WRAPPED, "example.org/log")
    again = Cabinet.open(KEYS, WRAPPED, "example.org/log")
    assert verify(cabinet.signer.sign("x\n"), again.signer.vkey) == "x\n"
    assert again.pepper.matches("key", "x", cabinet.pepper.hash("key", "x"))
    assert again.journal.holds("t", b"k", b"b", cabinet.journal.seal("t", b"k", b"b"))
    assert again.index.token(1, 1, 32, "x") == cabinet.index.token(1, 1, 32, "x")
    assert not cabinet.idempotency.holds("t", b"k", b"b", cabinet.journal.seal("t", b"k", b"b"))


@pytest.mark.parametrize("name", sorted(WRAPPED))
def test_a_missing_exchanged_or_foreign_key_is_refused(name: str) -> None:
    other = "pepper" if name != "pepper" else FACTS
    missing = {key: value for key, value in WRAPPED.items() if key != name}
    for wrapped in (missing, WRAPPED | {name: WRAPPED[other]}, WRAPPED | {name: b""}):
        with pytest.raises(Unopenable):
            Cabinet.open(KEYS, wrapped, "example.org/log")
    with pytest.raises(Unopenable):
        Cabinet.open(AssociationKeys(OTHER, {2: Secret.random()}, 1), WRAPPED, "example.org/log")


def test_attack_45_a_cabinet_prints_no_key() -> None:
    assert repr(Cabinet.open(KEYS, WRAPPED, "example.org/log")) == f"Cabinet(AssociationKeys({ASSOCIATION.hex()}, epoch 2))"


def test_signing_keys_open_in_their_order_and_none_is_left_out() -> None:
    second, third = KEYS.new_named("signing-2"), KEYS.new_named("signing-3")
    cabinet = Cabinet.open(KEYS, WRAPPED | {"signing-3": third, "signing-2": second}, "example.org/log")
    assert len(set(cabinet.signer.vkeys)) == 3
    assert cabinet.signer.vkeys[0] == Cabinet.open(KEYS, WRAPPED, "example.org/log").signer.vkey
    for wrapped in (
        WRAPPED | {"signing-3": third},
        WRAPPED | {"signing-2": third},
        WRAPPED | {"signing-2": WRAPPED["signing"]},
        WRAPPED | {"signing": second},
        WRAPPED | {"signing-02": second},
        WRAPPED | {"signing-x": second},
    ):
        with pytest.raises(Unopenable):
            Cabinet.open(KEYS, wrapped, "example.org/log")


@pytest.mark.parametrize("name", ["signing-1", "signing-", "signing-02", "signing-10000", "signing-2-3", "pepper-2", "nobody"])
def test_a_name_of_no_key_gets_none(name: str) -> None:
    with pytest.raises(KeyError):
        KEYS.new_named(name)
