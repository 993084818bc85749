"""Puts the house together: opens the associations, hands every room what it may hold, and gives the web front its routes.

Invariants: a database of another schema, a missing journal or checkpoint and a log shorter than the checkpoint outside are refusals, not
fresh starts; a root that does not open its association seals that one alone; this module and its neighbours on the roof are the only ones
that know every room.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

from prometheus_client import CollectorRegistry

from keys.errors import Unopenable
from keys.roots import Root
from keys.roots.key_file import KeyFile
from keys.roots.passphrase_file import PassphraseFile
from keys.roots.systemd_credential import SystemdCredential
from vault import __version__
from vault.access.watching import Watcher
from vault.attachments.scans import clear_away, purge
from vault.breach_reports import files
from vault.breach_reports.mail.answer import Postbox
from vault.breach_reports.ringing import Ringer
from vault.calls import Rooms, all_calls
from vault.checkpoint_mail import Post
from vault.custody import retiring
from vault.errors import Unavailable, VaultError
from vault.identity.callers import Caller, may
from vault.identity.opening import codes, identifier_of, load_keys, open_with, require_epochs, require_no_restore
from vault.identity.service import Identity
from vault.mail_settings import postbox_of
from vault.notice_mail import NoticeMail, read_notice_mail
from vault.notifying import Notifier
from vault.recalling import Recaller
from vault.reclosing import reclose
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels, read_channels
from vault.settings import Settings, SettingsRefused
from vault.storage import schema
from vault.storage.engine import Database
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.patience import START_SECONDS, Patience
from vault.unsealing import SEALED, Doors, Keeper
from vault.web.app import build
from vault.web.front import Front
from vault.web.limits import Limits
from vault.web.logs import RequestLog
from vault.web.metrics import Metrics
from vault.webhooks import Wire, trust

CHECKPOINT_SECONDS = 10
PURGE_SECONDS = 60.0
READY_SECONDS = 1.0
TEND_SECONDS = 10.0
RECALL_SECONDS = 5.0
RING_SECONDS = 10.0
NOTIFY_SECONDS = 5.0


def clock() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


def root_of(settings: Settings, code: str) -> Root:
    """The root key of an association as the settings name it: a systemd credential, a key file, or one sealed under a passphrase."""
    if settings.root_credential is not None:
        return SystemdCredential(settings.root_credential)
    path = settings.root_path(code)
    if settings.root_passphrase_file is not None:
        return PassphraseFile(path, Path(settings.root_passphrase_file).read_bytes().rstrip(b"\n"))
    return KeyFile(path)


def asking(settings: Settings, code: str) -> Callable[[], Root]:
    """How an association's root is asked again: it is read anew, unless its passphrase comes by a descriptor, which is read once."""
    given = settings.root_passphrase_file
    if settings.root_credential is not None or given is None or Path(given).is_file():
        # Not kept in memory: whoever reads this process would find in it what opens every copy of the file of epochs.
        return lambda: root_of(settings, code)
    return cache(lambda: root_of(settings, code))


