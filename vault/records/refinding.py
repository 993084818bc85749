"""Makes again what a person's records are found by, after a restore: the rows of the index are in no backup.

Invariants: values are opened by a function that gives back rows and no value; the digest of the new rows goes into the sheet with an entry
of its own, so that the rows count; who does not open keeps no other from being found.
"""

from collections.abc import Mapping

from keys.cells import Value
from keys.container import Found, Sealed, found_by
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Unavailable
from vault.records import index, shelf, tables
from vault.rulebook.book import Book
from vault.rulebook.shapes import FieldFact, RecordTypeFact
from vault.subjects import people
from vault.subjects.sheet import RecordState, SheetEvent, Stored


def find_anew(deed: Deed, book: Book, subject: bytes, told: Entry, *, among: int) -> bool:
    """Write the rows her records are found by, and their digests into her sheet; whether there was any to write.

    `among` is how many records the association has. Raises NotFound for who is not here, Unavailable `integrity`.
    """
    known = people.of_subject(deed, subject)
    states = known.sheet.records if known.sheet else {}
    events: list[SheetEvent] = []
    made: list[tuple[shelf.Whole, list[index.Entry]]] = []
    for record, state in states.items():
        place = shelf.Whole(deed.association, subject, bytes.fromhex(record), state.revision)
        rows = _rows(deed, book.types[state.type], place, state, among)
        if rows:
            made.append((place, rows))
            events.append(_stored(record, state, rows, at=deed.now, by=told.actor))
    # Nothing is written before all of hers opened.
    for place, rows in made:
        index.add(deed, place, rows)
    if events:
        people.change(deed, known, events, told, record=bytes.fromhex(next(iter(states))))
    return bool(events)


def _rows(deed: Deed, shape: RecordTypeFact, place: shelf.Whole, state: RecordState, among: int) -> list[index.Entry]:
    by_class: dict[int, list[FieldFact]] = {}
    for one in index.searchable(shape):
        by_class.setdefault(one.class_id, []).append(one)
    rows: list[index.Entry] = []
    for sealed in tables.sealed(deed.transaction, place, state):
        fields = {one.name: one.number for one in by_class.get(sealed.place.class_id, ())}
        if fields:
            rows += _found(deed, shape, place, Sealed(sealed.place, sealed.wrapped, sealed.container, sealed.salt, fields), among)
    return rows


def _found(deed: Deed, shape: RecordTypeFact, place: shelf.Whole, sealed: Sealed, among: int) -> list[index.Entry]:
    def make(values: Mapping[str, Value], key: DataKey) -> list[Found]:
        keys = {sealed.place.class_id: key}
        made = index.entries(deed, shape, values, keys, place, only=sealed.fields, among=among)
        return [(row.field_id, row.token, row.proof) for row in made]

    try:
        return [index.Entry(*row) for row in found_by(deed.cabinet.keys, sealed, make)]
    except Unopenable as error:
        raise Unavailable("integrity") from error


def _stored(record: str, state: RecordState, rows: list[index.Entry], *, at: int, by: str) -> Stored:
    return Stored(
        record=record,
        type=state.type,
        schema=state.schema,
        revision=state.revision,
        salts=dict(state.salts),
        at=at,
        by=by,
        review_month=state.review_month,
        tokens=index.digest(rows),
    )
