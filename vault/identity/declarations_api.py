"""HTTP in and out of purposes and record types being laid down: proposed by one person, looked at and approved by another (CONTRACT 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from vault.errors import FieldError, Invalid, NotFound
from vault.identity import declared
from vault.identity.bodies import Code
from vault.identity.declarations import Declarations, Declared
from vault.identity.declared import WantedField, WantedPurpose
from vault.policy.facts import Action, Channel, Form, Proof
from vault.policy.pack import Predicate, Text
from vault.rulebook.shapes import FieldFact, PurposeFact
from vault.web import Answer, Body, Call, Person, Route, parse_id, write_id
from vault.web.route import MEBIBYTE, Handler
from vault.web.times import write_time

MOST_FIELDS = 200


class PurposeBody(Body, frozen=True, kw_only=True):
    """A purpose to lay down; what is left out is as the pack has it."""

    action: Action
    forms: list[Form]
    article: str | None = None
    classes: list[str] | None = None
    internal_only: bool | None = None
    double_opt_in: bool | None = None
    honours_gpc: bool | None = None
    proof: Proof | None = None
    channel: Channel | None = None
    title: dict[str, str] | None = None


class FieldBody(Body, frozen=True, kw_only=True, rename={"class_": "class"}):
    """A field of a record type; choices, bounds and labels that are left out are as the pack has them."""

    name: str
    type: str
    class_: str
    searchable: bool = False
    required: bool = False
    labels: dict[str, str] | None = None
    choices: list[str] | None = None
    low: int | None = None
    high: int | None = None


class PredicateBody(Body, frozen=True, kw_only=True):
    """What may be asked in the place of a field's value: one test with its constant, years being Hijri years."""

    name: str
    field: str
    labels: dict[str, str]
    younger_than: int | None = None
    below: int | None = None
    one_of: tuple[str, ...] = ()
    begins_with: str = ""


class TypeBody(Body, frozen=True, kw_only=True):
    """A record type to lay down; of each group in `one_of` one field must be filled. `predicates` left out are as the pack has them."""

    fields: list[FieldBody]
    one_of: list[list[str]] | None = None
    predicates: list[PredicateBody] | None = None


class ApprovalBody(Body, frozen=True, kw_only=True):
    """Which wording is approved, and a one-time code where the session is not stepped up."""

    proposal: str
    code: Code | None = None


class DeclaredAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of it: `in-force`, or `proposed` under an id that the approval names."""

    state: Literal["proposed", "in-force"]
    proposal: str | None = None


class WaitingAnswer(msgspec.Struct, frozen=True):
    """What waits for approval, in full: who proposed it and when, and the wording as it would be in force."""

    proposal: str
    proposed_by: str
    proposed_at: str
    wording: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    declarations: Declarations

    async def put_purpose(self, call: Call) -> Answer:
        body: PurposeBody = call.body
        wanted = WantedPurpose(
            action=body.action,
            forms=frozenset(body.forms),
            article=body.article,
            classes=None if body.classes is None else frozenset(body.classes),
            internal_only=body.internal_only,
            double_opt_in=body.double_opt_in,
            honours_gpc=body.honours_gpc,
            proof=body.proof,
            channel=body.channel,
            title=declared.text_of(body.title, "title"),
        )
        return _declared(await self.declarations.propose_purpose(call.caller, call.path["code"], wanted))

    async def put_type(self, call: Call) -> Answer:
        body: TypeBody = call.body
        if len(body.fields) > MOST_FIELDS:
            raise Invalid([FieldError("fields", "out-of-range")])
        fields = [_wanted(number, each) for number, each in enumerate(body.fields)]
        one_of = None if body.one_of is None else tuple(map(tuple, body.one_of))
        predicates = None if body.predicates is None else tuple(_predicate(*each) for each in enumerate(body.predicates))
        return _declared(await self.declarations.propose_type(call.caller, call.path["name"], fields, one_of, predicates))

    async def waiting_purpose(self, call: Call) -> Answer:
        waits = await self.declarations.waiting_purpose(call.caller, call.path["code"])
        return _waiting(waits.id, waits.proposed_by, waits.proposed_at, _purpose(waits.purpose))

    async def waiting_type(self, call: Call) -> Answer:
        waits = await self.declarations.waiting_type(call.caller, call.path["name"])
        wording = {
            "fields": [_field(each) for each in waits.record_type.fields],
            "one_of": [list(each) for each in waits.record_type.one_of],
            "predicates": [msgspec.to_builtins(each) for each in waits.record_type.predicates],
        }
        return _waiting(waits.id, waits.proposed_by, waits.proposed_at, wording)

    async def approve_purpose(self, call: Call) -> Answer:
        body: ApprovalBody = call.body
        await self.declarations.approve_purpose(call.caller, call.path["code"], _proposal(body), body.code)
        return Answer(DeclaredAnswer("in-force"))

    async def approve_type(self, call: Call) -> Answer:
        body: ApprovalBody = call.body
        await self.declarations.approve_type(call.caller, call.path["name"], _proposal(body), body.code)
        return Answer(DeclaredAnswer("in-force"))


def _wanted(number: int, each: FieldBody) -> WantedField:
    return WantedField(
        name=each.name,
        kind=each.type,
        class_name=each.class_,
        searchable=each.searchable,
        required=each.required,
        label=declared.text_of(each.labels, f"fields.{number}.labels"),
        choices=None if each.choices is None else tuple(each.choices),
        low=each.low,
        high=each.high,
    )


def _predicate(number: int, each: PredicateBody) -> Predicate:
    label = declared.text_of(each.labels, f"predicates.{number}.labels")
    return Predicate(
        name=each.name,
        field=each.field,
        label=label or Text("", ""),
        younger_than=each.younger_than,
        below=each.below,
        one_of=each.one_of,
        begins_with=each.begins_with,
    )


def _declared(told: Declared) -> Answer:
    proposal = None if told.proposal is None else write_id(bytes.fromhex(told.proposal))
    return Answer(DeclaredAnswer("proposed" if proposal else "in-force", proposal))


def _waiting(proposal: str, by: str, at: int, wording: Mapping[str, Any]) -> Answer:
    return Answer(WaitingAnswer(write_id(bytes.fromhex(proposal)), by, write_time(at), dict(wording)))


def _purpose(fact: PurposeFact) -> dict[str, Any]:
    return {
        "action": fact.action,
        "forms": sorted(fact.forms),
        "article": fact.article,
        "classes": None if fact.classes is None else sorted(fact.classes),
        "internal_only": fact.internal_only,
        "double_opt_in": fact.double_opt_in,
        "honours_gpc": fact.honours_gpc,
        "proof": fact.proof,
        "channel": fact.channel,
        "title": fact.title,
    }


def _field(each: FieldFact) -> dict[str, Any]:
    return {
        "name": each.name,
        "type": each.kind,
        "class": each.field_class,
        "searchable": each.searchable,
        "required": each.required,
        "labels": each.labels,
        "choices": list(each.choices),
        "low": each.low,
        "high": each.high,
    }


def _proposal(body: ApprovalBody) -> bytes:
    try:
        return parse_id(body.proposal)
    except NotFound:
        raise Invalid([FieldError("proposal", "out-of-range")]) from None


def routes(declarations: Declarations) -> list[Route]:
    """The calls about purposes and record types being laid down."""
    api = _Api(declarations)
    return [
        *_laid_down(
            "purpose",
            "/v1/purposes/{code}",
            (api.put_purpose, api.waiting_purpose, api.approve_purpose),
            (Person("purposes:write"), PurposeBody),
            words="a purpose",
        ),
        *_laid_down(
            "record-type",
            "/v1/record-types/{name}",
            (api.put_type, api.waiting_type, api.approve_type),
            (Person("types:write"), TypeBody),
            words="a record type",
        ),
    ]


def _laid_down(
    name: str, path: str, handlers: tuple[Handler, Handler, Handler], proposing: tuple[Person, type[Body]], *, words: str
) -> list[Route]:
    """The three calls by which one thing is laid down: propose, show what waits, approve; `words` say what it is."""
    propose, waiting, approve = handlers
    access, body = proposing
    second = Person("approve")
    return [
        Route(
            method="PUT",
            path=path,
            name=f"{name}.propose",
            handler=propose,
            access=access,
            body=body,
            max_body=MEBIBYTE,
            answer=DeclaredAnswer,
            summary=f"Propose {words} within the pack; in force after another person's approval.",
        ),
        Route(
            method="GET",
            path=f"{path}/proposal",
            name=f"{name}.waiting",
            handler=waiting,
            access=second,
            answer=WaitingAnswer,
            summary=f"The wording of {words} that waits for approval.",
        ),
        Route(
            method="POST",
            path=f"{path}/approval",
            name=f"{name}.approve",
            handler=approve,
            access=second,
            body=ApprovalBody,
            answer=DeclaredAnswer,
            summary=f"Approve the wording of {words} that another person proposed.",
        ),
    ]
