"""The head of the log stands under a MAC, so that nobody who holds the rows can say that the law did not move (ADR 0048).

A head written before has none; the first deed that meets it moves the law and seals it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the keys that seal are not at hand here."""
    op.add_column("access_log_head", sa.Column("mac", sa.LargeBinary(length=32), nullable=True))
