"""Databases of one PostgreSQL, handed out empty and taken back: making and dropping one costs more than most tests do.

Invariant: what is handed out is as `CREATE DATABASE` makes it; one whose owner, rights or settings were changed is dropped instead.
"""

import os
import re
import time
from itertools import count

import psycopg
from psycopg import sql

_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'"
_AS_MADE = (
    "SELECT pg_get_userbyid(datdba) = current_user AND datacl IS NULL"
    " AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = pg_database.oid)"
    " FROM pg_database WHERE datname = current_database()"
)


class Databases:
    """The databases of the server with this maintenance URL, all made by this process."""

    def __init__(self, maintenance: str) -> None:
        """Begin with none."""
        self._maintenance = maintenance
        self._keeper = psycopg.connect(maintenance, autocommit=True)
        self._idle: list[str] = []
        self._numbers = count(1)

    def give(self) -> str:
        """The name of an empty database."""
        if self._idle:
            return self._idle.pop()
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self._keeper.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def take_back(self, name: str) -> None:
        """Empty a database for the next test, whoever is still connected to it."""
        while self._keeper.execute(_OTHERS, (name,)).fetchall():
            time.sleep(0.005)
        with psycopg.connect(self.url(name), autocommit=True) as inside:
            (as_made,) = inside.execute(_AS_MADE).fetchone() or (False,)
            for (schema,) in inside.execute(_SCHEMAS).fetchall() if as_made else ():
                inside.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            if as_made:
                inside.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
                inside.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        if as_made:
            self._idle.append(name)
        else:
            self._keeper.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """The `postgresql://` URL of a database of this server."""
        return re.sub(r"/[^/?]+\?", f"/{name}?", self._maintenance, count=1)

    def close(self) -> None:
        """Let go of the server."""
        self._keeper.close()
