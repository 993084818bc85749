"""The index from records to the orders that name them, behind the second wall like every table."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create the table, and its wall on PostgreSQL."""
    op.create_table(
        "order_record",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.Column("order_id", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "record", "order_id", name=op.f("pk_order_record")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE order_record ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE order_record FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON order_record USING ({OWN}) WITH CHECK ({OWN})")
