"""The file of doors closed: an append-only, fsynced line for every withdrawal, refusal, erasure and revocation, outside the database.

Invariants: a line is on disk before the transaction that closes the door commits, so a line too many only refuses; lines hold random
references and never a value; every line carries a MAC over itself and the line before it, so that none can be altered, moved or taken out
of the middle; a torn last line (the process died while writing) counts for nothing and the next append writes over it; anything else that
does not hold is a refusal; the file stays open, so that a process without a descriptor left still closes doors. Format:
docs/spec/journal.md.
"""

import fcntl
import hmac
import os
import re
import time as clocks
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keys.files import write_new
from vault.errors import VaultError

LOCK_SECONDS = 1.5
_FIRST = bytes(32)
_MAC_DIGITS = 64
_SPACES = 4
_MODE = 0o600
_RETRY_SECONDS = 0.005
PROBE_SECONDS = 1.0
_TORN = b" " * 128
_WORD = re.compile(r"[!-~]+")
RESTORED = "restored"
"""The kind of line that says: the database was put back from a copy, which holds every line before; sizes begin anew."""


class JournalRefused(VaultError):
    """The journal is missing, or holds a line the vault did not write."""

    code = "journal-refused"


@dataclass(frozen=True, slots=True)
class Closing:
    """One door closed: what kind, whose (a random reference in hex), and for what; printable ASCII without a space."""

    kind: str
    reference: str
    detail: str = ""

    def __post_init__(self) -> None:
        """Refuse with ValueError what could not be read again: a line that cannot be parsed would close the whole vault."""
        if not all(map(_WORD.fullmatch, (self.kind, self.reference, self.detail or "x"))) or self.detail == "-":
            raise ValueError("a closing is made of words")


