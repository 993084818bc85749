"""The rows of the access log: the exact bytes that were hashed, a projection of them to ask questions of, tiles, head and checkpoints.

Invariants: `body` is what was hashed and never changes; every other column of an entry, and every row of the two tables beside it, can be
derived from the bodies, and `amanah log verify` does so. The primary key (association, number) is itself the guard against a fork.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql import Select

from vault.storage.metadata import association_column, identifier, instant, metadata
from vault.storage.transaction import Hot, hot

head = Table(
    "access_log_head",
    metadata,
    association_column(),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("law", BigInteger, nullable=False),
    instant("newest"),
    # None where the head was written before there was a MAC: see `head.read`.
    Column("mac", LargeBinary(32)),
)

entry = Table(
    "access_log_entry",
    metadata,
    association_column(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    instant("time"),
    Column("kind", String(40), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("on_behalf", String(64)),
    Column("purpose", String(64)),
    Column("basis", String(24)),
    Column("article", String(48)),
    Column("reason", String(40)),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index("ix_access_log_entry_actor", entry.c.association_id, entry.c.actor, entry.c.number)
Index(
    "ix_access_log_entry_on_behalf",
    entry.c.association_id,
    entry.c.on_behalf,
    entry.c.number,
    postgresql_where=entry.c.on_behalf.is_not(None),
    sqlite_where=entry.c.on_behalf.is_not(None),
)
Index("ix_access_log_entry_kind", entry.c.association_id, entry.c.kind, entry.c.number)
NOT_ALLOWED = entry.c.outcome != literal_column("'allow'")
"""What was not allowed is little, and looked for: a question for it says so in these words, else the index is not taken."""
Index(
    "ix_access_log_entry_not_allowed",
    entry.c.association_id,
    entry.c.outcome,
    entry.c.number,
    postgresql_where=NOT_ALLOWED,
    sqlite_where=NOT_ALLOWED,
)

# One row for each person an entry names; where the entry changed what is known about her, the version and SHA-256 of what it wrote.
subject = Table(
    "access_log_subject",
    metadata,
    association_column(),
    identifier("subject", primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    identifier("record", nullable=True),
    Column("version", BigInteger),
    Column("sheet", LargeBinary(32)),
    Column("event", LargeBinary(32)),
)
Index(
    "ix_access_log_subject_version",
    subject.c.association_id,
    subject.c.subject,
    subject.c.version,
    unique=True,
    postgresql_where=subject.c.version.is_not(None),
    sqlite_where=subject.c.version.is_not(None),
)
Index("ix_access_log_subject_record", subject.c.association_id, subject.c.record, subject.c.number)

# One row for each association-wide fact an entry wrote: its version and the digest of its bytes.
fact = Table(
    "access_log_fact",
    metadata,
    association_column(),
    Column("fact_kind", String(32), primary_key=True),
    Column("fact_key", String(128), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)

tile = Table(
    "access_log_tile",
    metadata,
    association_column(),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

checkpoint = Table(
    "access_log_checkpoint",
    metadata,
    association_column(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)


def newest_version(subject_column: Column[bytes]) -> Select[tuple[int]]:
    """The version of the newest entry that changed what is known about this person, as a correlated subquery."""
    return (
        select(func.max(subject.c.version))
        .where(subject.c.association_id == bindparam("association"), subject.c.subject == subject_column, subject.c.version.is_not(None))
        .correlate(subject_column.table)
    )


def sheet_digest(subject_column: Column[bytes], version_column: Column[int]) -> Select[tuple[bytes]]:
    """SHA-256 of the sheet that the entry of this version wrote, as a correlated subquery."""
    return (
        select(subject.c.sheet)
        .where(
            subject.c.association_id == bindparam("association"),
            subject.c.subject == subject_column,
            subject.c.version == version_column,
        )
        .correlate(subject_column.table)
    )


READ_HEAD = hot(
    select(head.c.size, head.c.frontier, head.c.law, head.c.newest, head.c.mac)
    .where(head.c.association_id == bindparam("association"))
    .with_for_update(),
)
MOVE_HEAD = hot(
    update(head)
    .where(head.c.association_id == bindparam("association"), head.c.size == bindparam("old_size"))
    .values({name: bindparam(f"new_{name}") for name in ("size", "frontier", "law", "newest", "mac")}),
)
ADD_ENTRY = hot(insert(entry).values({column.name: bindparam(f"e_{column.name}") for column in entry.columns}))
ADD_SUBJECT = hot(insert(subject).values({column.name: bindparam(f"s_{column.name}") for column in subject.columns}))
ADD_FACT = hot(insert(fact).values({column.name: bindparam(f"f_{column.name}") for column in fact.columns}))
ADD_TILE = hot(insert(tile).values({column.name: bindparam(f"t_{column.name}") for column in tile.columns}))
LEAVES_FROM = hot(
    select(entry.c.leaf)
    .where(entry.c.association_id == bindparam("association"), entry.c.number >= bindparam("first"), entry.c.number < bindparam("end"))
    .order_by(entry.c.number),
)

__all__ = [
    "ADD_ENTRY",
    "ADD_FACT",
    "ADD_SUBJECT",
    "ADD_TILE",
    "LEAVES_FROM",
    "MOVE_HEAD",
    "READ_HEAD",
    "Hot",
    "checkpoint",
    "entry",
    "fact",
    "head",
    "newest_version",
    "sheet_digest",
    "subject",
    "tile",
]
