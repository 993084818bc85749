"""Holds every row of breach reports against their facts, for `amanah doctor`; opens nothing that anybody wrote.

The facts themselves are held against the log with all others (`vault/rulebook/facts.py`); here is named what beside them was altered,
deleted, inserted or put back.
"""

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from keys.case_file import case_key
from keys.errors import Unopenable
from vault.breach_reports import file_tables, index
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.tables import part, report_key
from vault.errors import Unavailable


def examine(connection: Connection, cabinet: Cabinet, association: bytes) -> list[str]:
    """What does not hold, row by row in words."""
    try:
        known = index.known(connection, cabinet, association)
    except Unavailable:
        return []  # named fact by fact with the rulebook's
    return [
        *index.differences(connection, association, known),
        *_keys(connection, association, cabinet, known),
        *_parts(connection, association, known),
        *_files(connection, association, known),
    ]


def _keys(connection: Connection, association: bytes, cabinet: Cabinet, known: dict[bytes, ReportFact]) -> Iterator[str]:
    missing = set(known)
    for id_, wrapped in index.rows(connection, association, report_key.c.report, report_key.c.wrapped):
        missing.discard(id_)
        if id_ not in known:
            yield f"breach_report_key {index.name(id_)}: no report the log knows"
            continue
        try:
            case_key(cabinet.keys, id_, wrapped)
        except Unopenable:
            yield f"breach_report_key {index.name(id_)}: does not open for its report"
    yield from (f"breach_report_key {index.name(id_)}: missing, so the report cannot be read" for id_ in sorted(missing))


def _parts(connection: Connection, association: bytes, known: dict[bytes, ReportFact]) -> Iterator[str]:
    missing = {(id_, number): told.sha256 for id_, fact in known.items() for number, told in enumerate(fact.parts)}
    # By and by: what came by mail is large, and all of it together does not fit into memory.
    for id_, number, sealed in index.rows_by_and_by(connection, association, part.c.report, part.c.number, part.c.sealed):
        wanted = missing.pop((id_, number), None)
        if wanted is None:
            yield f"breach_report_part {index.name(id_)} {number}: no part its report knows"
        elif not isinstance(sealed, bytes) or hashlib.sha256(sealed).hexdigest() != wanted:
            yield f"breach_report_part {index.name(id_)} {number}: not what was written"
    yield from (f"breach_report_part {index.name(id_)} {number}: missing" for id_, number in sorted(missing))


def _files(connection: Connection, association: bytes, known: dict[bytes, ReportFact]) -> Iterator[str]:
    named = {bytes.fromhex(file.id): file for fact in known.values() for file in fact.files}
    coming = {file for (file,) in index.rows(connection, association, file_tables.upload.c.file)}
    for file in file_tables.files(connection, association):
        if file not in named:
            if file not in coming:
                yield f"breach_report_chunk {index.name(file)}: of no file a report knows"
            continue
        told = named.pop(file)
        if file_tables.digest(connection, association, file, bytes.fromhex(told.header)) != (told.sha256, told.chunks):
            yield f"breach_report_chunk {index.name(file)}: not what was brought"
    yield from (f"breach_report_chunk {index.name(file)}: missing" for file in sorted(named))
