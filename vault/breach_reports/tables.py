"""The rows of breach reports: an index, the wrapped key of each case, and its sealed parts.

Invariant: none of these rows is believed: what they say is held against the case's fact, which the log names by its digest.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, func, insert, select, update

from vault.access_log.deed import Deed
from vault.storage.metadata import association_column, identifier, instant, metadata

KIND = "breach_report"

report = Table(
    "breach_report",
    metadata,
    association_column(),
    identifier("report", primary_key=True),
    Column("reference", String(16), nullable=False),
    instant("received_at"),
    Column("state", String(16), nullable=False),
    Column("receipt_hash", LargeBinary(32), nullable=False),
)
Index("ix_breach_report_reference", report.c.association_id, report.c.reference, unique=True)
Index("ix_breach_report_receipt_hash", report.c.association_id, report.c.receipt_hash, unique=True)
Index("ix_breach_report_state", report.c.association_id, report.c.state)
Index("ix_breach_report_received_at", report.c.association_id, report.c.received_at, report.c.report)

report_key = Table(
    "breach_report_key",
    metadata,
    association_column(),
    identifier("report", primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# Only ever added to; a part without its key is noise.
part = Table(
    "breach_report_part",
    metadata,
    association_column(),
    identifier("report", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)


def add(deed: Deed, report_: bytes, reference: str, *, state: str, receipt_hash: bytes, wrapped: bytes) -> None:
    """Insert the index row and the key of a new report."""
    connection, association = deed.transaction.connection, deed.association
    connection.execute(
        insert(report).values(
            association_id=association,
            report=report_,
            reference=reference,
            received_at=deed.now,
            state=state,
            receipt_hash=receipt_hash,
        ),
    )
    connection.execute(insert(report_key).values(association_id=association, report=report_, wrapped=wrapped))


def add_part(deed: Deed, report_: bytes, number: int, sealed: bytes) -> None:
    """Insert one sealed part."""
    values = {"association_id": deed.association, "report": report_, "number": number, "sealed": sealed}
    deed.transaction.connection.execute(insert(part).values(values))


def move(deed: Deed, report_: bytes, state: str) -> None:
    """Note the state in the index."""
    place = (report.c.association_id == deed.association, report.c.report == report_)
    deed.transaction.connection.execute(update(report).where(*place).values(state=state))


def give_receipt(deed: Deed, report_: bytes, receipt_hash: bytes) -> None:
    """Note under which keyed hash the report's receipt is found from now on."""
    place = (report.c.association_id == deed.association, report.c.report == report_)
    deed.transaction.connection.execute(update(report).where(*place).values(receipt_hash=receipt_hash))


def lying(deed: Deed, state: str, most: int) -> int:
    """How many reports are in this state, counted no further than `most`."""
    here = select(report.c.state).where(report.c.association_id == deed.association, report.c.state == state).limit(most).subquery()
    return int(deed.transaction.connection.execute(select(func.count()).select_from(here)).scalar_one())


def has_reference(deed: Deed, reference: str) -> bool:
    """Say whether a report has this reference."""
    place = (report.c.association_id == deed.association, report.c.reference == reference)
    return deed.transaction.connection.execute(select(report.c.report).where(*place)).first() is not None


def of_receipt(deed: Deed, receipt_hash: bytes) -> bytes | None:
    """The id of the report the index has under this keyed hash, None for none."""
    place = (report.c.association_id == deed.association, report.c.receipt_hash == receipt_hash)
    found = deed.transaction.connection.execute(select(report.c.report).where(*place)).scalar()
    return None if found is None else bytes(found)


def wrapped_key(deed: Deed, report_: bytes) -> bytes | None:
    """The wrapped key of a report, None where there is none (any more)."""
    place = (report_key.c.association_id == deed.association, report_key.c.report == report_)
    found = deed.transaction.connection.execute(select(report_key.c.wrapped).where(*place)).scalar()
    return found if isinstance(found, bytes) else None


def parts(deed: Deed, report_: bytes, numbers: Sequence[int]) -> dict[int, bytes]:
    """The sealed parts with these numbers that are there."""
    place = (part.c.association_id == deed.association, part.c.report == report_, part.c.number.in_(numbers))
    rows = deed.transaction.connection.execute(select(part.c.number, part.c.sealed).where(*place))
    return {row.number: row.sealed for row in rows if isinstance(row.sealed, bytes)}
