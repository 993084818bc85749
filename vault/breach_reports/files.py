"""Takes in the files of a report or a message as they arrive: judged by their bytes, sealed under the case's key, laid down piece by piece.

Invariants: no byte of a file lies anywhere unsealed, and no more of it is held than one piece; its declared type is not looked at, and its
name is never more than a sealed text; a file counts once the report's fact names it, and what does not come so far is dropped, or goes
after a day where a crash left it.
"""

import asyncio
import codecs
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final, Self

from keys.case_file import file_sealer
from keys.chunks import CHUNK
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.attachments.receiving import TYPES as MARKS
from vault.breach_reports import file_tables
from vault.breach_reports.shapes import BREACH_REPORT, FileFact
from vault.errors import FieldError, Invalid, Malformed, TooMany, Unavailable, VaultError
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.web.form import PIECES, Upload

MEBIBYTE: Final = 1024 * 1024
MOST_FILES: Final = 5
MOST_FILE: Final = 8 * MEBIBYTE
MOST_TOGETHER: Final = 20 * MEBIBYTE
MOST_OF_CASE: Final = 40
"""Files of one report in all, from either side."""
MOST_NAME: Final = 200
DAY: Final = 24 * 3600 * 1_000_000
MOST_PURGED: Final = 8
TEXT: Final = "text/plain"
TYPES: Final = tuple((mark, kind) for mark, kind in MARKS if kind != "image/tiff")
ENDINGS: Final = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg", TEXT: "txt"}
_LONGEST_MARK: Final = max(len(mark) for mark, _ in TYPES)
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f")


class Wrong(Invalid):
    """A file that is not taken: nothing of what came with it is."""

    def __init__(self, code: str) -> None:
        """Say why, beside the field."""
        super().__init__([FieldError("file", code)])


class _Kind:
    """What a file is by its bytes: one of the marks at its beginning, or text, which is UTF-8 without control characters to its end."""

    def __init__(self) -> None:
        self._beginning = b""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._may_be_text = True

    def take(self, piece: bytes) -> None:
        """Look at the next bytes. Raises Wrong as soon as it shows that it is none of those taken."""
        if len(self._beginning) < _LONGEST_MARK:
            self._beginning += piece[: _LONGEST_MARK - len(self._beginning)]
        self._read(piece, final=False)
        if len(self._beginning) == _LONGEST_MARK:
            self.name()

    def end(self) -> str:
        """The media type of the whole. Raises Wrong."""
        self._read(b"", final=True)
        return self.name()

    def name(self) -> str:
        """What it is as far as it came. Raises Wrong."""
        found = next((kind for mark, kind in TYPES if self._beginning.startswith(mark)), TEXT if self._may_be_text else None)
        if found is None or not self._beginning:
            raise Wrong("unknown-file-type")
        return found

    def _read(self, piece: bytes, *, final: bool) -> None:
        if not self._may_be_text:
            return
        try:
            self._decode(piece, final)
        except UnicodeDecodeError:
            self._may_be_text = False
        if not _CONTROL.isdisjoint(piece):
            self._may_be_text = False


@dataclass(slots=True)
class Bringing:
    """The files that come with one report or message, on their way into its case."""

    association: Association
    report: bytes
    key: DataKey
    carry: Callable[[], None]
    still: Callable[[Deed], object] = lambda _deed: None
    arrived: list["Arrival"] = field(default_factory=list)
    wrong: Wrong | None = None
    _size: int = 0

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Drop what was laid down where what it was for came to nothing."""
        if failed is not None:
            await self.drop()

    async def take(self, uploads: AsyncIterator[Upload]) -> None:
        """Take every file there is; the first that is not taken is noted, what came before it dropped, and the rest passed over."""
        async for upload in uploads:
            try:
                await self._one(upload)
            except Wrong as wrong:
                self.wrong = self.wrong or wrong
                await self.drop()
                await _pass_over(upload)

    def require_sound(self) -> None:
        """Raise Wrong where a file was not taken."""
        if self.wrong is not None:
            raise self.wrong

    def names(self) -> list[tuple[str, str]]:
        """Id and name, as it was sent, of each file."""
        return [(each.id.hex(), each.name) for each in self.arrived]

    def finish(self, deed: Deed, by: str, part: int) -> tuple[FileFact, ...]:
        """What the report's fact says of these files, which came with the text of this number. Raises Unavailable `integrity`."""
        return tuple(each.finish(deed, by, part) for each in self.arrived)

    async def drop(self) -> None:
        """Delete what was laid down; where that fails the purge of another day does it."""
        gone, self.arrived = [each for each in self.arrived if each.begun], []
        for each in gone:
            try:
                await asyncio.shield(self.association.run(each.drop))
            except VaultError:
                continue

    async def _one(self, upload: Upload) -> None:
        if self.wrong is not None:
            raise self.wrong
        if len(self.arrived) >= MOST_FILES:
            raise Wrong("too-many")
        arrival = Arrival(self, upload.filename[:MOST_NAME])
        self.arrived.append(arrival)
        try:
            async for piece in upload:
                self._size += len(piece)
                arrival.take(piece)
                if self._size > MOST_TOGETHER:
                    raise Wrong("too-large")
                if arrival.is_heavy:
                    self.carry()
                    await self.association.run(arrival.put, weight=arrival.weight)
                    arrival.put_done()
            if not arrival.size and not arrival.name:
                self.arrived.pop()  # what a browser sends where nobody chose a file
                return
            arrival.end()
            self.carry()
            await self.association.run(arrival.put, weight=arrival.weight)
            arrival.put_done()
        except Malformed as error:
            if error.code != "too-large":
                raise
            raise Wrong("too-large") from None
        except TooMany:
            raise Wrong("no-room") from None


