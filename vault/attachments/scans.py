"""Scans, which are files kept sealed: of signed forms, cited by a consent, of documents, cited by a field of a record, and of orders.

Invariants: a scan belongs to nobody until it is cited, and to that one person from then on: her erasure takes key and chunks; what nobody
cites within a day goes; the paper of an order is the order's from the deed that completes it, and no person's erasure takes it; what a
scan is (type, size, digest, by whose hand) counts only as it was sealed with it, and whose it is and what
it may be cited by only as the log's newest entry about it says: a row put back as it was before is an integrity failure.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from keys.attachments import Attached, SealedAttachment
from keys.blobs import open_blob, seal_blob
from keys.cabinet import EVIDENCE_CLASS, Cabinet
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.attachments.tables import chunk, evidence
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.facts import Kind
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, SheetEvent, Stored

DAY: Final = 24 * 3600 * 1_000_000
MOST_PURGED: Final = 8
"""Scans deleted in one deed: a large one has hundreds of rows."""
MOST_TOLD: Final = 64
"""Scans that one entry tells of: an entry is bounded."""
SYSTEM: Final = "system"
PURGED: Final = "evidence.purged"


Use = Literal["evidence", "record", "order"]
"""What a scan was handed in for: to prove a consent, to lie in a field of a record, or as the paper of an authority's order."""


