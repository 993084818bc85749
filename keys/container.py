"""One record revision of one class in, one sealed container out; its cells open one by one, and only against a receipt.

Invariants: a cell opens at its own place (association, subject, record, class, key version, revision, schema, field)
and nowhere else; `open_cells` is the only function that returns values and uses up the receipt of a committed entry
first; `reseal`, `reseal_under` and `recheck` open without showing and return sealed bytes or checks; every fault is the one Unopenable.
Format 0x01: docs/spec/container.md.
"""

import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.blind_index import check
from keys.cells import PADDED_SIZES, SMALLEST, Value, padded, unpadded
from keys.derive import hkdf, keyed
from keys.errors import Unopenable, Unsealable, quietly
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt

FORMAT = 0x01
SUITE = 0x01
MOST_CELLS = 512
_LABEL = b"vault/rec/v1"
_SALT_LABEL = b"vault/salt/v1"
_FIXED = struct.Struct(">BBHIQI")
_COUNT = struct.Struct(">H")
_ENTRY = struct.Struct(">HI")
_NONCE = struct.Struct(">8xH2x").pack
_HEAD = 38  # the bytes of the header that are part of the context: all before the commitment
_DIRECTORY = 70
_TAG = 16
_ID = 16
_FORMAT_AND_SUITE = bytes([FORMAT, SUITE])
_CELL_SIZES = frozenset(size + _TAG for size in PADDED_SIZES)

