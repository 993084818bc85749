"""Opens and changes what is known about one person, beside the log's newest entry about her.

Invariants: a sheet counts only if its version and its sealed bytes are those the newest write entry of that person names, events likewise;
every change writes events, sheet and log entry in one transaction; what is said of a person is written in all of her sheets (ADR 0062); a
sheet that does not open, does not fit or is missing raises
Unavailable `integrity`, never an older truth.
"""

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec
from sqlalchemy import Column, Connection, Row, Select, Table, and_, delete, exists, func, select, text

from keys.blobs import open_blob, seal_blob
from keys.cabinet import SHEET_CLASS
from keys.errors import Unopenable
from keys.keyring import DataKey
from keys.succession import hand_down, handed_down
from vault.access_log import tables as log_tables
from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import About, Entry
from vault.errors import Conflict, NotFound, Unavailable
from vault.policy.events import SubjectsMerged
from vault.policy.facts import Person
from vault.storage.journal import Closing
from vault.storage.metadata import OUTLASTS, metadata
from vault.subjects import tables
from vault.subjects.sheet import Joined, Renewed, Sheet, SheetEvent, decode, decode_events, encode, encode_events, fold, happened, of_all

_MAY_DELETE = text("SELECT has_table_privilege(current_user, 'subject_event', 'DELETE')")
_FORGET = text("SELECT amanah_forget(:subject)")


@dataclass(frozen=True, slots=True)
class Known:
    """One person as the vault knows her inside a deed; `key` opens her sheet and events and lives as long as the deed."""

    subject: bytes
    sheet: Sheet | None
    key: DataKey

    @property
    def version(self) -> int:
        """The version of her sheet, 0 before the first."""
        return self.sheet.version if self.sheet else 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A sheet as it lies, with the newest version the log names and the digest it names for this one; None for what is missing."""

    subject: bytes
    version: int | None
    wrapped: bytes
    sealed: bytes
    newest: int | None
    told: bytes | None


def begin(deed: Deed, subject: bytes | None = None) -> tuple[Known, bytes]:
    """Somebody new: an id (a random one where none is given), a fresh key for her sheet, and the key's wrapped form."""
    subject = subject or os.urandom(16)
    key, wrapped = deed.cabinet.keys.new_key(subject, SHEET_CLASS)
    return Known(subject, None, key), wrapped


def of_record(deed: Deed, record: bytes) -> Known:
    """The person a record belongs to. Raises NotFound, and Unavailable `integrity` where rows and log disagree."""
    found = of_records(deed, [record])[record]
    if isinstance(found, Exception):
        raise found
    return found


def of_records(deed: Deed, records: Sequence[bytes]) -> dict[bytes, Known | Exception]:
    """For each record its person, or NotFound, or Unavailable `integrity`: one statement for all, one more for each that is not here."""
    rows = tables.SHEETS_BY_RECORD.rows(deed.transaction, {"association": deed.association}, records)
    found: dict[bytes, Known | Exception] = {}
    for record, type_, *row in rows:
        known = _known(deed, _Row(*row))
        if isinstance(known, Known) and not _holds(known, record, type_):
            known = Unavailable("integrity")
        found[record] = known
    return {record: found[record] if record in found else _absent(deed, record) for record in records}


def _absent(deed: Deed, record: bytes) -> NotFound | Unavailable:
    """What a record without a row is: none, or one whose row was taken out, since the log tells of it and of no erasure of its person."""
    told = log_tables.subject
    wrote = select(told.c.subject).where(told.c.association_id == deed.association, told.c.record == record, told.c.sheet.is_not(None))
    subject = deed.transaction.connection.execute(wrote.limit(1)).scalar()
    if subject is None or is_erased(deed.transaction.connection, deed.association, subject):
        return NotFound()
    return Unavailable("integrity")


def of_subject(deed: Deed, subject: bytes) -> Known:
    """The person of this id. Raises NotFound for who never was or was erased, and Unavailable `integrity`."""
    rows = tables.SHEETS_BY_SUBJECT.rows(deed.transaction, {"association": deed.association}, [subject])
    if not rows:
        if _is_lost(deed, subject):
            raise Unavailable("integrity")
        raise NotFound
    known = _known(deed, _Row(*rows[0]))
    if isinstance(known, Exception):
        raise known
    return known


def of_subjects(deed: Deed, subjects: Sequence[bytes]) -> list[Known]:
    """The people of these ids who are here, in one statement. Raises Unavailable `integrity` where somebody's rows do not hold."""
    found = [
        _known(deed, _Row(*row)) for row in tables.SHEETS_BY_SUBJECT.rows(deed.transaction, {"association": deed.association}, subjects)
    ]
    for known in found:
        if isinstance(known, Exception):
            raise known
    return [known for known in found if isinstance(known, Known)]


