"""Breach reports: an index, the wrapped key of each case, its sealed parts; parts are only ever added to.

On PostgreSQL they stand behind the second wall like all others (0002).
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"
ADDED_TO = "breach_report_part"
TABLES = ("breach_report", "breach_report_key", "breach_report_part")


def upgrade() -> None:
    """Make the three tables and guard them."""
    op.create_table(
        "breach_report",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("report", sa.LargeBinary(length=16), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("receipt_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "report", name=op.f("pk_breach_report")),
    )
    op.create_index("ix_breach_report_reference", "breach_report", ["association_id", "reference"], unique=True)
    op.create_index("ix_breach_report_receipt_hash", "breach_report", ["association_id", "receipt_hash"], unique=True)
    op.create_index("ix_breach_report_received_at", "breach_report", ["association_id", "received_at", "report"], unique=False)
    op.create_table(
        "breach_report_key",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("report", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "report", name=op.f("pk_breach_report_key")),
    )
    op.create_table(
        "breach_report_part",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("report", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "report", "number", name=op.f("pk_breach_report_part")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {ADDED_TO}_no_{deed.lower()} BEFORE {deed} ON {ADDED_TO} BEGIN SELECT RAISE(ABORT, 'append-only'); END",
            )
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON {table} USING ({OWN}) WITH CHECK ({OWN})")
    for name, deed in (("append_only", "UPDATE OR DELETE ON {} FOR EACH ROW"), ("no_truncate", "TRUNCATE ON {} FOR EACH STATEMENT")):
        op.execute(f"CREATE TRIGGER {ADDED_TO}_{name} BEFORE {deed.format(ADDED_TO)} EXECUTE FUNCTION amanah_append_only()")
