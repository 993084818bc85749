"""Takes a file in while it arrives: judged by its first bytes, sealed chunk by chunk, stored a mebibyte at a time, never held whole.

Invariants: no byte of it lies anywhere unsealed; its name and its declared type are not looked at; what did not arrive whole is dropped,
and what a crash leaves goes with the next purge; what the log tells of is whole and is never dropped for an answer that was lost.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from keys.attachments import Attached, Sealer
from keys.cabinet import EVIDENCE_CLASS
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.attachments import scans
from vault.attachments.scans import About, Use
from vault.errors import FieldError, Gone, Invalid, Malformed, NotFound, VaultError
from vault.rulebook import facts
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.association import Association
from vault.storage.idempotency import Once, made_before, remember

CREATED: Final = 201
CHUNKS_AT_ONCE: Final = 16
SNIFFED: Final = 8
# What a file begins with, and what it is then.
TYPES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
ENDINGS: Final[Mapping[str, str]] = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg", "image/tiff": "tif"}
"""How the name of a file of each type ends where one is made up for it."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What files are handed in for: the log's word for it, the route, the kind of entry, the code where a file is none of those taken."""

    use: Use
    route: str
    kind: str
    refusal: str


EVIDENCE: Final = Purpose("evidence", "evidence.store", "evidence.stored", "evidence-malformed")
RECORD: Final = Purpose("record", "attachments.store", "attachment.stored", "invalid")
ORDER: Final = Purpose("order", "orders.scan", "order.scan-stored", "invalid")


@dataclass(frozen=True, slots=True)
class Received:
    """A stored scan: its id and the SHA-256 of the file in hexadecimal."""

    id: bytes
    sha256: str


def type_of(beginning: bytes, refusal: str = EVIDENCE.refusal) -> str:
    """The media type of a file by its first bytes. Raises Invalid with the code `refusal` for one that is none of those taken."""
    found = next((kind for mark, kind in TYPES if beginning.startswith(mark)), None)
    if found is None:
        raise Invalid([FieldError("file", "unknown-file-type")], refusal)
    return found


class Arrival:
    """One scan on its way in: what is sealed and not stored yet, and what is known of the whole so far."""

    def __init__(self, association: Association, most: int, purpose: Purpose = EVIDENCE) -> None:
        """Begin a scan of at most so many bytes, under a key of its own."""
        self.id = os.urandom(16)
        self.purpose = purpose
        self._most = most
        self.key, _ = association.cabinet.keys.new_key(self.id, EVIDENCE_CLASS)
        self._sealer = Sealer(self.key, Attached(association.id, self.id, self.id, EVIDENCE_CLASS))
        self._plain, self._sealed = hashlib.sha256(), hashlib.sha256(self._sealer.header)
        self._beginning = b""
        self._size = 0
        self._waiting: list[bytes] = []
        self._stored = 0
        self.begun = False

    @property
    def is_heavy(self) -> bool:
        """Whether enough is sealed to be stored."""
        return len(self._waiting) >= CHUNKS_AT_ONCE

    @property
    def weight(self) -> int:
        """How many rows the next deed writes."""
        return len(self._waiting) + 2

    def take(self, piece: bytes) -> None:
        """Take the next bytes. Raises Malformed `too-large`, and Invalid as soon as it shows that the file is none of those taken."""
        self._size += len(piece)
        if self._size > self._most:
            raise Malformed("too-large")
        if len(self._beginning) < SNIFFED:
            self._beginning += piece[: SNIFFED - len(self._beginning)]
            if len(self._beginning) == SNIFFED:
                type_of(self._beginning, self.purpose.refusal)
        self._plain.update(piece)
        self._wait(self._sealer.take(piece))

    def end(self) -> str:
        """Seal the end and return the SHA-256 of the whole. Raises Invalid where the file is none of those taken."""
        type_of(self._beginning, self.purpose.refusal)
        self._wait([self._sealer.end()])
        return self.sha256

    def put(self, deed: Deed) -> None:
        """Store what is sealed so far."""
        if not self.begun:
            # Wrapped inside the deed: its epoch may have been retired while the scan was on its way in.
            scans.add(deed, self.id, deed.cabinet.keys.wrap(self.id, self.key))
        scans.add_chunks(deed, self.id, self._stored, self._waiting)

    def put_done(self) -> None:
        """Be told that what was stored is committed."""
        self.begun = True
        self._stored += len(self._waiting)
        self._waiting = []

    @property
    def sha256(self) -> str:
        """The SHA-256 of what came so far, in hexadecimal."""
        return self._plain.hexdigest()

    def finish(self, deed: Deed, by: str, order: bytes | None = None) -> WrittenFact:
        """Store the rest and what the whole is, by whose hand it came; the fact that the entry names. `order` is whose paper it is."""
        self.put(deed)
        about = About(
            type=type_of(self._beginning),
            size=self._size,
            sha256=self.sha256,
            sealed_sha256=self._sealed.hexdigest(),
            chunks=self._stored + len(self._waiting),
            stored_at=deed.now,
            by=by,
        )
        sealed = scans.seal_about(self.key, deed.association, self.id, about)
        if order is None:
            return scans.finish(deed, self.id, self._sealer.header, sealed, self.purpose.use)
        scans.complete(deed, self.id, self._sealer.header, sealed)
        return scans.give_to_order(deed, self.id, deed.cabinet.keys.wrap(order, self.key), order)

    def _wait(self, chunks: list[bytes]) -> None:
        for each in chunks:
            self._sealed.update(each)
        self._waiting += chunks


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a repeated request is known by beside the file's SHA-256: its idempotency key, and what it hands the file in to."""

    key: str | None
    place: Mapping[str, str] = field(default_factory=dict)


