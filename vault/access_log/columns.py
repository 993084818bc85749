"""Holds every column and every row beside an entry against the bytes that were hashed.

Invariants: what an officer is shown, and what a decision joins to, is exactly what the bodies say, both ways: nothing altered, nothing
missing, nothing more; and the bodies allow nothing that an earlier one closed. A stored value of a foreign type is a finding, never an
error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Column, Connection, Table, select, type_coerce
from sqlalchemy.types import NullType

from vault.access_log import tables
from vault.access_log.closed import Closed
from vault.access_log.deed import CLOCK_TOLERANCE
from vault.access_log.entry import RELEASES, SHOWINGS, EntryRefused, Stored, body, parse, projection
from vault.access_log.findings import Findings

NAMES = ("time", "kind", "outcome", "actor", "on_behalf", "purpose", "basis", "article", "reason")
OUTCOMES = frozenset({"allow", "refuse", "error"})
_STREAMED = {"yield_per": 4096}
_INTEGERS_END = 1 << 53
_TEXTS = (
    "on_behalf",
    "purpose",
    "recipient",
    "basis",
    "article",
    "law",
    "reason",
    "order",
    "request",
    "evidence",
    "agreement",
    "predicate",
)

Beside = tuple[object, ...]


class RowsBeside:
    """The rows of a table beside the entries, in the order of their entries, read as the driver gives them."""

    def __init__(self, connection: Connection, association: bytes, table: Table, names: Sequence[str]) -> None:
        """Begin to read the named columns; the first is the entry's number."""
        # Read without SQLAlchemy's types: a text where bytes belong shall reach the comparison.
        columns: list[Column[Any]] = [table.c[name] for name in names]
        query = (
            select(*(type_coerce(column, NullType()) for column in columns))
            .where(table.c.association_id == association)
            .order_by(columns[0])
        )
        self._rows: Iterator[Beside] = (tuple(row) for row in connection.execute(query, execution_options=_STREAMED))
        self._next = next(self._rows, None)

    def until(self, end: int | None) -> set[Beside]:
        """The rows not read yet that belong to entries before `end`, and those whose number is none; all that is left for None."""
        found = set()
        while self._next is not None:
            number = self._next[0]
            if end is not None and isinstance(number, int) and number >= end:
                break
            found.add(self._next)
            self._next = next(self._rows, None)
        return found


@dataclass(slots=True)
class Columns:
    """Walks along the entries in order and notes what beside the bytes does not say what the bytes say."""

    findings: Findings
    subjects: RowsBeside
    facts: RowsBeside
    closed: Closed
    deep: bool = False
    law: int | None = None
    newest: int | None = None
    _latest: int = 0
    _counters: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection, association: bytes, findings: Findings, *, deep: bool) -> Self:
        """Begin at the first entry; `deep` as `verify` takes it."""
        subjects = RowsBeside(connection, association, tables.subject, ("number", "subject", "record", "version", "sheet", "event"))
        facts = RowsBeside(connection, association, tables.fact, ("number", "fact_kind", "fact_key", "version", "digest"))
        return cls(findings, subjects, facts, Closed(findings), deep)

    def check(self, rows: Sequence[tuple[Any, ...]], end: int | None) -> None:
        """Hold rows (number, leaf, body, then the columns of `NAMES`) and all beside entries before `end` against the bodies."""
        subjects: set[Beside] = set()
        facts: set[Beside] = set()
        for number, _, encoded, *columns in rows:
            if not isinstance(encoded, bytes):
                continue
            try:
                stored = parse(encoded)
                subjects |= {(number, about.subject, about.record, about.version, about.sheet, about.event) for about in stored.entry.about}
                facts |= {(number, fact.kind, fact.key, fact.version, fact.digest) for fact in stored.entry.facts}
                self._entry(number, stored, columns)
                self.closed.hold(number, stored)
                if self.deep and isinstance(number, int) and number >= 0:
                    self._deep(number, stored, encoded)
            except (EntryRefused, TypeError, RecursionError):
                # TypeError: JSON of other types than an entry has, which does not compare.
                self.findings.note(number, "its bytes are no entry")
        self._beside("person", subjects, self.subjects.until(end))
        self._beside("fact", facts, self.facts.until(end))

    def _entry(self, number: int, stored: Stored, columns: list[Any]) -> None:
        self._columns(number, stored, columns)
        self.newest = stored.time
        if stored.moves_law:
            self.law = number

    def _columns(self, number: object, stored: Stored, columns: list[Any]) -> None:
        said = projection(stored.entry, time=stored.time)
        for name, value in zip(NAMES, columns, strict=True):
            if value != said[name]:
                self.findings.note(number, f"the column {name} does not say what was hashed")

    def _beside(self, what: str, said: set[Beside], stored: set[Beside]) -> None:
        for row in said - stored:
            self.findings.note(row[0], f"a row beside it that tells of a {what} it names is missing or changed")
        for row in stored - said:
            self.findings.note(row[0], f"a row beside it tells of a {what} that its bytes do not name")

    def _deep(self, number: object, stored: Stored, encoded: bytes) -> None:
        entry = stored.entry
        if not _canonical(stored, encoded):
            self.findings.note(number, "its bytes are not in canonical form")
            return
        if self._counters.setdefault(stored.writer, 0) != stored.counter:
            self.findings.note(number, "its writer's count has a gap: an entry before it was lost")
        self._counters[stored.writer] = stored.counter + 1
        if entry.outcome not in OUTCOMES:
            self.findings.note(number, "its outcome is none there is")
        if entry.kind in RELEASES | SHOWINGS and entry.outcome == "allow" and entry.basis in {None, "", "none"}:
            self.findings.note(number, "a value was released without a basis")
        if stored.time + CLOCK_TOLERANCE < self._latest:
            self.findings.note(number, "its time lies before that of earlier entries")
        self._latest = max(self._latest, stored.time)


def _of_form(stored: Stored) -> bool:
    entry = stored.entry
    numbers = (entry.count, *(about.version for about in entry.about))
    whole = (stored.time, stored.counter, *(fact.version for fact in entry.facts), *(one for one in numbers if one is not None))
    given = tuple(getattr(entry, name) for name in _TEXTS)
    texts = (stored.writer, entry.kind, entry.outcome, entry.actor, *entry.fields, *entry.consents, *entry.flags)
    return (
        # By type, not isinstance: true and false are integers to Python and none to JSON.
        all(type(number) is int and 0 <= number < _INTEGERS_END for number in whole)
        and all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in given)
        and all(isinstance(part, str) for fact in entry.facts for part in (fact.kind, fact.key))
    )


def _canonical(stored: Stored, encoded: bytes) -> bool:
    if not _of_form(stored):
        return False
    try:
        again = body(
            stored.entry,
            time=stored.time,
            nonce=stored.nonce,
            writer=stored.writer,
            counter=stored.counter,
            moves_law=stored.moves_law,
            closes=stored.closes or None,  # type: ignore[arg-type]  # of another length it is not canonical, and that is found
        )
    except (EntryRefused, TypeError, ValueError, AttributeError):
        return False
    return again == encoded
