"""What a unit of work holds: one open transaction, the moment it runs at, and statements compiled once.

A `Hot` statement is written in SQLAlchemy Core, compiled to SQL text once for each dialect and length of its list (at most 512), and run on
the driver connection of the same transaction: the same rows, a third of the time (ADR 0003). Values go in and come out as the driver gives
them, so columns of hot statements are bytes, integers and text only. On SQLite rows are added many to a statement: its driver gives up
Python's lock at each step, and the event loop takes it; PostgreSQL's sends rows one after the other without waiting and is quicker so (ADR
0019).
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]
_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_MOST_ADDED = 64
_ADDING = re.compile(r"(INSERT INTO .* VALUES )(\(.*\))", re.DOTALL)


@dataclass(slots=True)
class Gathered:
    """Rows held back in the order they were added: the first `written` of all that ever were are in the database, `rows` wait."""

    written: int = 0
    rows: list[tuple["Hot", Mapping[str, Any]]] = field(default_factory=list)

    def mark(self) -> int:
        """Where it stands, to come back to."""
        return self.written + len(self.rows)

    def rewind(self, mark: int) -> None:
        """Forget what was added after the mark. Raises ValueError where some of it is in the database already."""
        if mark < self.written:
            raise ValueError("what is written is not forgotten")
        del self.rows[mark - self.written :]


@dataclass(slots=True)
class Transaction:
    """One open transaction; `now` is microseconds UTC and the same for every unit in it."""

    connection: Connection
    now: int
    gathered: Gathered | None = None

    @contextmanager
    def gathering(self) -> Iterator[Gathered]:
        """Hold back the rows that hot statements add; before one reads or changes anything, and at the end, they are written together.

        Core statements do not know of them: who gathers sends none to the tables it adds to.
        """
        self.gathered = Gathered()
        try:
            yield self.gathered
            self.write_gathered()
        finally:
            self.gathered = None

    def write_gathered(self) -> None:
        """Write what is held back, statement after statement in the order each was first used."""
        held = self.gathered
        if held is None or not held.rows:
            return
        by_statement: dict[int, tuple[Hot, list[Mapping[str, Any]]]] = {}
        for statement, row in held.rows:
            by_statement.setdefault(id(statement), (statement, []))[1].append(row)
        held.written, held.rows, self.gathered = held.mark(), [], None
        for statement, rows in by_statement.values():
            statement.run(self, rows)
        self.gathered = held

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


@dataclass(frozen=True, slots=True)
class _Adding:
    """An INSERT of plain values: what stands before the row, the row with a mark for each value, and the values' names in their order."""

    head: str
    row: str
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    order: tuple[str, ...] | None
    adding: _Adding | None


@dataclass(slots=True)
class Hot:
    """A statement compiled once; `build(n)` gives the Core statement for a list of n values named item_0 … item_{n-1}."""

    build: Callable[[int], Executable]
    _compiled: dict[tuple[str, int], _Compiled] = field(default_factory=dict)

    def rows(self, transaction: Transaction, parameters: Mapping[str, Any], items: Sequence[Any] = ()) -> list[Row]:
        """Every row for these parameters; a list is padded with its last value to the next length compiled.

        A list of more than 512 is asked for in parts, each value once, so that no statement outgrows what a database takes: what the
        statement orders is ordered within each part.
        """
        transaction.write_gathered()
        if len(items) <= _LENGTHS[-1]:
            return self._rows(transaction, parameters, items)
        each = list(dict.fromkeys(items))
        parts = (each[at : at + _LENGTHS[-1]] for at in range(0, len(each), _LENGTHS[-1]))
        return [row for part in parts for row in self._rows(transaction, parameters, part)]

    def _rows(self, transaction: Transaction, parameters: Mapping[str, Any], items: Sequence[Any]) -> list[Row]:
        """The rows for a list no longer than the longest compiled."""
        size = next(n for n in _LENGTHS if n >= len(items)) if items else 0
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
        """Run the statement once for each row of parameters; returns how many rows it touched, or will touch where they are held back."""
        compiled = self._for(transaction, 0)
        if compiled.adding is not None:
            given = list(rows)
            if transaction.gathered is not None:
                transaction.gathered.rows += [(self, row) for row in given]
                return len(given)
            if compiled.order is not None:
                return _add(transaction, compiled.adding, given)
            rows = given
        else:
            transaction.write_gathered()
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
            adding = _adding(str(compiled), order)
            found = self._compiled[key] = _Compiled(str(compiled), order, adding)
        return found


def _adding(text: str, order: tuple[str, ...] | None) -> _Adding | None:
    found = _ADDING.fullmatch(text)
    return None if found is None else _Adding(found[1], found[2], order or ())


def _add(transaction: Transaction, adding: _Adding, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the rows in as few statements as there are lengths of them; how many were added."""
    added = 0
    for some in _portions(rows):
        text = adding.head + ", ".join([adding.row] * len(some))
        values = [row[name] for row in some for name in adding.order]
        added += transaction.driver.execute(text, values).rowcount
    return added


def _portions(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Cut the rows into lengths of which there are few, so that each statement is prepared once."""
    if len(rows) == 1:
        yield rows
        return
    at = 0
    while at < len(rows):
        size = max(n for n in _LENGTHS if n <= min(len(rows) - at, _MOST_ADDED))
        yield rows[at : at + size]
        at += size


def hot(statement: Executable) -> Hot:
    """A hot statement without a list."""
    return Hot(lambda _size: statement)
