"""Attacks on sealing that need an attacker's own tools: a ciphertext for two keys, a machine whose randomness fails, a stopwatch.

docs/attacks.md names all attacks by number and the test that shows each; most lie beside what they attack.
"""

import dataclasses
import subprocess
import sys
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import keys.container
from keys.container import header, open_cells, seal
from keys.derive import hkdf
from keys.errors import Unopenable
from keys.keyring import DataKey
from tests.keys.world import KEYS, around, place, receipt, stream, stuck

WHERE = place()
ONE, TWO = DataKey(b"1" * 32, 3, 1), DataKey(b"2" * 32, 3, 1)
IDS = b"vault/rec/v1" + WHERE.association + WHERE.subject + WHERE.record
NONCE = bytes(8) + b"\x00\x01" + bytes(2)
BLOCK = 16


def _gf(one: int, other: int) -> int:
    """Multiply in GCM's field (NIST SP 800-38D, section 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if other >> bit & 1:
            product ^= one
        one = (one >> 1) ^ (0xE1 << 120 if one & 1 else 0)
    return product


def _power(base: int, exponent: int) -> int:
    result = 1 << 127  # the field's one
    while exponent:
        if exponent & 1:
            result = _gf(result, base)
        base, exponent = _gf(base, base), exponent >> 1
    return result


def _block(key: bytes, content: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(content)  # noqa: S305  # one block is what the attack is made of


def _blocks(associated: bytes, ciphertext: bytes) -> list[int]:
    padded = associated + bytes(-len(associated) % BLOCK) + ciphertext + bytes(-len(ciphertext) % BLOCK)
    lengths = (len(associated) * 8).to_bytes(8, "big") + (len(ciphertext) * 8).to_bytes(8, "big")
    whole = padded + lengths
    return [int.from_bytes(whole[at : at + BLOCK], "big") for at in range(0, len(whole), BLOCK)]


def _tag(key: bytes, associated: bytes, ciphertext: bytes) -> int:
    hashed, subkey = 0, int.from_bytes(_block(key, bytes(BLOCK)), "big")
    for block in _blocks(associated, ciphertext):
        hashed = _gf(hashed ^ block, subkey)
    return hashed ^ int.from_bytes(_block(key, NONCE + b"\x00\x00\x00\x01"), "big")


def for_two_keys(one: bytes, two: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    """The ciphertext with its second block changed so that one tag is right under both keys, and that tag."""
    empty = ciphertext[:BLOCK] + bytes(BLOCK) + ciphertext[2 * BLOCK :]
    after = len(_blocks(associated, empty)) - (-(-len(associated) // BLOCK) + 1)
    weights = [_power(int.from_bytes(_block(key, bytes(BLOCK)), "big"), after) for key in (one, two)]
    apart = _tag(one, associated, empty) ^ _tag(two, associated, empty)
    free = _gf(apart, _power(weights[0] ^ weights[1], 2**128 - 2))  # divided: a^(2^128 - 2) is 1 / a
    made = empty[:BLOCK] + free.to_bytes(BLOCK, "big") + empty[2 * BLOCK :]
    return made + _tag(one, associated, made).to_bytes(BLOCK, "big")


def test_attack_18_two_key_ciphertext_is_refused() -> None:
    """GCM alone does not say whose a ciphertext is: a cell that is right under two people's keys opens for the one it was made for."""
    honest = seal(ONE, WHERE, {1: b"x" * 60})
    head, front = honest[:38], honest[:76]
    made = hkdf(ONE.reveal(), honest[20:36], IDS + head, 64)
    other = hkdf(TWO.reveal(), honest[20:36], IDS + head, 64)
    cell = for_two_keys(made[:32], other[:32], IDS + front, honest[76:-16])
    # The attack is real: the cipher takes this one cell under both keys.
    assert AESGCM(made[:32]).decrypt(NONCE, cell, IDS + front) != AESGCM(other[:32]).decrypt(NONCE, cell, IDS + front)
    sealed = around(WHERE, KEYS._wrap(WHERE.subject, ONE), front + cell)
    assert open_cells(receipt(sealed), KEYS, [sealed])["1"][:15] == b"x" * 15  # type: ignore[index]
    turned = dataclasses.replace(sealed, wrapped=KEYS._wrap(WHERE.subject, TWO))
    with pytest.raises(Unopenable):
        open_cells(receipt(turned), KEYS, [turned])
    with patch.object(keys.container, "compare_digest", lambda *_: True), patch.object(keys.container, "unpadded", list):
        assert open_cells(receipt(turned), KEYS, [turned])["1"]  # without the commitment he would have got in


