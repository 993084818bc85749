"""Addresses that are refused, and settings every connection has."""

import pytest

from tests.conftest import FreshPostgres
from vault.storage import engine
from vault.storage.engine import Database, DatabaseRefused, enter

FAR = "database-needs-verified-tls"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example.org/vault",
        "postgresql://db.example.org/vault?sslmode=require",
        "postgresql://db.example.org/vault?sslmode=verify-ca",
        "postgresql://192.0.2.1/vault",
        "postgresql:///vault?host=db.example.org",
        "postgresql:///vault?host=/run/postgresql,db.example.org",
        "postgresql:///vault?host=/run/postgresql&host=db.example.org",
        "postgresql://localhost/vault?host=db.example.org",
        "postgresql://localhost/vault?hostaddr=192.0.2.1",
        "postgresql:///vault?service=far",
    ],
)
def test_a_server_that_is_not_local_needs_tls_that_proves_its_name(url: str):
    with pytest.raises(DatabaseRefused) as refused:
        Database(url)
    assert refused.value.code == FAR


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example.org/vault?sslmode=verify-full",
        "postgresql:///vault",
        "postgresql:///vault?host=/run/postgresql",
        "postgresql://localhost/vault",
        "postgresql://127.0.0.1/vault",
        "postgresql://[::1]/vault",
    ],
)
def test_a_verified_or_local_server_is_taken(url: str):
    database = Database(url)
    assert not database.is_sqlite
    database.dispose()


def test_another_database_is_refused_by_name():
    with pytest.raises(DatabaseRefused) as refused:
        Database("mysql://localhost/vault")
    assert refused.value.code == "database-refused"


def test_where_the_environment_named_a_far_server_the_connection_is_let_go(fresh_postgres: FreshPostgres, monkeypatch: pytest.MonkeyPatch):
    database = Database(fresh_postgres())
    # The server is local; that it were not is what the connection itself tells.
    monkeypatch.setattr(engine, "_local", lambda _hosts: False)
    with pytest.raises(DatabaseRefused) as refused, database.connect():
        pass
    assert refused.value.code == FAR
    database.dispose()


def test_sqlite_keeps_what_was_acknowledged(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'vault.sqlite3'}")
    with database.connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked}
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": engine.BUSY_MS}
    database.dispose()


def test_postgresql_keeps_what_was_acknowledged_whatever_the_role_is_set_to(fresh_postgres: FreshPostgres):
    url = fresh_postgres()
    database = Database(url + "&options=-c%20synchronous_commit%3Doff")
    with database.connect() as connection:
        asked = ("synchronous_commit", "transaction_isolation", "lock_timeout")
        told = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in asked]
    assert told == ["on", "read committed", "1500ms"]
    database.dispose()


def test_a_stricter_commit_than_ours_is_left_alone(fresh_postgres: FreshPostgres):
    database = Database(fresh_postgres() + "&options=-c%20synchronous_commit%3Dremote_apply")
    with database.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "remote_apply"
    database.dispose()


def test_an_association_entered_is_left_with_the_transaction_and_stays_only_when_asked(fresh_postgres: FreshPostgres):
    database, shown = Database(fresh_postgres()), "SELECT current_setting('amanah.association', true)"
    with database.connect() as connection:
        for stay, after in ((False, ""), (True, "ab" * 16)):
            with connection.begin():
                enter(connection, b"\xab" * 16, stay=stay)
                assert connection.exec_driver_sql(shown).scalar() == "ab" * 16
            with connection.begin():
                assert connection.exec_driver_sql(shown).scalar() == after
    database.dispose()
