"""HTTP in and out of legal holds on reports and incidents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import bodies, holds, telling
from vault.breach_reports.incidents_api import about_incident
from vault.breach_reports.reporter import about as about_report
from vault.breach_reports.retention import What
from vault.breach_reports.service import SecondFactor
from vault.breach_reports.shapes import Hold
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web import Access, Answer, Body, Call, Person, Route, write_id

_Text = Annotated[str, msgspec.Meta(max_length=20_000)]
_Code = Annotated[str, msgspec.Meta(max_length=2_000)]


class LegalHold(Body):
    """Why nothing of the case may be destroyed, or why it may be again; 1 to 5,000 characters."""

    reason: _Text


class LiftHold(Body):
    """The proposal that is meant, by its number, and a one-time code where the session is not stepped up."""

    proposal: int
    code: _Code | None = None


class HoldStands(msgspec.Struct):
    """The newest hold of a case after a deed."""

    id: str
    hold: bodies.HoldTold


def hold_routes(factor: SecondFactor) -> list[Route]:
    """Return the calls of this file."""
    return [
        *_routes(_Holds("report", factor), "/v1/breach-reports/{report}"),
        *_routes(_Holds("incident", factor), "/v1/incidents/{incident}"),
    ]


def _routes(api: "_Holds", one: str) -> list[Route]:
    name = "breach_reports" if api.what == "report" else "incidents"

    def deed(path: str, handler: Callable[[Call], object], access: Access, body: type[msgspec.Struct], summary: str) -> Route:
        return Route(
            method="POST",
            path=f"{one}/legal-hold{path}",
            name=f"{name}.hold{path.replace('/', '.')}",
            handler=handler,  # type: ignore[arg-type]  # each is a coroutine function, which this alias is too wide to say
            access=access,
            body=body,
            answer=HoldStands,
            summary=summary,
        )

    work = Person("reports")
    return [
        deed("", api.lay, work, LegalHold, f"Lay a legal hold on the {api.what}: nothing of it is destroyed."),
        deed("/lifting", api.propose, work, LegalHold, f"Propose to lift the legal hold on the {api.what}."),
        deed("/approval", api.lift, Person("approve"), LiftHold, f"Lift the legal hold on the {api.what}, as another proposed."),
    ]


@dataclass(frozen=True, slots=True)
class _Holds:
    """The handlers."""

    what: What
    factor: SecondFactor

    async def lay(self, call: Call) -> Answer:
        reason = call.body.reason
        return await self._done(call, lambda deed, errand, id_: holds.lay(deed, errand, self.what, id_, reason))

    async def propose(self, call: Call) -> Answer:
        reason = call.body.reason
        return await self._done(call, lambda deed, errand, id_: holds.propose_lifting(deed, errand, self.what, id_, reason))

    async def lift(self, call: Call) -> Answer:
        body, second = call.body, holds.Second(self.factor, call.body.code)
        return await self._done(call, lambda deed, errand, id_: second.lift(deed, errand, self.what, id_, body.proposal))

    async def _done(self, call: Call, deed_of: Callable[[Deed, Errand, bytes], Hold]) -> Answer:
        id_, errand = call.path_id(self.what), Errand(call.caller, call.request_id)
        meant = (about_report if self.what == "report" else about_incident)(id_)
        made = await heard(errand, lambda: call.caller.association.run(lambda deed: deed_of(deed, errand, id_)), meant)
        return Answer(HoldStands(write_id(id_), telling.hold(made)))
