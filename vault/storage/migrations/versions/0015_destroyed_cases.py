"""Sealed parts of a report or an incident may be deleted once the log tells of its tombstone, and not before.

On PostgreSQL the service's role is granted no DELETE on them: it calls `amanah_destroy_case`, which runs as the tables' owner, is held by
the second wall like him, and is stopped by the same trigger.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PARTS = {"breach_report_part": "report", "incident_part": "incident"}
TOLD = """
    EXISTS (SELECT 1 FROM access_log_fact f WHERE f.association_id = OLD.association_id AND f.fact_kind = 'breach_tombstone'
    AND f.fact_key = {id})
"""
DESTROY = """
CREATE OR REPLACE FUNCTION amanah_destroy_case(lost bytea) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DELETE FROM breach_report_part WHERE report = lost
    AND association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'));
    DELETE FROM incident_part WHERE incident = lost
    AND association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'));
$$
"""


def upgrade() -> None:
    """Put a guard that asks the log in the place of the one that refuses every DELETE."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, case in PARTS.items():
        if sqlite:
            op.execute(f"DROP TRIGGER {table}_no_delete")
            when = TOLD.format(id=f"lower(hex(OLD.{case}))")
            op.execute(
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN NOT {when} BEGIN SELECT RAISE(ABORT, 'append-only'); END",
            )
            continue
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION amanah_append_only()")
        op.execute(f"DROP TRIGGER IF EXISTS {table}_destroyed_only ON {table}")
        op.execute(_guard(table, case))
        op.execute(
            f"CREATE TRIGGER {table}_destroyed_only BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION amanah_{table}_destroyed_only()",
        )
    if not sqlite:
        op.execute(DESTROY)


def _guard(table: str, case: str) -> str:
    """The function of one table's trigger: OLD has another column in each."""
    told = TOLD.format(id=f"encode(OLD.{case}, 'hex')")
    return (
        f"CREATE OR REPLACE FUNCTION amanah_{table}_destroyed_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT {told} THEN RAISE EXCEPTION 'append-only'; END IF; RETURN OLD; END $$"
    )
