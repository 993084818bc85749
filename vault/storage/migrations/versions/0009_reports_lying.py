"""Reports in one state are counted without reading the others: what lies unseen has an end."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index reports by their state."""
    op.create_index("ix_breach_report_state", "breach_report", ["association_id", "state"])