def of_consent(deed: Deed, consent: bytes) -> tuple[Known, bytes]:
    """The person and the record an index names for a consent; her history has the last word. Raises NotFound, Unavailable `integrity`."""
    place = tables.consent
    row = deed.transaction.connection.execute(
        select(place.c.subject, place.c.record).where(place.c.association_id == deed.association, place.c.consent == consent),
    ).first()
    if row is None:
        raise NotFound
    return of_subject(deed, bytes(row.subject)), bytes(row.record)


def unlocked(known: Known) -> None:
    """Raise Conflict `erasure-pending` where her erasure was asked for: nothing is added to what is to go."""
    if known.sheet is not None and known.sheet.person.locked:
        raise Conflict("erasure-pending")


def _holds(known: Known, record: bytes, type_: str) -> bool:
    state = known.sheet.records.get(record.hex()) if known.sheet else None
    return state is not None and state.type == type_


def _known(deed: Deed, row: _Row) -> Known | Unavailable:
    if row.version is None or row.newest != row.version or not _is(row.sealed, row.told):
        return Unavailable("integrity")
    try:
        key = deed.cabinet.keys.unwrap(row.subject, SHEET_CLASS, row.wrapped)
        sheet = decode(open_blob(key, context(b"sheet/v1", deed.association, row.subject, row.version), row.sealed))
    except (Unopenable, msgspec.DecodeError):
        return Unavailable("integrity")
    if sheet.version != row.version:
        return Unavailable("integrity")
    return Known(row.subject, sheet, key)


def change(
    deed: Deed,
    known: Known,
    events: Sequence[SheetEvent],
    entry: Entry,
    *,
    record: bytes | None = None,
    wrapped: bytes | None = None,
    closes: Closing | None = None,
    apart: Mapping[bytes, Sequence[SheetEvent]] | None = None,
) -> tuple[Known, Appended]:
    """Write events, sheet and log entry; `wrapped` for somebody new or under another key. Returns the person after it and the entry.

    `apart` is what happened to her other sheets alone, by their id.
    """
    sheet, about = _write(deed, known, events, record=record, wrapped=wrapped)
    others = known.sheet.others if known.sheet is not None else ()
    shared: list[SheetEvent] = of_all(events, known.subject.hex()) if others else []
    beside = apart or {}
    hers = _known_still(deed, others) if shared or beside else []
    also = [_write(deed, other, [*shared, *beside.get(other.subject, ())])[1] for other in hers]
    appended = deed.append(replace(entry, about=(about, *also, *entry.about)), closes=closes)
    if closes is not None:
        # A copy of before may know her by one of her sheets alone.
        for other in hers:
            deed.closes_too(replace(closes, reference=other.subject.hex()))
    return replace(known, sheet=sheet), appended


def join(deed: Deed, one: Known, other: Known, entry: Entry, *, by: str, closes: Closing) -> Appended:
    """Make two people's sheets those of one person: each takes over what the other says, the stricter in every respect, from one entry on.

    Raises Unavailable `integrity`, NotFound where one of them has no sheet.
    """
    if one.sheet is None or other.sheet is None:
        raise NotFound
    sides = [(known, [known, *_known_still(deed, known.sheet.others)]) for known in (one, other) if known.sheet is not None]
    about = []
    for (_, mine), (theirs, all_theirs) in (sides, sides[::-1]):
        names = tuple(sorted(known.subject.hex() for known in all_theirs))
        merged = SubjectsMerged(theirs.sheet.person if theirs.sheet else Person(), deed.now)
        events: list[SheetEvent] = [Joined(others=names, at=deed.now, by=by), happened(merged, at=deed.now, by=by)]
        about += [_write(deed, known, events)[1] for known in mine]
    return deed.append(replace(entry, about=(*about, *entry.about)), closes=closes)


def others(deed: Deed, known: Known) -> list[Known]:
    """The same person as her other sheets have her, none where she has one. Raises Unavailable `integrity`."""
    return _known_still(deed, known.sheet.others if known.sheet is not None else ())


def _known_still(deed: Deed, subjects: Iterable[str]) -> list[Known]:
    """Those of these people who are still here: one who was erased is nobody's other sheet any more."""
    found = []
    for subject in subjects:
        try:
            found.append(of_subject(deed, bytes.fromhex(subject)))
        except NotFound:
            continue
    return found


