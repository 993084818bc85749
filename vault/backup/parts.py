"""Which columns go into which file of a backup: wrapped keys into `keys`, everything else into `data`, the index into neither.

Invariants: no column named `wrapped` is in `data`; no row of the index of tokens is in either; the two files together with the index made
anew are the whole database, whichever tables there come to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, select

import vault.app  # noqa: F401 - the roof knows every room, and with it every table
from vault.backup.refused import BackupRefused
from vault.storage.metadata import metadata

DATA: Final = "data"
KEYS: Final = "keys"
WRAPPED: Final = "wrapped"
MADE_ANEW: Final = frozenset({"record_token"})
WHOLE_IN_KEYS: Final = frozenset({"association_key"})
"""Holds nothing but keys, and no row of it may be changed on PostgreSQL: it is put back in one piece, and read before all else."""
AT_ONCE: Final = 256
"""Rows in one frame: of the largest, chunks of scans, 16 MiB."""


@dataclass(frozen=True, slots=True)
class Share:
    """What of a table goes into one file."""

    table: Table
    columns: tuple[Column[Any], ...]

    @property
    def names(self) -> list[str]:
        """The columns' names, in their order."""
        return ["".join(column.name) for column in self.columns]


def shares(part: str) -> list[Share]:
    """What goes into this file, table by table; in `keys` the association's own come first."""
    tables = [table for table in metadata.sorted_tables if table.name not in MADE_ANEW]
    if part == KEYS:
        tables.sort(key=lambda table: (table.name not in WHOLE_IN_KEYS, table.name))
        return [Share(table, (*table.primary_key.columns, table.c[WRAPPED])) for table in tables if WRAPPED in table.c]
    return [
        Share(table, tuple(column for column in table.columns if column.name != WRAPPED))
        for table in tables
        if table.name not in WHOLE_IN_KEYS
    ]


def portions(connection: Connection, association: bytes, share: Share) -> Iterator[list[list[Any]]]:
    """The association's rows in the order of their key, some at a time. Raises BackupRefused for a value of a foreign type."""
    query = select(*share.columns).where(share.table.c.association_id == association).order_by(*share.table.primary_key.columns)
    found = connection.execute(query, execution_options={"yield_per": AT_ONCE})
    try:
        for rows in found.partitions():
            yield [list(row) for row in rows]
    except TypeError as error:
        # SQLite takes any type in any column; what the vault did not write is no part of a copy.
        raise BackupRefused("backup-not-proven", share.table.name) from error
