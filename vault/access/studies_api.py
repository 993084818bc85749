"""HTTP in and out for studies: proposed by one person, looked at and approved by another, ended by one."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from vault.access import studies
from vault.access.approving import Approver
from vault.access.studies import Wanted
from vault.access.study_shapes import DimensionFact, Form, StudyFact
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Code as OneTimeCode
from vault.identity.second_factor import SecondFactor
from vault.policy.research import bands
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Person, Route
from vault.web.times import write_time

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Words = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=30)]
State = Literal["proposed", "in-force", "ended"]
LONGEST_TITLE: Final = 200


class DimensionBody(Body, frozen=True, kw_only=True):
    """A field as the study sees it: `steps` between which a date (in full Hijri years) or a number lies, or `groups` of words by name."""

    name: Code
    field: Code
    steps: Annotated[tuple[Whole, ...], msgspec.Meta(max_length=10)] = ()
    groups: Annotated[dict[str, Words], msgspec.Meta(max_length=10)] = msgspec.field(default_factory=dict)


class StudyBody(Body, frozen=True, kw_only=True):
    """A study to lay down: a table of numbers of people, or an extract of rows with pseudonyms."""

    form: Form
    type: Code
    purpose: Code
    title: dict[str, str]
    dimensions: Annotated[tuple[DimensionBody, ...], msgspec.Meta(min_length=1, max_length=8)]


class WordingBody(Body, frozen=True, kw_only=True):
    """Which wording is approved, and a one-time code where the session is not stepped up."""

    proposal: str
    code: OneTimeCode | None = None


class TurnDownBody(Body, frozen=True, kw_only=True):
    """Which wording is turned down."""

    proposal: str


class DimensionShown(msgspec.Struct, frozen=True):
    """A dimension and its bands by name, in order, with the words of each where it is made of words."""

    name: str
    field: str
    bands: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]


class StudyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A study in full; `proposal` names its wording."""

    study: str
    state: State
    proposal: str
    form: Form
    type: str
    purpose: str
    title: dict[str, str]
    dimensions: list[DimensionShown]
    proposed_by: str
    proposed_at: str
    approved_by: str | None
    ended_by: str | None


class StudiesAnswer(msgspec.Struct, frozen=True):
    """Every study there ever was."""

    items: list[StudyShown]


class StudyStands(msgspec.Struct, frozen=True):
    """How a study stands, and which wording of it."""

    study: str
    state: State
    proposal: str


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor

    async def propose(self, call: Call) -> Answer:
        code, wanted = call.path["study"], _wanted(call.body)
        errand = errand_of(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.propose(deed, errand, code, wanted)))
        return Answer(_stands(found))

    async def waiting(self, call: Call) -> Answer:
        code, errand = call.path["study"], errand_of(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.shown(deed, errand, code)))
        return Answer(_shown(found))

    async def approve(self, call: Call) -> Answer:
        code, errand, body = call.path["study"], errand_of(call), call.body
        approver = Approver(call.caller, call.request_id, body.code, self.factor)
        wording = _proposal(body)
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: studies.approve(deed, approver, code, wording)))
        return Answer(_stands(found))

    async def turn_down(self, call: Call) -> Answer:
        code, errand, wording = call.path["study"], errand_of(call), _proposal(call.body)
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: studies.turn_down(deed, errand, code, wording)))
        return Answer(_stands(found))

    async def end(self, call: Call) -> Answer:
        code, errand = call.path["study"], errand_of(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.end(deed, errand, code)))
        return Answer(_stands(found))

    async def listed(self, call: Call) -> Answer:
        errand = errand_of(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.listed(deed, errand)))
        return Answer(StudiesAnswer([_shown(one) for one in found]))


def errand_of(call: Call) -> Errand:
    """Who calls, in which request."""
    asker: Asker = call.caller
    return Errand(asker, call.request_id)


def _wanted(body: StudyBody) -> Wanted:
    if body.title.keys() != {"ar", "en"}:
        raise Invalid([FieldError("title", "missing")])
    if not all(text.strip() and text.isprintable() and len(text) <= LONGEST_TITLE for text in body.title.values()):
        raise Invalid([FieldError("title", "out-of-range")])
    dimensions = tuple(DimensionFact(name=one.name, field=one.field, steps=one.steps, groups=one.groups) for one in body.dimensions)
    return Wanted(form=body.form, type=body.type, purpose=body.purpose, title=body.title, dimensions=dimensions)


def _proposal(body: WordingBody | TurnDownBody) -> bytes:
    try:
        return parse_id(body.proposal)
    except NotFound:
        raise Invalid([FieldError("proposal", "out-of-range")]) from None


def _state(study: StudyFact) -> State:
    if study.ended_at is not None:
        return "ended"
    return "in-force" if study.stands else "proposed"


def _stands(study: StudyFact) -> StudyStands:
    return StudyStands(study.code, _state(study), write_id(bytes.fromhex(study.id)))


def dimensions_of(study: StudyFact) -> list[DimensionShown]:
    """The dimensions of a study with their bands, as they are shown."""
    return [DimensionShown(one.name, one.field, bands(one.laid), one.groups) for one in study.dimensions]


def _shown(study: StudyFact) -> StudyShown:
    return StudyShown(
        study=study.code,
        state=_state(study),
        proposal=write_id(bytes.fromhex(study.id)),
        form=study.form,
        type=study.type,
        purpose=study.purpose,
        title=study.title,
        dimensions=dimensions_of(study),
        proposed_by=study.proposed_by,
        proposed_at=write_time(study.proposed_at),
        approved_by=study.approved_by or None,
        ended_by=study.ended_by or None,
    )


def study_routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    api = _Api(factor)
    return [
        Route(
            method="GET",
            path="/v1/research",
            name="research.list",
            handler=api.listed,
            access=Needs("research:read"),
            answer=StudiesAnswer,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="List the studies that are proposed, in force or ended.",
        ),
        Route(
            method="PUT",
            path="/v1/research/{study}",
            name="research.propose",
            handler=api.propose,
            access=Person("studies:write"),
            body=StudyBody,
            answer=StudyStands,
            summary="Propose a study with its fixed bands; nobody is looked at before another person approved it.",
        ),
        Route(
            method="GET",
            path="/v1/research/{study}/proposal",
            name="research.waiting",
            handler=api.waiting,
            access=Person("approve"),
            answer=StudyShown,
            summary="The wording of a study, for who approves it.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/approval",
            name="research.approve",
            handler=api.approve,
            access=Person("approve"),
            body=WordingBody,
            answer=StudyStands,
            summary="Approve the wording of a study that another person proposed.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/rejection",
            name="research.reject",
            handler=api.turn_down,
            access=Person("approve"),
            body=TurnDownBody,
            answer=StudyStands,
            summary="Turn down the wording of a study that waits.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/end",
            name="research.end",
            handler=api.end,
            access=Person("studies:write"),
            answer=StudyStands,
            summary="End a study: nothing is released of it any more, and the key of its pseudonyms is destroyed.",
        ),
    ]