def _write(
    deed: Deed, known: Known, events: Sequence[SheetEvent], *, record: bytes | None = None, wrapped: bytes | None = None
) -> tuple[Sheet, About]:
    """Write the next version of somebody's sheet and its events; what the entry says of her is for the caller to append."""
    sheet = fold(known.sheet, events)
    association, subject, version = deed.association, known.subject, sheet.version
    sealed = seal_blob(known.key, context(b"sheet/v1", association, subject, version), encode(sheet))
    history = seal_blob(known.key, context(b"event/v1", association, subject, version), encode_events(events))
    transaction = deed.transaction
    if known.sheet is None:
        tables.ADD_SHEET.run(
            transaction,
            [{"s_association_id": association, "s_subject": subject, "s_version": version, "s_wrapped": wrapped, "s_sealed": sealed}],
        )
    else:
        moved = tables.MOVE_SHEET.run(
            transaction,
            [{"association": association, "person": subject, "old_version": known.version, "new_version": version, "new_sealed": sealed}],
        )
        if wrapped is not None:
            place = {"association": association, "person": subject, "at_version": version}
            moved = min(moved, tables.GIVE_KEY.run(transaction, [{**place, "new_wrapped": wrapped}]))
        if moved != 1:
            raise Unavailable("integrity")
    tables.ADD_EVENT.run(transaction, [{"v_association_id": association, "v_subject": subject, "v_version": version, "v_sealed": history}])
    return sheet, About(subject, record, version, sha256(sealed).digest(), sha256(history).digest())


def renewed(deed: Deed, known: Known, by: str) -> tuple[Known, Renewed, bytes]:
    """The person with a fresh key for her sheet, the event that hands the former down to it, and its wrapped form: `change` takes them.

    Her events are never written anew, for the log names their bytes: they open by way of the keys that were handed down.
    """
    version = known.version + 1
    key, wrapped = deed.cabinet.keys.new_key(known.subject, SHEET_CLASS, known.key.version + 1)
    former = hand_down(key, context(b"former/v1", deed.association, known.subject, version), known.key)
    return replace(known, key=key), Renewed(former=former, at=deed.now, by=by), wrapped


def erase(deed: Deed, subject: bytes, records: Sequence[bytes], entry: Entry, *, closes: Closing) -> Appended:
    """Delete every row of a person and of these records of hers, her keys among them; the entry is the last that changes her.

    The entry names a version newer than any sheet and no digest, so that no row that is put back is ever the newest.
    """
    version = (deed.transaction.connection.execute(_newest(deed.association, subject)).scalar() or 0) + 1
    about = About(subject, records[0] if records else None, version)
    # First the entry: only where it stands does the database let go of events.
    appended = deed.append(replace(entry, about=(about,)), closes=closes)
    for record in records[1:]:
        deed.append(replace(entry, about=(About(subject, record),), facts=()))
    for table in _tables():
        if "subject" in table.columns and table is not tables.event:
            _delete(deed, table, table.c.subject, [subject])
        elif "record" in table.columns:
            _delete(deed, table, table.c.record, records)
    _forget_events(deed, subject)
    return appended


def is_erased(connection: Connection, association: bytes, subject: bytes) -> bool:
    """Whether the log tells of this person's erasure: an entry that changed her and wrote no sheet; no other follows it."""
    told = log_tables.subject
    gone = exists().where(
        told.c.association_id == association, told.c.subject == subject, told.c.version.is_not(None), told.c.sheet.is_(None)
    )
    return bool(connection.execute(select(gone)).scalar())


def newest_version(connection: Connection, association: bytes, subject: bytes) -> int:
    """The number of the newest change of this person that the log tells of, her erasure among them; 0 for who never was."""
    return int(connection.execute(_newest(association, subject)).scalar() or 0)


def changed_at(deed: Deed, known: Known, ago: int) -> int:
    """When the change before so many changes of this person was made, in microseconds UTC; 0 where there were fewer."""
    told, entry = log_tables.subject, log_tables.entry
    same = and_(entry.c.association_id == told.c.association_id, entry.c.number == told.c.number)
    query = select(entry.c.time).select_from(told.join(entry, same))
    which = (told.c.association_id == deed.association, told.c.subject == known.subject, told.c.version == known.version - ago + 1)
    return int(deed.transaction.connection.execute(query.where(*which)).scalar() or 0)


def _is_lost(deed: Deed, subject: bytes) -> bool:
    """Whether the log tells of a sheet of this person and of no erasure: her row was taken out."""
    wrote = select(_newest(deed.association, subject).scalar_subquery().is_not(None))
    return bool(deed.transaction.connection.execute(wrote).scalar()) and not is_erased(
        deed.transaction.connection, deed.association, subject
    )


def has_rows(deed: Deed, subject: bytes) -> bool:
    """Whether anything of this person is here: her sheet, whether it holds or not, a key or a record."""
    places = (tables.sheet, tables.data_key, tables.record)
    there = [exists().where(place.c.association_id == deed.association, place.c.subject == subject) for place in places]
    return any(deed.transaction.connection.execute(select(one)).scalar() for one in there)


