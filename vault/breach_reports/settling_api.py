"""HTTP in and out of what waits for somebody to say whom a reporter wants to see nothing of her report."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec

from vault.breach_reports import bodies, groups, settling
from vault.breach_reports.exclusion import SETTLES
from vault.breach_reports.groups_api import refused
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, opened
from vault.breach_reports.shapes import ReportFact
from vault.errors import FieldError, Invalid, NotFound, VaultError
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web import Answer, Call, Person, Query, Route, parse_id, write_id
from vault.web.times import write_time

ALL: Final = "/v1/breach-reports/reporter-exclusions"
ONE: Final = "/v1/breach-reports/{report}/reporter-exclusion"


def settling_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api, access = _Settling(reports), Person(SETTLES)
    return [
        Route(
            method="GET",
            path=ALL,
            name="breach_reports.exclusions",
            handler=api.listed,
            access=access,
            answer=bodies.ExclusionList,
            query={"after": Query(kind="id"), "limit": Query(kind="integer", low=1, high=500, default=50)},
            summary="List the reports that wait for somebody to say whom their reporter meant.",
        ),
        Route(
            method="POST",
            path=ALL,
            name="breach_reports.exclusions.settle",
            handler=api.settle_many,
            access=access,
            body=bodies.Settlements,
            answer=bodies.ManySettled,
            summary="Say of many reports whom their reporters meant; each has its own entry.",
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
        after, limit = call.query["after"], call.query["limit"]
        like = await asyncio.to_thread(_like, [fact for _, fact in found])
        if after is not None:
            found = await asker.association.run(lambda deed: settling.behind(deed, errand, known, after))
        items = [
            bodies.ExclusionItem(write_id(id_), write_time(fact.received_at), fact.offices, settling.describes(fact), like[fact.id])
            for id_, fact in found[:limit]
        ]
        return Answer(bodies.ExclusionList(items, items[-1].id if len(found) > limit else None, len(like)))

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

    async def settle_many(self, call: Call) -> Answer:
        body: bodies.Settlements = call.body
        (_, errand), staff = _errand(call), _staff(body.staff)
        try:
            reports = [parse_id(each) for each in body.reports]
        except NotFound:
            raise Invalid([FieldError("reports", "wrong-type")]) from None
        found = await groups.each(errand, reports, lambda deed, errand, report: settling.settle(deed, errand, report, staff))
        return Answer(bodies.ManySettled([_result(call, report, one) for report, one in zip(reports, found, strict=True)]))


def _like(found: list[ReportFact]) -> dict[str, str]:
    """For each report the oldest of those it is like."""
    return {fact.id: write_id(bytes.fromhex(group.example.id)) for group in settling.alike(found) for fact in group.members}


def _result(call: Call, report: bytes, one: ReportFact | VaultError) -> dict[str, Any]:
    if isinstance(one, VaultError):
        return refused(call, report, one)
    return {"id": write_id(report), "status": HTTPStatus.OK, "excluded": len(one.excluded)}


def _errand(call: Call) -> tuple[Asker, Errand]:
    return call.caller, Errand(call.caller, call.request_id)


def _staff(texts: tuple[str, ...]) -> list[bytes]:
    try:
        return [parse_id(each) for each in texts]
    except NotFound:
        raise Invalid([FieldError("staff", "unknown-staff")]) from None
