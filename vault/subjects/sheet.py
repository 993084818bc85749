"""The sheet and the events it is folded from: the same events give the same bytes.

Invariants: `fold` is pure; every change raises the version by one; the sheet holds no value of a record, only what a decision needs:
standings of consent, guardians, capacity, and for each record its revision and the salt of each class. Format: docs/spec/sheet.md.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import msgspec

from vault.policy.events import CapacityTold, Disclosed, Event, SubjectsMerged
from vault.policy.facts import NEVER, Person
from vault.policy.standing import apply, told_capacity

AssignmentKind = Literal["assigned", "intake", "handed_over", "break_glass"]
"""How somebody came to have a case: given to her, taken in by her, handed over to her, or opened by her in an emergency."""


@dataclass(frozen=True, slots=True)
class RecordState:
    """What is true of one record: type, schema, revision with the salt (hex) of each class id, digest (hex) of what it is found by.

    `files`: the ids (hex) of the files its fields name, by the field's number; left out of the bytes where there never was one.
    """

    type: str
    schema: int
    revision: int
    salts: Mapping[str, str]
    stored_at: int
    stored_by: str
    review_month: str
    tokens: str = ""
    files: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    @property
    def scans(self) -> dict[str, str]:
        """The files, none where there never was one."""
        return {} if isinstance(self.files, msgspec.UnsetType) else self.files


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose case the person is: `to` is "staff:<hex>" or "unit:<code>", from one moment to another, end exclusive, None for no end.

    `under`: the id of the assignment it was handed over from, with which it ends; left out of the bytes of any other.
    """

    id: str
    to: str
    kind: AssignmentKind
    since: int
    until: int | None = None
    under: str | msgspec.UnsetType = msgspec.UNSET

    def lasts(self, at: int) -> bool:
        """Whether it is in force at this moment."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All a decision needs to know about one person; `records` by record id in hex.

    `assigned` is left out of the bytes where her case was never given to anybody, `same` (ids in hex) where she is known by no other sheet.
    """

    version: int
    kind: str
    created_at: int
    created_by: str
    person: Person = field(default_factory=Person)
    records: Mapping[str, RecordState] = field(default_factory=dict)
    assigned: tuple[Assignment, ...] | msgspec.UnsetType = msgspec.UNSET
    same: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def others(self) -> tuple[str, ...]:
        """The other sheets of this person (ids in hex): what is said of her is said in all of them."""
        return () if isinstance(self.same, msgspec.UnsetType) else self.same

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Who has her case, oldest first; none where nobody ever had."""
        return () if isinstance(self.assigned, msgspec.UnsetType) else self.assigned

    def assigned_until(self, assignees: Collection[str], at: int) -> int:
        """Until when one of these has her case, of what is in force at this moment; 0 where none has."""
        return assigned_until(self.assignments, assignees, at)


def assigned_until(assignments: Iterable[Assignment], assignees: Collection[str], at: int) -> int:
    """Until when one of these people and units has the case, of what is in force at this moment; 0 where none has."""
    hers = [one for one in assignments if one.to in assignees and one.lasts(at)]
    return max([NEVER if one.until is None else one.until for one in hers], default=0)


def ended_with(assignments: Iterable[Assignment], ended: str) -> frozenset[str]:
    """The ids of an assignment that ends and of all that were handed over from it, one after another; they come oldest first."""
    gone = {ended}
    for one in assignments:
        if one.under in gone:
            gone.add(one.id)
    return frozenset(gone)


class Created(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="created", tag_field="e"):
    """The person became known to the vault."""

    kind: str
    at: int
    by: str


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="stored", tag_field="e"):
    """A record of hers was stored or updated: revision, salts, digest of tokens; `full_capacity_from` where a birth date told it.

    `scans`: the ids (hex) of all files its fields name from now on, by the field's number; None where these are as they were.
    """

    record: str
    type: str
    schema: int
    revision: int
    salts: dict[str, str]
    at: int
    by: str
    review_month: str
    full_capacity_from: int | None = None
    tokens: str = ""
    scans: dict[str, str] | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="happened", tag_field="e"):
    """Something the articles know about: consent, guardianship, capacity; `event` is the policy's own, `detail` its evidence.

    `through` is the other sheet of hers (id in hex) by which it was said, empty where it was this one.
    """

    name: str
    event: msgspec.Raw
    at: int
    by: str
    record: str = ""
    detail: dict[str, Any] = {}
    through: str = ""


class Renewed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="renewed", tag_field="e"):
    """Her keys were renewed: from this version on sheet and events lie under another key; `former` is the one before, sealed under it."""

    former: bytes
    at: int
    by: str


class Assigned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="assigned", tag_field="e"):
    """Her case was given to somebody; what ended before is forgotten by the sheet, and `reason` is for those who look back."""

    assignment: Assignment
    at: int
    by: str
    reason: str = ""


class Unassigned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="unassigned", tag_field="e"):
    """The assignment with this id ended before its time, and with it what was handed over from it."""

    assignment: str
    at: int
    by: str
    reason: str = ""


class Noted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="noted", tag_field="e"):
    """Something was said about a request of hers (id in hex): `what` it was part of, and the words, for those who work on it."""

    request: str
    what: Literal["asked", "identity", "extension", "answer", "refusal", "taken-back"]
    text: str
    at: int
    by: str


class Joined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="joined", tag_field="e"):
    """She turned out to be the person of these sheets (ids in hex) too; what they hold comes beside it as an event of the articles."""

    others: tuple[str, ...]
    at: int
    by: str


SheetEvent = Created | Stored | Happened | Renewed | Assigned | Unassigned | Noted | Joined
_POLICY_EVENTS: Mapping[str, Any] = {shape.__name__: shape for shape in get_args(Event)}
_OF_ONE_SHEET = frozenset({SubjectsMerged.__name__, Disclosed.__name__})
_BEGINNING = "a sheet begins with its creation"
_encoder = msgspec.json.Encoder(order="deterministic")
_sheets = msgspec.json.Decoder(Sheet)
_events = msgspec.json.Decoder(list[SheetEvent])


def encode(sheet: Sheet) -> bytes:
    """The bytes of a sheet, the same for the same sheet."""
    return _encoder.encode(sheet)


def decode(content: bytes) -> Sheet:
    """The sheet of these bytes. Raises msgspec.DecodeError for bytes that are none."""
    return _sheets.decode(content)


def encode_events(events: Iterable[SheetEvent]) -> bytes:
    """The bytes of the events of one version."""
    return _encoder.encode(list(events))


def decode_events(content: bytes) -> list[SheetEvent]:
    """The events of one version."""
    return _events.decode(content)


def happened(event: Event, *, at: int, by: str, record: bytes | None = None, detail: Mapping[str, Any] | None = None) -> Happened:
    """Wrap an event of the articles for the ledger; `detail` is kept beside it and never decides."""
    return Happened(
        name=type(event).__name__,
        event=msgspec.Raw(_encoder.encode(event)),
        at=at,
        by=by,
        record=record.hex() if record else "",
        detail=dict(detail or {}),
    )


def policy_event(one: Happened) -> Event:
    """The event of the articles inside a wrapped one."""
    event: Event = msgspec.json.decode(one.event, type=_POLICY_EVENTS[one.name])
    return event


def of_all(events: Iterable[SheetEvent], through: str) -> list[SheetEvent]:
    """What of the events of one sheet (`through`, its id in hex) holds for every sheet of the person.

    That is all that is said of her, the lock of an erasure with it, and not of a record or a case. A day of full capacity that a birth date
    told is told to all.
    """
    found: list[SheetEvent] = []
    for one in events:
        if isinstance(one, Happened) and one.name not in _OF_ONE_SHEET:
            found.append(msgspec.structs.replace(one, through=through))
        elif isinstance(one, Stored) and one.full_capacity_from is not None:
            told = happened(CapacityTold(one.full_capacity_from), at=one.at, by=one.by)
            found.append(msgspec.structs.replace(told, through=through))
    return found


def fold(sheet: Sheet | None, events: Iterable[SheetEvent]) -> Sheet:
    """The sheet after one version's events; None stands for nobody yet. Raises ValueError unless creation comes first, and once."""
    for event in events:
        sheet = _after(sheet, event)
    if sheet is None:
        raise ValueError(_BEGINNING)
    return replace(sheet, version=sheet.version + 1)


