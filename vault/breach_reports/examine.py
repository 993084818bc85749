"""Holds every row of breach reports against their facts, for `amanah doctor`; opens nothing that anybody wrote.

The facts themselves are held against the log with all others (`vault/rulebook/facts.py`); here is named what beside them was altered,
deleted, inserted or put back.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, select, type_coerce
from sqlalchemy.types import NullType

from keys.cabinet import Cabinet
from keys.case_file import case_key
from keys.errors import Unopenable
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.tables import KIND, part, report, report_key
from vault.errors import Unavailable
from vault.rulebook import facts


def examine(connection: Connection, cabinet: Cabinet, association: bytes) -> list[str]:
    """What does not hold, row by row in words."""
    try:
        stored = facts.read_all(connection, cabinet, association, {KIND}).get(KIND, {})
    except Unavailable:
        return []  # named fact by fact with the rulebook's
    known = {bytes.fromhex(key): msgspec.json.decode(value, type=ReportFact) for key, value in stored.items()}
    return [
        *_index(connection, association, known),
        *_keys(connection, association, cabinet, known),
        *_parts(connection, association, known),
    ]


def _index(connection: Connection, association: bytes, known: dict[bytes, ReportFact]) -> Iterator[str]:
    told = (report.c.reference, report.c.received_at, report.c.state, report.c.receipt_hash)
    rows = _rows(connection, association, report.c.report, *told)
    missing = set(known)
    for id_, *values in rows:
        fact = known.get(id_) if isinstance(id_, bytes) else None
        missing.discard(id_)
        if fact is None:
            yield f"breach_report {_name(id_)}: no report the log knows"
        elif values != [fact.reference, fact.received_at, fact.state, bytes.fromhex(fact.receipt)]:
            yield f"breach_report {_name(id_)}: not what its fact says"
    yield from (f"breach_report {_name(id_)}: missing, and the log knows the report" for id_ in sorted(missing))


def _keys(connection: Connection, association: bytes, cabinet: Cabinet, known: dict[bytes, ReportFact]) -> Iterator[str]:
    missing = set(known)
    for id_, wrapped in _rows(connection, association, report_key.c.report, report_key.c.wrapped):
        missing.discard(id_)
        if id_ not in known:
            yield f"breach_report_key {_name(id_)}: no report the log knows"
            continue
        try:
            case_key(cabinet.keys, id_, wrapped)
        except Unopenable:
            yield f"breach_report_key {_name(id_)}: does not open for its report"
    yield from (f"breach_report_key {_name(id_)}: missing, so the report cannot be read" for id_ in sorted(missing))


def _parts(connection: Connection, association: bytes, known: dict[bytes, ReportFact]) -> Iterator[str]:
    missing = {(id_, number): told.sha256 for id_, fact in known.items() for number, told in enumerate(fact.parts)}
    for id_, number, sealed in _rows(connection, association, part.c.report, part.c.number, part.c.sealed):
        wanted = missing.pop((id_, number), None)
        if wanted is None:
            yield f"breach_report_part {_name(id_)} {number}: no part its report knows"
        elif not isinstance(sealed, bytes) or hashlib.sha256(sealed).hexdigest() != wanted:
            yield f"breach_report_part {_name(id_)} {number}: not what was written"
    yield from (f"breach_report_part {_name(id_)} {number}: missing" for id_, number in sorted(missing))


def _rows(connection: Connection, association: bytes, *columns: Column[Any]) -> list[tuple[Any, ...]]:
    # Read without SQLAlchemy's types: a text where bytes belong shall reach the comparison.
    query = select(*(type_coerce(column, NullType()) for column in columns)).where(columns[0].table.c.association_id == association)
    return [tuple(row) for row in connection.execute(query)]


def _name(id_: object) -> str:
    return id_.hex() if isinstance(id_, bytes) else "?"
