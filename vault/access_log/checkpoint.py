"""Checkpoints: the signed size and root of the log (C2SP tlog-checkpoint), the newest of them kept outside the database.

Invariants: a checkpoint is signed only over a log that begins with everything the last one outside covers; it is on the disk outside
before anybody sees it; the file outside never goes back and never forks, so a database put back from an old copy cannot sign a second
history. Format: docs/spec/checkpoint.md.
"""

import base64
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from keys.errors import Unopenable
from keys.files import replace, write_new
from keys.notes import Signer, renamed, verify
from vault.access_log import tables
from vault.access_log.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, consistency, consistent, root_of
from vault.access_log.tiles import with_hashes
from vault.errors import Conflict, Unavailable, VaultError
from vault.storage.transaction import Transaction, hot

EPOCH = 1
"""The first epoch of a log; each restore from a copy begins the next (docs/adr/0041-log-epochs.md)."""
PAUSE = 1_000_000
_MODE = 0o600
_LINES = 3
_ORIGIN = re.compile(r"amanah/([a-z0-9-]+)/([1-9][0-9]{0,8})")

HEAD = hot(select(tables.head.c.size, tables.head.c.frontier).where(tables.head.c.association_id == bindparam("association")))


class NotACheckpoint(VaultError):
    """Text that is no checkpoint of this log, or not signed by its key."""

    code = "checkpoint-unreadable"


def origin(code: str, epoch: int = EPOCH) -> str:
    """The name of an association's log in that epoch, which is also the name of its signing key."""
    return f"amanah/{code}/{epoch}"


def origin_of(vkey: str) -> str:
    """The name of the log whose notes this key verifies."""
    return vkey.partition("+")[0]


def epoch_of(name: str, code: str) -> int:
    """The epoch in the name of this association's log; raises NotACheckpoint for another name."""
    found = _ORIGIN.fullmatch(name)
    if found is None or found[1] != code:
        raise NotACheckpoint
    return int(found[2])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: how many entries the log of this origin had, and their 32-byte root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines that are signed: origin, size, root in base64; no extension lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the three lines; raises NotACheckpoint for anything that `text` would not write."""
        try:
            name, size, root, rest = text.split("\n")
            found = cls(name, int(size), base64.b64decode(root, validate=True))
        except ValueError as error:
            raise NotACheckpoint from error
        if rest or found.size < 0 or len(found.root) != HASH_BYTES or found.text() != text:
            raise NotACheckpoint
        return found


Key = str | Callable[[int], str]
"""A verifier key, or which one is in force where the log has so many entries."""


def key_at(key: Key, size: int) -> str:
    """The verifier key in force where the log has so many entries."""
    return key if isinstance(key, str) else key(size)


def opened(note: str, key: Key, code: str) -> Checkpoint:
    """The checkpoint in a note that the key in force at its size signed, of the log that is its name. Raises NotACheckpoint."""
    try:
        vkey = key_at(key, claimed(note).size)
        found = Checkpoint.parse(verify(note, vkey))
    except Unopenable as error:
        raise NotACheckpoint from error
    epoch_of(found.origin, code)
    if found.origin != origin_of(vkey):
        raise NotACheckpoint
    return found


def opened_of_any_epoch(note: str, key: Key, code: str) -> Checkpoint:
    """The same for a checkpoint of this epoch or an earlier one: the key is the same, its name was another."""
    name, vkey = note.partition("\n")[0], key_at(key, claimed(note).size)
    if epoch_of(name, code) > epoch_of(origin_of(vkey), code):
        raise NotACheckpoint
    return opened(note, renamed(vkey, name), code)


class Outside:
    """The small file outside the database with the newest signed checkpoint of one association."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is not touched yet."""
        self.path = path

    def read(self) -> str:
        """The note; raises Unavailable `checkpoint-missing` where there is none, `checkpoint-unreadable` for what is no text."""
        try:
            return self.path.read_bytes().decode()
        except FileNotFoundError as error:
            raise Unavailable("checkpoint-missing") from error
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable("checkpoint-unreadable") from error

    def create(self, note: str) -> None:
        """Write the first note, once in an association's life; raises Conflict `checkpoint-exists` where there is one."""
        try:
            write_new(self.path, note.encode(), _MODE)
        except FileExistsError as error:
            raise Conflict("checkpoint-exists") from error

    def replace(self, note: str) -> None:
        """Put this note there, whatever stands there; durable when this returns."""
        with self._locked():
            replace(self.path, note.encode(), _MODE)

    def move(self, expected: str, note: str) -> bool:
        """Put a newer note in the place of the expected one, durable when this returns; False where another one stands there by now.

        Raises Unavailable `integrity` for a note that covers fewer entries than the one it replaces, or as many with another root.
        """
        was, will = claimed(expected), claimed(note)
        if (was.origin, was.size) != (will.origin, min(was.size, will.size)) or (was.size == will.size and was.root != will.root):
            raise Unavailable("integrity")
        with self._locked():
            if self.read() != expected:
                return False
            replace(self.path, note.encode(), _MODE)
        return True

    def age(self, now: int) -> int:
        """Microseconds since the newest checkpoint was put outside."""
        try:
            return now - self.path.stat().st_mtime_ns // 1000
        except FileNotFoundError as error:
            raise Unavailable("checkpoint-missing") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the checkpoint's own file is replaced, and a lock on it would be a lock on what was.
        handle = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


