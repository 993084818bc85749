"""The container against bare AES-256-GCM calls in the same run: prints both sides, ends with 1 if a ratio is beyond its gate.

Each round times every operation once, in turn; a ratio is the median of the rounds' ratios, so that a noisy machine
slows both sides alike. Every container opened is another person's, with other sizes; directories recur, as they do among
records of one type, and one line shows what a directory never seen before costs.
"""

import gc
import os
import statistics
import struct
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import container
from keys.cells import Value
from keys.container import Place, Sealed, header, open_cells, seal
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt
from keys.secret import Secret

ROUNDS = 81
EACH = 60
UNSEEN = "open 20 with unwrap, directory unseen"
WHOLE = "open 20 with unwrap"
GATES = {"open 20": 2.8, "open 4 of 20 with unwrap": 1.6, "seal 20": 3.3}
BARE = "twenty bare AESGCM.decrypt"
NAMES = {f"field_{number}": number for number in range(1, 21)}
FOUR = {name: NAMES[name] for name in ("field_3", "field_8", "field_13", "field_20")}
WORDS = "نص تجريبي لا يخص أحدا من الناس وهو طويل بما يكفي لأن يملأ الخلية"


_Person = tuple[DataKey, Place, dict[int, Value], Sealed, Sealed]


def _cells(turn: int) -> dict[int, Value]:
    """Twenty cells of some 700 bytes in all, of other lengths each turn."""
    cells: dict[int, Value] = {number: WORDS[: (turn * 7 + number * 5) % 40 + 1] for number in range(1, 17)}
    return cells | {17: None, 18: turn, 19: "1" * 10, 20: "2" * 24}


def _bare(sealed: Sealed) -> tuple[Callable[[bytes, bytes, bytes], bytes], bytes, list[bytes], bytes]:
    """What the bare calls need for one person: as many bytes per cell and around it as the container has."""
    cipher, nonce, binding = AESGCM(os.urandom(32)), os.urandom(12), os.urandom(60 + 70 + 6 * 20)
    sizes = [size for (size,) in struct.iter_unpack(">2xI", sealed.container[70 : 70 + 6 * 20])]
    return cipher.decrypt, nonce, [cipher.encrypt(nonce, bytes(size - 16), binding) for size in sizes], binding


class Unwrapped(AssociationKeys):
    """Keys unwrapped before the clock starts: the gate of the whole container leaves unwrapping out, the line below it does not."""

    def __init__(self, association: bytes, epochs: dict[int, Secret]) -> None:
        super().__init__(association, epochs, 1)
        self.ready: dict[bytes, DataKey] = {}

    def unwrap(self, subject: bytes, class_id: int, wrapped: bytes) -> DataKey:  # noqa: ARG002  # the subject says all here
        """Return the key at hand."""
        return self.ready[subject]


class World:
    """An association, its people, one container each, and the receipts of one round."""

    def __init__(self) -> None:
        """Seal one container per person."""
        self.association = os.urandom(16)
        epochs = {1: Secret.random()}
        self.keys, self.unwrapped = AssociationKeys(self.association, epochs, 1), Unwrapped(self.association, epochs)
        self.people = [self._person(turn) for turn in range(EACH)]
        self.bare_cells = [_bare(person[3]) for person in self.people]

    def _person(self, turn: int) -> _Person:
        place = Place(self.association, os.urandom(16), os.urandom(16), 3, 1, 1, 1)
        data_key, wrapped = self.keys.new_key(place.subject, 3)
        self.unwrapped.ready[place.subject] = data_key
        content = seal(data_key, place, _cells(turn))
        salt = header(content).salt
        whole, part = Sealed(place, wrapped, content, salt, NAMES), Sealed(place, wrapped, content, salt, FOUR)
        return data_key, place, _cells(turn), whole, part

    def bare(self) -> float:
        """Twenty decryptions of cells of the same sizes under as much associated data, cipher objects and slices ready."""
        start = time.perf_counter()
        for decrypt, nonce, cells, binding in self.bare_cells:
            for cell in cells:
                decrypt(nonce, cell, binding)
        return time.perf_counter() - start

    def opened(self, names: dict[str, int], keys: AssociationKeys) -> float:
        """Open the named cells of every person's container, receipt, unwrapping and decoding included."""
        sealed = [whole if names is NAMES else part for _, _, _, whole, part in self.people]
        work = [(Receipt(1, bytes(32), one.place.record, frozenset(names), 1), [one]) for one in sealed]
        start = time.perf_counter()
        for receipt, asked in work:
            open_cells(receipt, keys, asked)
        return time.perf_counter() - start

    def unseen(self) -> float:
        """Open all cells of every person's container, none of whose directories was read before."""
        work = [(Receipt(1, bytes(32), one.place.record, frozenset(NAMES), 1), [one]) for _, _, _, one, _ in self.people]
        keys, taken = self.keys, 0.0
        for receipt, asked in work:
            container._layout.cache_clear()  # noqa: SLF001
            start = time.perf_counter()
            open_cells(receipt, keys, asked)
            taken += time.perf_counter() - start
        return taken

    def sealed(self) -> float:
        """Seal every person's cells."""
        start = time.perf_counter()
        for data_key, place, cells, _, _ in self.people:
            seal(data_key, place, cells)
        return time.perf_counter() - start


def main() -> int:
    """Run the rounds, print the table, return 1 if a gate is missed."""
    world = World()
    deeds: dict[str, Callable[[], float]] = {
        BARE: world.bare,
        UNSEEN: world.unseen,
        "open 20": lambda: world.opened(NAMES, world.unwrapped),
        WHOLE: lambda: world.opened(NAMES, world.keys),
        "open 4 of 20 with unwrap": lambda: world.opened(FOUR, world.keys),
        "seal 20": world.sealed,
    }
    gc.disable()
    rounds = [{name: deed() / EACH * 1e6 for name, deed in deeds.items()} for _ in range(ROUNDS)]
    missed = False
    for name in deeds:
        ratio, gate = statistics.median(one[name] / one[BARE] for one in rounds), GATES.get(name)
        missed = missed or (gate is not None and ratio > gate)
        print(
            f"{name}: {statistics.median(one[name] for one in rounds):.2f} us, ratio {ratio:.2f}, {f'gate {gate}' if gate else 'no gate'}"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
