"""Vaults for the journeys: one for each test file and engine, founded and served as an operator would."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.journeys.served import Served


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def founded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A vault with its first association, not yet served: once on SQLite, once on PostgreSQL. It is stopped and gone afterwards."""
    with ExitStack() as stack:
        address = None
        if request.param == "postgresql":
            address = stack.enter_context(fresh(request.getfixturevalue("postgres_url"), request.node.name))
        vault = Served(tmp_path_factory.mktemp("vault"), address)
        stack.callback(vault.stop)
        vault.found()
        yield vault


@pytest.fixture(scope="module")
def served(founded: Served) -> Served:
    """The founded vault with its door open."""
    founded.start()
    return founded


@contextmanager
def fresh(url: str, name: str) -> Iterator[str]:
    """An empty PostgreSQL database for a whole test file: its `postgresql://` URL."""
    name = f"j{os.getpid()}_{re.sub(r'[^a-z]', '', Path(name).stem.lower())}"
    with psycopg.connect(url, autocommit=True) as keeper:
        keeper.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield re.sub(r"/[^/?]+\?", f"/{name}?", url, count=1)
        finally:
            keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
