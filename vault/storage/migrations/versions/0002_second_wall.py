"""The second wall on PostgreSQL: a query that forgets its WHERE sees one association's rows, and a service's role cannot rewrite history.

Invariants: a connection that entered no association sees no row (`amanah.association` unset or empty); the tables' owner is held by the
policies too, only superusers and roles with BYPASSRLS are not. `association` and `association_key` stand before the wall, because they are
read to learn which association a code names; their rows are a code and keys wrapped by a key outside the database.
SQLite has one file for one operator, and no roles: nothing is done there.
"""

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The subquery is reckoned once for a statement, not once for a row.
OWN = "association_id = (SELECT decode(nullif(current_setting('amanah.association', true), ''), 'hex'))"
BEHIND = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attname = 'association_id' AND NOT a.attisdropped
    AND c.relname NOT IN ('association', 'association_key') ORDER BY c.relname
"""
APPEND_ONLY = """
    SELECT c.relname FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND t.tgname = c.relname || '_append_only' ORDER BY c.relname
"""

# Grants a role what the service needs and nothing that rewrites what is only ever added to; its caller must own the tables.
ADMIT = """
CREATE FUNCTION amanah_admit(service name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place text := quote_ident(current_schema());
    one record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', place, service);
    FOR one IN
        SELECT c.relname AS name, EXISTS (
            SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'association_id' AND NOT a.attisdropped
        ) AS ours, c.relname IN ('association', 'association_key') OR EXISTS (
            SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = c.relname || '_append_only'
        ) AS append_only
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('REVOKE ALL ON %s.%I FROM %I', place, one.name, service);
        EXECUTE format('GRANT SELECT ON %s.%I TO %I', place, one.name, service);
        IF one.ours THEN
            EXECUTE format('GRANT INSERT ON %s.%I TO %I', place, one.name, service);
        END IF;
        IF one.ours AND NOT one.append_only THEN
            EXECUTE format('GRANT UPDATE, DELETE ON %s.%I TO %I', place, one.name, service);
        END IF;
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Build the wall on PostgreSQL."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in connection.execute(text(BEHIND)).scalars().all():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_association ON {table} USING ({OWN}) WITH CHECK ({OWN})")
    for table in connection.execute(text(APPEND_ONLY)).scalars().all():
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION amanah_append_only()",
        )
    op.execute(ADMIT)
