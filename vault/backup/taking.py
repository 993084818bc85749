"""Makes a backup while the service runs: one snapshot, two sealed files and a signed manifest, proven before it counts.

Invariants: the two files are of one moment of one association; what is sealed is at the same time loaded into a scratch database by the
code that restores, and only what proved itself there gets a manifest and its name; nothing unsealed but rows as they lie is on a disk; the
wrapped association keys, the root key and the journal are in neither file.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection

from keys import backups
from keys.backups import BackupSealer
from keys.errors import Unsealable
from keys.files import write_new
from keys.packages import HPKE, checked_key, fingerprint
from vault.access_log.checkpoint import HEAD, Checkpoint, origin_of
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.access_log.merkle import Frontier
from vault.access_log.verify import snapshot
from vault.backup import frames
from vault.backup.frames import Frame, Frames
from vault.backup.loading import Loader
from vault.backup.manifest import CHECKPOINT, FILE, Backup, File, Manifest
from vault.backup.opening import Sources, load
from vault.backup.parts import DATA, KEYS, portions, shares
from vault.backup.proving import Proof, Scratch, prove
from vault.backup.refused import BackupRefused
from vault.backup.scratch import alone, scratch
from vault.errors import Unavailable
from vault.rulebook.association import Association
from vault.storage import schema
from vault.storage.engine import enter
from vault.storage.transaction import Transaction

PARTS: Final = {DATA: backups.DATA, KEYS: backups.KEYS}
MADE: Final = "backup.made"
VERIFIED: Final = "backup.verified"
SYSTEM: Final = "system"
_SECOND = 1_000_000
_MODE = 0o600
_NAME = "%Y%m%dT%H%M%SZ"


class _Recipient(msgspec.Struct, frozen=True):
    type: Literal["hpke-x25519"]
    public: str


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there: its folder and what was proven of it."""

    backup: Backup
    proof: Proof


def take(association: Association, to: Path, recipients: Sequence[str], clock: Callable[[], int]) -> Made:
    """Make a backup of the association in a new folder inside `to`, sealed to these public keys, and tell the log.

    Raises BackupRefused `backup-recipient`, `backup-running`, `backup-not-proven`, `backup-there`.
    """
    for public in recipients:
        _require_key(public)
    at = clock() // _SECOND * _SECOND
    name = f"{association.code}-{datetime.fromtimestamp(at // _SECOND, UTC).strftime(_NAME)}"
    part, whole = to / f"{name}.part", to / name
    with alone(association.folder):
        if whole.exists():
            raise BackupRefused("backup-there")
        for left in to.glob(f"{association.code}-*.part"):
            shutil.rmtree(left)  # a backup that was never finished is none
        part.mkdir(parents=True, mode=0o700)
        try:
            made = _Making(association, part, recipients, at, clock).run()
            part.rename(whole)
            _sync(to)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        association.log.run_now(association.database, [lambda deed: _tell(deed, made)], clock)
    return Made(Backup(whole, made.backup.manifest, made.backup.note), made.proof)


def _require_key(public: str) -> None:
    try:
        checked_key(HPKE, public)
    except Unsealable:
        raise BackupRefused("backup-recipient") from None


def check(association: Association, sources: Sources, clock: Callable[[], int]) -> Proof:
    """Open both sealed files into a scratch database, prove what is in them, and tell the log. Raises BackupRefused, Unavailable."""
    sources.require_sound()
    cabinet = sources.cabinet_of(association)
    manifest = sources.data.manifest
    with alone(association.folder), scratch(association.folder) as empty, empty.connect() as into, into.begin():
        load(into, sources)
        looked = Scratch(association.id, cabinet, association.log.journal).deed(Transaction(into, clock()))
        proof = prove(looked, manifest.code, manifest.head, sources.checkpoint(), sample=sources.data is sources.keys)
        into.rollback()
    association.log.run_now(association.database, [lambda deed: deed.append(_verified(Made(sources.data, proof)))], clock)
    return proof


def _tell(deed: Deed, made: Made) -> None:
    """Two entries, without a path: that the copy was made, and that it was proven."""
    deed.append(Entry(kind=MADE, outcome="allow", actor=SYSTEM, count=made.backup.manifest.head.size, flags=_which(made.backup)))
    deed.append(_verified(made))


