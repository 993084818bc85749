"""One row for any table of the schema, made of the types of its columns."""

from typing import Any

from sqlalchemy import Connection, LargeBinary, String, Table, insert

import vault.app  # noqa: F401 - the roof knows every room: with it every room's tables are in the metadata
from vault.storage.metadata import metadata

TABLES = {table.name: table for table in metadata.sorted_tables}
BEFORE_THE_WALL = {"association", "association_key"}
APPEND_ONLY = [
    "access_log_checkpoint",
    "access_log_entry",
    "access_log_fact",
    "access_log_subject",
    "access_log_tile",
    "breach_report_part",
    "incident_part",
    "subject_event",
]


def row(table: Table, association: bytes, number: int = 1) -> dict[str, Any]:
    """Values for every column."""
    made: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, LargeBinary):
            made[column.name] = bytes([number]) * (column.type.length or 16)
        else:
            made[column.name] = f"{association[0]}-{number}" if isinstance(column.type, String) else number
    return made | {"association_id": association}


def add(connection: Connection, name: str, association: bytes, number: int = 1) -> None:
    """Insert one row."""
    connection.execute(insert(TABLES[name]).values(row(TABLES[name], association, number)))