Keep = Callable[[Deed, Errand, Arrival, Once | None], Received]


async def receive(errand: Errand, pieces: AsyncIterator[bytes], *, most: int, key: str | None, purpose: Purpose = EVIDENCE) -> Received:
    """Store a scan of at most `most` bytes as it arrives; a repeat under the same idempotency key gives the one it made.

    Raises as `take_in`.
    """
    return await take_in(errand, Arrival(errand.asker.association, most, purpose), pieces, keep, Repeat(key))


async def take_in(errand: Errand, arrival: Arrival, pieces: AsyncIterator[bytes], kept: Keep, repeat: Repeat) -> Received:
    """Store what arrives, and complete it with `kept` in the deed of its last piece.

    Raises Malformed `too-large`, Invalid, Conflict `idempotency-mismatch`, Gone, Unavailable, and whatever ends the pieces.
    """
    association = errand.asker.association
    try:
        async for piece in pieces:
            arrival.take(piece)
            if arrival.is_heavy:
                await association.run(lambda deed: _put(deed, errand, arrival), weight=arrival.weight)
                arrival.put_done()
        once = once_for(errand.asker, route=arrival.purpose.route, key=repeat.key, body={**repeat.place, "sha256": arrival.end()})
        return await association.run(lambda deed: kept(deed, errand, arrival, once), weight=arrival.weight)
    except BaseException:
        if arrival.begun:
            await asyncio.shield(_drop(association, arrival.id))
        raise


def keep(deed: Deed, errand: Errand, arrival: Arrival, once: Once | None) -> Received:
    """Complete a scan, and clear away what nobody cited; the deed is an entry."""
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        scans.drop(deed, [arrival.id])
        return made_of(deed, made, arrival.purpose.use)
    scans.purge(deed)
    fact = arrival.finish(deed, errand.hand)
    deed.append(errand.entry(kind=arrival.purpose.kind, outcome="allow", evidence=arrival.id.hex(), facts=(fact,)))
    if once is not None:
        remember(deed.transaction, deed.association, once, arrival.id, CREATED)
    return Received(arrival.id, scans.stored(deed, arrival.id, arrival.purpose.use).about.sha256)


def _drop_unfinished(deed: Deed, scan: bytes) -> None:
    # The answer to the last deed may have been lost, and the file be whole and cited by now: what the log tells of stays.
    if not facts.version(deed, scans.SCAN, scan.hex()):
        scans.drop(deed, [scan])


def _put(deed: Deed, errand: Errand, arrival: Arrival) -> None:
    # Nothing of it counts before its last deed, which is the entry.
    errand.still(deed)
    arrival.put(deed)


def made_of(deed: Deed, scan: bytes, use: Use) -> Received:
    """What an earlier request of the same key stored. Raises Gone where it is here no more."""
    try:
        return Received(scan, scans.stored(deed, scan, use).about.sha256)
    except NotFound as error:
        raise Gone from error


async def _drop(association: Association, scan: bytes) -> None:
    try:
        await association.run(lambda deed: _drop_unfinished(deed, scan))
    except VaultError:
        return  # the purge of another day takes it
