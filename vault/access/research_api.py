"""HTTP in and out for research inside the house: studies laid down by two people, extracts asked for by two, and releases."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from vault.access import extracts, research, studies
from vault.access.approving import Approver
from vault.access.research import Released
from vault.access.studies import Wanted
from vault.access.study_shapes import DimensionFact, ExtractRequestFact, Form, StudyFact
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Approve
from vault.identity.bodies import Code as OneTimeCode
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import INTERNAL
from vault.policy.research import LEAST, bands
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
AT_ONCE: Final = 1
"""So many releases are made at a time in this process: each holds the bands of everybody it counts."""
LONGEST_TITLE: Final = 200
_MONTH: Final = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])", re.ASCII)


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


class ReleaseBody(Body, frozen=True, kw_only=True):
    """Whom the release is for: nobody but the house gets one (article 6.3), and who names another is refused by that article."""

    recipient: Code = INTERNAL


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


class ExtractAsked(msgspec.Struct, frozen=True):
    """How the asking for a month's extract stands."""

    study: str
    month: str
    state: Literal["requested", "approved"]


class ReleaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a study.

    `numbers` of a table: each names a band of some dimensions (without any it is the total), and how many `people`, null where that is
    hidden. `rows` of an extract: each a `pseudonym` and the band of each dimension.
    """

    study: str
    month: str
    form: Form
    type: str
    purpose: str
    least: int
    released_at: str
    dimensions: list[DimensionShown]
    numbers: list[dict[str, Any]]
    rows: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def propose(self, call: Call) -> Answer:
        code, wanted = call.path["study"], _wanted(call.body)
        errand = _errand(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.propose(deed, errand, code, wanted)))
        return Answer(_stands(found))

    async def waiting(self, call: Call) -> Answer:
        code, errand = call.path["study"], _errand(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.shown(deed, errand, code)))
        return Answer(_shown(found))

    async def approve(self, call: Call) -> Answer:
        code, errand, body = call.path["study"], _errand(call), call.body
        approver = Approver(call.caller, call.request_id, body.code, self.factor)
        wording = _proposal(body)
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: studies.approve(deed, approver, code, wording)))
        return Answer(_stands(found))

    async def end(self, call: Call) -> Answer:
        code, errand = call.path["study"], _errand(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.end(deed, errand, code)))
        return Answer(_stands(found))

    async def listed(self, call: Call) -> Answer:
        errand = _errand(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: studies.listed(deed, errand)))
        return Answer(StudiesAnswer([_shown(one) for one in found]))

    async def ask(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], _errand(call), research.month_of(call.now)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: extracts.request(deed, errand, code, month)))
        return Answer(_asked(found))

    async def approve_extract(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], _errand(call), _month(call)
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: extracts.approve(deed, approver, code, month)))
        return Answer(_asked(found))

    async def release(self, call: Call) -> Answer:
        code, errand, body = call.path["study"], _errand(call), call.body
        async with self.turns:
            found = await heard(errand, lambda: research.release(errand, code, body.recipient))
        return Answer(_released(found))

    async def read(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], _errand(call), _month(call)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: research.read(deed, errand, code, month)))
        return Answer(_released(found))


def _errand(call: Call) -> Errand:
    asker: Asker = call.caller
    return Errand(asker, call.request_id)


def _month(call: Call) -> str:
    """The month of the path. Raises NotFound for what is none."""
    month = call.path["month"]
    if _MONTH.fullmatch(month) is None:
        raise NotFound
    return month


def _wanted(body: StudyBody) -> Wanted:
    if body.title.keys() != {"ar", "en"}:
        raise Invalid([FieldError("title", "missing")])
    if not all(text.strip() and text.isprintable() and len(text) <= LONGEST_TITLE for text in body.title.values()):
        raise Invalid([FieldError("title", "out-of-range")])
    dimensions = tuple(DimensionFact(name=one.name, field=one.field, steps=one.steps, groups=one.groups) for one in body.dimensions)
    return Wanted(form=body.form, type=body.type, purpose=body.purpose, title=body.title, dimensions=dimensions)


def _proposal(body: WordingBody) -> bytes:
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


def _dimensions(study: StudyFact) -> list[DimensionShown]:
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
        dimensions=_dimensions(study),
        proposed_by=study.proposed_by,
        proposed_at=write_time(study.proposed_at),
        approved_by=study.approved_by or None,
        ended_by=study.ended_by or None,
    )


def _asked(found: ExtractRequestFact) -> ExtractAsked:
    return ExtractAsked(found.study, found.month, "approved" if found.approved_by else "requested")


def _released(found: Released) -> ReleaseAnswer:
    study, release = found.study, found.release
    laid = [(one.name, bands(one.laid)) for one in study.dimensions]

    def named(at: tuple[int | None, ...]) -> dict[str, str]:
        return {name: words[place] for (name, words), place in zip(laid, at, strict=True) if place is not None}

    return ReleaseAnswer(
        study=study.code,
        month=release.month,
        form=study.form,
        type=study.type,
        purpose=study.purpose,
        least=LEAST,
        released_at=write_time(release.released_at),
        dimensions=_dimensions(study),
        numbers=[{"at": named(one.at), "people": one.people} for one in release.numbers],
        rows=[{"pseudonym": pseudonym, **named(cell)} for pseudonym, cell in found.rows],
    )


def research_routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    api = _Api(factor)
    behalf = frozenset({"Amanah-On-Behalf-Of"})
    return [
        Route(
            method="GET",
            path="/v1/research",
            name="research.list",
            handler=api.listed,
            access=Needs("research:read"),
            answer=StudiesAnswer,
            headers=behalf,
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
            path="/v1/research/{study}/end",
            name="research.end",
            handler=api.end,
            access=Person("studies:write"),
            answer=StudyStands,
            summary="End a study: nothing is released of it any more, and the key of its pseudonyms is destroyed.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/extract",
            name="research.ask",
            handler=api.ask,
            access=Person("research"),
            answer=ExtractAsked,
            summary="Ask for this month's extract of a study; another person approves it.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/extract/{month}/approval",
            name="research.approve-extract",
            handler=api.approve_extract,
            access=Person("approve"),
            body=Approve,
            optional_body=True,
            answer=ExtractAsked,
            summary="Approve a month's extract that another person asked for.",
        ),
        Route(
            method="POST",
            path="/v1/research/{study}/release",
            name="research.release",
            handler=api.release,
            access=Needs("research:read"),
            body=ReleaseBody,
            optional_body=True,
            answer=ReleaseAnswer,
            headers=behalf,
            summary="This month's release of a study, inside the house: a table's the same however often, an extract's once.",
        ),
        Route(
            method="GET",
            path="/v1/research/{study}/releases/{month}",
            name="research.read",
            handler=api.read,
            access=Needs("research:read"),
            answer=ReleaseAnswer,
            headers=behalf,
            summary="What was released of a table for a month.",
        ),
    ]