def _verified(made: Made) -> Entry:
    return Entry(kind=VERIFIED, outcome="allow", actor=SYSTEM, count=made.proof.containers, flags=_which(made.backup))


def _which(backup: Backup) -> tuple[str, ...]:
    return f"backup:{backup.manifest.backup}", f"manifest:{backup.digest}"


class _Writing:
    """One file on its way: sealed chunk by chunk, hashed as it is written."""

    def __init__(self, path: Path, recipients: Sequence[str], backup: bytes, part: int) -> None:
        self._sealer = BackupSealer(recipients, backup, part)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), "wb")
        self._hash = hashlib.sha256()
        self._write(self._sealer.head)

    def take(self, frame: Frame) -> None:
        """Seal a frame."""
        for chunk in self._sealer.take(frames.written(frame)):
            self._write(chunk)

    def end(self, name: str) -> File:
        """Write the last chunk, durable when this returns."""
        self._write(self._sealer.end())
        self._file.flush()
        os.fsync(self._file.fileno())
        return File(name, self._file.tell(), self._hash.hexdigest())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)


@dataclass(slots=True)
class _Making:
    association: Association
    folder: Path
    recipients: Sequence[str]
    at: int
    clock: Callable[[], int]

    def run(self) -> Made:
        association, identifier = self.association, os.urandom(16)
        note = association.checkpoint_now(self.clock)
        with scratch(association.folder) as empty, empty.connect() as into, into.begin():
            enter(into, association.id)
            with snapshot(association.database, association.id) as connection:
                head = _head(connection, association)
                try:
                    files, rows = self._copy(connection, into, identifier)
                except BackupRefused as refused:
                    # What does not go into an empty database does not belong into this one.
                    raise BackupRefused("backup-not-proven", refused.part) from refused
            looked = Scratch(association.id, association.cabinet, association.log.journal)
            proof = prove(looked.deed(Transaction(into, self.clock())), association.code, head, note)
            into.rollback()
        manifest = Manifest(
            backup=identifier.hex(),
            association=association.id.hex(),
            code=association.code,
            schema=schema.newest(),
            at=self.at,
            head=head,
            files=(*files, File(CHECKPOINT, len(note.encode()), hashlib.sha256(note.encode()).hexdigest())),
            recipients=tuple(fingerprint(HPKE, public) for public in self.recipients),
            rows=rows,
        )
        signed = association.cabinet.signer.sign(manifest.text())
        write_new(self.folder / CHECKPOINT, note.encode(), _MODE)
        write_new(self.folder / FILE, signed.encode(), _MODE)
        return Made(Backup(self.folder, manifest, signed), proof)

    def _copy(
        self, connection: Connection, into: Connection, identifier: bytes
    ) -> tuple[tuple[File, File], tuple[tuple[str, str, int], ...]]:
        files, rows = [], []
        for part, number in PARTS.items():
            writing = _Writing(self.folder / part, self.recipients, identifier, number)
            told = Frames(writing.take, Loader(into, self.association.id, part).take)
            with closing(writing):
                for share in shares(part):
                    told.table(share.table.name, share.names, portions(connection, self.association.id, share))
                told.end()
                files.append(writing.end(part))
            rows += [(part, table, count) for table, count in told.counts.items()]
        return (files[0], files[1]), tuple(rows)


def _head(connection: Connection, association: Association) -> Checkpoint:
    """The size and root of the log in this snapshot."""
    rows = HEAD.rows(Transaction(connection, 0), {"association": association.id})
    try:
        size, packed = rows[0]
        root = Frontier.unpack(size, packed).root()
    except (IndexError, TypeError, ValueError) as error:
        raise Unavailable("integrity") from error
    return Checkpoint(origin_of(association.cabinet.signer.vkey), size, root)


def read_recipient(content: bytes) -> str:
    """The public key in what `amanah package keygen` printed. Raises BackupRefused `backup-recipient`."""
    try:
        told = msgspec.json.decode(content, type=_Recipient)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BackupRefused("backup-recipient") from None
    _require_key(told.public)
    return told.public


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
