"""Turns the fields of a record into sealed containers and back into sealed containers: values go in, only sealed bytes come out.

Invariants: every declared field of the type is sealed in every class, absent ones as null in the bucket usual for their kind, so that what
a person lacks cannot be seen; all classes are sealed anew at every revision; the salts go to the person's sheet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keys.container import Place, Sealed, header, reseal, seal
from keys.errors import Unopenable
from keys.keyring import AssociationKeys, DataKey
from vault.errors import FieldError, Invalid, Unavailable
from vault.records.values import Options, PartialDate, ValueRefused, full_capacity, normalise
from vault.rulebook.shapes import FieldFact, RecordTypeFact
from vault.web.call import parse_id

# Bytes a cell of this kind takes at least: the bucket that holds what is usual there.
_FLOORS = {"name": 96, "text": 96, "long_text": 448, "national_address": 256, "email": 64, "date": 160, "attachment": 256}
_BIRTH_DATE = "birth_date"
ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class Whole:
    """One revision of a record as a whole: three 16-byte ids, and the number of the revision."""

    association: bytes
    subject: bytes
    record: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Fields as they are stored, by name, and the day of full capacity where a birth date tells it (microseconds UTC).

    `files`: of fields that name a file the ids, 16 bytes; what lies there is not looked up yet.
    """

    values: Mapping[str, Any]
    full_capacity_from: int | None
    files: Mapping[str, bytes] = field(default_factory=dict)


def clean(shape: RecordTypeFact, given: Mapping[str, Any], *, partial: bool = False) -> Cleaned:
    """Check and normalise fields; `partial` for an update. Raises Invalid, member by member, with codes and never a value."""
    declared = {one.name: one for one in shape.fields}
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    wrong: set[str] = set()
    capacity: int | None = None
    for name, value in given.items():
        one = declared.get(name)
        if one is None:
            errors.append(FieldError("fields", "unknown-field"))
            continue
        if value is None:
            values[name] = None
            continue
        try:
            values[name] = normalise(one.kind, value, _options(one))
        except ValueRefused as refused:
            errors.append(FieldError(f"fields.{name}", refused.code))
            wrong.add(name)
            continue
        if name == _BIRTH_DATE:
            capacity = full_capacity(PartialDate.of(values[name])).latest_at
    if partial and not given:
        errors.append(FieldError("fields", "no-fields"))
    errors.extend(_emptied(shape, values, wrong) if partial else _missing(shape, values, wrong))
    if errors:
        raise Invalid(errors)
    files = {name: parse_id(values[name]["id"]) for name in values if declared[name].kind == ATTACHMENT and values[name] is not None}
    return Cleaned(values, capacity, files)


def _options(one: FieldFact) -> Options | None:
    if one.low is None and one.high is None:
        return Options(choices=one.choices) if one.choices else None
    bounds = {name: value for name, value in (("low", one.low), ("high", one.high)) if value is not None}
    return Options(choices=one.choices, **bounds)


def _missing(shape: RecordTypeFact, values: Mapping[str, Any], wrong: Collection[str]) -> list[FieldError]:
    """What a new record lacks: required fields, and groups of which none is filled; what is there and wrong is told once."""
    filled = {name for name, value in values.items() if value is not None} | set(wrong)
    groups = [(one.name,) for one in shape.fields if one.required] + list(shape.one_of)
    return [FieldError(f"fields.{group[0]}", "missing") for group in groups if filled.isdisjoint(group)]


def _emptied(shape: RecordTypeFact, values: Mapping[str, Any], wrong: Collection[str]) -> list[FieldError]:
    """What an update may not empty: a required field, or one of a group unless it fills another of the group.

    What else the record holds is sealed and not looked at, so whoever empties one of a group says again what takes its place.
    """
    filled = {name for name, value in values.items() if value is not None} | set(wrong)
    emptied = values.keys() - filled
    groups = [(one.name,) for one in shape.fields if one.required] + list(shape.one_of)
    return [FieldError(f"fields.{group[0]}", "missing") for group in groups if emptied.intersection(group) and filled.isdisjoint(group)]


def classes(shape: RecordTypeFact) -> dict[int, list[FieldFact]]:
    """The fields of a type by class id, in order."""
    found: dict[int, list[FieldFact]] = {}
    for one in shape.fields:
        found.setdefault(one.class_id, []).append(one)
    return dict(sorted(found.items()))


def seal_record(
    shape: RecordTypeFact,
    values: Mapping[str, Any],
    keys: Mapping[int, DataKey],
    whole: Whole,
    *,
    beside: Collection[int] = (),
) -> dict[int, bytes]:
    """The containers of this revision by class id, of every class that is not already `beside`."""
    sealed: dict[int, bytes] = {}
    for class_id, fields in classes(shape).items():
        if class_id not in beside:
            key = keys[class_id]
            place = Place(whole.association, whole.subject, whole.record, class_id, key.version, whole.revision, shape.schema)
            sealed[class_id] = seal(key, place, {one.number: values.get(one.name) for one in fields}, floors=_floors(fields))
    return sealed


def reseal_record(
    shape: RecordTypeFact,
    changes: Mapping[str, Any],
    old: Sequence[Sealed],
    keys: AssociationKeys,
    revision: int,
) -> dict[int, bytes]:
    """The containers of the next revision, by class id; no value leaves. Raises Unavailable `integrity` where an old one does not open."""
    by_class = classes(shape)
    sealed: dict[int, bytes] = {}
    try:
        for one in old:
            fields = by_class.get(one.place.class_id, [])
            place = replace(one.place, revision=revision, schema=shape.schema)
            known = set(header(one.container).field_ids)
            # A field declared since the record was stored is sealed as null from now on.
            wanted = {field.number: changes.get(field.name) for field in fields if field.name in changes or field.number not in known}
            sealed[one.place.class_id] = reseal(keys, one, place, wanted, floors=_floors(fields))
    except Unopenable as error:
        raise Unavailable("integrity") from error
    return sealed


def salts(sealed: Mapping[int, bytes]) -> dict[str, str]:
    """The salt of each container, by class id, as the sheet keeps it."""
    return {str(class_id): header(container).salt.hex() for class_id, container in sealed.items()}


def _floors(fields: Sequence[FieldFact]) -> dict[int, int]:
    return {one.number: _FLOORS[one.kind] for one in fields if one.kind in _FLOORS}
