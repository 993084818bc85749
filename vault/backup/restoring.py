"""Puts a backup back into an empty database and closes again every door that was closed since, before anybody may knock.

Invariants: rows, keys, the index made anew, the entry that says so, and everything the journals say are one transaction: a kill leaves
nothing or all of it; a file stands in the association's folder from before the first row until the new checkpoint is outside, and with it
there nothing opens; without a whole journal every API key and session is revoked and two people must confirm (ADR 0040, 0041, 0042).
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from keys.files import replace
from keys.roots import Root
from vault.access_log.checkpoint import origin
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.access_log.log import AccessLog
from vault.access_log.restored import RESTORED as LOG_RESTORED
from vault.access_log.restored import quoted
from vault.backup import journals
from vault.backup.closing_again import SYSTEM, Work, takes_all
from vault.backup.journals import Shown
from vault.backup.opening import Sources, load
from vault.backup.proving import Scratch, prove
from vault.backup.refused import BackupRefused
from vault.errors import Conflict
from vault.identity.opening import CHECKPOINT as OUTSIDE
from vault.identity.opening import JOURNAL, RESTORING, codes, journal_mac, unseal
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.book import Books
from vault.rulebook.shapes import RESTORATION, RESTORATION_KEY, RestorationFact
from vault.storage import schema
from vault.storage.engine import Database, enter
from vault.storage.journal import RESTORED, Closing, Journal, Line
from vault.storage.transaction import Transaction

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is put: an empty database, the association's folder with `epochs` in it, its root, and what time it is there."""

    database: Database
    folder: Path
    root: Root
    clock: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Shows:
    """What is shown beside the copy: journals, checkpoints held outside, and whether to go on without a whole journal."""

    journals: Sequence[Path] = ()
    checkpoints: Sequence[Path] = ()
    without_journal: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it: the epoch the log goes on in, whether the journal was whole, what was closed, who does not open.

    `finished` where an earlier run had put everything back and only the checkpoint was missing.
    """

    epoch: int
    complete: bool
    closed: int = 0
    unopened: int = 0
    finished: bool = False


def restore(place: Place, sources: Sources, shows: Shows) -> Restored:
    """Put the copy back, or finish what an earlier run of the same began.

    Raises BackupRefused, Conflict `restore-not-empty`, Unavailable (`epochs-missing`, `sealed`), JournalRefused.
    """
    schema.upgrade(place.database)
    code = sources.data.manifest.code
    if code in codes(place.database):
        return _finish(place, sources)
    sources.require_sound()
    return _Restoring(place, sources, shows).run()


def _finish(place: Place, sources: Sources) -> Restored:
    """Put the checkpoint of a restore that is in the database outside. Raises Conflict where what is there came from elsewhere."""
    code = sources.data.manifest.code
    begun = place.folder / RESTORING
    if not begun.exists():
        raise Conflict("restore-not-empty")
    identifier, cabinet = unseal(place.database, code=code, root=place.root, folder=place.folder)
    journal = Journal(place.folder / JOURNAL, journal_mac(cabinet))
    with place.database.connect() as connection, connection.begin():
        enter(connection, identifier)
        found = facts.read_from(connection, cabinet, identifier, RESTORATION, RESTORATION_KEY)
    if found is None or found.backup != sources.data.digest or json.loads(begun.read_bytes()).get("backup") != found.backup:
        raise Conflict("restore-not-empty")
    log = AccessLog(cabinet, journal, place.database, ThreadPoolExecutor(1), clock=place.clock)
    association = _association(place, identifier, code, log)
    _put_outside(place, association)
    return Restored(found.epoch, found.complete, finished=True)


def _association(place: Place, identifier: bytes, code: str, log: AccessLog) -> Association:
    return Association(identifier, code, log.cabinet, log, Books(log.cabinet), place.database, place.folder)


def _put_outside(place: Place, association: Association) -> None:
    """Sign the first checkpoint of the new epoch over what is committed, put it outside, and let the association open."""
    with place.database.connect() as connection, connection.begin():
        enter(connection, association.id)
        note = association.checkpointer.anew(Transaction(connection, place.clock()))
    association.note_journal(note)
    (place.folder / RESTORING).unlink()


class _Restoring:
    """One run."""

    def __init__(self, place: Place, sources: Sources, shows: Shows) -> None:
        """Judge what was shown; nothing is written yet."""
        self.place, self.sources = place, sources
        manifest = sources.data.manifest
        self.code, self.identifier, self.copied = manifest.code, bytes.fromhex(manifest.association), manifest.head
        self.cabinet = sources.cabinet(place.root, place.folder)
        self.note = sources.checkpoint()
        own = place.folder / JOURNAL
        paths = list(dict.fromkeys([*([own] if own.exists() else []), *(path.absolute() for path in shows.journals)]))
        self.shown: list[Shown] = journals.shown(paths, self.cabinet, self.code)
        held = [path for path in (place.folder / OUTSIDE, *shows.checkpoints) if path.exists() or path in shows.checkpoints]
        self.outside = journals.newest([journals.checkpoint_of(_text(path), self.cabinet, self.code) for path in held], self.code)
        self.complete = journals.are_whole(self.shown, self.outside, self.copied, self.code)
        if not self.complete and not shows.without_journal:
            raise BackupRefused("journal-incomplete")
        self.epoch = journals.epoch_after(self.copied, self.outside, self.shown, self.code)
        self.closed = self.unopened = 0

    def run(self) -> Restored:
        """Put everything back."""
        place = self.place
        lines = journals.to_carry_out([one.journal for one in self.shown], self.copied, self.code)
        replace(place.folder / RESTORING, json.dumps({"backup": self.sources.data.digest}).encode(), _MODE)
        journal = journals.merge(place.folder / JOURNAL, self.shown, self.cabinet)
        with place.database.connect() as connection, connection.begin():
            enter(connection, self.identifier)
            self._load(connection, journal)
            association = self._go_on(connection, journal, lines)
        _put_outside(place, association)
        return Restored(self.epoch, self.complete, self.closed, self.unopened)

    def _load(self, connection: Connection, journal: Journal) -> None:
        """Rows, then keys; proven before anything is added. Raises BackupRefused."""
        load(connection, self.sources)
        looked = Scratch(self.identifier, self.cabinet, journal).deed(Transaction(connection, self.place.clock()))
        # Under newer keys somebody erased since does not open, and is not to.
        prove(looked, self.code, self.copied, self.note, sample=self.sources.data is self.sources.keys)

    def _go_on(self, connection: Connection, journal: Journal, lines: Sequence[Line]) -> Association:
        """Begin the log's next epoch and carry out what was closed since, inside the transaction that loaded the copy."""
        cabinet = self.cabinet.signing_as(origin(self.code, self.epoch))
        log = AccessLog(cabinet, journal, self.place.database, ThreadPoolExecutor(1), clock=self.place.clock)
        # The lines of the journal tell of sizes of the history that is lost.
        log.least_size = self.copied.size
        association = _association(self.place, self.identifier, self.code, log)
        work = Work(connection, association, self.place.clock)
        work.deed(self._begin)
        self.closed += work.carry_out([line for line in lines if takes_all(line)])
        self.unopened = work.find_anew()
        self.closed += work.carry_out(lines)
        if not self.complete:
            self.closed += work.carry_out(work.credentials())
        return association

    def _begin(self, deed: Deed) -> int:
        """The first entry after those of the copy."""
        fact = RestorationFact(
            epoch=self.epoch, restored_at=deed.now, backup=self.sources.data.digest, copied=self.copied.size, complete=self.complete
        )
        told = Entry(
            kind=LOG_RESTORED,
            outcome="allow",
            actor=SYSTEM,
            facts=(facts.write(deed, RESTORATION, RESTORATION_KEY, fact),),
            flags=(*quoted(self.epoch, self.copied, self.outside), "journal:whole" if self.complete else "journal:missing"),
        )
        deed.append(told, changes_law=True, closes=Closing(RESTORED, str(self.epoch)))
        return 1


def _text(path: Path) -> str:
    """A note as it lies; what is no text is no note."""
    return path.read_bytes().decode(errors="replace")
