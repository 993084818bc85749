"""The calls of the door as a client makes them, in this process: real routes, front, entrance and log; only the clock is the test's."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Table, delete, insert, select

from tests.simulator import World
from vault.access.alerts_api import alert_routes
from vault.access.api import routes
from vault.access.audit_api import ROUTES
from vault.access.erasure_api import routes as erasure_routes
from vault.access.search_api import routes as search_routes

Row = dict[str, Any]


@dataclass(slots=True)
class Desk:
    """One vault with its door; `key` is the system's, `officer` a session's token."""

    world: World
    http: httpx.AsyncClient
    key: str
    officer: str

    @classmethod
    @asynccontextmanager
    async def over(cls, world: World) -> AsyncIterator["Desk"]:
        """Open the door over this world."""
        factor = world.identity.factor
        async with world.front(*routes(), *search_routes(), *erasure_routes(factor), *alert_routes(factor), *ROUTES) as http:
            yield cls(world, http, world.ceremony.api_key, await world.session("officer"))

    async def get(self, path: str, token: str | None = None, **query: Any) -> httpx.Response:
        """One GET with these parameters, by default by the system."""
        return await self.http.get(path, params=query or None, headers=self._by(token))

    async def post(self, path: str, body: Any, token: str | None = None) -> httpx.Response:
        """One POST of JSON, by default by the system."""
        return await self.http.post(path, json=body, headers=self._by(token))

    async def read(self, record: bytes, purpose: str = "service_delivery", fields: str = "full_name", **query: Any) -> httpx.Response:
        """Read fields of a record."""
        return await self.get(f"/v1/records/{uuid.UUID(bytes=record)}", purpose=purpose, fields=fields, **query)

    def _by(self, token: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key if token is None else token}", "Accept-Language": "en"}


def rows_of(world: World, table: Table) -> list[Row]:
    """Every row of a table, in the order of its key."""
    with world.database.connect() as connection, connection.begin():
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]


def put(world: World, table: Table, rows: list[Row]) -> None:
    """Make these the rows of a table, as the database's keeper can whatever the schema forbids."""
    with world.database.connect() as connection, connection.begin():
        if not world.database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(delete(table))
        if rows:
            connection.execute(insert(table), rows)


def written(record: bytes) -> str:
    """An id as the API writes it."""
    return str(uuid.UUID(bytes=record))
