"""Every place where a wrapped key lies, how to count them by epoch, and how to put one in the place of another.

Invariants: each place is one table with a column `wrapped` (a test compares the list with the schema); a row is changed only where it still
holds the bytes that were read, so that two workers and the service itself never undo each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, LargeBinary, Row, Table, bindparam, func, literal, literal_column, select, tuple_, update

from keys.cabinet import EVIDENCE_CLASS, FACTS, FACTS_CLASS, SHEET_CLASS
from keys.case_file import CASE_CLASS
from keys.errors import Unopenable
from keys.keyring import AssociationKeys, epoch_of, head_of
from keys.pseudonyms import STUDY_CLASS
from vault.attachments.tables import evidence
from vault.breach_reports.incident_tables import incident_key
from vault.breach_reports.tables import report_key
from vault.rulebook.study_keys import study_key
from vault.rulebook.tables import association_key
from vault.storage.octets import octets
from vault.storage.transaction import Hot, Transaction, hot
from vault.subjects import tables as subjects

AT_ONCE: Final = 500
_HEAD: Final = 6
Stored = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """One table of wrapped keys; `rewrap` gives the same key under the newest epoch, from a row of its key columns and `wrapped`."""

    table: Table
    rewrap: Callable[[AssociationKeys, Stored], bytes]
    move: Hot

    @property
    def own(self) -> list[Column[Any]]:
        """The primary key without the association."""
        return [each for each in self.table.primary_key.columns if each.name != "association_id"]


def _place(table: Table, rewrap: Callable[[AssociationKeys, Stored], bytes]) -> Place:
    key = [each == bindparam(f"k_{each.name}") for each in table.primary_key.columns]
    changed = update(table).where(*key, table.c.wrapped == bindparam("old")).values(wrapped=bindparam("new"))
    return Place(table, rewrap, hot(changed))


def _own(keys: AssociationKeys, row: Stored) -> bytes:
    if row.name == FACTS:
        return keys.rewrap(keys.association, FACTS_CLASS, row.wrapped)
    return keys.rewrap_named(row.name, row.wrapped)


PLACES: Final = (
    _place(association_key, _own),
    _place(subjects.sheet, lambda keys, row: keys.rewrap(row.subject, SHEET_CLASS, row.wrapped)),
    _place(subjects.data_key, lambda keys, row: keys.rewrap(row.subject, row.class_id, row.wrapped)),
    _place(evidence, lambda keys, row: keys.rewrap(row.subject or row.evidence, EVIDENCE_CLASS, row.wrapped)),
    _place(report_key, lambda keys, row: keys.rewrap(row.report, CASE_CLASS, row.wrapped)),
    _place(incident_key, lambda keys, row: keys.rewrap(row.incident, CASE_CLASS, row.wrapped)),
    _place(study_key, lambda keys, row: keys.rewrap(row.study, STUDY_CLASS, row.wrapped)),
)


def name_of(place: Place, row: Stored) -> str:
    """The row in words: its table and its key, random references all."""
    values = (getattr(row, each.name) for each in place.own)
    return " ".join([place.table.name, *(each.hex() if isinstance(each, bytes) else str(each) for each in values)])


def behind(connection: Connection, place: Place, association: bytes, epoch: int, after: Sequence[Any] | None) -> Sequence[Stored]:
    """The next rows, in order, whose key is not wrapped under this epoch: at most 500, in a transaction that will change them.

    On PostgreSQL rows that somebody else is changing are passed over: nobody waits here who holds others.
    """
    own, wrapped = place.own, octets(place.table.c.wrapped)
    beside = [place.table.c.subject] if place.table is evidence else []
    query = select(*(_asked(each) for each in (*own, *beside)), wrapped).where(
        place.table.c.association_id == association, _head(place).is_distinct_from(_bytes(head_of(epoch)))
    )
    if after is not None:
        query = query.where(tuple_(*own) > tuple_(*(literal(value, column.type) for value, column in zip(after, own, strict=True))))
    found: Sequence[Stored] = connection.execute(query.order_by(*own).limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    return found


def left(connection: Connection, place: Place, association: bytes, epoch: int) -> int:
    """How many keys of this table are not wrapped under this epoch, those that others hold at the moment among them."""
    other = _head(place).is_distinct_from(_bytes(head_of(epoch)))
    query = select(func.count()).select_from(place.table).where(place.table.c.association_id == association, other)
    return int(connection.execute(query).scalar_one())


def move(transaction: Transaction, place: Place, association: bytes, rows: Sequence[tuple[Stored, bytes]]) -> int:
    """Put each new wrapped key in the place of the one that was read; how many still were as read."""
    found = [
        {
            "k_association_id": association,
            **{f"k_{each.name}": getattr(row, each.name) for each in place.own},
            "old": row.wrapped,
            "new": new,
        }
        for row, new in rows
    ]
    return place.move.run(transaction, found) if found else 0


def counted(connection: Connection, association: bytes) -> dict[str, dict[int, int]]:
    """How many keys lie wrapped under each epoch, by table; what names no epoch counts under 0."""
    found: dict[str, dict[int, int]] = {}
    for place in PLACES:
        head = _head(place)
        rows = connection.execute(select(head, func.count()).where(place.table.c.association_id == association).group_by(head))
        epochs: dict[int, int] = {}
        for start, count in rows:
            number = _epoch(start)
            epochs[number] = epochs.get(number, 0) + count
        found[place.table.name] = epochs
    return found


def left_below(connection: Connection, association: bytes, below: int) -> dict[str, int]:
    """How many keys name an epoch below this one, or none at all, by table; empty where none does."""
    found = {}
    for table, epochs in counted(connection, association).items():
        if (count := sum(number for epoch, number in epochs.items() if epoch < below)) > 0:
            found[table] = count
    return found


def _asked(column: Column[Any]) -> Any:  # noqa: ANN401 - an SQL expression of the column's type
    return octets(column) if isinstance(column.type, LargeBinary) else column


def _head(place: Place) -> Any:  # noqa: ANN401 - an SQL expression of bytes
    return func.substr(octets(place.table.c.wrapped).element, literal_column("1"), literal_column(str(_HEAD)), type_=LargeBinary)


def _bytes(value: bytes) -> Any:  # noqa: ANN401 - an SQL expression of bytes
    return literal(value, LargeBinary)


def _epoch(head: Any) -> int:  # noqa: ANN401 - SQLite gives whatever lies there
    try:
        return epoch_of(bytes(head).ljust(70, b"\x00"))
    except (Unopenable, TypeError):
        return 0
