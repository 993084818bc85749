"""A whole vault in a temporary folder, with a clock that stands still until it is told to move: what room tests and journeys build on.

Everything is real but the clock: the root key, sealed facts, log, journal, checkpoint, Argon2 and one-time codes; people are invented.
"""

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pyotp
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from keys import passwords
from keys.roots import key_file
from keys.roots.key_file import KeyFile
from tests import foundings
from tests.fronts import LateFront
from vault.access_log.entry import Entry, parse
from vault.access_log.tables import entry
from vault.identity import founding
from vault.identity.api import routes
from vault.identity.callers import Caller, may
from vault.identity.founding import Ceremony
from vault.identity.opening import open_association
from vault.identity.service import Identity
from vault.rulebook.association import Association
from vault.storage.engine import Database
from vault.storage.metadata import metadata
from vault.web import Call, Public, Route
from vault.web.app import build
from vault.web.limits import Limits
from vault.web.logs import RequestLog
from vault.web.metrics import Metrics

START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""
SECOND = 1_000_000
NETWORK = "192.0.2.7"
DATABASE = "founded.sqlite3"


# The same invented secrets for every world of a test process: Argon2 stays real and is paid for once.
_account = cache(founding._account)
_hash_password = cache(passwords.hash_password)
_check_password = cache(passwords.check_password)


@dataclass(slots=True)
class Clock:
    """Microseconds UTC that only a test moves."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


@dataclass(frozen=True, slots=True)
class Door:
    """What a call tells of its route, where a test makes the call without the front."""

    access: Any = field(default_factory=Public)
    name: str = "test"
    method: str = "POST"
    path: str = "/test"


@dataclass(slots=True)
class World:
    """One association, founded and open; `ceremony` holds its secrets."""

    database: Database
    folder: Path
    root: KeyFile
    clock: Clock
    executor: Executor
    ceremony: Ceremony
    association: Association
    limits: Limits
    identity: Identity
    _steps: dict[str, int] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The association's code."""
        return self.association.code

    @property
    def associations(self) -> dict[str, Association]:
        """Every open association by code, as the roof keeps them."""
        return {self.code: self.association}

    def call(self, access: Any = None, *, body: Any = None, path: dict[str, str] | None = None, **headers: str) -> Call:
        """A call that arrives now; headers by name with underscores."""
        raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        door = Door() if access is None else access if isinstance(access, Route) else Door(access)
        return Call(door, uuid.uuid4().hex, self.clock.now, raw, NETWORK, path or {}, body=body)

    async def knock(self, token: str | None, access: Any = None, **more: Any) -> Any:
        """Who the entrance takes the holder of this token for."""
        return await self.identity.entrance.authenticate(token, self.call(access, **more))

    def front(self, *more: Route) -> httpx.AsyncClient:
        """The front over this room's routes and `more`, called in this process; an exception that escapes it fails the test."""

        async def ready() -> bool:
            return True

        app = LateFront(
            lambda: build(
                [*routes(self.identity), *more],
                authenticate=self.identity.entrance.authenticate,
                out_of_scope=self.identity.entrance.out_of_scope,
                may=lambda caller, access: isinstance(caller, Caller) and may(caller, access),
                counters=Metrics(CollectorRegistry()),
                journalist=RequestLog(BytesIO()),
                limits=self.limits,
                ready=ready,
                clock=self.clock,
            )
        )
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(NETWORK, 1)), base_url="http://vault")

    async def session(self, who: str) -> str:
        """A new session's token for a person of the ceremony ("admin", "officer", "second_officer")."""
        account = self.ceremony.staff[who]
        opened = await self.identity.sessions.sign_in(account.username, account.password, self.one_time_code(who), network=NETWORK)
        return opened.token

    async def person(self, who: str) -> Caller:
        """A signed-in person of the ceremony, as the entrance hands her to a room."""
        found: Caller = await self.knock(await self.session(who))
        return found

    async def system(self) -> Caller:
        """The batch client of the ceremony, as the entrance hands it to a room."""
        found: Caller = await self.knock(self.ceremony.api_key)
        return found

    def one_time_code(self, who: str, secret: str | None = None) -> str:
        """A code this person has not used yet; time moves on where the present one is used up."""
        step = max(self._steps.get(who, 0) + 1, self.clock.now // (30 * SECOND))
        if step > self.clock.now // (30 * SECOND) + 1:
            self.clock.now = step * 30 * SECOND
        self._steps[who] = step
        return pyotp.HOTP(secret or self.ceremony.staff[who].totp_secret).at(step)

    def entries(self) -> list[Entry]:
        """Every entry of the log, in order."""
        return entries(self.database, self.association.id)

    def reopen(self) -> Association:
        """Open the same association once more, as another process would."""
        return open_association(
            self.database,
            code=self.code,
            root=self.root,
            folder=self.folder,
            executor=self.executor,
            clock=self.clock,
        )


def entries(database: Database, association: bytes) -> list[Entry]:
    """The entries of an association's log, read from their stored bytes."""
    with database.connect() as connection:
        bodies = select(entry.c.body).where(entry.c.association_id == association).order_by(entry.c.number)
        return [parse(bytes(body)).entry for body in connection.execute(bodies).scalars()]


@contextmanager
def world(url: str, folder: Path, *, code: str = "probe", pack: str = "cooperative", clock: Clock | None = None) -> Iterator[World]:
    """A founded and opened vault in this database and folder; everything is closed afterwards."""
    clock = clock or Clock()
    root, home = folder / "root", folder / code
    if (path := _new_file(url)) is not None:
        founded = foundings.founding(_founded, None, code, pack, clock.now)
        shutil.copytree(founded.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(DATABASE))
        shutil.copy(founded.folder / DATABASE, path)
        ceremony = founded.told
    else:
        ceremony = _found(url, folder, code, pack, clock)
    database = Database(url)
    try:
        with ThreadPoolExecutor(1) as executor:
            association = open_association(database, code=code, root=KeyFile(root), folder=home, executor=executor, clock=clock)
            limits = Limits(clock)
            identity = Identity.over({code: association}, limits)
            try:
                with patch.object(passwords, "check_password", _check_password):
                    yield World(database, home, KeyFile(root), clock, executor, ceremony, association, limits, identity)
            finally:
                identity.close()
                association.log.close()
    finally:
        database.dispose()


def _founded(folder: Path, _address: None, code: str, pack: str, now: int) -> Ceremony:
    """A founding on SQLite that worlds of this test process begin as copies of: what it does does not depend on the test."""
    return _found(f"sqlite:///{folder / DATABASE}", folder, code, pack, Clock(now))


def _found(url: str, folder: Path, code: str, pack: str, clock: Clock) -> Ceremony:
    database = Database(url)
    try:
        with database.connect() as connection, connection.begin():
            metadata.create_all(connection)
        root = key_file.create(folder / "root")
        with patch.multiple(founding, _account=_account, hash_password=_hash_password):
            return founding.found(database, code=code, pack=pack, folder=folder / code, root=root, clock=clock)
    finally:
        database.dispose()


def _new_file(url: str) -> Path | None:
    """The path of the SQLite database of this URL where it is not there yet, else None."""
    scheme, _, path = url.partition(":///")
    return Path(path) if scheme == "sqlite" and not Path(path).exists() else None
