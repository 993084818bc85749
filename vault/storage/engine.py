"""Opens SQLite or PostgreSQL the one way that keeps what was acknowledged.

Invariants: SQLite runs WAL with synchronous FULL and begins every writing transaction with BEGIN IMMEDIATE, so that facts read inside it
cannot move; PostgreSQL runs READ COMMITTED with synchronous commit, waits for no lock longer than BUSY_MS, and the head of the log is
locked before facts are read; a server that is not local needs TLS that proves its name. On PostgreSQL a connection sees the rows of the
association it entered and no other's (migration 0002): before it entered one, it sees none. SQLite keeps what was put into a column: there
what is no bytes where bytes belong is an `integrity` failure as it comes in.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, LargeBinary, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

from vault.errors import VaultError
from vault.storage.octets import Octets

BUSY_MS = 1500
# Hot statements with their lengths: what falls out of the driver's cache (128 by itself) is prepared anew.
_STATEMENTS_KEPT = 512
# 32 MB of pages and a journal of 16 MB: a record stored in bulk touches some twenty leaves, which 2 MB and 4 MB wrote again and again.
_SIZES = ("cache_size=-32000", "wal_autocheckpoint=4000")
_CONNECT_SECONDS = 5
_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})
_ENTER = text("SELECT set_config('amanah.association', :association, :passing)")


class DatabaseRefused(VaultError):
    """The database's address is one the vault does not serve from."""

    code = "database-refused"


class Database:
    """One database address and how to connect to it; connections are made and closed by who uses them."""

    def __init__(self, url: str | URL) -> None:
        """Check the address and prepare the engine; nothing is connected yet."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite(self.url)
        else:
            self.engine = _postgresql(self.url)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for one read or one administrative deed; the caller begins and commits."""
        with self.engine.connect() as connection:
            yield connection

    def settle(self) -> None:
        """On SQLite empty the write-ahead file into the database: pages with deleted rows must not stay in it.

        Where somebody reads at this moment, the next commit's own checkpoint does it. PostgreSQL's log is its keeper's.
        """
        if self.is_sqlite:
            with closing(self.engine.raw_connection()) as connection:
                # On the driver's own connection: inside a transaction it could not be done.
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def dispose(self) -> None:
        """Let go of every pooled connection."""
        self.engine.dispose()


def enter(connection: Connection, association: bytes, *, stay: bool = False) -> None:
    """Let this transaction (`stay`: this connection, once committed) see the rows of one association, 16 bytes; SQLite has no such wall."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ENTER, {"association": association.hex(), "passing": not stay})


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000, "cached_statements": _STATEMENTS_KEPT},
    )

    engine.dialect.colspecs = {**engine.dialect.colspecs, LargeBinary: Octets}

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own implicit BEGIN is deferred: it would read facts first and fail to write later.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY", *_SIZES):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise DatabaseRefused
    verified = url.query.get("sslmode") == "verify-full"
    # A service file names a server we do not see here, and `hostaddr` decides where the driver goes whatever `host` says.
    if not verified and ("service" in url.query or not _local([url.host or "", *_named(url, "host"), *_named(url, "hostaddr")])):
        raise DatabaseRefused("database-needs-verified-tls")
    options: dict[str, Any] = {"pool_size": 4, "max_overflow": 4, "pool_pre_ping": True}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").update_query_dict(
            {} if "connect_timeout" in url.query else {"connect_timeout": str(_CONNECT_SECONDS)}
        ),
        isolation_level="READ COMMITTED",
        **options,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], _record: object) -> None:
        # Where the address names no server, the driver's own environment may: so it is asked where it went.
        if not verified and not _local([connection.info.host, connection.info.hostaddr]):
            connection.close()
            raise DatabaseRefused("database-needs-verified-tls")
        # A stuck holder of the head must not hold up everybody; and an answer leaves only after a commit that is on the disk.
        connection.execute(f"SET lock_timeout = {BUSY_MS}")
        connection.execute("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
        connection.commit()

    return engine


def _named(url: URL, parameter: str) -> Sequence[str]:
    given = url.query.get(parameter, ())
    return [host for part in ((given,) if isinstance(given, str) else given) for host in part.split(",")]


def _local(hosts: Sequence[str]) -> bool:
    return all(host in _LOCAL_HOSTS or host.startswith(("/", "@")) for host in hosts)
