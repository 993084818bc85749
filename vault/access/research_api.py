"""HTTP in and out for what studies give: extracts asked for by one person and approved by another, and releases."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from vault.access import extracts, research
from vault.access.approving import Approver
from vault.access.research import Released
from vault.access.studies_api import DimensionShown, dimensions_of, errand_of
from vault.access.study_shapes import ExtractRequestFact, Form
from vault.errors import NotFound
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import INTERNAL
from vault.policy.research import LEAST, bands
from vault.rulebook.alarm import heard
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Body, Needs, Person, Route
from vault.web.times import write_time

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
State = Literal["requested", "approved", "turned-down"]
AT_ONCE: Final = 1
"""So many releases are made at a time in this process: each holds the bands of everybody it counts."""
_MONTH: Final = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])", re.ASCII)


class ReleaseBody(Body, frozen=True, kw_only=True):
    """Whom the release is for: nobody but the house gets one (article 6.3), and who names another is refused by that article."""

    recipient: Code = INTERNAL


class ExtractAsked(msgspec.Struct, frozen=True):
    """How the asking for a month's extract stands."""

    study: str
    month: str
    state: State


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

    async def ask(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], errand_of(call), research.month_of(call.now)
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: extracts.request(deed, errand, code, month)))
        return Answer(_asked(found))

    async def approve_extract(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], errand_of(call), month_in(call.path["month"])
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: extracts.approve(deed, approver, code, month)))
        return Answer(_asked(found))

    async def turn_down_extract(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], errand_of(call), month_in(call.path["month"])
        run = errand.asker.association.run
        found = await heard(errand, lambda: run(lambda deed: extracts.turn_down(deed, errand, code, month)))
        return Answer(_asked(found))

    async def release(self, call: Call) -> Answer:
        code, errand, body = call.path["study"], errand_of(call), call.body
        async with self.turns:
            found = await heard(errand, lambda: research.release(errand, code, body.recipient))
        return Answer(_released(found))

    async def read(self, call: Call) -> Answer:
        code, errand, month = call.path["study"], errand_of(call), month_in(call.path["month"])
        found = await heard(errand, lambda: errand.asker.association.run(lambda deed: research.read(deed, errand, code, month)))
        return Answer(_released(found))


def month_in(text: str) -> str:
    """The month as it is written. Raises NotFound for what is none."""
    if _MONTH.fullmatch(text) is None:
        raise NotFound
    return text


def _asked(found: ExtractRequestFact) -> ExtractAsked:
    state: State = "approved" if found.approved_by else "requested" if found.waits else "turned-down"
    return ExtractAsked(found.study, found.month, state)


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
        dimensions=dimensions_of(study),
        numbers=[{"at": named(one.at), "people": one.people} for one in release.numbers],
        rows=[{"pseudonym": pseudonym, **named(cell)} for pseudonym, cell in found.rows],
    )


def research_routes(factor: SecondFactor) -> list[Route]:
    """The calls of this file."""
    api = _Api(factor)
    behalf = frozenset({"Amanah-On-Behalf-Of"})
    return [
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
            path="/v1/research/{study}/extract/{month}/rejection",
            name="research.reject-extract",
            handler=api.turn_down_extract,
            access=Person("approve"),
            answer=ExtractAsked,
            summary="Turn down a month's extract that was asked for; it may be asked for anew.",
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
