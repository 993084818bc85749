"""One deed for one key: a repeat of the same request is answered from what the first one made, in the deed's own transaction.

Invariants: a row holds keyed hashes only, the id and the status of what was made, never key, body or answer; it counts only if the vault
wrote it, and what it names was made by that very request; rows older than 24 hours count for nothing. Deeds of one association follow one
another, so a key is never met half done.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, delete, insert, select, type_coerce
from sqlalchemy.types import NullType

from vault.errors import Conflict, Unavailable
from vault.storage.metadata import association_column, identifier, instant, metadata
from vault.storage.transaction import Transaction

KEPT_MICROSECONDS = 24 * 3600 * 1_000_000
Mac = Callable[[str, bytes], bytes]
_SEALED = ("body_mac", "made", "status", "kept_from", "mac")
_NUMBERS = struct.Struct(">qq").pack

table = Table(
    "idempotency",
    metadata,
    association_column(),
    Column("key_mac", LargeBinary(32), primary_key=True),
    Column("body_mac", LargeBinary(32), nullable=False),
    identifier("made"),
    Column("status", Integer, nullable=False),
    instant("kept_from"),
    Column("mac", LargeBinary(32), nullable=False),
)
Index("ix_idempotency_kept_from", table.c.association_id, table.c.kept_from)


@dataclass(frozen=True, slots=True)
class Once:
    """The key of one request, already hashed: over association, caller, route and key, and over the body; `mac` seals its row."""

    key_mac: bytes
    body_mac: bytes
    mac: Mac = field(repr=False, compare=False)


def once(mac: Mac, *, caller: str, route: str, key: str, body: bytes) -> Once:
    """Hash a request's key and body; `mac` takes what it seals (`key`, `body`, `row`) and the bytes, under the association's key."""
    return Once(mac("key", f"{caller}\x00{route}\x00{key}".encode()), mac("body", body), mac)


def made_before(transaction: Transaction, association: bytes, request: Once) -> bytes | None:
    """The id the same request made before, None where it is new.

    Raises Conflict `idempotency-mismatch` for another body under the key, Unavailable `integrity` for a row the vault did not write.
    """
    row = transaction.connection.execute(
        # Without SQLAlchemy's types: a text where bytes belong shall reach the comparison.
        select(*(type_coerce(table.c[name], NullType()).label(name) for name in _SEALED)).where(
            table.c.association_id == association, table.c.key_mac == request.key_mac
        ),
    ).first()
    if row is None:
        return None
    if not _holds(association, request, row):
        raise Unavailable("integrity")
    if row.kept_from + KEPT_MICROSECONDS < transaction.now:
        return None
    if bytes(row.body_mac) != request.body_mac:
        raise Conflict("idempotency-mismatch")
    return bytes(row.made)


def remember(transaction: Transaction, association: bytes, request: Once, made: bytes, status: int) -> None:
    """Keep what this request made; what is older than a day goes with the same step."""
    connection = transaction.connection
    # Two statements, each on an index of its own: one with OR would walk a whole day's keys at every deed.
    for gone in (table.c.key_mac == request.key_mac, table.c.kept_from < transaction.now - KEPT_MICROSECONDS):
        connection.execute(delete(table).where(table.c.association_id == association, gone))
    connection.execute(
        insert(table).values(
            association_id=association,
            key_mac=request.key_mac,
            body_mac=request.body_mac,
            made=made,
            status=status,
            kept_from=transaction.now,
            mac=request.mac("row", _sealed(association, request, (request.body_mac, made, status, transaction.now))),
        ),
    )


def _sealed(association: bytes, request: Once, said: tuple[bytes, bytes, int, int]) -> bytes:
    """The bytes of a row: body's MAC, id made, status and time. Fixed lengths (16, 32, 32, 16, 8, 8), so no two rows share them."""
    body_mac, made, status, kept_from = said
    return association + request.key_mac + body_mac + made + _NUMBERS(status, kept_from)


def _holds(association: bytes, request: Once, row: Any) -> bool:  # noqa: ANN401 - a row of columns of any type
    """True where this row is as it was written; a column of a foreign type or length (SQLite takes any) is not."""
    said = (row.body_mac, row.made, row.status, row.kept_from)
    kinds = [type(cell) for cell in (*said, row.mac)]
    if kinds != [bytes, bytes, int, int, bytes] or (len(row.body_mac), len(row.made)) != (32, 16):
        return False
    return compare_digest(request.mac("row", _sealed(association, request, said)), row.mac)
