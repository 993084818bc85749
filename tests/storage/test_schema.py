"""The migrations make exactly the schema the rooms declare, and the vault serves on no other."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from tests.storage.rows import APPEND_ONLY, TABLES, add
from vault.storage import schema
from vault.storage.engine import Database, enter
from vault.storage.metadata import metadata

OURS = b"\x01" * 16


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def migrate(database: Database, revision: str) -> None:
    with database.connect() as connection, connection.begin():
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_the_newest_version_is_what_the_rooms_declare(database: Database):
    schema.upgrade(database)
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    schema.check(database)


def test_an_upgrade_of_the_newest_version_changes_nothing(database: Database):
    schema.upgrade(database)
    with database.connect() as connection, connection.begin():
        add(connection, "association", OURS)
    schema.upgrade(database)
    with database.connect() as connection:
        assert connection.execute(select(TABLES["association"].c.code)).scalars().all() == ["1-1"]


def test_an_older_version_is_refused_until_it_is_upgraded(database: Database):
    migrate(database, "0001")
    with pytest.raises(schema.SchemaRefused):
        schema.check(database)
    schema.upgrade(database)
    schema.check(database)


def test_an_empty_database_is_refused(database: Database):
    with pytest.raises(schema.SchemaRefused) as refused:
        schema.check(database)
    assert refused.value.code == "schema-outdated"


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '9999'", "INSERT INTO alembic_version VALUES ('9999')"])
def test_a_newer_or_doubtful_version_is_refused(database: Database, change: str):
    schema.upgrade(database)
    with database.connect() as connection, connection.begin():
        connection.exec_driver_sql(change)
    with pytest.raises(schema.SchemaRefused):
        schema.check(database)


def test_an_upgrade_that_fails_leaves_nothing(database: Database):
    with database.connect() as connection, connection.begin():
        TABLES["subject_sheet"].create(connection)
    with pytest.raises(DBAPIError):
        schema.upgrade(database)
    with pytest.raises(schema.SchemaRefused):
        schema.check(database)
    with database.connect() as connection:
        assert database.engine.dialect.get_table_names(connection) == ["subject_sheet"]


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_what_is_only_added_to_takes_no_update_and_no_delete(database: Database, name: str):
    schema.upgrade(database)
    table = TABLES[name]
    with database.connect() as connection:
        with connection.begin():
            add(connection, name, OURS)
        deeds = [update(table).values(association_id=OURS), delete(table)]
        for deed in deeds:
            with pytest.raises(DBAPIError, match="append-only"), connection.begin():
                connection.execute(deed)
        with connection.begin():
            assert len(connection.execute(select(table)).all()) == 1


def test_every_primary_key_begins_with_the_association():
    assert {name: next(iter(table.primary_key.columns)).name for name, table in TABLES.items()} == dict.fromkeys(TABLES, "association_id")


def test_events_are_deleted_once_the_log_tells_of_an_erasure_and_not_before(database: Database):
    schema.upgrade(database)
    events, told = TABLES["subject_event"], TABLES["access_log_subject"]
    with database.connect() as connection:
        with connection.begin():
            enter(connection, OURS)
            for number in (1, 2):
                add(connection, "subject_event", OURS, number)
            connection.execute(insert(told).values(association_id=OURS, subject=b"\x01" * 16, number=9, version=9, sheet=None))
            connection.execute(insert(told).values(association_id=OURS, subject=b"\x02" * 16, number=9, version=9, sheet=b"s" * 32))
        with connection.begin():
            enter(connection, OURS)
            assert connection.execute(delete(events).where(events.c.subject == b"\x01" * 16)).rowcount == 1
        with connection.begin():
            enter(connection, OURS)
            with pytest.raises(DBAPIError, match="append-only"):
                connection.execute(delete(events))


@pytest.mark.parametrize(("name", "case"), [("breach_report_part", "report"), ("incident_part", "incident")])
def test_parts_of_a_case_are_deleted_once_the_log_names_its_tombstone_and_not_before(database: Database, name: str, case: str):
    schema.upgrade(database)
    parts, told = TABLES[name], TABLES["access_log_fact"]
    with database.connect() as connection:
        with connection.begin():
            enter(connection, OURS)
            for number in (1, 2):
                add(connection, name, OURS, number)
            stone = {"fact_kind": "breach_tombstone", "number": 9, "version": 1, "digest": b"d" * 32}
            connection.execute(insert(told).values(association_id=OURS, fact_key="01" * 16, **stone))
            connection.execute(insert(told).values(association_id=OURS, fact_key="02" * 16, **{**stone, "fact_kind": "incident"}))
        with connection.begin():
            enter(connection, OURS)
            assert connection.execute(delete(parts).where(parts.c[case] == b"\x01" * 16)).rowcount == 1
        with connection.begin():
            enter(connection, OURS)
            with pytest.raises(DBAPIError, match="append-only"):
                connection.execute(delete(parts))
