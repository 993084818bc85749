"""The paper of an order: kept sealed from the deed that hands it in, and shown to who approves the order, piece by piece, on an entry.

Invariants: the paper is the one whose SHA-256 the order was registered with, and no other; it is the order's and no person's, so that no
erasure takes it; each look is an entry of its own kind that names order and paper and no person, committed before any byte leaves; as soon
as anything was written about the order since, no byte more is given; whoever saw the whole is known by a sealed fact.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from keys.attachments import SealedAttachment
from vault.access import orders, paper_seen
from vault.access.door import give_out_scan
from vault.access.scans import Shown
from vault.access.shapes import ORDER, OrderFact
from vault.access.showing import Showing, Standing
from vault.access_log.deed import Deed
from vault.access_log.entry import PAPER_OF_ORDER
from vault.attachments import receiving, scans
from vault.attachments.receiving import Arrival, Received, Repeat
from vault.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from vault.rulebook import facts
from vault.rulebook.alarm import Meant, nobody
from vault.rulebook.asker import Errand
from vault.storage.idempotency import Once, made_before, remember
from vault.web.ranges import WHOLE, Wish

STORED: Final = "order.scan-stored"


@dataclass(frozen=True, slots=True)
class OfOrder:
    """The order whose paper is shown."""

    order: str
    version: int

    @property
    def meant(self) -> Meant:
        """No one person."""
        return nobody

    def newest(self, connection: Connection, association: bytes) -> int:
        """The newest version of the order that the log knows of."""
        return facts.newest(connection, association, ORDER, self.order)


@dataclass(frozen=True, slots=True)
class Decided:
    """A committed look at an order's paper: what it stands on, what the paper is, and what opens it."""

    standing: Standing
    about: scans.About
    sealed: SealedAttachment


async def hand_in(errand: Errand, order: bytes, pieces: AsyncIterator[bytes], *, most: int, key: str | None) -> Received:
    """Keep the paper of an order as it arrives; a repeat under the same idempotency key gives the one it made.

    Raises NotFound, Conflict `order-revoked` or where it has one, Invalid `evidence-mismatch` for another file than the order names, and
    as `receiving.take_in`.
    """
    association = errand.asker.association
    # Asked before anything is read as well, so that nobody sends a paper that cannot be taken; a repeat is told by its last deed.
    await association.run(lambda deed: _open(deed, order, again=key is not None))
    arrival = Arrival(association, most, receiving.ORDER)
    repeat = Repeat(key, {"order": order.hex()})
    return await receiving.take_in(errand, arrival, pieces, partial(_keep, order=order), repeat)


def _open(deed: Deed, order: bytes, *, again: bool = False) -> OrderFact:
    """The order, if a paper can be handed in to it. Raises NotFound, Conflict."""
    found = orders.of(deed, order)
    if found.revoked_at is not None:
        raise Conflict("order-revoked")
    if found.scan and not again:
        raise Conflict
    return found


def _keep(deed: Deed, errand: Errand, arrival: Arrival, once: Once | None, *, order: bytes) -> Received:
    """Complete the paper as the order's, in the deed of its last piece."""
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        scans.drop(deed, [arrival.id])
        return receiving.made_of(deed, made, "order")
    found = _open(deed, order)
    if arrival.sha256 != found.document_sha256:
        raise Invalid([FieldError("file", paper_seen.MISMATCH)], paper_seen.MISMATCH)
    scans.purge(deed)
    stored = arrival.finish(deed, errand.hand, order)
    held = facts.write(deed, ORDER, found.id, msgspec.structs.replace(found, scan=arrival.id.hex()))
    told = errand.entry(kind=STORED, outcome="allow", order=found.id, evidence=arrival.id.hex(), facts=(stored, held))
    deed.append(told)
    if once is not None:
        remember(deed.transaction, deed.association, once, arrival.id, receiving.CREATED)
    return Received(arrival.id, found.document_sha256)


async def show(errand: Errand, order: bytes, wish: Callable[[bytes], Wish], done: Callable[[], None] = lambda: None) -> Shown:
    """The part of the order's paper that `wish` says of its id; its first piece has opened, and `done` is called after the last.

    Raises NotFound where there is no order or it has no paper, RangeNotSatisfiable, Stale, Unavailable.
    """
    decided = await errand.asker.association.run(lambda deed: decide(deed, errand, order, wish), weight=2)
    part = wish(decided.standing.scan).of(decided.about.size)
    pieces = Showing(decided.standing, give_out_scan(decided.standing.appended, decided.sealed), part, done)
    await pieces.ready()
    return Shown(decided.about.type, part, pieces)


def decide(deed: Deed, errand: Errand, order: bytes, wish: Callable[[bytes], Wish] = lambda _: WHOLE) -> Decided:
    """Append the entry of a look at an order's paper; who asks for the whole is noted as having seen it.

    Raises NotFound, Unavailable `integrity` where the paper is not the order's.
    """
    errand = errand.still(deed)
    found = orders.of(deed, order)
    if not found.scan:
        raise NotFound
    scan = bytes.fromhex(found.scan)
    held = _held(deed, order, scan)
    seen = (paper_seen.note(deed, found, errand.asker.ref),) if wish(scan) == WHOLE else ()
    told = errand.entry(
        kind=PAPER_OF_ORDER,
        outcome="allow",
        basis="law",
        article=f"{errand.book(deed).association.pack}:{orders.ARTICLE}",
        recipient=found.recipient,
        order=found.id,
        evidence=found.scan,
        facts=seen,
        flags=errand.asker.flags,
    )
    standing = Standing(errand, deed.append(told), scan, OfOrder(found.id, facts.version(deed, ORDER, found.id)))
    return Decided(standing, held.about, scans.sealed_scan(deed.association, held))


def _held(deed: Deed, order: bytes, scan: bytes) -> scans.Scan:
    """The scan that the order says is its paper. Raises Unavailable `integrity` where it is not here or another's."""
    try:
        found = scans.stored(deed, scan, "order")
    except NotFound as error:
        raise Unavailable("integrity") from error
    if found.subject != order:
        raise Unavailable("integrity")
    return found