@dataclass(frozen=True, slots=True)
class Line:
    """One closing as it stands in the file; `base` is the size of the log when its transaction began, `time` microseconds UTC."""

    base: int
    time: int
    closing: Closing


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the file is known: MAC of the last line, bytes up to its end, the greatest `base` since the last restore, and the lines."""

    mac: bytes = _FIRST
    end: int = 0
    newest: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """How long a journal is: its lines, and the MAC of the last (zeros for none), which no other journal of so many lines has."""

    lines: int
    mac: bytes


class Journal:
    """One association's journal on this node; `mac(bytes) -> bytes` is keyed with the association's journal key, 32 bytes long."""

    def __init__(self, path: Path, mac: Callable[[bytes], bytes]) -> None:
        """Read and check the whole file; raises JournalRefused where it is missing or does not hold."""
        self._path = path
        self._mac = mac
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise JournalRefused("journal-missing") from None
        self._place = self._end_of(_Place(), content)
        self._file = _Open(path)
        self._failed = False
        self._probe_again = 0.0

    @property
    def newest(self) -> int:
        """The greatest size of the log any line was written at: the log had at least as many entries."""
        return self._place.newest

    def reached(self) -> Reached:
        """How long the file is now, with what other processes of this node wrote. Raises as `append` does."""
        with self._path.open("r+b", buffering=0) as file, _locked(file.fileno()):
            place = self._caught_up(file.fileno())
        return Reached(place.lines, place.mac)

    def begins_with(self, reached: Reached) -> bool:
        """Whether the file holds at least these lines, the same ones."""
        if reached.lines == 0:
            return reached.mac == _FIRST
        places = self._follow(_Place(), self._path.read_bytes())
        return any(place.lines == reached.lines and place.mac == reached.mac for place, _ in places)

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty journal, durably; only `init` does. FileExistsError where there is one."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(path, b"", _MODE)

    def append(self, base: int, time: int, closings: Sequence[Closing]) -> None:
        """Write these closings and wait until they are on the disk.

        Raises OSError when they are not, or when another process holds the file too long; JournalRefused where it was cut or altered.
        """
        self._failed = True
        with self._file.locked() as handle:
            # Several processes of this node share the file: who holds the lock reads on from what the others wrote.
            place = self._caught_up(handle)
            text = b"".join(self._written(place.mac, base, time, closings))
            try:
                _write_at(handle, text, place.end)
            except OSError:
                # What was written in part is taken back where the disk allows; else the next append writes over the torn line.
                os.ftruncate(handle, place.end)
                raise
            self._place = self._end_of(place, text)
        self._failed = False

    def takes_lines(self) -> bool:
        """Whether a line could be written now: asked of the file, at most once a second, after one could not; else that is known."""
        if self._failed and clocks.monotonic() >= self._probe_again:
            self._probe_again = clocks.monotonic() + PROBE_SECONDS
            try:
                self._probe()
            except (OSError, JournalRefused):
                return False
        return not self._failed

    def _probe(self) -> None:
        with self._file.locked() as handle:
            place = self._caught_up(handle)
            # A torn line counts for nothing, should the process die here.
            _write_at(handle, _TORN, place.end)
            os.ftruncate(handle, place.end)
        self._failed = False

    def lines(self) -> Iterator[Line]:
        """Every line in the order written; raises JournalRefused at the first that does not hold."""
        for _, line in self._follow(_Place(), self._path.read_bytes()):
            yield line

    def _written(self, last: bytes, base: int, time: int, closings: Sequence[Closing]) -> Iterator[bytes]:
        for closing in closings:
            body = f"{base} {time} {closing.kind} {closing.reference} {closing.detail or '-'}".encode()
            last = self._mac(last + body)
            yield body + b" " + last.hex().encode() + b"\n"

    def _caught_up(self, handle: int) -> _Place:
        """Take over what other processes of this node appended since."""
        place = self._place
        size = os.fstat(handle).st_size
        # A file that got shorter, or ends otherwise where it ended before, is not the one this process knows.
        known = os.pread(handle, _MAC_DIGITS + 1, place.end - _MAC_DIGITS - 1) if place.end else b""
        if size < place.end or known != (place.mac.hex().encode() + b"\n" if place.end else b""):
            raise JournalRefused("journal-altered")
        self._place = self._end_of(place, os.pread(handle, size - place.end, place.end))
        return self._place

    def _end_of(self, place: _Place, content: bytes) -> _Place:
        reached = place
        for reached, _ in self._follow(place, content):  # noqa: B007 - the last one is what is asked for
            pass
        return reached

    def _follow(self, place: _Place, content: bytes) -> Iterator[tuple[_Place, Line]]:
        """Each whole line of `content`, which goes on from `place`, with the place after it; a torn last one is left out."""
        *whole, _torn = content.split(b"\n")
        for text in whole:
            body, _, digits = text.rpartition(b" ")
            mac = self._mac(place.mac + body)
            if body.count(b" ") != _SPACES or not hmac.compare_digest(mac.hex().encode(), digits):
                raise JournalRefused("journal-altered")
            base, time, kind, reference, detail = body.decode().split(" ")
            newest = int(base) if kind == RESTORED else max(place.newest, int(base))
            place = _Place(mac, place.end + len(text) + 1, newest, place.lines + 1)
            yield place, Line(int(base), int(time), Closing(kind, reference, "" if detail == "-" else detail))


class _Open:
    """The file, kept open; opened anew where another one lies at its path (a restore put it there)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._handle = self._opened()
        except OSError:
            self._handle = -1  # a tool that only reads may not write there

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the file alone. Raises OSError where none is there, BlockingIOError after LOCK_SECONDS."""
        if self._handle < 0:
            self._handle = self._opened()
        elif not os.path.samestat(self._path.stat(), os.fstat(self._handle)):
            self._close()
            self._handle = -1
            self._handle = self._opened()
        with _locked(self._handle):
            yield self._handle

    def _opened(self) -> int:
        handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._close = weakref.finalize(self, os.close, handle)
        return handle


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    """Hold the file alone. BlockingIOError after LOCK_SECONDS: the head of the log is locked meanwhile."""
    until = clocks.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clocks.monotonic() > until:
                raise
            clocks.sleep(_RETRY_SECONDS)
        else:
            break
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _write_at(handle: int, text: bytes, place: int) -> None:
    os.ftruncate(handle, place)
    written = 0
    while written < len(text):
        written += os.pwrite(handle, text[written:], place + written)
    os.fsync(handle)
