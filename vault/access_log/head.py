"""The head of an association's log as a deed finds it: how long the log is, the tree's edge, and which entry moved the law last.

Invariants: a head counts only under the vault's own MAC over all of it, so that nobody who holds the rows can say that the law did not
move; one without a MAC was written before there was one, and the deed that meets it moves the law, so that everybody looks again.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from sqlalchemy import Column, Connection, select, type_coerce
from sqlalchemy.types import NullType

from keys.cabinet import Cabinet
from keys.errors import quietly
from vault.access_log import tables
from vault.access_log.merkle import Frontier
from vault.errors import Unavailable
from vault.storage.transaction import Transaction

_TABLE: Final = tables.head.name
_NUMBERS: Final = Struct(">QQQ").pack


@dataclass(frozen=True, slots=True)
class Head:
    """A head that holds; `law` is the number of the entry that moved the law last, `newest` the last entry's microseconds UTC."""

    size: int
    frontier: Frontier
    law: int
    newest: int
    sealed: bool


def seal(cabinet: Cabinet, *, size: int, frontier: bytes, law: int, newest: int) -> bytes:
    """The 32-byte MAC of a head. Format: docs/spec/fact-mac.md."""
    return cabinet.journal.seal(_TABLE, cabinet.keys.association, _NUMBERS(size, law, newest) + frontier)


def read(cabinet: Cabinet, transaction: Transaction) -> Head:
    """The head of the cabinet's association, locked on PostgreSQL. Raises Unavailable `integrity` where none holds."""
    rows = tables.READ_HEAD.rows(transaction, {"association": cabinet.keys.association})
    found = _opened(cabinet, rows[0]) if rows else None
    if found is None:
        raise Unavailable("integrity")
    return found


def is_written_by(cabinet: Cabinet, connection: Connection) -> bool:
    """Whether the head is as the vault wrote it, or none is there, which others find; for examiners, who lock nothing."""
    own = tables.head.c
    # Without SQLAlchemy's types: what is of a foreign type shall reach the comparison.
    columns: list[Column[Any]] = [own.size, own.frontier, own.law, own.newest, own.mac]
    query = select(*(type_coerce(column, NullType()) for column in columns)).where(own.association_id == cabinet.keys.association)
    row = connection.execute(query).first()
    return row is None or _opened(cabinet, tuple(row)) is not None


def _opened(cabinet: Cabinet, row: tuple[Any, ...]) -> Head | None:
    with quietly:  # a column of a foreign type is no head
        size, frontier, law, newest, mac = row
        if mac is None or cabinet.journal.holds(_TABLE, cabinet.keys.association, _NUMBERS(size, law, newest) + frontier, mac):
            return Head(size, Frontier.unpack(size, frontier), law, newest, mac is not None)
    return None
