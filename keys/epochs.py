"""The small file of an association's keys, one line per epoch, each key sealed for every slot, kept outside the database.

Invariants: a slot opens only for its association, its name and its file under its root; no line can be changed, dropped,
added or reordered unseen, and nobody who cannot open a slot makes a file that opens (a MAC under a key of the file, to
which every slot's root is bound); the file is replaced in one step by one writer at a time, and only by bytes that were
opened again before; an epoch that is retired is no longer in it. An older whole copy is not seen here. docs/spec/epochs.md.
"""

import hashlib
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hmac import compare_digest
from pathlib import Path

from keys import epochs_file
from keys.epochs_file import LONGEST, Epoch, File
from keys.errors import Unopenable, Unsealable, quietly
from keys.files import locked, read_private, write_new
from keys.files import replace as replace_file
from keys.keyring import AssociationKeys
from keys.roots import Root
from keys.secret import Secret, Unspoken
from keys.slots import MOST, OpenSlot, Slot, commitment, new_slot, open_slot, sealed_for

MAIN = "main"
_MODE = 0o600
_OLD_LABEL = b"vault/epoch/v1"
_NUMBER = struct.Struct(">I").pack
_ID = 16


@dataclass(frozen=True, slots=True)
class Told:
    """What the file says without a secret: the lowest epoch, each epoch with its making (UTC, microseconds), each slot with the kind of
    its root, and the SHA-256 of the file in hexadecimal, by which two copies are told apart.
    """  # noqa: D205  # one sentence

    minimum: int
    epochs: tuple[tuple[int, int], ...]
    slots: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True, slots=True, repr=False)
class _Open(Unspoken):
    """A file whose MAC holds: `epochs` are number, time of making and key; in format 1 there are no slots yet."""

    association: bytes
    minimum: int
    file_key: Secret
    slots: tuple[Slot, ...]
    epochs: tuple[tuple[int, int, Secret], ...]

    def keys(self) -> AssociationKeys:
        return AssociationKeys(self.association, {number: key for number, _, key in self.epochs}, self.minimum)


def create(path: Path, association: bytes, root: Root, now: int, *, slot: str = MAIN) -> AssociationKeys:
    """Make the first epoch's key in a new file, mode 0600; FileExistsError rather than overwrite one.

    `association` is a 16-byte id, `now` UTC in microseconds. Unsealable for another id or a bad name of the slot.
    """
    if len(association) != _ID:
        raise Unsealable
    file_key = Secret.random()
    slots = (new_slot(slot, root, association, file_key),)
    made = _Open(association, 1, file_key, slots, ((1, now, Secret.random()),))
    write_new(path, _proven(made, root), _MODE)
    return load(path, association, root)


def load(path: Path, association: bytes, root: Root) -> AssociationKeys:
    """Return the association's keys from the first slot this root opens; Unopenable for another's file, another root or any changed line.

    OSError if the file cannot be read or others may touch it.
    """
    return _read(path, association, root).keys()


def rotate(path: Path, association: bytes, root: Root, now: int) -> AssociationKeys:
    """Add an epoch whose key wraps everything new from now on, for every slot; older epochs stay readable."""

    def rotated(found: _Open) -> _Open:
        return replace(found, epochs=(*found.epochs, (found.epochs[-1][0] + 1, now, Secret.random())))

    return _rewrite(path, association, root, rotated)


def retire(path: Path, association: bytes, root: Root, minimum: int) -> AssociationKeys:
    """Drop every epoch below `minimum` from the file: what is still wrapped under them never opens again.

    Unsealable unless an epoch from `minimum` on is there and the minimum rises.
    """

    def retired(found: _Open) -> _Open:
        if not found.minimum < minimum <= found.epochs[-1][0]:
            raise Unsealable
        return replace(found, minimum=minimum, epochs=tuple(one for one in found.epochs if one[0] >= minimum))

    return _rewrite(path, association, root, retired)


def add_slot(path: Path, association: bytes, root: Root, name: str, new: Root) -> None:
    """Let another root open the same keys. Unsealable for a name that is taken or none, and for a ninth slot."""

    def added(found: _Open) -> _Open:
        if len(found.slots) >= MOST or name in {one.name for one in found.slots}:
            raise Unsealable
        return replace(found, slots=(*found.slots, new_slot(name, new, association, found.file_key)))

    _rewrite(path, association, root, added)


