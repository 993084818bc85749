"""The rows of files that come with reports: their sealed chunks, and a row for each that is on its way in.

Invariant: none of them is believed; what a file is, the report's fact says.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table, delete, insert, select

from vault.access_log.deed import Deed
from vault.storage.metadata import association_column, identifier, instant, metadata
from vault.storage.octets import octets

chunk = Table(
    "breach_report_chunk",
    metadata,
    association_column(),
    identifier("file", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

# Gone as soon as the file is a report's or was dropped; what a crash leaves here goes after a day.
upload = Table(
    "breach_report_upload",
    metadata,
    association_column(),
    identifier("file", primary_key=True),
    identifier("report"),
    instant("begun_at"),
)


def begin(deed: Deed, file: bytes, report: bytes) -> None:
    """Note a file that is on its way to a report."""
    deed.transaction.connection.execute(insert(upload).values(association_id=deed.association, file=file, report=report, begun_at=deed.now))


def add(deed: Deed, file: bytes, first: int, sealed: Iterable[bytes]) -> None:
    """Add the next chunks of a file, the first of them under this number."""
    rows = [
        {"association_id": deed.association, "file": file, "number": number, "sealed": each} for number, each in enumerate(sealed, first)
    ]
    if rows:
        deed.transaction.connection.execute(insert(chunk), rows)


def end(deed: Deed, file: bytes) -> bool:
    """Note that a file is no longer on its way; whether it was."""
    place = (upload.c.association_id == deed.association, upload.c.file == file)
    return deed.transaction.connection.execute(delete(upload).where(*place)).rowcount == 1


def drop(deed: Deed, file: bytes) -> None:
    """Delete the chunks of a file, and that it is on its way."""
    end(deed, file)
    deed.transaction.connection.execute(delete(chunk).where(chunk.c.association_id == deed.association, chunk.c.file == file))


def old(deed: Deed, before: int, most: int) -> Sequence[tuple[bytes, bytes]]:
    """Files (and their reports) that began to come before this moment and never ended."""
    place = (upload.c.association_id == deed.association, upload.c.begun_at <= before)
    rows = deed.transaction.connection.execute(select(upload.c.file, upload.c.report).where(*place).limit(most))
    return [(bytes(row.file), bytes(row.report)) for row in rows]


def files(connection: Connection, association: bytes) -> list[bytes]:
    """The files that have a chunk."""
    query = select(octets(chunk.c.file)).where(chunk.c.association_id == association).distinct()
    return [file for (file,) in connection.execute(query)]


def digest(connection: Connection, association: bytes, file: bytes, header: bytes) -> tuple[str, int]:
    """SHA-256 over header and chunks in order, and how many there are; none where their numbers are not those from 0 on."""
    whole, count = sha256(header), 0
    query = select(chunk.c.number, octets(chunk.c.sealed)).where(chunk.c.association_id == association, chunk.c.file == file)
    with connection.execute(query.order_by(chunk.c.number), execution_options={"yield_per": 16}) as rows:
        for number, sealed in rows:
            if number != count:
                return "", 0
            whole.update(sealed)
            count += 1
    return whole.hexdigest(), count


def chunks(deed: Deed, file: bytes) -> list[bytes]:
    """The sealed chunks of a file in order; none where their numbers are not those from 0 on."""
    rows = select(chunk.c.number, chunk.c.sealed).where(chunk.c.association_id == deed.association, chunk.c.file == file)
    found = deed.transaction.connection.execute(rows.order_by(chunk.c.number)).all()
    return [row.sealed for row in found] if [row.number for row in found] == list(range(len(found))) else []
