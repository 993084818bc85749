"""The rows of a person: her sheet, the events it is folded from, her wrapped data keys, and which record is hers."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, bindparam, insert, select, update

from vault.access_log.tables import newest_version, sheet_digest
from vault.storage.metadata import association_column, identifier, metadata
from vault.storage.transaction import Hot, hot

# `wrapped` is the key of the person's own class `sheet`; `sealed` opens only at this version.
sheet = Table(
    "subject_sheet",
    metadata,
    association_column(),
    identifier("subject", primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

event = Table(
    "subject_event",
    metadata,
    association_column(),
    identifier("subject", primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

data_key = Table(
    "subject_key",
    metadata,
    association_column(),
    identifier("subject", primary_key=True),
    Column("class_id", Integer, primary_key=True, autoincrement=False),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

# An index only: what is true of a record stands in the sheet, and the two are compared before anything opens.
record = Table(
    "subject_record",
    metadata,
    association_column(),
    identifier("record", primary_key=True),
    identifier("subject"),
    Column("type", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("review_month", String(7), nullable=False),
)
Index("ix_subject_record_type", record.c.association_id, record.c.type, record.c.record)
Index("ix_subject_record_subject", record.c.association_id, record.c.subject)

# Which person a consent is in the sheet of; an index likewise.
consent = Table(
    "subject_consent",
    metadata,
    association_column(),
    identifier("consent", primary_key=True),
    identifier("subject"),
    identifier("record"),
)


def _items(size: int) -> list[object]:
    return [bindparam(f"item_{i}") for i in range(size)]


# Sheets with the newest version the log names and the digest it names for the stored one, by record and by person.
_KEPT = (sheet.c.version, sheet.c.wrapped, sheet.c.sealed)
_TOLD = sheet_digest(sheet.c.subject, sheet.c.version).scalar_subquery()
SHEETS_BY_RECORD = Hot(
    lambda size: (
        select(record.c.record, record.c.type, record.c.subject, *_KEPT, newest_version(record.c.subject).scalar_subquery(), _TOLD)
        .select_from(record.outerjoin(sheet, (sheet.c.association_id == record.c.association_id) & (sheet.c.subject == record.c.subject)))
        .where(record.c.association_id == bindparam("association"), record.c.record.in_(_items(size)))
    ),
)
SHEETS_BY_SUBJECT = Hot(
    lambda size: select(sheet.c.subject, *_KEPT, newest_version(sheet.c.subject).scalar_subquery(), _TOLD).where(
        sheet.c.association_id == bindparam("association"),
        sheet.c.subject.in_(_items(size)),
    ),
)
ADD_SHEET = hot(insert(sheet).values({column.name: bindparam(f"s_{column.name}") for column in sheet.columns}))
MOVE_SHEET = hot(
    update(sheet)
    .where(
        sheet.c.association_id == bindparam("association"),
        sheet.c.subject == bindparam("person"),
        sheet.c.version == bindparam("old_version"),
    )
    .values(version=bindparam("new_version"), sealed=bindparam("new_sealed")),
)
GIVE_KEY = hot(
    update(sheet)
    .where(
        sheet.c.association_id == bindparam("association"),
        sheet.c.subject == bindparam("person"),
        sheet.c.version == bindparam("at_version"),
    )
    .values(wrapped=bindparam("new_wrapped")),
)
ADD_EVENT = hot(insert(event).values({column.name: bindparam(f"v_{column.name}") for column in event.columns}))
ADD_KEY = hot(insert(data_key).values({column.name: bindparam(f"k_{column.name}") for column in data_key.columns}))
KEYS = hot(
    select(data_key.c.class_id, data_key.c.wrapped).where(
        data_key.c.association_id == bindparam("association"),
        data_key.c.subject == bindparam("person"),
    ),
)
ADD_RECORD = hot(insert(record).values({column.name: bindparam(f"r_{column.name}") for column in record.columns}))
