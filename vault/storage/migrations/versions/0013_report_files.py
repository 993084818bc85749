"""Files that come with breach reports: their sealed chunks, and what is on its way in; behind the second wall like every table."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("breach_report_chunk", "breach_report_upload")
OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create both tables, and their wall on PostgreSQL."""
    op.create_table(
        "breach_report_chunk",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("file", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "file", "number", name=op.f("pk_breach_report_chunk")),
    )
    op.create_table(
        "breach_report_upload",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("file", sa.LargeBinary(length=16), nullable=False),
        sa.Column("report", sa.LargeBinary(length=16), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "file", name=op.f("pk_breach_report_upload")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY own_association ON {table} USING ({OWN}) WITH CHECK ({OWN})")
