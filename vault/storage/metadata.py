"""The one MetaData every room's `tables.py` adds to, and the three column types they use.

Invariant: the first column of every primary key is `association_id` (house test), so that no query can forget whose row it reads.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData

ID_BYTES = 16
OUTLASTS = "outlasts the person"
"""In a table's `info`: its rows name a person's record and are another thing's, so that her erasure leaves them."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)


def association_column() -> Column[bytes]:
    """The leading key column of every table: 16 random bytes that name the association."""
    return Column("association_id", LargeBinary(ID_BYTES), primary_key=True)


def identifier(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[bytes]:
    """A column of 16 random bytes."""
    return Column(name, LargeBinary(ID_BYTES), primary_key=primary_key, nullable=nullable and not primary_key)


def instant(name: str, *, nullable: bool = False) -> Column[int]:
    """A column of microseconds UTC."""
    return Column(name, BigInteger, nullable=nullable)
