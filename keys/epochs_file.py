"""The text of the file of epochs: parsed to the letter, and written. What is sealed in it is opened elsewhere.

Invariant: one content has one text, and what is no such text is Unopenable. Formats 1 (read only) and 2: docs/spec/epochs.md.
"""

import base64
import re
from dataclasses import dataclass

from keys.derive import keyed, subkey
from keys.errors import Unopenable, Unsealable
from keys.secret import Secret
from keys.slots import MOST, NAME, Slot

LONGEST = 1 << 18
_LARGEST_NUMBER = (1 << 32) - 1
_NUMBER = "(0|[1-9][0-9]{0,17})"
_CODED = "([A-Za-z0-9+/=]{1,4096})"
_WORD = f"({NAME.pattern})"
_START = rf"association ([0-9a-f]{{32}})\nminimum {_NUMBER}\n"
_FIRST = re.compile(rf"(amanah-epochs 1\n{_START}((?:epoch [0-9]+ [0-9]+ [A-Za-z0-9+/=]+\n)+))mac ([0-9a-f]{{64}})\n")
_SECOND = re.compile(
    rf"(amanah-epochs 2\n{_START}commitment ([0-9a-f]{{64}})\n"
    rf"((?:slot [^\n]+\n){{1,{MOST}}})((?:epoch [0-9]+ [0-9]+(?: [A-Za-z0-9+/=]+)+\n)+))mac ([0-9a-f]{{64}})\n"
)
_SLOT = re.compile(rf"slot {_WORD} {_WORD} {_CODED} {_CODED} {_CODED}")
_EPOCH = re.compile(rf"epoch {_NUMBER} {_NUMBER}((?: {_CODED})+)")
_MAC_LABEL = b"vault/epochs/mac/v1"
_MAC_LABEL_2 = b"vault/epochs/mac/v2"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's line: number, time of making (UTC, microseconds), the key sealed for each slot in the order of the slots."""

    number: int
    created: int
    sealed: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file taken apart; in format 1 there is no slot, and each epoch has one key, wrapped by the root itself.

    `file_keys` are the file's key sealed for each slot; `body` is all that `mac` covers.
    """

    association: bytes
    minimum: int
    commitment: bytes
    slots: tuple[Slot, ...]
    file_keys: tuple[bytes, ...]
    epochs: tuple[Epoch, ...]
    body: str
    mac: bytes


def parsed(text: str) -> File:
    """Take a text apart; Unopenable or ValueError for what is none. Nothing of it is proven yet."""
    if len(text) > LONGEST:
        raise Unopenable
    second = _SECOND.fullmatch(text)
    found = _parsed_second(second) if second else _parsed_first(text)
    numbers = [one.number for one in found.epochs]
    names = {one.name for one in found.slots}
    wide = any(len(one.sealed) != max(1, len(found.slots)) for one in found.epochs)
    if wide or len(names) != len(found.slots) or numbers != sorted(set(numbers)) or not 1 <= found.minimum <= numbers[0]:
        raise Unopenable
    if numbers[-1] > _LARGEST_NUMBER:
        raise Unopenable
    return found


def _parsed_first(text: str) -> File:
    outer = _FIRST.fullmatch(text)
    if outer is None:
        raise Unopenable
    epochs = tuple(_parsed_epoch(line) for line in outer[4].splitlines())
    return File(bytes.fromhex(outer[2]), int(outer[3]), b"", (), (), epochs, outer[1], bytes.fromhex(outer[5]))


def _parsed_second(outer: re.Match[str]) -> File:
    slots = [_parsed_slot(line) for line in outer[5].splitlines()]
    return File(
        bytes.fromhex(outer[2]),
        int(outer[3]),
        bytes.fromhex(outer[4]),
        tuple(slot for slot, _ in slots),
        tuple(sealed for _, sealed in slots),
        tuple(_parsed_epoch(line) for line in outer[6].splitlines()),
        outer[1],
        bytes.fromhex(outer[7]),
    )


def _parsed_slot(line: str) -> tuple[Slot, bytes]:
    found = _SLOT.fullmatch(line)
    if found is None:
        raise Unopenable
    return Slot(found[1], found[2], _decoded(found[3]), _decoded(found[4])), _decoded(found[5])


def _parsed_epoch(line: str) -> Epoch:
    found = _EPOCH.fullmatch(line)
    if found is None:
        raise Unopenable
    return Epoch(int(found[1]), int(found[2]), tuple(_decoded(part) for part in found[3].split()))


def written(file: File, file_key: Secret) -> bytes:
    """Return the bytes of the file, in format 2, with its MAC; `body` and `mac` of what is given are not looked at.

    Unsealable beyond 256 KiB.
    """
    slots = [
        f"slot {one.name} {one.kind} {_coded(one.public)} {_coded(one.wrapped)} {_coded(sealed)}\n"
        for one, sealed in zip(file.slots, file.file_keys, strict=True)
    ]
    epochs = [f"epoch {one.number} {one.created} {' '.join(map(_coded, one.sealed))}\n" for one in file.epochs]
    start = f"amanah-epochs 2\nassociation {file.association.hex()}\nminimum {file.minimum}\ncommitment {file.commitment.hex()}\n"
    body = start + "".join(slots + epochs)
    text = f"{body}mac {mac(body, file_key).hex()}\n"
    if len(text) > LONGEST:
        raise Unsealable
    return text.encode()


def mac(body: str, key: Secret, *, first: bool = False) -> bytes:
    """Return the 32-byte MAC of all lines before the last; in format 1 the key is the newest epoch's, else the file's own."""
    state = keyed(subkey(key.reveal(), _MAC_LABEL if first else _MAC_LABEL_2), b"")
    state.update(body.encode())
    return state.finalize()


def _coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