_FORKED = """
import os, sys
from keys.container import Place, header, seal
from keys.keyring import AssociationKeys, DataKey
from keys.secret import Secret
key, where = DataKey(b"k" * 32, 3, 1), Place(b"a" * 16, b"s" * 16, b"r" * 16, 3, 1, 1, 1)
keys = AssociationKeys(b"a" * 16, {1: Secret(b"e" * 32)}, 1)
same, count = sys.argv[1] == "same", int(sys.argv[2])
pipes = []
for worker in range(4):
    reading, writing = os.pipe()
    if os.fork() == 0:
        for turn in range(count):
            text = "same" if same else f"{worker} {turn}"
            entropy = os.urandom if same else bytes
            container = seal(key, where, {1: text}, entropy=entropy)
            wrapped = keys._wrap(b"s" * 16, key) if same else b""
            os.write(writing, container[20:36] + wrapped[10:22].ljust(12, b"0"))
        os._exit(0)
    os.close(writing)
    pipes.append(os.fdopen(reading, "rb"))
seen = [pipe.read(28) for pipe in pipes for _ in range(count)]
print(len(seen), len({each[:16] for each in seen}), len({each[16:] for each in seen}))
"""


@pytest.mark.parametrize(("same", "seals"), [("same", 20_000), ("other", 100_000)])
def test_attack_20_forked_workers_never_use_a_key_and_nonce_twice(same: str, seals: int) -> None:
    """Equal content under good randomness, other content under randomness that is stuck at zero: each salt is a key of its own."""
    said = subprocess.run([sys.executable, "-c", _FORKED, same, str(seals // 4)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(seals), str(seals), str(seals if same == "same" else 1)], said.stderr


def test_attack_21_a_machine_put_back_that_seals_one_revision_twice_uses_another_key() -> None:
    """Of two writes of one revision the database takes one (tests/records); what a snapshot's randomness repeats is met by the hedge."""
    before, after = (seal(ONE, WHERE, {1: text}, entropy=stream("snapshot")) for text in ("first", "second"))
    assert header(before).salt != header(after).salt
    assert seal(ONE, WHERE, {1: "first"}, entropy=stuck) == seal(ONE, WHERE, {1: "first"}, entropy=stuck)  # and then nothing new is said


def test_attack_44_whatever_is_wrong_is_one_error_without_a_word_or_a_cause() -> None:
    honest = seal(ONE, WHERE, {1: "سلام"})
    wrapped = KEYS._wrap(WHERE.subject, ONE)
    right = around(WHERE, wrapped, honest)
    wrong = {
        "key": dataclasses.replace(right, wrapped=KEYS._wrap(WHERE.subject, TWO)),
        "wrapped key": dataclasses.replace(right, wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
        "epoch": dataclasses.replace(right, wrapped=wrapped[:2] + b"\x00\x00\x00\x09" + wrapped[6:]),
        "tag": dataclasses.replace(right, container=honest[:-1] + bytes([honest[-1] ^ 1])),
        "commitment": dataclasses.replace(right, container=honest[:38] + bytes(32) + honest[70:]),
        "form": dataclasses.replace(right, container=honest[:-1]),
        "no record": dataclasses.replace(right, container=b""),
    }
    told = set()
    for one in wrong.values():
        with pytest.raises(Unopenable) as caught:
            open_cells(receipt(right), KEYS, [one])
        told.add((type(caught.value), str(caught.value), caught.value.__cause__, caught.value.__context__))
    assert told == {(Unopenable, "does not open", None, None)}
