"""Letters about breaches that wait to leave: when each is looked at, and until when a process has it in hand; behind the second wall."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = "notice_outbox"
OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create the table, and its wall on PostgreSQL."""
    op.create_table(
        TABLE,
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("letter", sa.LargeBinary(length=16), nullable=False),
        sa.Column("incident", sa.LargeBinary(length=16), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "letter", name=op.f("pk_notice_outbox")),
    )
    op.create_index("ix_notice_outbox_due", TABLE, ["association_id", "due"])
    op.create_index("ix_notice_outbox_notice", TABLE, ["association_id", "incident", "notice", "letter"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON {TABLE} USING ({OWN}) WITH CHECK ({OWN})")
