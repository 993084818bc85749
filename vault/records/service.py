"""Stores and updates records: each deed writes containers, sheet, events and log entry in one transaction.

Invariants: a new record says nothing about whether somebody exists; an update is refused unless the caller holds the current revision; what
was checked and normalised before the deed is what is sealed in it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select

from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.errors import Conflict, FieldError, Gone, Invalid, NotFound, Refused, Unavailable, VaultError
from vault.policy.events import GuardianAppointed
from vault.policy.facts import NEVER, Guardian, GuardianKind, Person
from vault.records import filing, index, shelf, tables
from vault.rulebook import requests
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecordTypeFact
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.transaction import Gathered
from vault.subjects import people, visitors
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import Assigned, Assignment, Created, SheetEvent, Stored, happened

CREATED = 201
FIRST = 1


@dataclass(frozen=True, slots=True)
class GuardianOf:
    """A guardian as the caller names one: a known person, the kind, and the deed's number and end where given."""

    subject: bytes
    kind: GuardianKind
    deed: str | None = None
    valid_to: int | None = None


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose record it is: somebody known by id, a visitor by her browser's id, or somebody new of this kind, with a guardian or without."""

    known: bytes | None = None
    visitor: str | None = None
    kind: str | None = None
    guardian: GuardianOf | None = None

    @property
    def is_new(self) -> bool:
        """Whether it is somebody the vault certainly has not met: a visitor may have been here before."""
        return self.known is None and self.visitor is None


@dataclass(frozen=True, slots=True)
class Intake:
    """A record to store: its type, its fields as they were checked, whose it is, and the request's idempotency."""

    type: str
    cleaned: shelf.Cleaned
    whose: Whose = Whose()
    once: Once | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether it changes rows that were there before: of somebody known, or of a file that is handed over."""
        return not self.whose.is_new or bool(self.cleaned.files)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored record: its id, whose it is, and its revision."""

    record: bytes
    subject: bytes
    revision: int


def type_of(book: Book, name: str) -> RecordTypeFact:
    """The record type of this name. Raises Invalid `unknown-type`."""
    shape = book.types.get(name)
    if shape is None:
        raise Invalid([FieldError("type", "unknown-type")])
    return shape