class ScanFact(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of a scan, by its id: handed in and nobody's, the person's (hexadecimal) who is cited with it, or gone.

    Of an order's paper `subject` is the order's id.
    """

    state: Literal["stored", "cited", "dropped"]
    subject: str = ""
    use: Use = "evidence"


SCAN: Kind[ScanFact] = Kind("scan", ScanFact, in_book=False)


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a scan is, sealed beside it: media type, bytes, SHA-256 of the file and of all that is sealed, chunks, when, by whose hand."""

    type: str
    size: int
    sha256: str
    sealed_sha256: str
    chunks: int
    stored_at: int
    by: str


@dataclass(frozen=True, slots=True)
class Scan:
    """A stored scan as its row has it; `subject` None while nobody cites it."""

    id: bytes
    subject: bytes | None
    wrapped: bytes
    header: bytes
    about: About


def context(association: bytes, scan: bytes) -> bytes:
    """What the blob beside a scan is sealed for."""
    return b"evidence/v1" + association + scan


def seal_about(key: DataKey, association: bytes, scan: bytes, about: About) -> bytes:
    """The blob that lies beside a scan."""
    return seal_blob(key, context(association, scan), msgspec.json.encode(about))


def open_about(cabinet: Cabinet, scan: bytes, holder: bytes, wrapped: bytes, sealed: bytes) -> About:
    """What a scan is. Raises Unopenable for a row the vault did not write."""
    key = cabinet.keys.unwrap(holder, EVIDENCE_CLASS, wrapped)
    return msgspec.json.decode(open_blob(key, context(cabinet.keys.association, scan), sealed), type=About)


def stored(deed: Deed, scan: bytes, use: Use = "evidence") -> Scan:
    """The scan of this id. Raises NotFound where none that is whole was handed in for this, Unavailable `integrity` where row and log
    disagree.
    """  # noqa: D205  # one sentence
    row = deed.transaction.connection.execute(
        select(evidence).where(evidence.c.association_id == deed.association, evidence.c.evidence == scan)
    ).first()
    told = facts.read(deed, SCAN, scan.hex())
    if told is not None and told.state != "dropped" and told.use != use:
        raise NotFound
    if row is None or row.about is None:
        raise NotFound if agrees(told, whole=False, subject=None) else Unavailable("integrity")
    if not agrees(told, whole=True, subject=row.subject):
        raise Unavailable("integrity")
    try:
        about = open_about(deed.cabinet, scan, row.subject or scan, row.wrapped, row.about)
    except Unopenable as error:
        raise Unavailable("integrity") from error
    return Scan(scan, row.subject, row.wrapped, row.header, about)


def agrees(told: ScanFact | None, *, whole: bool, subject: bytes | None) -> bool:
    """Whether the log tells of a scan what its row does: that it is not here (not whole), is nobody's, or is this person's."""
    if not whole:
        return told is None or told.state == "dropped"
    expected = ("cited", subject.hex()) if subject else ("stored", "")
    return told is not None and (told.state, told.subject) == expected


def whose(deed: Deed, scan: bytes) -> bytes | None:
    """The person whom the row of a scan names, unproven; None where it names nobody or is not there."""
    query = select(evidence.c.subject).where(evidence.c.association_id == deed.association, evidence.c.evidence == scan)
    found = deed.transaction.connection.execute(query).scalar()
    return bytes(found) if found else None


def cite(deed: Deed, known: Known, scan: bytes) -> tuple[Scan, tuple[WrittenFact, ...]]:
    """Let a consent of this person rest on the scan: from now on it is hers, as the entry of the same deed has to tell by these facts.

    Raises Invalid `evidence-malformed` where there is none, it is another's, or it was handed in more than a day ago; Unavailable.
    """
    try:
        found = stored(deed, scan)
        return (found, ()) if found.subject == known.subject else (found, (hand_over(deed, known.subject, found, "evidence"),))
    except NotFound as error:
        raise _unknown() from error


def hand_over(deed: Deed, subject: bytes, found: Scan, use: Use) -> WrittenFact:
    """Make a scan this person's, as the entry of the same deed has to tell by this fact.

    Raises NotFound where it is somebody's already or was handed in more than a day ago, Unavailable `integrity`.
    """
    if found.subject is not None or found.about.stored_at + DAY <= deed.now:
        raise NotFound
    hers = deed.cabinet.keys.hand_over(found.id, subject, EVIDENCE_CLASS, found.wrapped)
    _change(deed, found.id, subject=subject, wrapped=hers)
    return facts.write(deed, SCAN, found.id.hex(), ScanFact("cited", subject.hex(), use))


def cited(events: Iterable[Iterable[SheetEvent]]) -> frozenset[bytes]:
    """The scans that a person's consents rest on, and those her records' fields ever named, by her own events."""
    found: set[str] = set()
    for one in (one for version in events for one in version):
        if isinstance(one, Happened) and (scan := one.detail.get("scan")):
            found.add(str(scan["id"]))
        elif isinstance(one, Stored):
            found |= set((one.scans or {}).values())
    return frozenset(map(bytes.fromhex, found))


def sealed_scan(association: bytes, scan: Scan) -> SealedAttachment:
    """What opens the scan, as the door takes it; whether the chunks are its own, the cipher says."""
    place = Attached(association, scan.id, scan.subject or scan.id, EVIDENCE_CLASS)
    return SealedAttachment(place, scan.wrapped, scan.header, scan.about.chunks)


def chunks(connection: Connection, association: bytes, scan: bytes, numbers: range) -> list[bytes] | None:
    """The sealed chunks of these numbers, in order; None where one of them is not here."""
    rows = select(chunk.c.number, chunk.c.sealed).where(
        chunk.c.association_id == association, chunk.c.evidence == scan, chunk.c.number >= numbers.start, chunk.c.number < numbers.stop
    )
    found = connection.execute(rows.order_by(chunk.c.number)).all()
    return [row.sealed for row in found] if [row.number for row in found] == list(numbers) else None


def forget_subject(deed: Deed, subject: bytes, told: Entry) -> int:
    """Delete key and chunks of every scan of this person, how many there were; for her erasure, while her sheet is still there.

    `told` is an entry of who does it, as `retire` takes it.
    Raises NotFound where it is not, Unavailable `integrity` where her sheet or events do not hold.
    """
    # Her own events besides the rows: a row may have been made to name nobody.
    return retire(deed, named(deed, subject) | cited(people.history(deed, people.of_subject(deed, subject))), told)


def keys_of(deed: Deed, subject: bytes, scans: Collection[bytes] | None = None) -> list[bytes]:
    """The wrapped keys of the scans whose rows name this person, of these alone where some are named."""
    rows = select(evidence.c.evidence, evidence.c.wrapped).where(
        evidence.c.association_id == deed.association, evidence.c.subject == subject
    )
    return [row.wrapped for row in deed.transaction.connection.execute(rows) if scans is None or row.evidence in scans]


def named(deed: Deed, subject: bytes) -> set[bytes]:
    """The scans whose rows name this person: all there is to go by where her sheet is gone or does not hold."""
    rows = select(evidence.c.evidence).where(evidence.c.association_id == deed.association, evidence.c.subject == subject)
    return set(deed.transaction.connection.execute(rows).scalars())


def purge(deed: Deed) -> int:
    """Delete scans that nobody has cited for a day, and uploads that never ended, a few at a time; how many. It leaves an entry."""
    old = select(evidence.c.evidence, evidence.c.wrapped, evidence.c.about.is_not(None).label("whole")).where(
        evidence.c.association_id == deed.association, evidence.c.subject.is_(None), evidence.c.stored_at <= deed.now - DAY
    )
    there = deed.transaction.connection.execute(old.order_by(evidence.c.stored_at)).all()
    # Those that do not hold are passed over, so that they keep no other here.
    idle = (row.evidence for row in there if _nobodys(deed, row.evidence, row.wrapped, whole=row.whole))
    return retire(deed, islice(idle, MOST_PURGED), Entry(kind=PURGED, outcome="allow", actor=SYSTEM))


def retire(deed: Deed, scans: Iterable[bytes], told: Entry) -> int:
    """Delete these scans, keys and chunks; how many there were. Entries like `told` say so, so that none of them counts when put back."""
    left, gone = iter(sorted(scans)), 0
    while some := list(islice(left, MOST_TOLD)):
        here = drop(deed, some)
        written = [facts.write(deed, SCAN, scan.hex(), ScanFact("dropped")) for scan in some if facts.version(deed, SCAN, scan.hex())]
        if here or written:
            deed.append(replace(told, kind=PURGED, count=here, facts=tuple(written)))
        gone += here
    return gone


def clear_away(association: Association, clock: Callable[[], int]) -> int:
    """Purge all there is to purge, at start; how many. Raises Unavailable."""
    gone = 0
    while any(now := association.log.run_now(association.database, [purge], clock)):
        gone += sum(now)
    return gone


def drop(deed: Deed, scans: Iterable[bytes]) -> int:
    """Delete these scans, keys and chunks; how many there were."""
    gone = 0
    for scan in scans:
        for table in (chunk, evidence):
            rows = deed.transaction.connection.execute(
                delete(table).where(table.c.association_id == deed.association, table.c.evidence == scan)
            )
        gone += rows.rowcount
    return gone


def add(deed: Deed, scan: bytes, wrapped: bytes) -> None:
    """Begin the row of a scan that is on its way in."""
    row = {"association_id": deed.association, "evidence": scan, "stored_at": deed.now, "wrapped": wrapped}
    deed.transaction.connection.execute(insert(evidence).values(row))


def add_chunks(deed: Deed, scan: bytes, first: int, sealed: Iterable[bytes]) -> None:
    """Add the next chunks of a scan, the first of them under this number."""
    rows = [
        {"association_id": deed.association, "evidence": scan, "number": number, "sealed": each}
        for number, each in enumerate(sealed, first)
    ]
    if rows:
        deed.transaction.connection.execute(insert(chunk), rows)


def finish(deed: Deed, scan: bytes, header: bytes, about: bytes, use: Use = "evidence") -> WrittenFact:
    """Complete the row of a scan, which counts from the entry that names this fact. Raises Unavailable `integrity` where it is gone."""
    complete(deed, scan, header, about)
    return facts.write(deed, SCAN, scan.hex(), ScanFact("stored", use=use))


def complete(deed: Deed, scan: bytes, header: bytes, about: bytes) -> None:
    """Complete the row of a scan; nothing counts of it yet. Raises Unavailable `integrity` where it is gone."""
    _change(deed, scan, header=header, about=about, stored_at=deed.now)


def give_to_order(deed: Deed, scan: bytes, wrapped: bytes, order: bytes) -> WrittenFact:
    """Make a completed scan the order's, its key wrapped for the order's id, from the entry that names this fact. Raises as `complete`."""
    _change(deed, scan, subject=order, wrapped=wrapped)
    return facts.write(deed, SCAN, scan.hex(), ScanFact("cited", order.hex(), "order"))


def _change(deed: Deed, scan: bytes, **values: bytes | int) -> None:
    place = (evidence.c.association_id == deed.association, evidence.c.evidence == scan, evidence.c.subject.is_(None))
    if deed.transaction.connection.execute(update(evidence).where(*place).values(**values)).rowcount != 1:
        raise Unavailable("integrity")


def _nobodys(deed: Deed, scan: bytes, wrapped: bytes, *, whole: bool) -> bool:
    """Whether nobody cites it: its key says so and the log does, whatever its row says."""
    try:
        deed.cabinet.keys.unwrap(scan, EVIDENCE_CLASS, wrapped)
        told = facts.read(deed, SCAN, scan.hex())
    except (Unopenable, Unavailable):
        return False
    return told is not None and told.state == "stored" if whole else told is None


def _unknown() -> Invalid:
    return Invalid([FieldError("evidence.scan", "unknown-evidence")], "evidence-malformed")
