"""HTTP in and out of what waits for somebody to say whom a reporter wants to see nothing of her report."""

from dataclasses import dataclass
from typing import Final

import msgspec

from vault.breach_reports import bodies, settling
from vault.breach_reports.exclusion import SETTLES
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, opened
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web import Answer, Call, Person, Route, parse_id, write_id
from vault.web.times import write_time

ONE: Final = "/v1/breach-reports/{report}/reporter-exclusion"


def settling_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api, access = _Settling(reports), Person(SETTLES)
    return [
        Route(
            method="GET",
            path="/v1/breach-reports/reporter-exclusions",
            name="breach_reports.exclusions",
            handler=api.listed,
            access=access,
            answer=bodies.ExclusionList,
            summary="List the reports that wait for somebody to say whom their reporter meant.",
        ),
        Route(
            method="GET",
            path=ONE,
            name="breach_reports.exclusion.read",
            handler=api.read,
            access=access,
            answer=bodies.ExclusionTold,
            summary="Read whom a reporter wants to see nothing of her report, and nothing else of it.",
        ),
        Route(
            method="POST",
            path=ONE,
            name="breach_reports.exclusion.settle",
            handler=api.settle,
            access=access,
            body=bodies.Settlement,
            answer=bodies.ExclusionSettled,
            summary="Say whom a reporter meant: they see nothing of it for good.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Settling:
    """The handlers."""

    reports: Reports

    async def listed(self, call: Call) -> Answer:
        asker, errand = _errand(call)
        known = await heard(errand, lambda: self.reports.index.known(asker.association))
        found = await asker.association.run(lambda deed: settling.waiting(deed, errand, known))
        return Answer(
            bodies.ExclusionList([bodies.ExclusionItem(write_id(id_), write_time(fact.received_at), fact.offices) for id_, fact in found])
        )

    async def read(self, call: Call) -> Answer:
        (asker, errand), report = _errand(call), call.path_id("report")
        taken = await heard(errand, lambda: asker.association.run(lambda deed: settling.read(deed, errand, report)), about(report))
        words = [msgspec.json.decode(each.content, type=str) for each in await opened(errand, taken)]
        entry = bodies.EntryTold(taken.appended.index, taken.appended.leaf_hash.hex())
        return Answer(bodies.ExclusionTold(write_id(report), taken.case.fact.offices, words[0] if words else None, entry))

    async def settle(self, call: Call) -> Answer:
        (asker, errand), report, staff = _errand(call), call.path_id("report"), _staff(call.body.staff)
        fact = await heard(errand, lambda: asker.association.run(lambda deed: settling.settle(deed, errand, report, staff)), about(report))
        return Answer(bodies.ExclusionSettled(write_id(report), len(fact.excluded)))


def _errand(call: Call) -> tuple[Asker, Errand]:
    return call.caller, Errand(call.caller, call.request_id)


def _staff(texts: tuple[str, ...]) -> list[bytes]:
    try:
        return [parse_id(each) for each in texts]
    except NotFound:
        raise Invalid([FieldError("staff", "unknown-staff")]) from None