def store(deed: Deed, errand: Errand, intake: Intake, *, among: int | None = None) -> Kept:
    """Store a new record, sealed in every class; a repeat of the same request gives the record it made.

    `among` says how many records there are where that was counted before.

    Raises a refusal for a type the asker's key is not for, `not-assigned` for a caseworker and somebody known whose case she does not have,
    Invalid for a type, kind, person or guardian there is none of, Conflict `idempotency-mismatch` and `erasure-pending`, Gone where what
    the request made is erased, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    once = intake.once
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _made(deed, made)
    book = errand.book(deed)
    shape = type_of(book, intake.type)
    errand.require_type(deed, intake.type, "record.stored")
    if intake.whose.kind is not None and intake.whose.kind not in book.types:
        # A word of the caller's own would lie outside every sealed field.
        raise Invalid([FieldError("subject.kind", "unknown-kind")])
    if intake.whose.visitor is not None and (intake.type != visitors.KIND or visitors.HANDLE.fullmatch(intake.whose.visitor) is None):
        # Nobody else is known by what a browser keeps.
        raise Invalid([FieldError("subject.visitor", "unknown-kind")])
    known, wrapped = _person(deed, intake.whose)
    if known.sheet is not None:
        _require_assigned(deed, errand, known, None, "record.stored")
    arrival = _arrival(deed, errand, known, intake)
    place = shelf.Whole(deed.association, known.subject, os.urandom(16), FIRST)
    filed = filing.file(deed, known.subject, shape, intake.cleaned, {})
    keys, values = _keys(deed, known, shape), filed.values
    sealed = shelf.seal_record(shape, values, keys, place)
    tokens = index.entries(deed, shape, values, keys, place, among=among)
    person = known.sheet.person if known.sheet else Person()
    capacity = _capacity(intake.cleaned.full_capacity_from, person, intake.whose.guardian)
    found_by = index.digest(tokens)
    stored = _stored(deed, errand, place, shape, salts=shelf.salts(sealed), capacity=capacity, tokens=found_by, scans=filed.scans)
    told = errand.entry(kind="record.stored", outcome="allow", facts=filed.facts)
    people.change(deed, known, [*arrival, stored], told, record=place.record, wrapped=wrapped)
    _add_containers(deed, place, sealed)
    _add_place(deed, place, stored)
    index.add(deed, place, tokens)
    if once is not None:
        remember(deed.transaction, deed.association, once, place.record, CREATED)
    return Kept(place.record, known.subject, FIRST)


def store_each(deed: Deed, errand: Errand, intakes: Sequence[Intake | VaultError]) -> list[Kept | VaultError]:
    """Store many records, each alone: what fails is undone and answered with its error, and the others stand.

    The rows of somebody new lie nowhere before, so they are held back and written together; for somebody known, or with a file, each record
    is written before the next is looked at, in a savepoint of its own.
    """
    errand = errand.still(deed)
    kept: list[Kept | VaultError] = []
    for alone, some in groupby(intakes, lambda one: isinstance(one, Intake) and one.stands_alone):
        if alone:
            kept += [one if isinstance(one, VaultError) else _alone(deed, errand, one) for one in some]
        else:
            kept += _gathered(deed, errand, some)
    return kept


def _gathered(deed: Deed, errand: Errand, intakes: Iterable[Intake | VaultError]) -> list[Kept | VaultError]:
    """Store records of somebody new each, their rows held back and written together."""
    among, kept = index.population(deed), list[Kept | VaultError]()
    with deed.transaction.gathering() as held:
        for one in intakes:
            kept.append(one if isinstance(one, VaultError) else _held_back(deed, errand, one, held, among))
            among += isinstance(kept[-1], Kept)
    return kept


def _held_back(deed: Deed, errand: Errand, intake: Intake, held: Gathered, among: int) -> Kept | VaultError:
    mark, rows = deed.mark(), held.mark()
    try:
        return store(deed, errand, intake, among=among)
    except VaultError as error:
        held.rewind(rows)
        deed.rewind(mark)
        if isinstance(error, Refused):
            deed.refused(error)
        return error


def _alone(deed: Deed, errand: Errand, intake: Intake) -> Kept | VaultError:
    mark, savepoint = deed.mark(), deed.transaction.connection.begin_nested()
    try:
        kept = store(deed, errand, intake)
    except VaultError as error:
        savepoint.rollback()
        deed.rewind(mark)
        if isinstance(error, Refused):
            deed.refused(error)
        return error
    savepoint.commit()
    return kept


def update(deed: Deed, errand: Errand, record: bytes, expected: int, fields: Mapping[str, Any], *, request: bytes | None = None) -> Kept:
    """Seal the next revision of a record with these fields changed; the request it answers is written in the entry of the change.

    Raises NotFound, the refusal `not-assigned` for a caseworker who does not have the case, Conflict `revision-mismatch` on a lost race and
    `erasure-pending`, for the request it names as `require_answered_by`, Invalid, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    if known.sheet is None:
        raise NotFound
    _require_assigned(deed, errand, known, record, "record.updated")
    state = known.sheet.records[record.hex()]
    errand.require_type(deed, state.type, "record.updated", (About(known.subject, record),))
    if state.revision != expected:
        raise Conflict("revision-mismatch")
    people.unlocked(known)
    hers = (known.subject, *map(bytes.fromhex, known.sheet.others))
    asked = None if request is None else requests.require_answered_by(deed, request, hers, "correction")
    shape = type_of(errand.book(deed), state.type)
    cleaned = shelf.clean(shape, fields, partial=True)
    place = shelf.Whole(deed.association, known.subject, record, state.revision + 1)
    filed = filing.file(deed, known.subject, shape, cleaned, state.scans)
    moved = shelf.reseal_record(shape, filed.values, tables.sealed(deed.transaction, place, state), deed.cabinet.keys, place.revision)
    # A class declared since the record was stored gets its container with this revision.
    added = {}
    if shelf.classes(shape).keys() - moved.keys():
        added = shelf.seal_record(shape, filed.values, _keys(deed, known, shape), place, beside=moved.keys())
    capacity = _capacity(cleaned.full_capacity_from, known.sheet.person, None)
    # What was due for review stays due: a change is no review.
    found_by = _find_anew(deed, known, shape, cleaned.values, place)
    salts = shelf.salts({**moved, **added})
    event = _stored(
        deed,
        errand,
        place,
        shape,
        salts=salts,
        capacity=capacity,
        tokens=found_by,
        review_month=state.review_month,
        scans=filed.scans,
    )
    answers = () if asked is None else (requests.answering(deed, asked, "correction", record.hex(), errand.hand),)
    told = errand.entry(kind="record.updated", outcome="allow", fields=tuple(sorted(cleaned.values)), facts=(*filed.facts, *answers))
    filing.retire(deed, errand, filed.gone)
    people.change(deed, known, [event], told, record=record)
    move_containers(deed, place, moved)
    _add_containers(deed, place, added)
    return Kept(record, known.subject, place.revision)