def _after(sheet: Sheet | None, event: SheetEvent) -> Sheet:
    if isinstance(event, Created):
        if sheet is not None:
            raise ValueError("a person is created once")
        return Sheet(0, event.kind, event.at, event.by)
    if sheet is None:
        raise ValueError(_BEGINNING)
    if isinstance(event, Stored):
        return _stored(sheet, event)
    if isinstance(event, Renewed | Noted):
        return sheet
    if isinstance(event, Assigned | Unassigned):
        return _assigned(sheet, event)
    if isinstance(event, Joined):
        return replace(sheet, same=tuple(sorted({*sheet.others, *event.others})))
    return replace(sheet, person=apply(sheet.person, policy_event(event)))


def _assigned(sheet: Sheet, event: Assigned | Unassigned) -> Sheet:
    """The sheet with one assignment more or fewer; those that ran out by then lie in the events alone."""
    lasting = [one for one in sheet.assignments if one.until is None or one.until > event.at]
    if isinstance(event, Assigned):
        return replace(sheet, assigned=(*lasting, event.assignment))
    gone = ended_with(lasting, event.assignment)
    return replace(sheet, assigned=tuple(one for one in lasting if one.id not in gone))


def _stored(sheet: Sheet, event: Stored) -> Sheet:
    known = sheet.records.get(event.record)
    state = RecordState(
        event.type,
        event.schema,
        event.revision,
        event.salts,
        known.stored_at if known else event.at,
        known.stored_by if known else event.by,
        event.review_month,
        event.tokens,
        event.scans if event.scans is not None else known.files if known else msgspec.UNSET,
    )
    person = sheet.person
    if person.stored_at is None:
        person = replace(person, stored_at=event.at)
    if event.full_capacity_from is not None:
        person = told_capacity(person, event.full_capacity_from)
    return replace(sheet, person=person, records={**sheet.records, event.record: state})
