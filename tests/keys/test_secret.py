"""A secret and a receipt cannot be printed, pickled, copied or doubled."""

import copy
import json
import pickle
import threading

import msgspec
import pytest

from keys.errors import Unopenable
from keys.keyring import DataKey
from keys.receipt import Receipt
from keys.secret import Secret

VALUE = b"a secret of thirty-two bytes !!!"
PAPER = Receipt(7, bytes(32), bytes(16), frozenset({"full_name"}), 1)
HELD = [Secret(VALUE), DataKey(VALUE, 3, 1)]


@pytest.mark.parametrize("held", HELD)
def test_attack_45_a_secret_has_no_readable_form(held: Secret) -> None:
    for text in (repr(held), str(held), f"{[held]}", "%s" % held, repr({"key": held})):  # noqa: UP031
        assert "secret of" not in text
        assert "thirty" not in text
    assert held.reveal() == VALUE


@pytest.mark.parametrize("held", [*HELD, PAPER])
@pytest.mark.parametrize(
    "deed",
    [copy.copy, copy.deepcopy, pickle.dumps, json.dumps, lambda held: held.__getstate__(), lambda held: [copy.deepcopy([held])]],
)
def test_attack_45_a_secret_or_a_receipt_is_not_copied_or_written(held: object, deed: object) -> None:
    with pytest.raises(TypeError) as caught:
        deed(held)  # type: ignore[operator]
    assert "secret of" not in str(caught.value)


@pytest.mark.parametrize("held", HELD)
def test_attack_45_a_secret_is_not_formatted_or_encoded(held: Secret) -> None:
    for deed in (lambda: f"{held}", lambda: format(held, ">9"), lambda: msgspec.json.encode(held), lambda: bytes(held), lambda: vars(held)):  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            deed()


@pytest.mark.parametrize("value", [b"", VALUE[:-1], VALUE + b"x", bytearray(VALUE), "x" * 32, None])
def test_a_secret_is_thirty_two_bytes(value: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        Secret(value)
    assert "thirty" not in str(caught.value)


def test_a_random_secret_takes_its_bytes_from_the_randomness_given() -> None:
    assert Secret.random(lambda size: b"r" * size).reveal() == b"r" * 32
    assert Secret.random().reveal() != Secret.random().reveal()


def test_a_receipt_is_frozen() -> None:
    with pytest.raises(AttributeError):
        PAPER.revision = 2  # type: ignore[misc]


def test_of_many_threads_one_uses_a_receipt() -> None:
    for _ in range(50):
        paper, gate = Receipt(1, bytes(32), bytes(16), frozenset(), 1), threading.Barrier(4)
        used: list[int] = []

        def use(paper: Receipt = paper, used: list[int] = used, gate: threading.Barrier = gate) -> None:
            gate.wait()
            try:
                paper.consume()
            except Unopenable:
                return
            used.append(1)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert used == [1]
