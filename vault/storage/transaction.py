"""What a unit of work holds: one open transaction, the moment it runs at, and statements compiled once.

A `Hot` statement is written in SQLAlchemy Core, compiled to SQL text once for each dialect and length of its list, and run on the driver
connection of the same transaction: the same rows, a third of the time (ADR 0003). Values go in and come out as the driver gives them, so
columns of hot statements are bytes, integers and text only.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]
_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(slots=True)
class Transaction:
    """One open transaction; `now` is microseconds UTC and the same for every unit in it."""

    connection: Connection
    now: int

    @property
    def driver(self) -> Any:  # noqa: ANN401 - sqlite3 and psycopg have no type in common
        """The driver's own connection inside this transaction."""
        return self.connection.connection.driver_connection

    @property
    def stands(self) -> bool:
        """Whether the engine still holds it open and would commit it; False where it was taken back without a word."""
        driver = self.driver
        if isinstance(driver, sqlite3.Connection):
            return driver.in_transaction
        return bool(driver.info.transaction_status == TransactionStatus.INTRANS)


@dataclass(slots=True)
class _Compiled:
    text: str
    order: tuple[str, ...] | None


@dataclass(slots=True)
class Hot:
    """A statement compiled once; `build(n)` gives the Core statement for a list of n values named item_0 … item_{n-1}."""

    build: Callable[[int], Executable]
    _compiled: dict[tuple[str, int], _Compiled] = field(default_factory=dict)

    def rows(self, transaction: Transaction, parameters: Mapping[str, Any], items: Sequence[Any] = ()) -> list[Row]:
        """Every row for these parameters; a list is padded with its last value to the next length compiled."""
        size = next((n for n in _LENGTHS if n >= len(items)), len(items)) if items else 0
        values = dict(parameters)
        for i in range(size):
            values[f"item_{i}"] = items[min(i, len(items) - 1)]
        compiled = self._for(transaction, size)
        if compiled.order is not None:
            return transaction.driver.execute(compiled.text, [values[name] for name in compiled.order]).fetchall()  # type: ignore[no-any-return]
        with transaction.driver.cursor(binary=True) as cursor:
            cursor.execute(compiled.text, values, prepare=True)
            return cursor.fetchall()  # type: ignore[no-any-return]

    def run(self, transaction: Transaction, rows: Iterable[Mapping[str, Any]]) -> int:
        """Run the statement once for each row of parameters; returns how many database rows it touched."""
        compiled = self._for(transaction, 0)
        if compiled.order is not None:
            order = compiled.order
            return int(transaction.driver.executemany(compiled.text, [[row[name] for name in order] for row in rows]).rowcount)
        with transaction.driver.cursor() as cursor:
            cursor.executemany(compiled.text, list(rows))
            return int(cursor.rowcount)

    def _for(self, transaction: Transaction, size: int) -> _Compiled:
        dialect = transaction.connection.dialect
        key = (dialect.name, size)
        found = self._compiled.get(key)
        if found is None:
            compiled = self.build(size).compile(dialect=dialect)  # type: ignore[attr-defined]
            if not isinstance(compiled, SQLCompiler):
                raise TypeError(type(compiled).__name__)
            order = tuple(compiled.positiontup) if compiled.positional and compiled.positiontup is not None else None
            found = self._compiled[key] = _Compiled(str(compiled), order)
        return found


def hot(statement: Executable) -> Hot:
    """A hot statement without a list."""
    return Hot(lambda _size: statement)
