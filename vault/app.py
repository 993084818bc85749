"""Puts the house together: opens the associations, hands every room what it may hold, and gives the web front its routes.

Invariants: a database of another schema, a missing journal or checkpoint and a log shorter than the checkpoint outside are refusals, not
fresh starts; this module and its neighbours on the roof are the only ones that know every room.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from prometheus_client import CollectorRegistry

from keys.roots import Root
from keys.roots.key_file import KeyFile
from keys.roots.passphrase_file import PassphraseFile
from vault import __version__
from vault.breach_reports.channels import Channels, read_channels
from vault.calls import Rooms, all_calls
from vault.consent.scans import clear_away, purge
from vault.errors import VaultError
from vault.identity.callers import Caller, may
from vault.identity.opening import codes, open_association, require_no_restore
from vault.identity.service import Identity
from vault.reclosing import reclose
from vault.rulebook.association import Association
from vault.settings import Settings
from vault.storage import schema
from vault.storage.engine import Database
from vault.web.app import build
from vault.web.front import Front
from vault.web.limits import Limits
from vault.web.logs import RequestLog
from vault.web.metrics import Metrics

CHECKPOINT_SECONDS = 10
PURGE_SECONDS = 60.0
READY_SECONDS = 1.0


def clock() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


def root_of(settings: Settings, code: str) -> Root:
    """The root key of an association as the settings name it: a key file, or one sealed under a passphrase that a file holds."""
    path = settings.root_path(code)
    if settings.root_passphrase_file is not None:
        return PassphraseFile(path, Path(settings.root_passphrase_file).read_bytes().rstrip(b"\n"))
    return KeyFile(path)


@dataclass(slots=True)
class House:
    """Everything that is open in this process."""

    settings: Settings
    database: Database
    associations: dict[str, Association] = field(default_factory=dict)
    channels: dict[str, Channels] = field(default_factory=dict)
    executors: list[ThreadPoolExecutor] = field(default_factory=list)
    _looked: "asyncio.Future[bool] | None" = None
    _look_again: float = 0.0
    _purge_again: float = 0.0

    @classmethod
    def open(cls, settings: Settings, *, now: Callable[[], int] = clock) -> "House":
        """Open every association of the database. Raises VaultError by name for what must not be opened."""
        database = Database(settings.address)
        schema.check(database)
        house = cls(settings, database)
        known = codes(database)
        for code in settings.homes():
            require_no_restore(settings.association_folder(code), stands=code in known)
        shared = house._executor()
        for code in known:
            # On SQLite there is one writer, so all queues share its thread; on PostgreSQL each association has its own.
            executor = shared if database.is_sqlite else house._executor()
            house.associations[code] = open_association(
                database,
                code=code,
                root=root_of(settings, code),
                folder=settings.association_folder(code),
                executor=executor,
                clock=now,
            )
            house.channels[code] = read_channels(settings.association_folder(code))
            reclose(house.associations[code], now)
            clear_away(house.associations[code], now)
        return house

    def _executor(self) -> ThreadPoolExecutor:
        executor = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self.executors.append(executor)
        return executor

    def close(self) -> None:
        """Close connections and threads; call it when nothing runs any more."""
        for association in self.associations.values():
            association.log.close()
        for executor in self.executors:
            executor.shutdown()
        self.database.dispose()

    async def ready(self) -> bool:
        """Whether every association's log can be read and its head stands; looked at once for all who ask within a second.

        Anybody may ask, so asking must not be work: one look at a time, and one in a second. Raises VaultError as that look did.
        """
        now = asyncio.get_running_loop().time()
        if self._looked is None or (self._looked.done() and now >= self._look_again):
            self._look_again = now + READY_SECONDS
            self._looked = asyncio.ensure_future(self._look())
        # Whoever hangs up meanwhile takes the look away from nobody else.
        return await asyncio.shield(self._looked)

    async def _look(self) -> bool:
        for association in self.associations.values():
            await association.refresh()
        return bool(self.associations)

    async def checkpoints(self) -> None:
        """Purge what is due, at most once a minute, tell counted refusals, then sign and put outside every log's newest checkpoint.

        A failure leaves the last one standing.
        """
        now = asyncio.get_running_loop().time()
        purges = now >= self._purge_again
        if purges:
            self._purge_again = now + PURGE_SECONDS
        for association in self.associations.values():
            try:
                if purges:
                    await association.run(purge)
                await association.refusals.tell_all()
                await association.checkpoint()
            except VaultError:
                # The age of the newest checkpoint outside tells of it on metrics and `doctor`.
                continue


def application(house: House, output: BinaryIO, registry: CollectorRegistry) -> Front:
    """The service over an open house; `output` takes the request log, `registry` the metrics."""
    limits = Limits(clock)
    identity = Identity.over(house.associations, limits)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        task = asyncio.create_task(_keep_checkpoints(house))
        try:
            yield
        finally:
            task.cancel()
            await house.checkpoints()
            identity.close()
            house.close()

    return build(
        all_calls(Rooms(identity, limits, house.channels, house.settings.largest_scan), clock),
        authenticate=identity.entrance.authenticate,
        out_of_scope=identity.entrance.out_of_scope,
        may=lambda caller, access: isinstance(caller, Caller) and may(caller, access),
        counters=Metrics(registry),
        journalist=RequestLog(output),
        limits=limits,
        ready=house.ready,
        clock=clock,
        lifespan=[lifespan],
        trusted_proxies=house.settings.proxies,
        version=__version__,
    )


async def _keep_checkpoints(house: House) -> None:
    while True:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        await house.checkpoints()
