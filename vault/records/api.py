"""The calls that store, update and list records, and tell their types; reading one is not here but behind the door in `vault.access`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from vault.errors import FieldError, Invalid, NotFound, Refused, VaultError
from vault.policy.facts import GuardianKind
from vault.records import service, shelf
from vault.records.service import GuardianOf, Intake, Kept, Whose
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecordTypeFact
from vault.subjects.meant import by_record, by_subject
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.problems import problem_of
from vault.web.route import LARGE_BODY, Body, Needs, Query, Route
from vault.web.times import parse_time

MOST_ITEMS = 500
MOST_IN_A_DEED = 50


class GuardianBody(Body):
    """A guardian: a known subject, the kind, the deed's number and its end."""

    subject: str
    kind: GuardianKind
    deed: str | None = None
    valid_to: str | None = None


class SubjectBody(Body):
    """Whose record: `id` of somebody known, `visitor` with a browser's id, or `kind` and perhaps a guardian for somebody new."""

    id: str | None = None
    visitor: str | None = None
    kind: str | None = None
    guardian: GuardianBody | None = None


class StoreBody(Body):
    """A record to store: its type and fields by name."""

    type: str
    fields: dict[str, Any]
    subject: SubjectBody | None = None


class ApplicationBody(Body):
    """What somebody applied with on a public form: always somebody new to the vault, whether she is known or not."""

    type: str
    fields: dict[str, Any]


class ApplicationAnswer(msgspec.Struct, frozen=True):
    """An application that was stored; its id is what consents to it are recorded under."""

    id: str


class UpdateBody(Body):
    """Fields to change by name; null empties one. `request` is the request of the person's (`POST /v1/requests`) that this answers."""

    fields: dict[str, Any]
    request: str | None = None


class BatchBody(Body):
    """Up to 500 records to store; each stands alone."""

    items: list[StoreBody]


class KeptAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored record."""

    id: str
    subject: str
    revision: int
    status: int | None = None


class UpdatedAnswer(msgspec.Struct, frozen=True):
    """A record's next revision."""

    id: str
    revision: int


class BatchAnswer(msgspec.Struct, frozen=True):
    """A result for each item, in order: `{status, id, subject, revision}` or `{status, problem}`."""

    results: list[dict[str, Any]]


class Listed(msgspec.Struct, frozen=True):
    """One record of a page."""

    id: str
    type: str
    revision: int
    review_month: str


class ListAnswer(msgspec.Struct, frozen=True):
    """A page of records and where the next begins."""

    items: list[Listed]
    next: str | None


class FieldAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """One field of a record type: what it takes, how it is classed, what it is called."""

    name: str
    type: str
    class_: str
    searchable: bool
    required: bool
    labels: dict[str, str]
    choices: list[str]


class PredicateAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question that may be asked in the place of a field's value, and the constant it was declared with; years are Hijri years."""

    name: str
    field: str
    labels: dict[str, str]
    younger_than: int | None = None
    below: int | None = None
    one_of: tuple[str, ...] = ()
    begins_with: str = ""


class TypeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A record type; of each group in `one_of` one field must be filled."""

    name: str
    fields: list[FieldAnswer]
    one_of: list[list[str]]
    predicates: list[PredicateAnswer]


class TypesAnswer(msgspec.Struct, frozen=True):
    """Every record type of the association."""

    items: list[TypeAnswer]


async def store(call: Call) -> Answer:
    """Store one record."""
    asker: Asker = call.caller
    intake = _intake(call, await asker.association.book(), call.body, call.idempotency_key)
    errand, meant = Errand(asker, call.request_id), by_subject(intake.whose.known)
    kept = await heard(errand, lambda: asker.association.run(lambda deed: service.store(deed, errand, intake), weight=2), meant)
    return Answer(KeptAnswer(write_id(kept.record), write_id(kept.subject), kept.revision))


async def apply(call: Call) -> Answer:
    """Store what somebody applied with; nothing is looked up, and the answer is one whoever she is."""
    asker: Asker = call.caller
    intake = _intake(call, await asker.association.book(), StoreBody(call.body.type, call.body.fields), call.idempotency_key)
    errand = Errand(asker, call.request_id)
    kept = await heard(errand, lambda: asker.association.run(lambda deed: service.store(deed, errand, intake), weight=2))
    return Answer(ApplicationAnswer(write_id(kept.record)))


async def store_batch(call: Call) -> Answer:
    """Store up to 500 records, fifty to a deed; a row that fails leaves the others alone."""
    items = call.body.items
    if not 1 <= len(items) <= MOST_ITEMS:
        raise Invalid([FieldError("items", "out-of-range")])
    book = await call.caller.association.book()
    parts = [range(first, min(first + MOST_IN_A_DEED, len(items))) for first in range(0, len(items), MOST_IN_A_DEED)]
    results: list[dict[str, Any]] = []
    ahead = _checked(call, book, parts[0])
    for number, part in enumerate(parts):
        deed = asyncio.create_task(_stored(call, ahead))
        await asyncio.sleep(0)  # the deed is on its way: while it is written, the next rows are checked
        ahead = _checked(call, book, parts[number + 1]) if number + 1 < len(parts) else []
        try:
            kept = await deed
        except VaultError as error:
            if not results:
                raise
            # What earlier deeds stored stands and must be told: these rows alone failed.
            kept = [error] * len(part)
        results += [_result(call, one) for one in kept]
    return Answer(BatchAnswer(results))


def _checked(call: Call, book: Book, numbers: Sequence[int]) -> list[Intake | VaultError]:
    """These rows of the body, checked and normalised, or what is wrong with each."""
    key = call.idempotency_key
    intakes: list[Intake | VaultError] = []
    for number in numbers:
        try:
            intakes.append(_intake(call, book, call.body.items[number], f"{key}:{number}" if key else None))
        except VaultError as error:
            intakes.append(error)
    return intakes


async def _stored(call: Call, intakes: Sequence[Intake | VaultError]) -> Sequence[Kept | VaultError]:
    errand = Errand(call.caller, call.request_id)
    association = errand.asker.association
    kept = await heard(errand, lambda: association.run(lambda deed: service.store_each(deed, errand, intakes), weight=len(intakes)))
    for intake, one in zip(intakes, kept, strict=True):
        if isinstance(one, Refused):
            association.refusals.refused(errand.asker.ref)
        if isinstance(intake, Intake) and isinstance(one, VaultError):
            await ring(errand, one, by_subject(intake.whose.known))
    return kept


def _intake(call: Call, book: Book, body: StoreBody, key: str | None) -> Intake:
    """The record of a body, checked and normalised before the deed. Raises Invalid."""
    cleaned, whose = shelf.clean(service.type_of(book, body.type), body.fields), _whose(body.subject)
    return Intake(body.type, cleaned, whose, once_for(call.caller, route=call.route.name, key=key, body=body))


def _result(call: Call, one: Kept | VaultError) -> dict[str, Any]:
    if isinstance(one, VaultError):
        found = problem_of(one, call.request_id, call.language)
        return {"status": found.status, "problem": found}
    return {"status": 201, "id": write_id(one.record), "subject": write_id(one.subject), "revision": one.revision}


async def update(call: Call) -> Answer:
    """Change fields of a record whose current revision the caller holds."""
    asker: Asker = call.caller
    record, expected = call.path_id("record"), call.expected_revision
    fields, request = call.body.fields, _request(call.body.request)
    errand = Errand(asker, call.request_id)

    async def changed() -> Kept:
        return await asker.association.run(lambda deed: service.update(deed, errand, record, expected, fields, request=request), weight=2)

    kept = await heard(errand, changed, by_record(record))
    return Answer(UpdatedAnswer(write_id(kept.record), kept.revision), headers={"ETag": f'"{kept.revision}"'})


async def listing(call: Call) -> Answer:
    """A page of records: ids, type, revision, review month; no values."""
    asker: Asker = call.caller
    limit, after = call.query["limit"], call.query["after"]
    errand = Errand(asker, call.request_id)
    rows = await heard(errand, lambda: asker.association.run(lambda deed: service.listed(deed, errand, call.query["type"], after, limit)))
    items = [Listed(write_id(bytes(row.record)), row.type, row.revision, row.review_month) for row in rows[:limit]]
    return Answer(ListAnswer(items, items[-1].id if len(rows) > limit else None))


async def types(call: Call) -> Answer:
    """The record types of the association, field by field."""
    book = await Errand(call.caller, call.request_id).newest_book()
    return Answer(TypesAnswer([_type(shape) for _, shape in sorted(book.types.items())]))


def _type(shape: RecordTypeFact) -> TypeAnswer:
    fields = [
        FieldAnswer(
            name=one.name,
            type=one.kind,
            class_=one.field_class,
            searchable=one.searchable,
            required=one.required,
            labels=one.labels,
            choices=list(one.choices),
        )
        for one in shape.fields
    ]
    predicates = [PredicateAnswer(**{name: getattr(one, name) for name in PredicateAnswer.__struct_fields__}) for one in shape.predicates]
    return TypeAnswer(name=shape.name, fields=fields, one_of=[list(group) for group in shape.one_of], predicates=predicates)


def _whose(body: SubjectBody | None) -> Whose:
    if body is None:
        return Whose()
    if body.id is not None or body.visitor is not None:
        if body.kind is not None or body.guardian is not None or (body.id is not None and body.visitor is not None):
            raise Invalid([FieldError("subject", "id-or-kind")])
        return Whose(visitor=body.visitor) if body.id is None else Whose(known=_subject(body.id, "subject.id"))
    guardian = None
    if body.guardian is not None:
        subject = _subject(body.guardian.subject, "subject.guardian.subject")
        guardian = GuardianOf(subject, body.guardian.kind, body.guardian.deed, _moment(body.guardian.valid_to))
    return Whose(kind=body.kind, guardian=guardian)


def _subject(text: str, member: str) -> bytes:
    try:
        return parse_id(text)
    except NotFound as error:
        raise Invalid([FieldError(member, "unknown-subject")]) from error


def _request(text: str | None) -> bytes | None:
    try:
        return None if text is None else parse_id(text)
    except NotFound as error:
        raise Invalid([FieldError("request", "unknown-request")]) from error


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise Invalid([FieldError("subject.guardian.valid_to", "wrong-type")]) from error


ROUTES = (
    Route(
        method="GET",
        path="/v1/record-types",
        name="record_types.list",
        handler=types,
        access=Needs("notices:read"),
        answer=TypesAnswer,
        summary="The record types of the association.",
    ),
    Route(
        method="POST",
        path="/v1/records",
        name="records.store",
        handler=store,
        access=Needs("records:write"),
        body=StoreBody,
        max_body=LARGE_BODY,
        answer=KeptAnswer,
        status=201,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Store a record, sealed field by field.",
    ),
    Route(
        method="POST",
        path="/v1/applications",
        name="applications.store",
        handler=apply,
        access=Needs("applications:write"),
        body=ApplicationBody,
        answer=ApplicationAnswer,
        status=201,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Store what somebody applied with on a public form, under a key that reads nothing.",
    ),
    Route(
        method="GET",
        path="/v1/records",
        name="records.list",
        handler=listing,
        access=Needs("records:list"),
        answer=ListAnswer,
        query={"type": Query(kind="text", high=32), "after": Query(kind="id"), "limit": Query(kind="integer", low=1, high=500, default=50)},
        summary="A page of records, without values.",
    ),
    Route(
        method="PATCH",
        path="/v1/records/{record}",
        name="records.update",
        handler=update,
        access=Needs("records:write"),
        body=UpdateBody,
        max_body=LARGE_BODY,
        answer=UpdatedAnswer,
        headers=frozenset({"If-Match", "Amanah-On-Behalf-Of"}),
        summary="Change fields of a record.",
    ),
    Route(
        method="POST",
        path="/v1/records/batch",
        name="records.store_batch",
        handler=store_batch,
        access=Needs("records:write"),
        body=BatchBody,
        max_body=LARGE_BODY,
        answer=BatchAnswer,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Store up to 500 records; each row stands alone.",
    ),
)
