"""The small file of an association's wrapped keys, one line per epoch, kept outside the database.

Invariants: each line opens only for its association and epoch under the root; no line can be changed, dropped, added
or reordered unseen (a MAC under the newest epoch's key covers all of them); the file is replaced in one step; an epoch
that is retired is no longer in it. An older whole copy of the file is not seen here. Format: docs/spec/epochs.md.
"""

import base64
import re
import struct
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from keys.derive import keyed, subkey
from keys.errors import Unopenable, Unsealable, quietly
from keys.files import read_private, replace, write_new
from keys.keyring import AssociationKeys
from keys.roots import Root
from keys.secret import Secret

_MODE = 0o600
_LONGEST = 1 << 18
_NUMBER = "(0|[1-9][0-9]{0,17})"
_FILE = re.compile(
    rf"(amanah-epochs 1\nassociation ([0-9a-f]{{32}})\nminimum {_NUMBER}\n"
    r"((?:epoch [0-9]+ [0-9]+ [A-Za-z0-9+/=]+\n)+))mac ([0-9a-f]{64})\n"
)
_LINE = re.compile(rf"epoch {_NUMBER} {_NUMBER} ([A-Za-z0-9+/=]{{1,4096}})")
_LABEL = b"vault/epoch/v1"
_MAC_LABEL = b"vault/epochs/mac/v1"
_EPOCH = struct.Struct(">I").pack
_ID = 16


@dataclass(frozen=True, slots=True)
class _Epoch:
    number: int
    created: int
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class _File:
    association: bytes
    minimum: int
    epochs: tuple[_Epoch, ...]


def create(path: Path, association: bytes, root: Root, now: int) -> AssociationKeys:
    """Make the first epoch's key in a new file, mode 0600; FileExistsError rather than overwrite one.

    `association` is a 16-byte id, `now` UTC in microseconds.
    """
    if len(association) != _ID:
        raise Unsealable
    made = _File(association, 1, (_new(association, 1, root, now),))
    write_new(path, _written(made, root), _MODE)
    return load(path, association, root)


def load(path: Path, association: bytes, root: Root) -> AssociationKeys:
    """Return the association's keys; Unopenable for another's file, another root or any changed line.

    OSError if the file cannot be read or others may touch it.
    """
    found = _read(path, association, root)
    return AssociationKeys(association, {one.number: _key(found, one, root) for one in found.epochs}, found.minimum)


def rotate(path: Path, association: bytes, root: Root, now: int) -> AssociationKeys:
    """Add an epoch whose key wraps everything new from now on; older epochs stay readable."""
    found = _read(path, association, root)
    newest = _new(association, found.epochs[-1].number + 1, root, now)
    replace(path, _written(_File(association, found.minimum, (*found.epochs, newest)), root), _MODE)
    return load(path, association, root)


def retire(path: Path, association: bytes, root: Root, minimum: int) -> AssociationKeys:
    """Drop every epoch below `minimum` from the file: what is still wrapped under them never opens again.

    Unsealable unless an epoch from `minimum` on is there and the minimum rises.
    """
    found = _read(path, association, root)
    if not found.minimum < minimum <= found.epochs[-1].number:
        raise Unsealable
    kept = tuple(one for one in found.epochs if one.number >= minimum)
    replace(path, _written(_File(association, minimum, kept), root), _MODE)
    return load(path, association, root)


def _read(path: Path, association: bytes, root: Root) -> _File:
    content = read_private(path, _LONGEST)
    with quietly:
        return _parsed(content.decode("ascii"), association, root)
    raise Unopenable


def _parsed(text: str, association: bytes, root: Root) -> _File:
    """Return the file's content once its MAC holds; ValueError or Unopenable otherwise."""
    outer = _FILE.fullmatch(text)
    if outer is None or len(text) > _LONGEST or bytes.fromhex(outer[2]) != association:
        raise Unopenable
    minimum, epochs = int(outer[3]), tuple(_parsed_line(line) for line in outer[4].splitlines())
    numbers = [one.number for one in epochs]
    if numbers != sorted(set(numbers)) or not 1 <= minimum <= numbers[0]:
        raise Unopenable
    found = _File(association, minimum, epochs)
    if not compare_digest(_mac(found, outer[1], root), bytes.fromhex(outer[5])):
        raise Unopenable
    return found


def _parsed_line(line: str) -> _Epoch:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Unopenable
    return _Epoch(int(found[1]), int(found[2]), base64.b64decode(found[3], validate=True))


def _written(made: _File, root: Root) -> bytes:
    lines = [f"epoch {one.number} {one.created} {base64.b64encode(one.wrapped).decode()}\n" for one in made.epochs]
    body = f"amanah-epochs 1\nassociation {made.association.hex()}\nminimum {made.minimum}\n{''.join(lines)}"
    return f"{body}mac {_mac(made, body, root).hex()}\n".encode()


def _mac(made: _File, body: str, root: Root) -> bytes:
    state = keyed(subkey(_key(made, made.epochs[-1], root).reveal(), _MAC_LABEL), b"")
    state.update(body.encode())
    return state.finalize()


def _new(association: bytes, number: int, root: Root, now: int) -> _Epoch:
    return _Epoch(number, now, root.wrap(_context(association, number), Secret.random()))


def _key(found: _File, one: _Epoch, root: Root) -> Secret:
    return root.unwrap(_context(found.association, one.number), one.wrapped)


def _context(association: bytes, number: int) -> bytes:
    return _LABEL + association + _EPOCH(number)
