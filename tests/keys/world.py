"""A small world for the tests of sealing: one association, people, containers, receipts, and randomness that repeats."""

import hashlib
from collections.abc import Callable, Mapping

from keys.cells import Value
from keys.container import Place, Sealed, header, open_cells, seal
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt
from keys.secret import Secret


def named_id(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


ASSOCIATION, OTHER = named_id("association"), named_id("other association")
SUBJECT, RECORD = named_id("subject"), named_id("record")
KEYS = AssociationKeys(ASSOCIATION, {1: Secret(bytes(31) + b"\x01"), 2: Secret(bytes(31) + b"\x02")}, 1)


def stuck(_size: int) -> bytes:
    """Randomness that is stuck at zero."""
    return bytes(_size)


def stream(seed: str) -> Callable[[int], bytes]:
    """Randomness that repeats for a seed."""
    turn = iter(range(1 << 30))
    return lambda size: hashlib.shake_256(f"{seed} {next(turn)}".encode()).digest(size)


def place(**changes: int | bytes) -> Place:
    facts = {"association": ASSOCIATION, "subject": SUBJECT, "record": RECORD, "class_id": 3, "key_version": 1, "revision": 1, "schema": 1}
    return Place(**(facts | changes))  # type: ignore[arg-type]


def stored(cells: Mapping[int, Value], where: Place | None = None, keys: AssociationKeys = KEYS) -> tuple[DataKey, Sealed]:
    """Seal the cells and give each field the name of its number."""
    where = where or place()
    key, wrapped = keys.new_key(where.subject, where.class_id, where.key_version)
    return key, around(where, wrapped, seal(key, where, cells))


def around(where: Place, wrapped: bytes, container: bytes, *names: str) -> Sealed:
    found = header(container)
    fields = {str(field): field for field in found.field_ids}
    return Sealed(where, wrapped, container, found.salt, {name: fields[name] for name in names} if names else fields)


def receipt(*sealed: Sealed, **changes: object) -> Receipt:
    """The receipt that fits these containers, but for the changes."""
    facts: dict[str, object] = {
        "index": 1,
        "leaf_hash": bytes(32),
        "record": sealed[0].place.record,
        "fields": frozenset(name for one in sealed for name in one.fields),
        "revision": sealed[0].place.revision,
    }
    return Receipt(**(facts | changes))  # type: ignore[arg-type]


def opened(*sealed: Sealed, keys: AssociationKeys = KEYS) -> dict[str, Value]:
    return open_cells(receipt(*sealed), keys, sealed)
