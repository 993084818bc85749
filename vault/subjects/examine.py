"""Examines every person's rows: sheets, events, keys and indexes against the log and against each other, row by row in words.

Invariant: it opens sheets and events, which hold no value of a record, and never a cell.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from keys.blobs import open_blob
from keys.cabinet import SHEET_CLASS, Cabinet
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log import tables as log_tables
from vault.policy.events import Given
from vault.storage.octets import octets
from vault.subjects import tables
from vault.subjects.people import context, opened_backwards, rebuild
from vault.subjects.sheet import Happened, RecordState, Sheet, SheetEvent, decode, encode, policy_event


@dataclass(slots=True)
class _House:
    """What is examined, and what was found to hold so far.

    Sheets by person; which consent lies with whom, through which record; whose consents or records name which scan.
    """

    connection: Connection
    cabinet: Cabinet
    association: bytes
    sheets: dict[bytes, Sheet] = field(default_factory=dict)
    consents: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    scans: dict[bytes, bytes] = field(default_factory=dict)


def examine(
    connection: Connection,
    cabinet: Cabinet,
    association: bytes,
    states: dict[bytes, RecordState],
    scans: dict[bytes, bytes] | None = None,
) -> Iterator[str]:
    """What does not hold, each with its table and row; fills `states` with every record's state as the sheets say.

    `scans` is filled with whose consents or records name which scan, as her events say.
    """
    house = _House(connection, cabinet, association, scans=scans if scans is not None else {})
    yield from _sheets(house)
    for sheet in house.sheets.values():
        states |= {bytes.fromhex(record): state for record, state in sheet.records.items()}
    yield from _strange_events(house)
    yield from _consents(house)
    yield from _records(house)
    yield from _keys(house)


def _sheets(house: _House) -> Iterator[str]:
    newest = _newest(house)
    sheet = tables.sheet
    rows = select(octets(sheet.c.subject), sheet.c.version, octets(sheet.c.wrapped), octets(sheet.c.sealed))
    for row in house.connection.execute(rows.where(sheet.c.association_id == house.association)):
        if newest.pop(row.subject, None) != row.version:
            yield f"subject_sheet {row.subject.hex()}: version {row.version} is not the one the log's newest entry names"
            continue
        found = yield from _sheet(house, row)
        if found is not None:
            house.sheets[row.subject] = found
    for subject in newest.keys() - _erased(house):
        yield f"subject_sheet {subject.hex()}: missing, and the log names it"


def _erased(house: _House) -> set[bytes]:
    """Who was erased: the log has an entry that changed her and wrote no sheet. Nothing of her is to be here."""
    told = log_tables.subject
    gone = select(octets(told.c.subject)).where(
        told.c.association_id == house.association, told.c.version.is_not(None), told.c.sheet.is_(None)
    )
    return set(house.connection.execute(gone).scalars())


def _newest(house: _House) -> dict[bytes, int]:
    """The version of every person's sheet as the log's newest entry about her says."""
    told = log_tables.subject
    query = (
        select(octets(told.c.subject), func.max(told.c.version).label("newest"))
        .where(told.c.association_id == house.association, told.c.version.is_not(None))
        .group_by(told.c.subject)
    )
    return {row.subject: row.newest for row in house.connection.execute(query)}


def _told(house: _House, subject: bytes) -> dict[int, tuple[bytes | None, bytes | None]]:
    """The digests of sheet and event that the log names for each version of one person."""
    told = log_tables.subject
    query = select(told.c.version, octets(told.c.sheet), octets(told.c.event)).where(
        told.c.association_id == house.association,
        told.c.subject == subject,
        told.c.version.is_not(None),
    )
    return {version: (sheet, event) for version, sheet, event in house.connection.execute(query)}


def _sheet(house: _House, row: Row[bytes, int, bytes, bytes]) -> Generator[str, None, Sheet | None]:
    subject, version, wrapped, sealed = row
    place = f"subject_sheet {subject.hex()}"
    if _told(house, subject).get(version, (None, None))[0] != sha256(sealed).digest():
        yield f"{place}: not the bytes the log's entry was written with"
        return None
    try:
        key = house.cabinet.keys.unwrap(subject, SHEET_CLASS, wrapped)
        stored = open_blob(key, context(b"sheet/v1", house.association, subject, version), sealed)
        sheet = decode(stored)
    except (Unopenable, msgspec.DecodeError):
        yield f"{place}: does not open"
        return None
    versions = yield from _events(house, subject, key)
    if versions is None:
        return None
    if _rebuilt(versions) != stored:
        yield f"{place}: its events give other bytes (subject_event {subject.hex()})"
        return None
    house.consents |= _given(subject, versions)
    house.scans.update(_scans(subject, versions))
    house.scans.update({bytes.fromhex(scan): subject for state in sheet.records.values() for scan in state.scans.values()})
    return sheet


def _events(house: _House, subject: bytes, key: DataKey) -> Generator[str, None, list[list[SheetEvent]] | None]:
    event = tables.event
    query: Select[int, bytes] = (
        select(event.c.version, octets(event.c.sealed))
        .where(event.c.association_id == house.association, event.c.subject == subject)
        .order_by(event.c.version.desc())
    )
    told = _told(house, subject)
    rows = [(version, sealed) for version, sealed in house.connection.execute(query)]
    for version, sealed in rows:
        if told.get(version, (None, None))[1] != sha256(sealed).digest():
            yield f"subject_event {subject.hex()} {version}: not the bytes the log's entry was written with"
            return None
    versions: list[list[SheetEvent]] = []
    try:
        versions.extend(opened_backwards(key, house.association, subject, rows))
    except (Unopenable, msgspec.DecodeError, OverflowError):
        yield f"subject_event {subject.hex()} {rows[min(len(versions), len(rows) - 1)][0]}: does not open"
        return None
    return versions[::-1]


def _rebuilt(versions: Sequence[Sequence[SheetEvent]]) -> bytes | None:
    try:
        sheet = rebuild(versions)
    except ValueError:
        return None  # its first event is gone
    return None if sheet is None else encode(sheet)


def _given(subject: bytes, versions: Sequence[Sequence[SheetEvent]]) -> dict[bytes, tuple[bytes, bytes]]:
    found = {}
    for one in _said_here(versions):
        event = policy_event(one)
        if isinstance(event, Given):
            found[bytes.fromhex(event.grant.id)] = (subject, bytes.fromhex(one.record))
    return found


def _said_here(versions: Sequence[Sequence[SheetEvent]]) -> Iterator[Happened]:
    """What was said through this sheet: consents and scans are of the sheet they came by."""
    return (one for events in versions for one in events if isinstance(one, Happened) and not one.through)


def _scans(subject: bytes, versions: Sequence[Sequence[SheetEvent]]) -> dict[bytes, bytes]:
    told = (one.detail.get("scan") for one in _said_here(versions))
    return {bytes.fromhex(scan["id"]): subject for scan in told if scan}


def _strange_events(house: _House) -> Iterator[str]:
    event = tables.event
    query = select(octets(event.c.subject)).where(event.c.association_id == house.association).distinct()
    for (subject,) in house.connection.execute(query):
        if subject not in house.sheets:
            yield f"subject_event {subject.hex()}: of nobody whose sheet holds"


def _consents(house: _House) -> Iterator[str]:
    place = tables.consent
    expected = dict(house.consents)
    query = select(octets(place.c.consent), octets(place.c.subject), octets(place.c.record))
    for consent, *row in house.connection.execute(query.where(place.c.association_id == house.association)):
        if expected.pop(consent, None) != tuple(row):
            yield f"subject_consent {consent.hex()}: not what the person's events say"
    for consent in expected:
        yield f"subject_consent {consent.hex()}: missing"


def _records(house: _House) -> Iterator[str]:
    place = tables.record
    expected = {
        bytes.fromhex(record): (subject, state.type, state.revision, state.review_month)
        for subject, sheet in house.sheets.items()
        for record, state in sheet.records.items()
    }
    query = select(octets(place.c.record), octets(place.c.subject), place.c.type, place.c.revision, place.c.review_month)
    for record, *row in house.connection.execute(query.where(place.c.association_id == house.association)):
        if expected.pop(record, None) != tuple(row):
            yield f"subject_record {record.hex()}: not what the person's sheet says"
    for record in expected:
        yield f"subject_record {record.hex()}: missing"


def _keys(house: _House) -> Iterator[str]:
    place = tables.data_key
    wanted = _classes(house.sheets)
    query = select(octets(place.c.subject), place.c.class_id, place.c.key_version, octets(place.c.wrapped))
    for subject, class_id, version, wrapped in house.connection.execute(query.where(place.c.association_id == house.association)):
        row = f"subject_key {subject.hex()} {class_id}"
        if (subject, class_id) not in wanted:
            yield f"{row}: of no record"
            continue
        wanted.discard((subject, class_id))
        if not _opens(house, subject, class_id, version, wrapped):
            yield f"{row}: does not open"
    for subject, class_id in wanted:
        yield f"subject_key {subject.hex()} {class_id}: missing"


def _opens(house: _House, subject: bytes, class_id: int, version: int, wrapped: bytes) -> bool:
    try:
        return house.cabinet.keys.unwrap(subject, class_id, wrapped).version == version
    except Unopenable:
        return False


def _classes(sheets: Mapping[bytes, Sheet]) -> set[tuple[bytes, int]]:
    return {(subject, int(class_id)) for subject, sheet in sheets.items() for state in sheet.records.values() for class_id in state.salts}
