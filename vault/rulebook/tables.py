"""The rows of association-wide facts, and the association's own wrapped keys."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from vault.storage.metadata import association_column, metadata

# `sealed` holds the fact's bytes under the association's fact key, bound to kind, key and version.
fact = Table(
    "rulebook_fact",
    metadata,
    association_column(),
    Column("kind", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

association_key = Table(
    "association_key",
    metadata,
    association_column(),
    Column("name", String(32), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# The one row that is read before any key is open: which association a code names.
association = Table(
    "association",
    metadata,
    association_column(),
    Column("code", String(32), nullable=False, unique=True),
)
