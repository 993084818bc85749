"""Studies: the wrapped key by which the pseudonyms of each are made; behind the second wall like every table."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"


def upgrade() -> None:
    """Create the table, and its wall on PostgreSQL."""
    op.create_table(
        "study_key",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("study", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "study", name=op.f("pk_study_key")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE study_key ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE study_key FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON study_key USING ({OWN}) WITH CHECK ({OWN})")
