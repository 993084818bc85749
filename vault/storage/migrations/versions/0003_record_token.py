"""Tokens and checks to find records by, format docs/spec/blind-index.md; on PostgreSQL behind the second wall like every table."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As in 0002: the subquery is reckoned once for a statement, not once for a row.
OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create the table and its wall."""
    op.create_table(
        "record_token",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.Column("field_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "record", "field_id", name=op.f("pk_record_token")),
    )
    op.create_index("ix_record_token_token", "record_token", ["association_id", "field_id", "token"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE record_token ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE record_token FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON record_token USING ({OWN}) WITH CHECK ({OWN})")