@dataclass(slots=True)
class House:
    """Everything that is open in this process, and the codes of what is sealed; `say` takes a line for the operator."""

    settings: Settings
    database: Database
    associations: dict[str, Association] = field(default_factory=dict)
    channels: dict[str, Channels] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    postboxes: dict[str, Postbox] = field(default_factory=dict)
    watchers: dict[str, Watcher] = field(default_factory=dict)
    recallers: dict[str, Recaller] = field(default_factory=dict)
    ringers: dict[str, Ringer] = field(default_factory=dict)
    notice_mails: dict[str, NoticeMail] = field(default_factory=dict)
    notifiers: dict[str, Notifier] = field(default_factory=dict)
    wire: Wire = field(init=False)
    executors: list[ThreadPoolExecutor] = field(default_factory=list)
    sealed: set[str] = field(default_factory=set)
    keepers: dict[str, Keeper] = field(default_factory=dict)
    writers: dict[str, ThreadPoolExecutor] = field(default_factory=dict)
    clock: Callable[[], int] = clock
    say: Callable[[str], object] = str
    _looked: "asyncio.Future[bool] | None" = None
    _look_again: float = 0.0
    _purge_again: float = 0.0

    def __post_init__(self) -> None:
        """Say by whom recipients' webhooks are believed. Raises SettingsRefused for a file of authorities that cannot be read."""
        try:
            context = trust(self.settings.webhook_ca_file)
        except OSError as error:
            raise SettingsRefused("settings-webhook-ca-file") from error
        self.wire = Wire(context, private_targets=self.settings.webhook_private_targets)

    @classmethod
    def open(cls, settings: Settings, *, now: Callable[[], int] = clock, say: Callable[[str], object] = str) -> "House":
        """Open every association of the database whose root opens it. Raises VaultError by name for what must not be opened."""
        database, patience = Database(settings.address), Patience(say, seconds=START_SECONDS)
        patience.take(lambda: schema.check(database))
        house = cls(settings, database, clock=now, say=say)
        known = patience.take(lambda: codes(database))
        for code in settings.homes():
            require_no_restore(settings.association_folder(code), stands=code in known)
        shared = house._executor()
        for code in known:
            folder = settings.association_folder(code)
            require_epochs(folder)
            house.channels[code] = read_channels(folder)
            if (post := Post.of(code, folder)) is not None:
                house.posts[code] = post
            if (postbox := postbox_of(folder)) is not None:
                house.postboxes[code] = postbox
            if (mail := read_notice_mail(folder)) is not None:
                house.notice_mails[code] = mail
            # On SQLite there is one writer, so all queues share its thread; on PostgreSQL each association has its own.
            house.writers[code] = shared if database.is_sqlite else house._executor()
            house.keepers[code] = patience.take(partial(keeper_of, database, code, folder, asking(settings, code)))
        for keeper in house.keepers.values():
            keeper.begin()  # all at once, so that ten silent roots are waited for no longer than one
        for code in house.keepers:
            house._open(code, patience)
        return house

    def _open(self, code: str, patience: Patience) -> None:
        """Open one association, or seal it where its root does not open it. Raises VaultError by name for what must not be opened."""
        self.sealed.add(code)
        opening = partial(
            open_with,
            self.database,
            code=code,
            load=self.keepers[code].keys,
            folder=self.settings.association_folder(code),
            executor=self.writers[code],
            clock=self.clock,
        )
        try:
            association = patience.take(opening)
        except Unavailable as error:
            if error.code != SEALED:
                raise
            return
        # In the writer's thread: on SQLite the others' queues take turns there.
        self.writers[code].submit(self._settle, association, patience).result()
        self.associations[code] = association
        self.watchers[code] = Watcher(association)
        self.recallers[code] = Recaller(association, self.wire)
        mail, told = self.notice_mails.get(code), self.channels.get(code, Channels())
        self.ringers[code] = Ringer(association) if mail is None else Ringer(association, mail.telling)
        if mail is not None:
            names = {language: told.named(code, language) for language in ("ar", "en")}
            self.notifiers[code] = Notifier(association, mail, names)
        self.sealed.discard(code)

    def _settle(self, association: Association, patience: Patience) -> None:
        patience.take(lambda: retiring.settle(association, asking(self.settings, association.code), self.clock))
        for step in (reclose, clear_away, files.clear_away):
            patience.take(partial(step, association, self.clock))

    @property
    def doors(self) -> Doors:
        """The associations as rooms see them."""
        return Doors(self.associations, self.sealed)

    async def tend(self) -> None:
        """Ask every root whose time has come: open what is sealed, take over rewritten keys, seal what had no answer for twelve hours."""
        await asyncio.gather(*(self._tend(code) for code, keeper in self.keepers.items() if keeper.is_due))

    async def _tend(self, code: str) -> None:
        if code in self.sealed:
            with suppress(VaultError, *DATABASE_ERRORS):  # what cannot be opened yet is tried again
                await asyncio.to_thread(self._open, code, Patience(self.say, seconds=0))
            if code not in self.sealed:
                self.say(f"{code} is open: its root answers")
            return
        try:
            self.associations[code].cabinet.keys.take(await asyncio.to_thread(self.keepers[code].keys))
        except Unopenable:
            self.say(f"{code}: the file of epochs is an older one than what is open")
        except Unavailable:
            if self.keepers[code].is_silent:
                await self._seal(code)

    async def _seal(self, code: str) -> None:
        """Shut the door of an association; what is under way in it ends by itself."""
        self.sealed.add(code)
        association = self.associations.pop(code)
        self.watchers.pop(code, None)
        self.ringers.pop(code, None)
        if (recaller := self.recallers.pop(code, None)) is not None:
            await recaller.close()
        if (notifier := self.notifiers.pop(code, None)) is not None:
            await notifier.close()
        with suppress(VaultError):
            await association.refusals.tell_all()
            await association.checkpoint()
        await asyncio.to_thread(association.log.close)
        self.say(f"{code} is sealed: its root has not answered for twelve hours")

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
        self.wire.close()
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
        for association in list(self.associations.values()):
            await association.refresh()
        if self.sealed:
            raise Unavailable(SEALED)
        return bool(self.associations)

    async def checkpoints(self) -> None:
        """Purge what is due, at most once a minute, tell counted refusals, then sign and put outside every log's newest checkpoint.

        A failure leaves the last one standing.
        """
        now = asyncio.get_running_loop().time()
        purges = now >= self._purge_again
        if purges:
            self._purge_again = now + PURGE_SECONDS
        for association in list(self.associations.values()):
            try:
                if purges:
                    await association.run(purge)
                await association.refusals.tell_all()
                await association.checkpoint()
            except VaultError:
                # The age of the newest checkpoint outside tells of it on metrics and `doctor`.
                continue

    async def watch(self) -> None:
        """Look through what is new in every log by the detection rules; where that fails it is said, and looked through again."""
        for code, watcher in list(self.watchers.items()):
            try:
                await watcher.look_through()
            except Exception as error:  # noqa: BLE001  # a defect of a rule must not keep the checkpoints from going out
                self.say(f"{code}: the log could not be looked through ({type(error).__name__})")

    async def recall(self) -> None:
        """Raise what past recipients are to be told of, and begin to send what is due; a failure is said, and all is tried again."""
        for code, recaller in list(self.recallers.items()):
            try:
                await recaller.round()
            except VaultError as error:
                self.say(f"{code}: past recipients could not be looked after ({error.code})")

    async def ring(self) -> None:
        """Ring the clocks of incidents that are due; where that fails it is said, and they ring the next time."""
        for code, ringer in list(self.ringers.items()):
            try:
                await ringer.round()
            except Exception as error:  # noqa: BLE001  # a defect met in one association must not keep another's clocks from ringing
                self.say(f"{code}: the clocks of incidents could not be looked after ({type(error).__name__})")

    async def notify(self) -> None:
        """Send what is to be told about breaches; where that fails it is said, and what was not sent is sent the next time."""
        for code, notifier in list(self.notifiers.items()):
            try:
                await notifier.round()
            except Exception as error:  # noqa: BLE001  # a defect met in one association must not keep another's letters from leaving
                self.say(f"{code}: notices of breaches could not be sent ({type(error).__name__})")

    async def mail(self) -> None:
        """Mail the newest checkpoints that are due; one that cannot be sent, for whatever reason, is said, and tried again."""
        await asyncio.gather(*(self._mail(self.associations[code], post) for code, post in self.posts.items() if code in self.associations))

    async def _mail(self, association: Association, post: Post) -> None:
        try:
            await asyncio.to_thread(post.send_if_due, association.outside.read(), self.clock() / 1e6)
        except Exception as error:  # noqa: BLE001  # a setting no server takes must not end the rounds: nothing would be mailed any more
            self.say(f"{association.code}: the checkpoint could not be mailed ({type(error).__name__})")


