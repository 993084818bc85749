"""HTTP in and out of the queue by likeness: groups, one group, one deed on many reports, a report taken out of its group."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import bodies, groups, lifecycle, service, telling
from vault.breach_reports.likeness import Group
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports
from vault.breach_reports.shapes import Reason, ReportFact
from vault.errors import FieldError, Invalid, NotFound, VaultError
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.working_days import holidays
from vault.web import Answer, Body, Call, Person, Query, Route, parse_id, write_id
from vault.web.problems import problem_of
from vault.web.times import write_time

PATH: Final = "/v1/breach-reports/groups"
_Ids = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=36)], ...], msgspec.Meta(max_length=groups.MOST)]
_Short = Annotated[str, msgspec.Meta(max_length=2_000)]


class GroupItem(msgspec.Struct, kw_only=True):
    """Reports that are alike: how many, since when and until when they came, and the oldest of them as the example.

    `quarantined` of them lie there, `doubts` says for what, `proposed` for which reasons a dismissal waits for a second person;
    of `unanswered` the reporter wrote again with the receipt, as few machines do.
    """

    example: bodies.ReportItem
    count: int
    first_at: str
    last_at: str
    quarantined: int
    doubts: dict[str, int]
    proposed: dict[str, int]
    unanswered: int


class GroupList(msgspec.Struct):
    """A page of groups, the smallest first; how many groups and reports nobody has looked at, and how many are kept from the reader."""

    items: list[GroupItem]
    next: str | None
    groups: int
    reports: int
    withheld: int


class GroupMembers(msgspec.Struct):
    """The group of a report, itself first: at most 500 of so many."""

    items: list[bodies.ReportItem]
    count: int


class ManyTriaged(Body):
    """One deed on many reports, by id: `triage` takes a `finding`, `dismissal` (which another has to approve) a `reason`."""

    reports: _Ids
    deed: Literal["acknowledgement", "triage", "dismissal"]
    finding: Literal["breach", "no_breach"] | None = None
    reason: Reason | None = None
    note: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


class ManyDismissed(Body):
    """The dismissals another person proposed for this reason; the session has to be stepped up, since one code approves once."""

    reports: _Ids
    reason: Reason


class ManyAnswer(msgspec.Struct):
    """A result for each report, in order: `{id, status, state}` or `{id, status, problem}`."""

    results: list[dict[str, Any]]


def group_routes(reports: Reports) -> list[Route]:
    """Return the calls of this file."""
    api = _Groups(reports)
    return [
        Route(
            method="GET",
            path=PATH,
            name="breach_reports.groups",
            handler=api.queue,
            access=Person("reports"),
            answer=GroupList,
            query={
                "state": Query(kind="choice", choices=("received", "quarantined")),
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=500, default=50),
            },
            summary="List what nobody has looked at by likeness, the smallest groups first.",
        ),
        Route(
            method="GET",
            path=f"{PATH}/{{report}}",
            name="breach_reports.group",
            handler=api.group,
            access=Person("reports"),
            answer=GroupMembers,
            summary="List the reports that are like this one and that nobody has looked at.",
        ),
        Route(
            method="POST",
            path=f"{PATH}/triage",
            name="breach_reports.groups.triage",
            handler=api.triage,
            access=Person("reports"),
            body=ManyTriaged,
            answer=ManyAnswer,
            summary="Do one deed on many reports; each has its own entry.",
        ),
        Route(
            method="POST",
            path=f"{PATH}/dismissal/approval",
            name="breach_reports.groups.dismiss",
            handler=api.dismiss,
            access=Person("approve"),
            body=ManyDismissed,
            answer=ManyAnswer,
            summary="Dismiss many reports, as another proposed for each.",
        ),
        Route(
            method="POST",
            path="/v1/breach-reports/{report}/apart",
            name="breach_reports.apart",
            handler=api.apart,
            access=Person("reports"),
            answer=bodies.ReportStands,
            summary="Take a report out of its group.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Groups:
    """The handlers: call the room, shape the answer, return."""

    reports: Reports

    async def queue(self, call: Call) -> Answer:
        wanted = groups.Wanted(call.query["state"], call.query["after"], call.query["limit"])
        errand, known = await self.reports.waiting(Errand(call.caller, call.request_id))
        found = await asyncio.to_thread(groups.queue, errand, known, wanted)
        say = await _saying(call)
        items = [_group(each, say) for each in found.groups]
        more = None if found.more is None else write_id(found.more)
        return Answer(GroupList(items, more, found.groups_in_all, found.reports_in_all, found.withheld))

    async def group(self, call: Call) -> Answer:
        report = call.path_id("report")
        errand, known = await self.reports.waiting(Errand(call.caller, call.request_id))
        found = await asyncio.to_thread(groups.group_of, errand, known, report)
        return Answer(GroupMembers(list(map(await _saying(call), found.members[: groups.MOST])), len(found.members)))

    async def triage(self, call: Call) -> Answer:
        body: ManyTriaged = call.body
        return await _done(call, body.reports, deed_of(body.deed, body.finding, body.reason, body.note))

    async def dismiss(self, call: Call) -> Answer:
        body: ManyDismissed = call.body
        second = self.reports.second
        return await _done(call, body.reports, lambda deed, errand, report: second.dismiss(deed, errand, report, body.reason, None))

    async def apart(self, call: Call) -> Answer:
        errand, report = Errand(call.caller, call.request_id), call.path_id("report")
        association = call.caller.association
        fact = await heard(errand, lambda: association.run(lambda deed: groups.set_apart(deed, errand, report)), about(report))
        hours = service.hours(await association.book())
        return Answer(bodies.ReportStands(write_id(report), fact.state, telling.clock(fact, hours, call.now)))


def deed_of(deed: str, finding: str | None, reason: Any, note: str) -> groups.DeedOf:  # noqa: ANN401  # a Reason, which the caller has checked
    """The deed that is to be done on each. Raises Invalid where what it takes is missing."""
    if deed == "triage":
        judged: Any = finding
        if judged is None:
            raise Invalid([FieldError("finding", "missing")])
        return lambda deed, errand, report: service.triage(deed, errand, report, judged, aware_at=None, note=note)
    if deed == "dismissal":
        if reason is None:
            raise Invalid([FieldError("reason", "missing")])
        return lambda deed, errand, report: service.propose_dismissal(deed, errand, report, reason, note)
    return _acknowledged


def _acknowledged(deed: Deed, errand: Errand, report: bytes) -> ReportFact:
    return service.acknowledge(deed, errand, report)


async def _done(call: Call, ids: tuple[str, ...], deed: groups.DeedOf) -> Answer:
    try:
        reports = [parse_id(each) for each in ids]
    except NotFound:
        raise Invalid([FieldError("reports", "wrong-type")]) from None
    found = await groups.each(Errand(call.caller, call.request_id), reports, deed)
    return Answer(ManyAnswer([_result(call, report, one) for report, one in zip(reports, found, strict=True)]))


def _result(call: Call, report: bytes, one: ReportFact | VaultError) -> dict[str, Any]:
    if isinstance(one, VaultError):
        return refused(call, report, one)
    return {"id": write_id(report), "status": HTTPStatus.OK, "state": one.state}


def refused(call: Call, report: bytes, error: VaultError) -> dict[str, Any]:
    """The result of a report, one of many, whose deed was not done."""
    problem = problem_of(error, call.request_id, call.language)
    return {"id": write_id(report), "status": problem.status, "problem": problem}


async def _saying(call: Call) -> Callable[[ReportFact], bodies.ReportItem]:
    """What puts a report into a list, as the list of all does: with the hours and the holidays of the association."""
    association = call.caller.association
    hours, days = service.hours(await association.book()), await association.run(holidays)
    return lambda fact: telling.item(fact, lifecycle.clock(fact, hours), call.now, days)


def _group(group: Group, say: Callable[[ReportFact], bodies.ReportItem]) -> GroupItem:
    told, last = groups.told(group), group.members[-1]
    return GroupItem(
        example=say(group.example),
        count=len(group.members),
        first_at=write_time(group.example.received_at),
        last_at=write_time(last.received_at),
        quarantined=told.quarantined,
        doubts=dict(sorted(told.doubts.items())),
        proposed=dict(sorted(told.proposed.items())),
        unanswered=told.unanswered,
    )