class Checkpointer:
    """Signs the checkpoints of one association's log."""

    def __init__(self, signer: Signer, code: str, association: bytes, outside: Outside) -> None:
        """Take the log's signer, the association's code and 16-byte reference, and the file outside."""
        self._signer = signer
        self._code = code
        self._association = association
        self._outside = outside
        self._signed: int | None = None

    def first(self, transaction: Transaction) -> str:
        """Sign the first checkpoint of a new log and make the file outside; raises Conflict where there is one."""
        found = Checkpoint(origin_of(self._signer.vkey), *_head(transaction, self._association))
        note = self._signer.sign(found.text())
        self._outside.create(note)
        self._keep(transaction, found.size, note)
        return note

    def anew(self, transaction: Transaction) -> str:
        """Sign the first checkpoint of a later epoch, in the place of whatever lies outside; only a restore does."""
        found = Checkpoint(origin_of(self._signer.vkey), *_head(transaction, self._association))
        note = self._signer.sign(found.text())
        self._outside.replace(note)
        self._keep(transaction, found.size, note)
        return note

    def sign(self, transaction: Transaction) -> str:
        """The newest checkpoint: a new one where the log grew and a second has passed since this signer's last, else the one outside.

        The transaction is one that has appended nothing: only what is committed may be signed. The caller commits it, to keep the
        note's row. Raises Unavailable `integrity` where the log does not begin with what the one outside covers, `checkpoint-missing`
        and `checkpoint-unreadable` as the file is.
        """
        standing = self._outside.read()
        last = _opened_outside(standing, self._signer.vkey_at, self._code)
        found = Checkpoint(last.origin, *_head(transaction, self._association))
        self._check(transaction, last, found)
        if found.size == last.size or not self._pause_over(transaction.now):
            return standing
        note = self._signer.sign(found.text())
        if not self._outside.move(standing, note):
            # Another process was faster; what it signed stands outside.
            return self._outside.read()
        self._signed = transaction.now
        self._keep(transaction, found.size, note)
        return note

    def _check(self, transaction: Transaction, last: Checkpoint, found: Checkpoint) -> None:
        if not grown(transaction, self._association, last, found):
            raise Unavailable("integrity")

    def _pause_over(self, now: int) -> bool:
        return self._signed is None or not 0 <= now - self._signed < PAUSE

    def _keep(self, transaction: Transaction, size: int, note: str) -> None:
        row = {"association_id": self._association, "size": size, "note": note.encode()}
        # The same size signed by two processes gives the same note: Ed25519 is deterministic.
        insert = sqlite.insert if transaction.connection.dialect.name == "sqlite" else postgresql.insert
        transaction.connection.execute(insert(tables.checkpoint).values(row).on_conflict_do_nothing())


def grown(transaction: Transaction, association: bytes, last: Checkpoint, found: Checkpoint) -> bool:
    """Whether the log `found` describes begins with the one `last` describes, by a consistency proof from the stored hashes."""
    if not 0 < last.size < found.size:
        path = []
    else:
        path = with_hashes(transaction, association, lambda hash_at: consistency(last.size, found.size, hash_at))
    return consistent(last.size, found.size, last.root, found.root, path)


def check_at_start(transaction: Transaction, association: bytes, note: str, code: str, key: Key) -> Checkpoint:
    """The checkpoint of the note outside, if the database holds all it covers; the vault opens its door only after this.

    The note is read before the transaction begins: what another process put outside meanwhile covers entries this one does not see.
    Raises Unavailable by the reason: `checkpoint-missing`, `checkpoint-unreadable`, `log-missing`, `log-shorter-than-checkpoint`
    (an old copy was put back), `log-forked` (another history).
    """
    last = _opened_outside(note, key, code)
    if not HEAD.rows(transaction, {"association": association}):
        raise Unavailable("log-missing")
    size, root = _head(transaction, association)
    if size < last.size:
        raise Unavailable("log-shorter-than-checkpoint")
    at_last = with_hashes(transaction, association, lambda hash_at: root_of(last.size, hash_at)) if last.size else EMPTY_ROOT
    if at_last != last.root or (size == last.size and root != last.root):
        raise Unavailable("log-forked")
    return last


def _head(transaction: Transaction, association: bytes) -> tuple[int, bytes]:
    rows = HEAD.rows(transaction, {"association": association})
    try:
        size, frontier = rows[0]
        return size, Frontier.unpack(size, frontier).root()
    except (IndexError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable("integrity") from error


def _opened_outside(note: str, key: Key, code: str) -> Checkpoint:
    try:
        return opened(note, key, code)
    except NotACheckpoint as error:
        raise Unavailable("checkpoint-unreadable") from error


def claimed(note: str) -> Checkpoint:
    """What a note says of itself, whoever signed it."""
    return Checkpoint.parse("\n".join([*note.split("\n")[:_LINES], ""]))
