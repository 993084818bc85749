"""Events of a person may be deleted once the log tells of her erasure, and not before.

On PostgreSQL the service's role is granted no DELETE on them: it calls `amanah_forget`, which runs as the tables' owner, is held by the
second wall like him, and is stopped by the same trigger.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ERASED = """
    EXISTS (SELECT 1 FROM access_log_subject s WHERE s.association_id = OLD.association_id AND s.subject = OLD.subject
    AND s.version IS NOT NULL AND s.sheet IS NULL)
"""
GUARD = f"""
CREATE FUNCTION amanah_erased_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT {ERASED} THEN RAISE EXCEPTION 'append-only'; END IF;
    RETURN OLD;
END $$
"""
FORGET = """
CREATE FUNCTION amanah_forget(person bytea) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DELETE FROM subject_event WHERE subject = person
    AND association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))
$$
"""


def upgrade() -> None:
    """Put the guard that asks the log in the place of the one that refuses every DELETE."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER subject_event_no_delete")
        op.execute(
            f"CREATE TRIGGER subject_event_no_delete BEFORE DELETE ON subject_event WHEN NOT {ERASED} "
            "BEGIN SELECT RAISE(ABORT, 'append-only'); END",
        )
        return
    op.execute("DROP TRIGGER subject_event_append_only ON subject_event")
    op.execute(
        "CREATE TRIGGER subject_event_append_only BEFORE UPDATE ON subject_event FOR EACH ROW EXECUTE FUNCTION amanah_append_only()",
    )
    op.execute(GUARD)
    op.execute("CREATE TRIGGER subject_event_erased_only BEFORE DELETE ON subject_event FOR EACH ROW EXECUTE FUNCTION amanah_erased_only()")
    op.execute(FORGET)
