"""Examines scans, of forms, documents and orders: rows and chunks against what was sealed beside them, and the log; it opens none."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, Row, select

from keys.cabinet import EVIDENCE_CLASS, Cabinet
from keys.errors import Unopenable
from vault.attachments.scans import SCAN, ScanFact, agrees, open_about
from vault.attachments.tables import chunk, evidence
from vault.rulebook import facts
from vault.storage.octets import octets


@dataclass(slots=True)
class _Shelf:
    """What is examined; `seen` are the scans that have a row.

    `cited` tells whose consents or records name which scan, or which order it is the paper of, `told` what the log says became of it.
    """

    connection: Connection
    cabinet: Cabinet
    association: bytes
    cited: Mapping[bytes, bytes]
    told: Mapping[bytes, ScanFact]
    seen: set[bytes] = field(default_factory=set)


def examine(connection: Connection, cabinet: Cabinet, association: bytes, cited: Mapping[bytes, bytes]) -> Iterator[str]:
    """What does not hold, each with its table and row.

    `cited` is whose consents or records name which scan, by the people's events, and which order a scan is the paper of.
    """
    told = {bytes.fromhex(scan): fact for scan, fact in facts.holding(connection, cabinet, association, SCAN).items()}
    shelf = _Shelf(connection, cabinet, association, cited, told)
    row = evidence.c
    query = select(octets(row.evidence), octets(row.subject), row.stored_at, octets(row.wrapped), octets(row.header), octets(row.about))
    for found in connection.execute(query.where(row.association_id == association)):
        shelf.seen.add(found.evidence)
        yield from _scan(shelf, found)
    yield from _strange_chunks(shelf)
    for scan in sorted((cited.keys() | {scan for scan, fact in told.items() if fact.state != "dropped"}) - shelf.seen):
        yield f"consent_evidence {scan.hex()}: missing"


def _scan(shelf: _Shelf, row: Row[bytes, bytes | None, int, bytes, bytes | None, bytes | None]) -> Iterator[str]:
    scan, subject, stored_at, wrapped, header, about = row
    place = f"consent_evidence {scan.hex()}"
    if shelf.cited.get(scan) != subject:
        yield f"{place}: not whose the people's events and the orders say"
        return
    if not agrees(shelf.told.get(scan), whole=about is not None, subject=subject):
        yield f"{place}: not what the log says became of it"
        return
    try:
        if about is None:  # on its way in, or left by a process that died: the purge of another day takes it
            shelf.cabinet.keys.unwrap(subject or scan, EVIDENCE_CLASS, wrapped)
            return
        said = open_about(shelf.cabinet, scan, subject or scan, wrapped, about)
    except (Unopenable, msgspec.DecodeError):
        yield f"{place}: does not open"
        return
    if said.stored_at != stored_at:
        yield f"{place}: not of the time it was sealed at"
    if _chunks(shelf, scan, header or b"") != (said.sealed_sha256, said.chunks):
        yield f"{place}: header and chunks are not those that were sealed (consent_evidence_chunk {scan.hex()})"


def _chunks(shelf: _Shelf, scan: bytes, header: bytes) -> tuple[str, int]:
    """SHA-256 over header and chunks in order, and how many there are; none where their numbers are not those from 0 on."""
    digest, count = hashlib.sha256(header), 0
    query = select(chunk.c.number, octets(chunk.c.sealed)).where(chunk.c.association_id == shelf.association, chunk.c.evidence == scan)
    with shelf.connection.execute(query.order_by(chunk.c.number), execution_options={"yield_per": 16}) as rows:
        for number, sealed in rows:
            if number != count:
                return "", 0
            digest.update(sealed)
            count += 1
    return digest.hexdigest(), count


def _strange_chunks(shelf: _Shelf) -> Iterator[str]:
    query = select(octets(chunk.c.evidence)).where(chunk.c.association_id == shelf.association).distinct()
    for (scan,) in shelf.connection.execute(query):
        if scan not in shelf.seen:
            yield f"consent_evidence_chunk {scan.hex()}: of no scan"
