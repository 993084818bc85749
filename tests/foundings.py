"""Vaults founded once for a test process and engine: those of tests begin as copies, since founding costs more than most tests do after it.

What founding itself does is tried by who founds: tests/identity/test_founding.py, tests/roof/test_cli.py, tests/journeys/test_operating.py.
"""

import atexit
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

Found = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Founding:
    """What a founding left: a folder, on PostgreSQL a database beside it, and what it told."""

    folder: Path
    database: str
    told: Any


@cache
def founding(found: Found, maintenance: str | None, *how: Any) -> Founding:
    """The founding of this kind: what `found(folder, address, *how)` left, where no address is SQLite in the folder.

    `maintenance` is any address of the PostgreSQL server.
    """
    folder = Path(tempfile.mkdtemp(prefix="amanah-founding-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if maintenance is None:
        return Founding(folder, "", found(folder, None, *how))
    name = f"founding_{folder.name.rpartition('-')[2]}"
    with psycopg.connect(maintenance, autocommit=True) as keeper:
        keeper.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return Founding(folder, name, found(folder, database(maintenance, name), *how))


def copy_database(address: str, name: str) -> None:
    """Put a copy of a database of the same server in the place of an empty one."""
    with psycopg.connect(database(address, "postgres"), autocommit=True) as keeper:
        ours, theirs = sql.Identifier(_name(address)), sql.Identifier(name)
        keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(ours))
        keeper.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(ours, theirs))


def database(address: str, name: str) -> str:
    """The address of another database of the same server."""
    return re.sub(r"/[^/?]+\?", f"/{name}?", address, count=1)


def _name(address: str) -> str:
    found = re.search(r"/([^/?]+)\?", address)
    assert found, "an address of a database of these tests"
    return found[1]
