"""What past recipients are to be told of waits in an outbox, behind the second wall like every table."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create the table, its index, and its wall on PostgreSQL."""
    op.create_table(
        "recall_outbox",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("recall", sa.LargeBinary(length=16), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "recall", name=op.f("pk_recall_outbox")),
    )
    op.create_index("ix_recall_outbox_due", "recall_outbox", ["association_id", "recipient", "due"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE recall_outbox ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE recall_outbox FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON recall_outbox USING ({OWN}) WITH CHECK ({OWN})")