Entropy = Callable[[int], bytes]
Found = tuple[int, int, bytes]
"""What a record is found by through one field: the field's number, the token with its version, the 16-byte check."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container belongs: three 16-byte ids from the row being read, never from the container, and its numbers."""

    association: bytes
    subject: bytes
    record: bytes
    class_id: int
    key_version: int
    revision: int
    schema: int

    def __post_init__(self) -> None:
        """Refuse ids of another length with ValueError: with fixed lengths no two places give the same context."""
        if len(self.association) != _ID or len(self.subject) != _ID or len(self.record) != _ID:
            message = "ids are 16 bytes"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A container with what opens it: its place, the wrapped key, the salt the person's sheet names, and which fields.

    `fields` maps the names of what shall be opened from this container to their field ids.
    """

    place: Place
    wrapped: bytes
    container: bytes
    salt: bytes
    fields: Mapping[str, int]

    def __repr__(self) -> str:
        """Name the salt and the revision, which are in the clear."""
        return f"Sealed({self.salt.hex()}, revision {self.place.revision})"


@dataclass(frozen=True, slots=True)
class Checked:
    """A cell that a search compares by its check: its field id, the index version, and what a check is made over (None: nothing)."""

    field: int
    index_version: int
    over: Callable[[Value], str | None]


@dataclass(frozen=True, slots=True)
class Header:
    """What a container says of itself in the clear; unproven until a cell opens."""

    class_id: int
    key_version: int
    revision: int
    schema: int
    salt: bytes
    field_ids: tuple[int, ...]


def seal(
    key: DataKey,
    place: Place,
    cells: Mapping[int, Value],
    *,
    floors: Mapping[int, int] | None = None,
    entropy: Entropy = os.urandom,
) -> bytes:
    """Return the container of 1 to 512 cells, field id (1 to 65,535) to value, for that place.

    `floors` gives, by field id, the bytes a cell is padded to at least, so that absence and short values have the size
    of what is usual there. Unsealable if a value, a number or the key's class or version does not fit.
    """
    least = floors or {}
    with quietly:
        return _sealed(key, place, [(field, padded(cells[field], least.get(field, SMALLEST))) for field in sorted(cells)], entropy)
    raise Unsealable


def header(container: bytes) -> Header:
    """Return what the container says of itself; Unopenable unless every byte of its form is as the format has it."""
    with quietly:
        _, _, class_id, key_version, revision, schema = _FIXED.unpack_from(container)
        return Header(class_id, key_version, revision, schema, container[20:36], tuple(_layout(_directory(container))[0]))
    raise Unopenable


def open_cells(receipt: Receipt, keys: AssociationKeys, sealed: Sequence[Sealed]) -> dict[str, Value]:
    """Return the values the receipt is for, by field name.

    The receipt is used up first, whatever follows. It must name the record and revision of every container and exactly
    the fields asked of them together. Only these cells are deciphered. Unopenable otherwise.
    """
    receipt.consume()
    with quietly:
        _covered(receipt, keys, sealed)
        values: dict[str, Value] = {}
        for one in sealed:
            key = keys.unwrap(one.place.subject, one.place.class_id, one.wrapped)
            values.update(zip(one.fields, unpadded(_plaintexts(key, one, one.fields.values())), strict=True))
        return values
    raise Unopenable


def reseal(
    keys: AssociationKeys,
    old: Sealed,
    place: Place,
    changes: Mapping[int, Value],
    *,
    floors: Mapping[int, int] | None = None,
    entropy: Entropy = os.urandom,
) -> bytes:
    """Return the old container's cells with the changes, sealed at a later revision of the same place under the same key.

    No value leaves. A cell never gets smaller than it was, so that a change does not show by its size.
    Unopenable if the old container does not open, Unsealable if the new place is another or not later.
    """
    was = old.place
    if (place.association, place.subject, place.record, place.class_id) != (was.association, was.subject, was.record, was.class_id):
        raise Unsealable
    if place.association != keys.association or place.revision <= was.revision:
        raise Unsealable
    key = keys.unwrap(was.subject, was.class_id, old.wrapped)
    cells = _all_plaintexts(key, old)
    least = floors or {}
    with quietly:
        for field, value in changes.items():
            cells[field] = padded(value, max(least.get(field, SMALLEST), len(cells.get(field, b""))))
        return _sealed(key, place, sorted(cells.items()), entropy)
    raise Unsealable


def reseal_under(key: DataKey, keys: AssociationKeys, old: Sealed, revision: int, *, entropy: Entropy = os.urandom) -> bytes:
    """Return the old container's cells as they are, sealed at a later revision of the same place under a later key of the same class.

    No value leaves. Unopenable if the old container does not open, Unsealable if key or revision is not later.
    """
    was = old.place
    if revision <= was.revision or key.version <= was.key_version or was.association != keys.association:
        raise Unsealable
    cells = _all_plaintexts(keys.unwrap(was.subject, was.class_id, old.wrapped), old)
    with quietly:
        return _sealed(key, replace(was, revision=revision, key_version=key.version), sorted(cells.items()), entropy)
    raise Unsealable


def recheck(key: DataKey, keys: AssociationKeys, old: Sealed, wanted: Checked) -> bytes | None:
    """Return the check of one cell of the old container under another key of its class, None where there is nothing to make it over.

    No value leaves: `wanted.over` turns it into what the check is made over, and that into bytes that tell nothing without the key.
    Unopenable if the cell does not open or holds what `over` does not take.
    """
    with quietly:
        (value,) = unpadded(_plaintexts(keys.unwrap(old.place.subject, old.place.class_id, old.wrapped), old, [wanted.field]))
        said = wanted.over(value)
        return None if said is None else check(key, wanted.field, wanted.index_version, said)
    raise Unopenable


def opens(keys: AssociationKeys, sealed: Sealed) -> bool:
    """Say whether every cell of this container opens at its place; nothing of it leaves."""
    with quietly, suppress(Unopenable):
        _all_plaintexts(keys.unwrap(sealed.place.subject, sealed.place.class_id, sealed.wrapped), sealed)
        return True
    return False


def found_by(keys: AssociationKeys, sealed: Sealed, make: Callable[[Mapping[str, Value], DataKey], Iterable[Found]]) -> list[Found]:
    """Return what these fields are found by: field number, token and check of each row that `make` gives for their values.

    No value leaves: what `make` gives is held against the form of such rows. Unopenable if a cell does not open, and for other rows.
    """
    key = keys.unwrap(sealed.place.subject, sealed.place.class_id, sealed.wrapped)
    with quietly:
        values = dict(zip(sealed.fields, unpadded(_plaintexts(key, sealed, sealed.fields.values())), strict=True))
        rows = list(make(values, key))
        if all(_is_found(row) for row in rows):
            return rows
    raise Unopenable


def _is_found(row: Found) -> bool:
    number, token, proof = row
    return type(number) is int and type(token) is int and type(proof) is bytes and 0 <= token < 1 << 64 and len(proof) == _ID


def _covered(receipt: Receipt, keys: AssociationKeys, sealed: Sequence[Sealed]) -> None:
    asked = 0
    for one in sealed:
        place = one.place
        if place.record != receipt.record or place.revision != receipt.revision or place.association != keys.association:
            raise Unopenable
        if not receipt.fields.issuperset(one.fields):
            raise Unopenable
        asked += len(one.fields)
    twice = len(sealed) > 1 and len({name for one in sealed for name in one.fields}) != asked
    if twice or asked != len(receipt.fields):
        raise Unopenable


def _all_plaintexts(key: DataKey, old: Sealed) -> dict[int, bytes]:
    with quietly:
        return dict(zip(header(old.container).field_ids, _plaintexts(key, old), strict=True))
    raise Unopenable


def _plaintexts(key: DataKey, one: Sealed, fields: Iterable[int] | None = None) -> list[bytes]:
    """Return the padded plaintexts of these cells (of all, without `fields`), once header, form and commitment hold."""
    place, container = one.place, one.container
    fixed = _FIXED.pack(FORMAT, SUITE, place.class_id, place.key_version, place.revision, place.schema)
    if container[:36] != fixed + one.salt or key.version != place.key_version:
        raise Unopenable
    directory = _directory(container)
    cells, _ = _layout(directory)
    ids = _LABEL + place.association + place.subject + place.record
    okm = hkdf(key.reveal(), one.salt, ids + container[:_HEAD], 64)
    if not compare_digest(okm[32:], container[_HEAD:_DIRECTORY]):
        raise Unopenable
    decrypt, binding = AESGCM(okm[:32]).decrypt, ids + container[:_DIRECTORY] + directory
    wanted = cells.values() if fields is None else map(cells.__getitem__, fields)
    sliced = [(nonce, container[where]) for nonce, where in wanted]
    return [decrypt(nonce, cell, binding) for nonce, cell in sliced]


def _directory(container: bytes) -> bytes:
    """Return the directory; ValueError unless the whole form is exact."""
    (count,) = _COUNT.unpack_from(container, 36)
    directory = container[_DIRECTORY : _DIRECTORY + _ENTRY.size * count]
    if container[:2] != _FORMAT_AND_SUITE or not 1 <= count <= MOST_CELLS or len(directory) != _ENTRY.size * count:
        raise ValueError
    if _layout(directory)[1] != len(container):
        raise ValueError
    return directory


# Records of one type share few directories, and a directory is no secret: field ids and padded sizes lie in the clear.
@lru_cache(maxsize=512)
def _layout(directory: bytes) -> tuple[dict[int, tuple[bytes, slice]], int]:
    """Return nonce and whereabouts of each cell by field id, and the container's length; ValueError for what is no directory."""
    start, before = _DIRECTORY + len(directory), 0
    cells: dict[int, tuple[bytes, slice]] = {}
    for field, length in _ENTRY.iter_unpack(directory):
        if field <= before or length not in _CELL_SIZES:
            raise ValueError
        cells[field] = (_NONCE(field), slice(start, start + length))
        before, start = field, start + length
    return cells, start