def records_of(deed: Deed, subject: bytes) -> list[bytes]:
    """The records an index names as this person's."""
    place = tables.record
    query = select(place.c.record).where(place.c.association_id == deed.association, place.c.subject == subject).order_by(place.c.record)
    return [bytes(record) for record in deed.transaction.connection.execute(query).scalars()]


def keys_of(deed: Deed, subject: bytes) -> list[tuple[int, int, bytes]]:
    """Class, version and wrapped form of every data key of this person, that of her sheet among them."""
    place, own = tables.data_key, tables.sheet
    mine = select(place.c.class_id, place.c.key_version, place.c.wrapped)
    found = deed.transaction.connection.execute(mine.where(place.c.association_id == deed.association, place.c.subject == subject)).all()
    sheet = select(own.c.wrapped).where(own.c.association_id == deed.association, own.c.subject == subject)
    wrapped = deed.transaction.connection.execute(sheet).scalars().all()
    return [(row.class_id, row.key_version, bytes(row.wrapped)) for row in found] + [(SHEET_CLASS, 1, bytes(one)) for one in wrapped]


def _newest(association: bytes, subject: bytes) -> Select[int | None]:
    told = log_tables.subject
    return select(func.max(told.c.version)).where(told.c.association_id == association, told.c.subject == subject)


def _tables() -> list[Table]:
    """Every table of every room that can hold a row of a person: whoever adds one names her or her record in it. The log is kept."""
    return [table for table in metadata.sorted_tables if not table.name.startswith("access_log_") and not table.info.get(OUTLASTS)]


def _delete(deed: Deed, table: Table, column: Column[bytes], values: Sequence[bytes]) -> None:
    deed.transaction.connection.execute(delete(table).where(table.c.association_id == deed.association, column.in_(values)))


def _forget_events(deed: Deed, subject: bytes) -> None:
    """Delete her events; on PostgreSQL through the function that asks the log first, where the service's role may not delete them."""
    connection = deed.transaction.connection
    may = connection.dialect.name != "postgresql" or connection.execute(_MAY_DELETE).scalar()
    if may:
        _delete(deed, tables.event, tables.event.c.subject, [subject])
    else:
        connection.execute(_FORGET, {"subject": subject})


def history(deed: Deed, known: Known) -> list[list[SheetEvent]]:
    """Every version's events of one person, oldest first. Raises Unavailable `integrity` where one is missing or does not open."""
    rows = stored_events(deed.transaction.connection, deed.association, known.subject)
    if [row.version for row in rows] != list(range(1, known.version + 1)) or not all(_is(row.sealed, row.told) for row in rows):
        raise Unavailable("integrity")
    try:
        backwards = opened_backwards(known.key, deed.association, known.subject, [(row.version, row.sealed) for row in reversed(rows)])
        return [*backwards][::-1]
    except (Unopenable, msgspec.DecodeError) as error:
        raise Unavailable("integrity") from error


def stored_events(connection: Connection, association: bytes, subject: bytes) -> Sequence[Row[int, bytes, bytes | None]]:
    """Version, sealed bytes and the digest the log names (`told`) of one person's events, oldest first."""
    event, told = tables.event, log_tables.subject
    same = and_(told.c.association_id == event.c.association_id, told.c.subject == event.c.subject, told.c.version == event.c.version)
    query = (
        select(event.c.version, event.c.sealed, told.c.event.label("told"))
        .select_from(event.outerjoin(told, same))
        .where(event.c.association_id == association, event.c.subject == subject)
        .order_by(event.c.version)
    )
    return connection.execute(query).all()


def _is(sealed: bytes | None, told: bytes | None) -> bool:
    """Whether these are the bytes the log's entry was written with."""
    return isinstance(sealed, bytes) and told is not None and sha256(sealed).digest() == told


def opened_backwards(
    key: DataKey, association: bytes, subject: bytes, rows: Iterable[tuple[int, bytes]]
) -> Generator[list[SheetEvent], None, None]:
    """The events of each version, newest first as the rows are, the first under this key and each under the one that was in use then.

    Raises Unopenable, and msgspec.DecodeError for bytes that are none.
    """
    for version, sealed in rows:
        events = decode_events(open_blob(key, context(b"event/v1", association, subject, version), sealed))
        yield events
        for one in events:
            if isinstance(one, Renewed):
                key = handed_down(key, context(b"former/v1", association, subject, version), one.former)


def rebuild(versions: Iterable[Sequence[SheetEvent]]) -> Sheet | None:
    """The sheet that a person's whole history gives: its bytes are those of the stored one."""
    sheet: Sheet | None = None
    for events in versions:
        sheet = fold(sheet, events)
    return sheet


def context(label: bytes, association: bytes, subject: bytes, version: int) -> bytes:
    """What a sheet or an event is sealed for: its kind, association, person and version."""
    return label + association + subject + version.to_bytes(8, "big")
