"""Queues on both engines, and a PostgreSQL database with an owner and a service role of their own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from tests.conftest import OWN_PATIENCE, FreshPostgres
from tests.storage.deeds import Queue, queue
from vault.storage import group_commit

OWNER, SERVICE = "wall_owner", "wall_service"


@pytest.fixture(autouse=True)
def own_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue as it is."""
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", OWN_PATIENCE)


@pytest.fixture
def queued(database_url: str) -> Iterator[Queue]:
    """A queue of deeds, on SQLite and on PostgreSQL."""
    with queue(database_url) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Roles:
    """The same empty database for three roles: who made the cluster, who owns the tables, who serves."""

    superuser: str
    owner: str
    service: str


@pytest.fixture
def roles(fresh_postgres: FreshPostgres) -> Roles:
    """An empty PostgreSQL database, owned by a role that is no superuser."""
    url = fresh_postgres()
    with psycopg.connect(url, autocommit=True) as keeper:
        for role in (OWNER, SERVICE):
            if keeper.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                keeper.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        keeper.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(keeper.info.dbname), sql.Identifier(OWNER)))
    return Roles(url, *(re.sub(r"//[^@/]*@", f"//{role}@", url, count=1) for role in (OWNER, SERVICE)))
