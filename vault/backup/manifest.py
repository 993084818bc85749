"""The manifest of a backup: of which log at which size and root, what both files hold, and what they hash to; signed by the log's key.

Format: docs/spec/backup.md.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from keys.errors import Unopenable
from keys.notes import verify
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint, epoch_of
from vault.backup.refused import BackupRefused
from vault.storage.metadata import ID_BYTES

FILE: Final = "manifest"
CHECKPOINT: Final = "checkpoint"
"""The newest checkpoint when the copy was made lies beside the sealed files."""
_FIRST = "amanah-backup/1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_WORD = re.compile(r"[!-~]+( [!-~]+)*")
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class File:
    """One of the files beside the manifest: its name, its size in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is: ids of 16 bytes in hexadecimal, `at` microseconds UTC in whole seconds, `rows` by file and table."""

    backup: str
    association: str
    code: str
    schema: str
    at: int
    head: Checkpoint
    files: tuple[File, ...]
    recipients: tuple[str, ...]
    rows: tuple[tuple[str, str, int], ...]

    def text(self) -> str:
        """The lines that are signed."""
        head = self.head
        at = datetime.fromtimestamp(self.at // _MICRO, UTC).strftime(_TIME)
        return "\n".join(
            [
                *(_FIRST, f"backup {self.backup}", f"association {self.association} {self.code}"),
                *(f"log {head.origin} {head.size} {base64.b64encode(head.root).decode()}", f"time {at}", f"schema {self.schema}"),
                *(f"file {each.name} {each.size} {each.sha256}" for each in self.files),
                *(f"recipient {each}" for each in self.recipients),
                *(f"rows {part} {table} {count}" for part, table, count in self.rows),
                "",
            ],
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` wrote; raises BackupRefused `backup-altered` for anything else."""
        try:
            found = cls._parsed(text)
        except (ValueError, IndexError, KeyError, NotACheckpoint):
            raise BackupRefused(part=FILE) from None
        if found.text() != text:
            raise BackupRefused(part=FILE)
        return found

    @classmethod
    def _parsed(cls, text: str) -> Self:
        first, *lines = text.removesuffix("\n").split("\n")
        if first != _FIRST or not all(map(_WORD.fullmatch, lines)):
            raise ValueError
        said: dict[str, list[list[str]]] = {}
        for line in lines:
            name, *words = line.split(" ")
            said.setdefault(name, []).append(words)
        [[association, code]], [[origin, size, root]] = said["association"], said["log"]
        # Both are used before the signature can be checked: one names a folder.
        epoch_of(origin, code)
        if any(len(bytes.fromhex(each)) != ID_BYTES for each in (association, said["backup"][0][0])):
            raise ValueError
        return cls(
            backup=said["backup"][0][0],
            association=association,
            code=code,
            schema=said["schema"][0][0],
            at=int(datetime.strptime(said["time"][0][0], _TIME).replace(tzinfo=UTC).timestamp()) * _MICRO,
            head=Checkpoint(origin, int(size), base64.b64decode(root, validate=True)),
            files=tuple(File(name, int(length), digest) for name, length, digest in said["file"]),
            recipients=tuple(words[0] for words in said["recipient"]),
            rows=tuple((part, table, int(count)) for part, table, count in said["rows"]),
        )

    def rows_of(self, part: str) -> dict[str, int]:
        """How many rows of each table this file holds."""
        return {table: count for where, table, count in self.rows if where == part}


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as it lies: its folder, the manifest, and the note the manifest was read from."""

    folder: Path
    manifest: Manifest
    note: str

    @property
    def digest(self) -> str:
        """SHA-256 of the signed manifest: which backup it is."""
        return hashlib.sha256(self.note.encode()).hexdigest()

    def require_signed(self, vkeys: Iterable[str]) -> None:
        """Raise BackupRefused `backup-altered` unless a key of the log signed the manifest: the one that was in force when it was made."""
        if not any(map(self._is_signed, vkeys)):
            raise BackupRefused(part=FILE)

    def _is_signed(self, vkey: str) -> bool:
        try:
            verify(self.note, vkey)
        except Unopenable:
            return False
        return True

    def require_file(self, name: str) -> None:
        """Raise BackupRefused `backup-altered`, the file named, unless it is what the manifest says."""
        said = next((each for each in self.manifest.files if each.name == name), None)
        try:
            with (self.folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise BackupRefused(part=name) from None
        if said is None or digest != said.sha256:
            raise BackupRefused(part=name)


def look(folder: Path) -> Backup:
    """The backup in this folder; its manifest is read and not yet trusted. Raises BackupRefused `backup-altered`."""
    try:
        note = (folder / FILE).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise BackupRefused(part=FILE) from None
    text, _, _ = note.rpartition("\n\n")
    return Backup(folder, Manifest.parse(text + "\n"), note)
