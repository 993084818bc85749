"""Empties classes of a person's records: their keys are destroyed and what they sealed with them; new keys seal nothing in their place.

Invariant: no value of an emptied class opens again, and none of the others leaves: every other class is sealed anew at the next revision.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete

from keys.cabinet import SHEET_CLASS
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.errors import NotFound
from vault.records import filing, index, shelf, tables
from vault.records.service import move_containers
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecordTypeFact
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import RecordState, Sheet, Stored


@dataclass(frozen=True, slots=True)
class _Old:
    """One record before it is emptied: its type, place at the next revision, and the rows it is found by."""

    shape: RecordTypeFact
    whole: shelf.Whole
    state: RecordState
    found_by: list[index.Entry]
    sealed: dict[int, bytes]


def class_ids(book: Book, sheet: Sheet, classes: Collection[str]) -> frozenset[int]:
    """The numbers of these classes in the types of her records."""
    types = {state.type for state in sheet.records.values()}
    return frozenset(one.class_id for name in types for one in book.types[name].fields if one.field_class in classes)


def empty(deed: Deed, errand: Errand, known: people.Known, classes: Collection[int]) -> list[Stored]:
    """Empty these classes in every record of hers; the events of it. Raises Unavailable `integrity` where what is stored does not hold."""
    if known.sheet is None:
        raise NotFound
    types, kept = errand.book(deed).types, []
    for record, state in sorted(known.sheet.records.items()):
        whole = shelf.Whole(deed.association, known.subject, bytes.fromhex(record), state.revision + 1)
        kept.append(_resealed(deed, types[state.type], whole, state, classes))
    keys = new_keys(deed, known.subject, classes)
    filing.retire(deed, errand, files(errand.book(deed), known.sheet, classes))
    return [_emptied(deed, errand, old, keys) for old in kept]


def files(book: Book, sheet: Sheet, classes: Collection[int]) -> set[bytes]:
    """The files that lie in fields of these classes of her records."""
    states = [(book.types[state.type], state.scans) for state in sheet.records.values()]
    return {bytes.fromhex(scan) for shape, held in states for scan in set(held.values()) - set(filing.left(shape, held, classes).values())}


def _resealed(deed: Deed, shape: RecordTypeFact, whole: shelf.Whole, state: RecordState, classes: Collection[int]) -> _Old:
    """The record with all other classes sealed for its next revision, before any key is gone."""
    left = [one for one in tables.sealed(deed.transaction, whole, state) if one.place.class_id not in classes]
    sealed = shelf.reseal_record(shape, {}, left, deed.cabinet.keys, whole.revision)
    return _Old(shape, whole, state, index.stored(deed, {whole.record: state})[whole.record], sealed)


def new_keys(deed: Deed, subject: bytes, classes: Collection[int] | None = None) -> dict[int, DataKey]:
    """Keys that never sealed anything, in the place of those of these classes, or of all of hers, which are destroyed."""
    place, connection = subject_tables.data_key, deed.transaction.connection
    hers = {class_id: version for class_id, version, _ in people.keys_of(deed, subject) if class_id != SHEET_CLASS}
    versions = {class_id: version for class_id, version in hers.items() if classes is None or class_id in classes}
    mine = (place.c.association_id == deed.association, place.c.subject == subject)
    connection.execute(delete(place).where(*mine, place.c.class_id.in_(versions)))
    made = {}
    for class_id, version in versions.items():
        made[class_id], wrapped = deed.cabinet.keys.new_key(subject, class_id, version + 1)
        own = {"k_association_id": deed.association, "k_subject": subject, "k_class_id": class_id}
        subject_tables.ADD_KEY.run(deed.transaction, [{**own, "k_key_version": version + 1, "k_wrapped": wrapped}])
    return made


def _emptied(deed: Deed, errand: Errand, old: _Old, keys: Mapping[int, DataKey]) -> Stored:
    shape, whole = old.shape, old.whole
    here = {int(class_id) for class_id in old.state.salts}
    nothing = shelf.seal_record(shape, {}, keys, whole, beside={*shelf.classes(shape)} - (here & keys.keys()))
    sealed = {**old.sealed, **nothing}
    move_containers(deed, whole, sealed)
    fields = [one for one in shape.fields if one.class_id in keys]
    numbers = {one.number for one in fields}
    rows = index.entries(deed, shape, {}, keys, whole, only=[one.name for one in fields])
    index.drop(deed, whole, numbers)
    index.add(deed, whole, rows)
    return Stored(
        record=whole.record.hex(),
        type=shape.name,
        schema=shape.schema,
        revision=whole.revision,
        salts=shelf.salts(sealed),
        at=deed.now,
        by=errand.hand,
        review_month=old.state.review_month,
        tokens=index.digest([*index.without(old.found_by, numbers), *rows]),
        scans=filing.left(shape, old.state.scans, keys) if old.state.scans else None,
    )