def _require_assigned(deed: Deed, errand: Errand, known: people.Known, record: bytes | None, kind: str) -> None:
    """Refuse a caseworker to store or change anything of somebody whose case she does not have."""
    until = known.sheet.assigned_until(errand.asker.assignees, deed.now) if known.sheet is not None else 0
    errand.require_assigned(deed, until, kind, (About(known.subject, record),))


def listed(deed: Deed, errand: Errand, type_: str | None, after: bytes | None, limit: int) -> Sequence[Row[bytes, str, int, str]]:
    """One page of records by id, and one row more where there is a next page: id, type, revision, review month. The page is an entry."""
    errand = errand.still(deed)
    place = subject_tables.record
    query = select(place.c.record, place.c.type, place.c.revision, place.c.review_month).where(place.c.association_id == deed.association)
    types = errand.asker.asker.types
    if type_ is not None:
        errand.require_type(deed, type_, "record.listed")
        query = query.where(place.c.type == type_)
    elif types is not None:
        query = query.where(place.c.type.in_(sorted(types)))
    if after is not None:
        query = query.where(place.c.record > after)
    rows = deed.transaction.connection.execute(query.order_by(place.c.record).limit(limit + 1)).all()
    deed.append(errand.entry(kind="record.listed", outcome="allow", count=min(len(rows), limit)))
    return rows


def _made(deed: Deed, record: bytes) -> Kept:
    try:
        known = people.of_record(deed, record)
    except NotFound as error:
        raise Gone from error
    state = known.sheet.records[record.hex()] if known.sheet else None
    return Kept(record, known.subject, state.revision if state else 0)


def _person(deed: Deed, whose: Whose) -> tuple[people.Known, bytes | None]:
    """The person the record is of, and the wrapped key of her sheet where she is new."""
    if whose.visitor is not None:
        return _visitor(deed, whose.visitor)
    if whose.known is None:
        return people.begin(deed)
    known = _named(deed, whose.known, "subject.id")
    people.unlocked(known)
    return known, None


def _visitor(deed: Deed, handle: str) -> tuple[people.Known, bytes | None]:
    found = visitors.known(deed, handle)
    if not isinstance(found, people.Known):
        return people.begin(deed, found)
    people.unlocked(found)
    return found, None


def _named(deed: Deed, subject: bytes, member: str) -> people.Known:
    try:
        return people.of_subject(deed, subject)
    except NotFound as error:
        raise Invalid([FieldError(member, "unknown-subject")]) from error


def _keys(deed: Deed, known: people.Known, shape: RecordTypeFact) -> dict[int, DataKey]:
    """The person's data key of every class of the type; what she has no key for yet gets one. Raises Unavailable `integrity`."""
    association, cabinet = deed.association, deed.cabinet
    found: dict[int, DataKey] = {}
    if known.sheet is not None:
        try:
            for class_id, wrapped in subject_tables.KEYS.rows(deed.transaction, {"association": association, "person": known.subject}):
                found[class_id] = cabinet.keys.unwrap(known.subject, class_id, wrapped)
        except Unopenable as error:
            raise Unavailable("integrity") from error
        if any(int(class_id) not in found for state in known.sheet.records.values() for class_id in state.salts):
            # A lost key is never made anew: what it sealed would be lost in silence.
            raise Unavailable("integrity")
    rows = []
    for class_id in shelf.classes(shape):
        if class_id not in found:
            found[class_id], wrapped = cabinet.keys.new_key(known.subject, class_id)
            rows.append(
                {
                    "k_association_id": association,
                    "k_subject": known.subject,
                    "k_class_id": class_id,
                    "k_key_version": 1,
                    "k_wrapped": wrapped,
                },
            )
    if rows:
        subject_tables.ADD_KEY.run(deed.transaction, rows)
    return found


