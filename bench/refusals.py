"""What a wrong key, a wrong tag and a record that is none cost to refuse: prints medians side by side, for attack 44 of docs/attacks.md.

No gate: the commitment is compared before a cell is deciphered, so a wrong key is refused a little sooner than a wrong tag, by design. What
that tells an attacker who alters rows is what he knows already: which of the two he altered.
"""

import dataclasses
import statistics
import time

from keys.container import Place, Sealed, header, open_cells, seal
from keys.errors import Unopenable
from keys.keyring import AssociationKeys
from keys.receipt import Receipt
from keys.secret import Secret

ROUNDS = 3000


def refused(keys: AssociationKeys, one: Sealed) -> float:
    """Microseconds until one container is refused."""
    paper = Receipt(1, bytes(32), one.place.record, frozenset(one.fields), one.place.revision)
    begun = time.perf_counter()
    try:
        open_cells(paper, keys, [one])
    except Unopenable:
        return (time.perf_counter() - begun) * 1e6
    raise AssertionError


def main() -> None:
    """Measure in turn, print medians and their ratios to a wrong tag."""
    place = Place(bytes(15) + b"a", bytes(15) + b"s", bytes(15) + b"r", 3, 1, 1, 1)
    keys = AssociationKeys(place.association, {1: Secret.random()}, 1)
    key, wrapped = keys.new_key(place.subject, 3)
    content = seal(key, place, dict.fromkeys(range(1, 5), "نص"))
    right = Sealed(place, wrapped, content, header(content).salt, {str(number): number for number in range(1, 5)})
    wrong = {
        "wrong tag": dataclasses.replace(right, container=content[:-1] + bytes([content[-1] ^ 1])),
        "wrong key": dataclasses.replace(right, wrapped=keys.new_key(place.subject, 3)[1]),
        "wrong wrapped key": dataclasses.replace(right, wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
        "no container": dataclasses.replace(right, container=b""),
    }
    times: dict[str, list[float]] = {name: [] for name in wrong}
    for _ in range(ROUNDS):
        for name, one in wrong.items():
            times[name].append(refused(keys, one))
    base = statistics.median(times["wrong tag"])
    for name, each in times.items():
        middle = statistics.median(each)
        print(f"{name:<20} {middle:8.2f} us   {middle / base:5.2f}")


if __name__ == "__main__":
    main()
