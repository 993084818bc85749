"""A vault of each engine founded once for a test process, by the command an operator runs: vaults of tests begin as copies of it.

Founding costs more than most tests do afterwards: migrations, and the passwords of four accounts at their full cost. What it does itself
is tried by who runs `init` (tests/journeys/test_operating.py, tests/roof/test_cli.py).
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

DATA, ROOT = "data", "root"
Init = Callable[[str, Path, str | None], Any]


@dataclass(frozen=True, slots=True)
class Founding:
    """What a founding left: a folder, on PostgreSQL a database beside it, and the secrets it told."""

    folder: Path
    database: str | None
    secrets: Any


def copied(init: Init, code: str, folder: Path, address: str | None) -> Any:
    """Copy a founding of this code into a folder and, where there is an address, into its empty database; the secrets it told.

    `init` founds a vault by code, in a folder and a database, and returns its secrets.
    """
    found = _founding(init, code, None if address is None else _database(address, "postgres"))
    shutil.copytree(found.folder / DATA, folder / DATA)
    shutil.copy2(found.folder / ROOT, folder / ROOT)
    if address is not None and found.database is not None:
        _copy_database(address, found.database)
    return found.secrets


@cache
def _founding(init: Init, code: str, maintenance: str | None) -> Founding:
    folder = Path(tempfile.mkdtemp(prefix="amanah-founding-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if maintenance is None:
        return Founding(folder, None, init(code, folder, None))
    name = f"founding_{folder.name.rpartition('-')[2]}"
    with psycopg.connect(maintenance, autocommit=True) as keeper:
        keeper.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return Founding(folder, name, init(code, folder, _database(maintenance, name)))


def _copy_database(address: str, name: str) -> None:
    with psycopg.connect(address) as empty:
        ours = sql.Identifier(empty.info.dbname)
    with psycopg.connect(_database(address, "postgres"), autocommit=True) as keeper:
        keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(ours))
        keeper.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(ours, sql.Identifier(name)))


def _database(address: str, name: str) -> str:
    """The address of another database of the same server."""
    return re.sub(r"/[^/?]+\?", f"/{name}?", address, count=1)
