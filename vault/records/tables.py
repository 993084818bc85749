"""The rows of records: a sealed container for each class, replaced as a whole at every revision, and the tokens to find one by."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, bindparam, delete, insert, literal_column, select, update

from keys.container import Place, Sealed
from vault.errors import Unavailable
from vault.records.shelf import Whole
from vault.storage.metadata import association_column, identifier, metadata
from vault.storage.transaction import Hot, Transaction, hot
from vault.subjects.sheet import RecordState
from vault.subjects.tables import data_key
from vault.subjects.tables import record as place

container = Table(
    "record_container",
    metadata,
    association_column(),
    identifier("record", primary_key=True),
    Column("class_id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("container", LargeBinary, nullable=False),
)

# What a record is found by, format docs/spec/blind-index.md: `token` is the index version before the truncated token, `proof` the check
# under the person's own key. Which rows of a record count stands in the person's sheet.
token = Table(
    "record_token",
    metadata,
    association_column(),
    identifier("record", primary_key=True),
    Column("field_id", Integer, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
Index("ix_record_token_token", token.c.association_id, token.c.field_id, token.c.token)

ADD_CONTAINER = hot(insert(container).values({column.name: bindparam(f"c_{column.name}") for column in container.columns}))
MOVE_CONTAINER = hot(
    update(container)
    .where(
        container.c.association_id == bindparam("association"),
        container.c.record == bindparam("which"),
        container.c.class_id == bindparam("kind"),
    )
    .values(revision=bindparam("new_revision"), container=bindparam("new_container")),
)
MOVE_RECORD = hot(
    update(place)
    .where(place.c.association_id == bindparam("association"), place.c.record == bindparam("which"))
    .values(revision=bindparam("new_revision")),
)
ADD_TOKEN = hot(insert(token).values({column.name: bindparam(f"t_{column.name}") for column in token.columns}))
DROP_TOKEN = hot(
    delete(token).where(
        token.c.association_id == bindparam("association"), token.c.record == bindparam("which"), token.c.field_id == bindparam("field")
    ),
)
TOKENS = Hot(
    lambda size: (
        select(token.c.record, token.c.field_id, token.c.token, token.c.proof)
        .where(token.c.association_id == bindparam("association"), token.c.record.in_([bindparam(f"item_{i}") for i in range(size)]))
        .order_by(token.c.record, token.c.field_id)
    ),
)
MOST_CANDIDATES: Final = 5_000
"""Rows with the tokens of one value that are looked at: what a search costs others has an end."""
# Rows of one field with one of these tokens, one more than are looked at; then whose those records are, with the wrapped key that their
# checks were made under. Two statements, no order: joined or sorted, a database that knows no statistics walks along all records instead.
CANDIDATES = Hot(
    lambda size: (
        select(token.c.record, token.c.token, token.c.proof)
        .where(
            token.c.association_id == bindparam("association"),
            token.c.field_id == bindparam("field"),
            token.c.token.in_([bindparam(f"item_{i}") for i in range(size)]),
        )
        .limit(literal_column(str(MOST_CANDIDATES + 1)))
        .offset(literal_column("0"))
    ),
)
OWNERS = Hot(
    lambda size: (
        select(place.c.record, place.c.subject, data_key.c.wrapped)
        .select_from(
            place.join(
                data_key,
                (data_key.c.association_id == place.c.association_id)
                & (data_key.c.subject == place.c.subject)
                & (data_key.c.class_id == bindparam("class_id")),
            ),
        )
        .where(
            place.c.association_id == bindparam("association"),
            place.c.type == bindparam("type"),
            place.c.record.in_([bindparam(f"item_{i}") for i in range(size)]),
        )
    ),
)
# The smallest ids: they are random, so that the last of them tells how many there are.
SMALLEST = hot(
    select(place.c.record)
    .where(place.c.association_id == bindparam("association"))
    .order_by(place.c.record)
    .limit(literal_column("32"))
    .offset(literal_column("0")),
)
# Containers with the wrapped keys that open them, for many records at once.
SEALED = Hot(
    lambda size: (
        select(
            container.c.record,
            container.c.class_id,
            container.c.container,
            data_key.c.key_version,
            data_key.c.wrapped,
        )
        .select_from(
            place.join(container, (container.c.association_id == place.c.association_id) & (container.c.record == place.c.record)).join(
                data_key,
                (data_key.c.association_id == place.c.association_id)
                & (data_key.c.subject == place.c.subject)
                & (data_key.c.class_id == container.c.class_id),
            ),
        )
        .where(place.c.association_id == bindparam("association"), place.c.record.in_([bindparam(f"item_{i}") for i in range(size)]))
    ),
)


def sealed(transaction: Transaction, whole: Whole, state: RecordState) -> list[Sealed]:
    """Every container of one record at its present revision, beside the key that opens it. Raises Unavailable `integrity`."""
    found = []
    for _, class_id, content, key_version, wrapped in SEALED.rows(transaction, {"association": whole.association}, [whole.record]):
        salt = state.salts.get(str(class_id))
        if salt is None:
            raise Unavailable("integrity")
        at = Place(whole.association, whole.subject, whole.record, class_id, key_version, state.revision, state.schema)
        found.append(Sealed(at, wrapped, content, bytes.fromhex(salt), {}))
    if len(found) != len(state.salts):
        raise Unavailable("integrity")
    return found