class Arrival:
    """One file on its way in."""

    def __init__(self, bringing: Bringing, name: str) -> None:
        """Begin it under an id of its own."""
        self.id = os.urandom(16)
        self.name = name
        self._bringing = bringing
        self.size = 0
        self._kind, self._type = _Kind(), ""
        self._sealer = file_sealer(bringing.association.cabinet.keys, bringing.key, bringing.report, self.id)
        self._digest = hashlib.sha256(self._sealer.header)
        self._waiting: list[bytes] = []
        self._stored = 0
        self.begun = False

    @property
    def is_heavy(self) -> bool:
        """Whether enough is sealed to be laid down."""
        return len(self._waiting) * CHUNK >= PIECES

    @property
    def weight(self) -> int:
        """How many rows the next deed writes."""
        return len(self._waiting) + 1

    def take(self, piece: bytes) -> None:
        """Take the next bytes. Raises Wrong."""
        self.size += len(piece)
        if self.size > MOST_FILE:
            raise Wrong("too-large")
        self._kind.take(piece)
        self._wait(self._sealer.take(piece))

    def end(self) -> None:
        """Seal the end. Raises Wrong where the file is none of those taken."""
        self._type = self._kind.end()
        self._wait([self._sealer.end()])

    def put(self, deed: Deed) -> None:
        """Lay down what is sealed so far; with the first piece, what others left lying is cleared away."""
        self._bringing.still(deed)
        if not self.begun:
            purge(deed)
            file_tables.begin(deed, self.id, self._bringing.report)
        file_tables.add(deed, self.id, self._stored, self._waiting)

    def put_done(self) -> None:
        """Be told that what was laid down is committed."""
        self.begun = True
        self._stored += len(self._waiting)
        self._waiting = []

    def drop(self, deed: Deed) -> None:
        """Delete what was laid down, unless a report has it."""
        _drop_unless_kept(deed, self._bringing.report, self.id)

    def finish(self, deed: Deed, by: str, part: int) -> FileFact:
        """What the fact says of the whole. Raises Unavailable `integrity` where it is gone meanwhile."""
        if not file_tables.end(deed, self.id):
            raise Unavailable("integrity")
        return FileFact(
            id=self.id.hex(),
            by=by,
            at=deed.now,
            part=part,
            type=self._type,
            size=self.size,
            sha256=self._digest.hexdigest(),
            header=self._sealer.header.hex(),
            chunks=self._stored,
        )

    def _wait(self, chunks: list[bytes]) -> None:
        for each in chunks:
            self._digest.update(each)
        self._waiting += chunks


async def _pass_over(upload: Upload) -> None:
    """Read to the end of a file that is not taken, for what stands behind it in the body; or as far as the body may come."""
    try:
        async for _ in upload:
            pass
    except Malformed as error:
        if error.code != "too-large":
            raise


def purge(deed: Deed) -> int:
    """Clear away files that began to come a day ago and never ended, a few at a time; how many."""
    gone = file_tables.old(deed, deed.now - DAY, MOST_PURGED)
    for file, report in gone:
        _drop_unless_kept(deed, report, file)
    return len(gone)


def clear_away(association: Association, clock: Callable[[], int]) -> None:
    """Clear away all that a crash left a day ago or before, at start. Raises Unavailable."""
    while any(association.log.run_now(association.database, [purge], clock)):
        pass


def _drop_unless_kept(deed: Deed, report: bytes, file: bytes) -> None:
    # The answer to the last deed may have been lost, or a row been made to say so: what the report's fact names stays.
    fact = facts.read(deed, BREACH_REPORT, report.hex())
    if fact is not None and any(each.id == file.hex() for each in fact.files):
        file_tables.end(deed, file)
    else:
        file_tables.drop(deed, file)
