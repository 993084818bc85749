"""Incidents: the wrapped key of each and its sealed parts; parts are only ever added to.

On PostgreSQL they stand behind the second wall like all others (0002).
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"
ADDED_TO = "incident_part"
TABLES = ("incident_key", "incident_part")


def upgrade() -> None:
    """Make the two tables and guard them."""
    op.create_table(
        "incident_key",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("incident", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "incident", name=op.f("pk_incident_key")),
    )
    op.create_table(
        "incident_part",
        sa.Column("association_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("incident", sa.LargeBinary(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("association_id", "incident", "number", name=op.f("pk_incident_part")),
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