def remove_slot(path: Path, association: bytes, root: Root, name: str) -> None:
    """Take a root its slot. Unsealable for a name of none, for the last slot, and for one that `root` itself opens.

    What was opened with it, and older copies of the file, it opens as before: `rotate`, rewrap and `retire` end that.
    """

    def removed(found: _Open) -> _Open:
        gone = [one for one in found.slots if one.name == name]
        if not gone or _opened_by(root, association, commitment(found.file_key), gone) is not None:
            raise Unsealable
        return replace(found, slots=tuple(one for one in found.slots if one.name != name))

    _rewrite(path, association, root, removed)


def told(path: Path, association: bytes, root: Root) -> Told:
    """Say what stands in the file, once its MAC holds. Raises as `load` does."""
    content = read_private(path, LONGEST)
    found = _opened(content, association, root)
    slots = tuple((one.name, one.kind) for one in found.slots) or ((MAIN, root.kind),)
    return Told(found.minimum, tuple((number, made) for number, made, _ in found.epochs), slots, hashlib.sha256(content).hexdigest())


def _rewrite(path: Path, association: bytes, root: Root, change: Callable[[_Open], _Open]) -> AssociationKeys:
    """Change the file as one writer among several, each of whom reads what the one before wrote."""
    with locked(path.parent):
        found = _read(path, association, root)
        changed = change(found if found.slots else replace(found, slots=(new_slot(MAIN, root, association, found.file_key),)))
        replace_file(path, _proven(changed, root), _MODE)
    return changed.keys()


def _proven(made: _Open, root: Root) -> bytes:
    """Return the file's bytes, opened again: what does not open must not take the place of what does."""
    content = epochs_file.written(_sealed(made), made.file_key)
    _opened(content, made.association, root)
    return content


def _sealed(made: _Open) -> File:
    own, slots = made.association, made.slots
    epochs = tuple(Epoch(number, at, tuple(sealed_for(slot, own, number, key) for slot in slots)) for number, at, key in made.epochs)
    file_keys = tuple(sealed_for(slot, own, 0, made.file_key) for slot in slots)
    return File(own, made.minimum, commitment(made.file_key), slots, file_keys, epochs, "", b"")


def _read(path: Path, association: bytes, root: Root) -> _Open:
    return _opened(read_private(path, LONGEST), association, root)


def _opened(content: bytes, association: bytes, root: Root) -> _Open:
    """Return what is in the file, once every check holds; Unopenable otherwise, and never a word why."""
    with quietly:
        found = epochs_file.parsed(content.decode("ascii"))
        if found.association == association:
            return _second(found, root) if found.slots else _first(found, root)
    raise Unopenable


def _second(found: File, root: Root) -> _Open:
    opened = _opened_by(root, found.association, found.commitment, found.slots)
    if opened is None:
        raise Unopenable
    at = [one.name for one in found.slots].index(opened.name)
    file_key = opened.opened(0, found.file_keys[at])
    true = compare_digest(commitment(file_key), found.commitment) and compare_digest(epochs_file.mac(found.body, file_key), found.mac)
    if not true:
        raise Unopenable
    epochs = tuple((one.number, one.created, opened.opened(one.number, one.sealed[at])) for one in found.epochs)
    return _Open(found.association, found.minimum, file_key, found.slots, epochs)


def _opened_by(root: Root, association: bytes, committed: bytes, slots: tuple[Slot, ...] | list[Slot]) -> OpenSlot | None:
    """Return the first slot that the root opens, those of its own kind first: a root behind a network is not asked in vain."""
    for slot in sorted(slots, key=lambda one: one.kind != root.kind):
        with suppress(Unopenable):
            return open_slot(slot, root, association, committed)
    return None


def _first(found: File, root: Root) -> _Open:
    """Open a file of format 1, where the root wraps each epoch's key itself and the newest one makes the MAC."""
    own = found.association
    epochs = tuple((one.number, one.created, root.unwrap(_OLD_LABEL + own + _NUMBER(one.number), one.sealed[0])) for one in found.epochs)
    if not compare_digest(epochs_file.mac(found.body, epochs[-1][2], first=True), found.mac):
        raise Unopenable
    return _Open(own, found.minimum, Secret.random(), (), epochs)
