"""Opens the two files of a backup for whoever holds a recovery key and the association's own: frames come out, and never a value."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from keys import backups, epochs
from keys.backups import opened
from keys.cabinet import Cabinet
from keys.errors import Unopenable
from keys.packages import PackageKey
from keys.roots import Root
from vault.access_log.checkpoint import origin
from vault.backup import frames
from vault.backup.frames import Frame
from vault.backup.loading import Loader
from vault.backup.manifest import CHECKPOINT, Backup
from vault.backup.manifest import FILE as MANIFEST
from vault.backup.parts import DATA, KEYS
from vault.backup.refused import BackupRefused
from vault.errors import Unavailable
from vault.identity.opening import EPOCHS
from vault.rulebook.association import Association
from vault.storage import schema

_PARTS: Final = {DATA: backups.DATA, KEYS: backups.KEYS}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a copy comes from: its data, the keys (of the same backup or a newer one), and the key both were sealed to."""

    data: Backup
    keys: Backup
    identity: PackageKey

    @property
    def backups(self) -> tuple[Backup, ...]:
        """Both, or the one that is both."""
        return (self.data,) if self.data is self.keys else (self.data, self.keys)

    def frames(self, part: str) -> Generator[Frame, None, None]:
        """The frames of this file, as they are read. Raises BackupRefused `backup-altered`, the file named."""
        backup = self.data if part == DATA else self.keys
        try:
            with (backup.folder / part).open("rb") as file:
                yield from frames.read(opened(file, self.identity, bytes.fromhex(backup.manifest.backup), _PARTS[part]))
        except (BackupRefused, Unopenable, FileNotFoundError):
            raise BackupRefused(part=part) from None

    def checkpoint(self) -> str:
        """The checkpoint that lies beside the data. Raises BackupRefused `backup-altered`."""
        try:
            return (self.data.folder / CHECKPOINT).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise BackupRefused(part=CHECKPOINT) from None

    def require_sound(self) -> None:
        """Raise BackupRefused for what the manifests alone tell: an altered file, another's backup, another recipient, another version."""
        self.data.require_file(DATA)
        self.data.require_file(CHECKPOINT)
        self.keys.require_file(KEYS)
        if self.data.manifest.association != self.keys.manifest.association:
            raise BackupRefused("backup-foreign", KEYS)
        for backup in self.backups:
            if self.identity.fingerprint not in backup.manifest.recipients:
                raise BackupRefused("backup-foreign")
            if backup.manifest.schema != schema.newest():
                raise BackupRefused("backup-other-version")

    def cabinet(self, root: Root, folder: Path) -> Cabinet:
        """The association's open keys, its notes named as in the epoch of the copy; both manifests are signed by them.

        `folder` holds `epochs`. Raises Unavailable `epochs-missing` and `sealed`: another root, or keys of an epoch that was retired.
        """
        manifest, wrapped = self.data.manifest, self._own_keys()
        try:
            own = epochs.load(folder / EPOCHS, bytes.fromhex(manifest.association), root)
            cabinet = Cabinet.open(own, wrapped, origin(manifest.code))
        except FileNotFoundError as error:
            raise Unavailable("epochs-missing") from error
        except Unopenable:
            raise Unavailable("sealed") from None
        return self._signed_by(cabinet)

    def cabinet_of(self, association: Association) -> Cabinet:
        """The keys of an association that is open here, likewise. Raises BackupRefused `backup-foreign` for another's backup."""
        if self.data.manifest.association != association.id.hex():
            raise BackupRefused("backup-foreign")
        return self._signed_by(association.cabinet)

    def _signed_by(self, cabinet: Cabinet) -> Cabinet:
        for backup in self.backups:
            backup.require_signed(cabinet.signing_as(backup.manifest.head.origin).signer.vkeys)
        return cabinet.signing_as(self.data.manifest.head.origin)

    def _own_keys(self) -> dict[str, bytes]:
        """The association's own wrapped keys, which come first."""
        found: dict[str, bytes] = {}
        with closing(self.frames(KEYS)) as told:
            for frame in islice(told, 1, None):
                if frame[0] != "rows":
                    break
                if any(row[0].hex() != self.keys.manifest.association for row in frame[1]):
                    raise BackupRefused(part=MANIFEST)
                found.update({row[1]: row[2] for row in frame[1]})
        return found


def load(connection: Connection, sources: Sources) -> None:
    """Put rows and keys into the database of this open transaction, as many as the manifests say. Raises BackupRefused."""
    for part, backup in ((DATA, sources.data), (KEYS, sources.keys)):
        loader = Loader(connection, bytes.fromhex(backup.manifest.association), part)
        for frame in sources.frames(part):
            loader.take(frame)
        if loader.counts != backup.manifest.rows_of(part):
            raise BackupRefused(part=part)
