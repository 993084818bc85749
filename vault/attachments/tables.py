"""The rows of scans, of signed forms and of documents: one for each scan, one for each of its chunks."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table

from vault.storage.metadata import association_column, identifier, instant, metadata

# `subject` is empty until a consent or a record cites the scan; `wrapped` is its key, its own until then and the person's afterwards.
# `header` and `about` are empty while the scan is on its way in; `about` is sealed under the key (docs/spec/attachment.md).
evidence = Table(
    "consent_evidence",
    metadata,
    association_column(),
    identifier("evidence", primary_key=True),
    identifier("subject", nullable=True),
    instant("stored_at"),
    Column("wrapped", LargeBinary, nullable=False),
    Column("header", LargeBinary),
    Column("about", LargeBinary),
)
Index("ix_consent_evidence_subject", evidence.c.association_id, evidence.c.subject, evidence.c.stored_at)

chunk = Table(
    "consent_evidence_chunk",
    metadata,
    association_column(),
    identifier("evidence", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