def application(house: House, output: BinaryIO, registry: CollectorRegistry) -> Front:
    """The service over an open house; `output` takes the request log, `registry` the metrics."""
    limits = Limits(clock)
    identity = Identity.over(house.doors, limits)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        rounds = (_keep_checkpoints, _keep_mailing, _keep_asking, _keep_recalling, _keep_ringing, _keep_notifying)
        tasks = [asyncio.create_task(each(house)) for each in rounds]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*(recaller.close() for recaller in house.recallers.values()))
            await asyncio.gather(*(notifier.close() for notifier in house.notifiers.values()))
            await house.checkpoints()
            identity.close()
            house.close()

    return build(
        all_calls(Rooms(identity, limits, house.channels, house.settings.largest_scan, house.postboxes), clock),
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


def keeper_of(database: Database, code: str, folder: Path, root: Callable[[], Root]) -> Keeper:
    """Who asks the root of one association for its keys."""
    identifier = identifier_of(database, code)
    return Keeper(lambda: load_keys(identifier, root(), folder))


async def _keep_asking(house: House) -> None:
    while True:
        await asyncio.sleep(TEND_SECONDS)
        try:
            await house.tend()
        except Exception as error:  # noqa: BLE001  # a defect in one round must not end the rounds: nothing would be sealed any more
            house.say(f"asking the roots failed ({type(error).__name__})")


async def _keep_recalling(house: House) -> None:
    while True:
        await asyncio.sleep(RECALL_SECONDS)
        try:
            await house.recall()
        except Exception as error:  # noqa: BLE001  # a defect in one round must not end the rounds: nobody would be told any more
            house.say(f"past recipients could not be looked after ({type(error).__name__})")


async def _keep_checkpoints(house: House) -> None:
    while True:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        await house.watch()
        try:
            await house.checkpoints()
        except Exception as error:  # noqa: BLE001  # the next round tries again: without rounds nobody looks through the log either
            house.say(f"the checkpoints could not be kept ({type(error).__name__})")


async def _keep_ringing(house: House) -> None:
    """At once when the service starts: what was due while it was down rings first."""
    while True:
        await house.ring()
        await asyncio.sleep(RING_SECONDS)


async def _keep_notifying(house: House) -> None:
    """Beside the other rounds: a mail server that keeps us waiting holds up no clock; what was not sent before the start goes first."""
    while True:
        await house.notify()
        await asyncio.sleep(NOTIFY_SECONDS)


async def _keep_mailing(house: House) -> None:
    """Beside the other rounds: a mail server that keeps us waiting holds up no alert and no checkpoint."""
    while True:
        await house.mail()
        await asyncio.sleep(CHECKPOINT_SECONDS)
