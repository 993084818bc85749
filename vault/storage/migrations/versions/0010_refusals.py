"""What was not allowed is found in the log without reading what was."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the entries that refuse or tell of an error."""
    only = sa.text("outcome <> 'allow'")
    columns = ["association_id", "outcome", "number"]
    op.create_index("ix_access_log_entry_not_allowed", "access_log_entry", columns, postgresql_where=only, sqlite_where=only)