def _find_anew(deed: Deed, known: people.Known, shape: RecordTypeFact, changes: Mapping[str, Any], place: shelf.Whole) -> str:
    """Replace what the record is found by through the fields that change; the digest of all it then is. Raises Unavailable `integrity`."""
    states = known.sheet.records if known.sheet else {}
    stored = index.stored(deed, {place.record: states[place.record.hex()]})[place.record]
    # A field that is searchable no more loses its rows too: they tell of a value that is gone.
    changed = {one.number for one in shape.fields if one.name in changes}
    searched = [one.name for one in index.searchable(shape) if one.name in changes]
    rows = index.entries(deed, shape, changes, _keys(deed, known, shape), place, only=searched) if searched else []
    index.drop(deed, place, changed)
    index.add(deed, place, rows)
    return index.digest([*index.without(stored, changed), *rows])


def _arrival(deed: Deed, errand: Errand, known: people.Known, intake: Intake) -> list[SheetEvent]:
    events: list[SheetEvent] = []
    whose = intake.whose
    if known.sheet is None:
        events.append(Created(kind=whose.kind or intake.type, at=deed.now, by=errand.asker.ref))
        if errand.asker.asker.only_assigned:
            # A caseworker has the case of whom she takes in.
            hers = Assignment(os.urandom(16).hex(), errand.hand, "intake", deed.now)
            events.append(Assigned(assignment=hers, at=deed.now, by=errand.hand))
    if whose.guardian is not None:
        named = whose.guardian
        _named(deed, named.subject, "subject.guardian.subject")
        guardian = Guardian(named.subject.hex(), named.kind, verified=False, valid_from=deed.now, valid_to=named.valid_to)
        detail = {"deed": named.deed} if named.deed else None
        events.append(happened(GuardianAppointed(guardian), at=deed.now, by=errand.asker.ref, detail=detail))
    return events


def _stored(
    deed: Deed,
    errand: Errand,
    place: shelf.Whole,
    shape: RecordTypeFact,
    *,
    salts: dict[str, str],
    capacity: int | None,
    tokens: str,
    review_month: str | None = None,
    scans: dict[str, str] | None = None,
) -> Stored:
    return Stored(
        record=place.record.hex(),
        type=shape.name,
        schema=shape.schema,
        revision=place.revision,
        salts=salts,
        at=deed.now,
        by=errand.hand,
        review_month=review_month or _review_month(deed.now, errand.book(deed).pack.review.record_months),
        full_capacity_from=capacity,
        tokens=tokens,
        scans=scans,
    )


def _capacity(told: int | None, person: Person, arriving: GuardianOf | None) -> int | None:
    """The day of full capacity: a birth date's, or never for who comes with a guardian and no birth date.

    Who is under a carer lacks capacity for another reason than age (Personal Status Law 136), so no birth date gives it back.
    """
    kinds = {guardian.kind for guardian in person.guardians} | ({arriving.kind} if arriving else set())
    ward = arriving is not None and arriving.kind != "agent"
    return NEVER if "carer" in kinds or (ward and told is None) else told


def _add_containers(deed: Deed, place: shelf.Whole, sealed: Mapping[int, bytes]) -> None:
    if sealed:
        tables.ADD_CONTAINER.run(
            deed.transaction,
            [
                {
                    "c_association_id": place.association,
                    "c_record": place.record,
                    "c_class_id": class_id,
                    "c_revision": place.revision,
                    "c_container": container,
                }
                for class_id, container in sealed.items()
            ],
        )


def move_containers(deed: Deed, place: shelf.Whole, sealed: Mapping[int, bytes]) -> None:
    """Put these containers of the next revision in the place of the old ones. Raises Unavailable `integrity` where one is missing."""
    association, record, revision = place.association, place.record, place.revision
    moved = tables.MOVE_CONTAINER.run(
        deed.transaction,
        [
            {"association": association, "which": record, "kind": class_id, "new_revision": revision, "new_container": container}
            for class_id, container in sealed.items()
        ],
    )
    moved += tables.MOVE_RECORD.run(deed.transaction, [{"association": association, "which": record, "new_revision": revision}])
    if moved != len(sealed) + 1:
        raise Unavailable("integrity")


def _add_place(deed: Deed, place: shelf.Whole, stored: Stored) -> None:
    subject_tables.ADD_RECORD.run(
        deed.transaction,
        [
            {
                "r_association_id": place.association,
                "r_record": place.record,
                "r_subject": place.subject,
                "r_type": stored.type,
                "r_revision": place.revision,
                "r_review_month": stored.review_month,
            },
        ],
    )


def _review_month(now: int, months: int) -> str:
    """The month in which a stored record is due for review, so many months on (004 6.4; implementing regulation 22): `YYYY-MM`."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)
    ahead = day.month - 1 + months
    return f"{day.year + ahead // 12:04d}-{ahead % 12 + 1:02d}"
