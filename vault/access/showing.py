"""A scan on its way out: its chunks are read, opened and given one by one, and no more of it is ever here than a few.

Invariants: every look at the rows asks the log as well: as soon as anything was written about the person since the verdict (her erasure,
a lock, a withdrawal, any change), or about the order whose paper it is, nothing more is given; what is missing or does not open is an
integrity failure; what ends early ends its answer short.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from sqlalchemy import Connection

from keys.attachments import Opener
from keys.chunks import CHUNK
from keys.errors import Unopenable
from vault.access_log.deed import Appended
from vault.attachments import scans
from vault.errors import Stale, Unavailable, VaultError
from vault.rulebook.alarm import ring
from vault.rulebook.asker import Errand
from vault.storage.transaction import Transaction
from vault.subjects import people
from vault.subjects.meant import Meant, by_subject
from vault.web.ranges import Part
from vault.web.streaming import CutShort

CHUNKS_AT_ONCE: Final = 16


class Ground(Protocol):
    """What a verdict on a scan rested on."""

    @property
    def version(self) -> int:
        """Its version at that moment."""

    @property
    def meant(self) -> Meant:
        """Whom an alarm about it names."""

    def newest(self, connection: Connection, association: bytes) -> int:
        """Its newest version that the log knows of."""


@dataclass(frozen=True, slots=True)
class Hers:
    """The sheet of the person whose scan it is."""

    subject: bytes
    version: int

    @property
    def meant(self) -> Meant:
        """The person."""
        return by_subject(self.subject)

    def newest(self, connection: Connection, association: bytes) -> int:
        """The newest version of her sheet that the log knows of."""
        return people.newest_version(connection, association, self.subject)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a scan is shown on: for whom, on which entry, and what the verdict rested on."""

    errand: Errand
    appended: Appended
    scan: bytes
    ground: Ground


@dataclass(slots=True, eq=False)
class Showing:
    """The bytes of one part of a scan, to be asked for once; `done` is called when no more is wanted."""

    standing: Standing
    opener: Opener
    part: Part
    done: Callable[[], None] = lambda: None
    _number: int = field(init=False)
    _sealed: deque[bytes] = field(default_factory=deque, init=False)
    _opened: bytes | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin with the chunk that holds the part's first byte."""
        self._number = self.part.first // CHUNK

    def __aiter__(self) -> Self:
        """Give the pieces."""
        return self

    async def __anext__(self) -> bytes:
        """The next piece, of at most one chunk. Raises CutShort where nothing more may be given; the alarm rings first if it must."""
        if self._number * CHUNK >= self.part.end:
            raise StopAsyncIteration
        try:
            await self.ready()
        except VaultError as error:
            await ring(self.standing.errand, error, self.standing.ground.meant)
            raise CutShort from None
        piece, self._opened = self._opened or b"", None
        begins, self._number = self._number * CHUNK, self._number + 1
        return piece[max(0, self.part.first - begins) : self.part.end - begins]

    async def aclose(self) -> None:
        """Give no more."""
        self._number = self.part.end // CHUNK + 1
        self._sealed.clear()
        self._opened = None
        self.done()

    async def ready(self) -> None:
        """Have the next piece ready. Raises Stale where what the verdict rested on has moved, and Unavailable."""
        if self._opened is not None:
            return
        if not self._sealed:
            self._sealed.extend(await self.standing.errand.asker.association.look(self._look))
        try:
            self._opened = self.opener.open(self._number, self._sealed.popleft())
        except Unopenable:
            raise Unavailable("integrity") from None
        begins = self._number * CHUNK
        if len(self._opened) != min(CHUNK, self.part.size - begins):
            raise Unavailable("integrity")

    def _look(self, transaction: Transaction) -> list[bytes]:
        """The next chunks, still sealed."""
        standing, connection = self.standing, transaction.connection
        association = standing.errand.asker.association.id
        last = (self.part.end - 1) // CHUNK
        wanted = range(self._number, min(self._number + CHUNKS_AT_ONCE, last + 1))
        found = scans.chunks(connection, association, standing.scan, wanted)
        # Asked after the rows were read: what is deleted between the two is noticed here.
        if standing.ground.newest(connection, association) != standing.ground.version:
            raise Stale(standing.appended.leaf_hash)
        if found is None:
            raise Unavailable("integrity")
        return found