def _sealed(key: DataKey, place: Place, cells: Sequence[tuple[int, bytes]], entropy: Entropy) -> bytes:
    if not 1 <= len(cells) <= MOST_CELLS or cells[0][0] < 1 or (key.class_id, key.version) != (place.class_id, place.key_version):
        raise Unsealable
    fixed = _FIXED.pack(FORMAT, SUITE, place.class_id, place.key_version, place.revision, place.schema)
    count = _COUNT.pack(len(cells))
    directory = b"".join([_ENTRY.pack(field, len(plaintext) + _TAG) for field, plaintext in cells])
    ids = _LABEL + place.association + place.subject + place.record
    # Hedged: with a source of randomness that is stuck or repeats, other content still gets another salt, key and nonces.
    hedge = keyed(key.reveal(), _SALT_LABEL)
    hedge.update(b"".join([entropy(16), ids, fixed, count, directory, *[plaintext for _, plaintext in cells]]))
    salt = hedge.finalize()[:16]
    head = fixed + salt + count
    okm = hkdf(key.reveal(), salt, ids + head, 64)
    front = head + okm[32:] + directory
    encrypt, nonce, binding = AESGCM(okm[:32]).encrypt, _NONCE, ids + front
    return b"".join([front, *[encrypt(nonce(field), plaintext, binding) for field, plaintext in cells]])
