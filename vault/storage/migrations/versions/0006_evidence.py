"""Scans of signed forms: a row for each, and a row for each of their sealed chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("consent_evidence", "consent_evidence_chunk")
OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create both tables, behind the second wall on PostgreSQL."""
    op.create_table(
        "consent_evidence",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("evidence", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=16), nullable=True),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=True),
        sa.Column("about", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("association_id", "evidence", name=op.f("pk_consent_evidence")),
    )
    op.create_index("ix_consent_evidence_subject", "consent_evidence", ["association_id", "subject", "stored_at"], unique=False)
    op.create_table(
        "consent_evidence_chunk",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("evidence", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "evidence", "number", name=op.f("pk_consent_evidence_chunk")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY own_association ON {table} USING ({OWN}) WITH CHECK ({OWN})")
