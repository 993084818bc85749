"""On PostgreSQL a query that forgot its WHERE neither sees nor writes another association's rows, and history is not rewritten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from keys.roots import key_file
from tests.simulator import Clock
from tests.storage.conftest import OWNER, SERVICE, Roles
from tests.storage.rows import APPEND_ONLY, BEFORE_THE_WALL, TABLES, add, row
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot, verify
from vault.breach_reports import tombstones
from vault.identity.founding import found as establish
from vault.identity.opening import codes, open_association
from vault.storage import schema
from vault.storage.engine import Database, enter
from vault.storage.transaction import Transaction
from vault.subjects import people

OURS, OTHERS = b"\x01" * 16, b"\x02" * 16
WALLED = sorted(TABLES.keys() - BEFORE_THE_WALL)


@pytest.fixture
def owner(roles: Roles) -> Iterator[Database]:
    """The tables, made by their owner, who admitted the service."""
    made = Database(roles.owner)
    schema.upgrade(made)
    with made.connect() as connection, connection.begin():
        connection.execute(text("SELECT amanah_admit(:role)"), {"role": SERVICE})
    yield made
    made.dispose()


@pytest.fixture
def service(roles: Roles, owner: Database) -> Iterator[Database]:
    """The same database as the service sees it."""
    made = Database(roles.service)
    yield made
    made.dispose()


def furnish(database: Database) -> None:
    """A row of each of two associations in every table behind the wall."""
    for association in (OURS, OTHERS):
        with database.connect() as connection, connection.begin():
            enter(connection, association)
            for name in WALLED:
                add(connection, name, association)


def seen(connection: Connection) -> dict[str, list[bytes]]:
    return {name: [bytes(who) for who in connection.execute(select(TABLES[name].c.association_id)).scalars()] for name in WALLED}


def test_every_table_but_the_two_read_before_is_behind_the_wall(owner: Database):
    with owner.connect() as connection:
        held = text(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid) "
            "FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'"
        )
        assert {name: bool(walled) for name, walled in connection.execute(held)} == {name: name in WALLED for name in TABLES}


@pytest.mark.parametrize("who", ["owner", "service"])
def test_without_a_where_only_the_entered_association_is_there(who: str, request: pytest.FixtureRequest, service: Database):
    database: Database = request.getfixturevalue(who)
    furnish(database)
    with database.connect() as connection:
        for association in (OURS, OTHERS):
            with connection.begin():
                enter(connection, association)
                assert seen(connection) == {name: [association] for name in WALLED}
        # The transaction is over, and with it the association that was entered.
        with connection.begin():
            assert seen(connection) == {name: [] for name in WALLED}


def attempt(database: Database, deed: Executable, association: bytes | None = None) -> None:
    """Try a deed that must be refused, in a transaction of its own."""
    with database.connect() as connection, connection.begin():
        if association is not None:
            enter(connection, association)
        connection.execute(deed)


def test_rows_of_another_association_are_neither_written_nor_changed_nor_deleted(service: Database):
    furnish(service)
    for name in WALLED:
        table = TABLES[name]
        with pytest.raises(DBAPIError, match="row-level security"):
            attempt(service, insert(table).values(row(table, OTHERS, 2)), OURS)
        if name in APPEND_ONLY:
            continue
        with pytest.raises(DBAPIError, match="row-level security"):
            attempt(service, update(table).values(association_id=OTHERS), OURS)
        with service.connect() as connection, connection.begin():
            enter(connection, OURS)
            assert connection.execute(delete(table)).rowcount == 1, name
    with service.connect() as connection, connection.begin():
        enter(connection, OTHERS)
        assert seen(connection) == {name: [OTHERS] for name in WALLED}


def test_the_role_that_serves_may_not_rewrite_what_is_only_added_to(service: Database):
    for table in (TABLES[name] for name in [*APPEND_ONLY, *sorted(BEFORE_THE_WALL)]):
        for deed in (update(table).values(association_id=OURS), delete(table), text(f"TRUNCATE {table.name}")):
            with pytest.raises(DBAPIError, match="permission denied"):
                attempt(service, deed, OURS)


@pytest.mark.parametrize(
    "deed", ["ALTER TABLE idempotency DISABLE ROW LEVEL SECURITY", "DROP TABLE idempotency", "CREATE TABLE mine (a int)"]
)
def test_the_role_that_serves_may_not_change_the_schema(service: Database, deed: str):
    with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
        attempt(service, text(deed))


def test_not_even_the_owner_empties_what_is_only_added_to(owner: Database):
    for name in APPEND_ONLY:
        with pytest.raises(DBAPIError, match="append-only"):
            attempt(owner, text(f"TRUNCATE {name}"), OURS)


def test_the_roles_of_these_tests_are_held_by_policies(owner: Database):
    with owner.connect() as connection:
        told = connection.execute(
            text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname IN (:a, :b)"), {"a": OWNER, "b": SERVICE}
        )
        assert told.scalars().all() == [False, False]


def everyone(transaction: Transaction) -> list[bytes]:
    """Whose entries there are, asked without a WHERE."""
    found = transaction.connection.execute(text("SELECT DISTINCT association_id FROM access_log_entry"))
    return [bytes(association) for association in found.scalars()]


@pytest.mark.asyncio
async def test_a_whole_vault_is_founded_by_the_owner_and_served_by_the_service(owner: Database, service: Database, tmp_path: Path):
    clock, root = Clock(), key_file.create(tmp_path / "root")
    for code in ("first", "second"):
        establish(owner, code=code, pack="cooperative", folder=tmp_path / code, root=root, clock=clock)
    assert codes(service) == ("first", "second")
    schema.check(service)
    with ThreadPoolExecutor(1) as executor:
        for code in ("first", "second"):
            opened = open_association(service, code=code, root=root, folder=tmp_path / code, executor=executor, clock=clock)
            try:
                assert (await opened.book()).purposes
                size = await opened.run(lambda deed: deed.append(Entry(kind="audit", outcome="allow", actor="staff:1")).index)
                assert await opened.look(everyone) == [opened.id]
                assert await opened.run(lambda deed: everyone(deed.transaction)) == [opened.id]
                note = await opened.checkpoint()
            finally:
                opened.log.close()
            with snapshot(service, opened.id) as connection:
                findings = verify(connection, opened.id, code, opened.cabinet.signer.vkey, note, deep=True)
            assert (size, list(findings)) == (6, [])


def erased(connection: Connection, subject: bytes, *, sheet: bytes | None) -> None:
    """The row beside an entry that changed this person: one without a sheet tells of her erasure."""
    told = TABLES["access_log_subject"]
    connection.execute(insert(told).values(association_id=OURS, subject=subject, number=9, version=9, sheet=sheet))


def events(connection: Connection) -> int:
    return len(connection.execute(select(TABLES["subject_event"].c.version)).all())


def test_the_service_lets_go_of_the_events_of_who_was_erased_and_of_nobody_else(service: Database):
    forget = text("SELECT amanah_forget(:subject)")
    with service.connect() as connection, connection.begin():
        enter(connection, OURS)
        add(connection, "subject_event", OURS, 1)
        add(connection, "subject_event", OURS, 2)
        erased(connection, b"\x02" * 16, sheet=b"s" * 32)
    with service.connect() as connection, connection.begin():
        enter(connection, OTHERS)
        add(connection, "subject_event", OTHERS, 1)
    for subject in (b"\x01" * 16, b"\x02" * 16):
        with pytest.raises(DBAPIError, match="append-only"):
            attempt(service, forget.bindparams(subject=subject), OURS)
    with service.connect() as connection, connection.begin():
        enter(connection, OURS)
        erased(connection, b"\x01" * 16, sheet=None)
        deed: Any = SimpleNamespace(association=OURS, transaction=Transaction(connection, 0))
        people._forget_events(deed, b"\x01" * 16)
        assert events(connection) == 1
    # The same person's id in another association is another's row.
    with service.connect() as connection, connection.begin():
        enter(connection, OTHERS)
        assert events(connection) == 1
    with pytest.raises(DBAPIError, match="permission denied"):
        attempt(service, delete(TABLES["subject_event"]), OURS)


def test_the_service_lets_go_of_the_parts_of_a_case_with_a_tombstone_and_of_no_other(service: Database):
    told = TABLES["access_log_fact"]
    with service.connect() as connection, connection.begin():
        enter(connection, OTHERS)
        add(connection, "incident_part", OTHERS, 1)
    with service.connect() as connection, connection.begin():
        enter(connection, OURS)
        for name in ("breach_report_part", "incident_part"):
            add(connection, name, OURS, 1)
            add(connection, name, OURS, 2)
        stone = {"fact_kind": "breach_tombstone", "fact_key": "01" * 16, "number": 9, "version": 1, "digest": b"d" * 32}
        connection.execute(insert(told).values(association_id=OURS, **stone))
    destroy = text("SELECT amanah_destroy_case(:lost)")
    with pytest.raises(DBAPIError, match="append-only"):
        attempt(service, destroy.bindparams(lost=b"\x02" * 16), OURS)
    with service.connect() as connection, connection.begin():
        enter(connection, OURS)
        deed: Any = SimpleNamespace(association=OURS, transaction=Transaction(connection, 0))
        tombstones._delete_parts(deed, b"\x01" * 16)
        left = [connection.execute(select(TABLES[name].c.number)).scalars().all() for name in ("breach_report_part", "incident_part")]
        assert left == [[2], [2]]
    with service.connect() as connection, connection.begin():
        enter(connection, OTHERS)
        assert connection.execute(select(TABLES["incident_part"].c.number)).scalars().all() == [1]
    with pytest.raises(DBAPIError, match="permission denied"):
        attempt(service, delete(TABLES["incident_part"]), OURS)
