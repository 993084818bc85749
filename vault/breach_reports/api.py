"""HTTP in and out of breach reports: the public's three calls, and the officers' (CONTRACT 3, article 8)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import bodies, service, telling
from vault.breach_reports.entries_api import entry_routes
from vault.breach_reports.exclusion import Wish
from vault.breach_reports.files_api import file_routes
from vault.breach_reports.groups_api import group_routes
from vault.breach_reports.intake import Told, plain
from vault.breach_reports.page import RECEIPTS, REPORTING, page_routes
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Knock, Reports, opened
from vault.breach_reports.service import STATES, Wanted
from vault.breach_reports.settling_api import settling_routes
from vault.breach_reports.shapes import Doubt, ReportFact
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.working_days import holidays
from vault.web import Access, Answer, Call, Person, Public, Query, Route, parse_id, write_id
from vault.web.route import KIBIBYTE
from vault.web.times import parse_time

PUBLIC: Final = "/v1/public/{association}/breach-reports"
ONE: Final = "/v1/breach-reports/{report}"
MOST_REPORT: Final = 72 * KIBIBYTE
"""10,000 characters, each written as an escape of six."""
MOST_MESSAGE_BODY: Final = 36 * KIBIBYTE
MOST_RECEIPT_BODY: Final = 4 * KIBIBYTE


def routes(reports: Reports) -> list[Route]:
    """Return the calls of this room."""
    api = _Api(reports)
    return [
        *_public(api),
        *_reading(api),
        *_deeds(api),
        *settling_routes(reports),
        *group_routes(reports),
        *entry_routes(reports),
        *file_routes(reports),
        *page_routes(reports),
    ]


def _public(api: "_Api") -> list[Route]:
    return [
        Route(
            method="POST",
            path=PUBLIC,
            name="breach_reports.receive",
            handler=api.receive,
            access=Public(),
            body=bodies.NewReport,
            answer=bodies.ReportTaken,
            status=201,
            max_body=MOST_REPORT,
            limit=REPORTING,
            headers=frozenset({"Idempotency-Key"}),
            summary="Report a violation of the policy, without a name; the receipt is told once.",
        ),
        Route(
            method="POST",
            path=f"{PUBLIC}/status",
            name="breach_reports.status",
            handler=api.status,
            access=Public(),
            body=bodies.WithReceipt,
            answer=bodies.Status,
            max_body=MOST_RECEIPT_BODY,
            limit=RECEIPTS,
            summary="How a report stands, and its messages, for who holds the receipt.",
        ),
        Route(
            method="POST",
            path=f"{PUBLIC}/messages",
            name="breach_reports.write",
            handler=api.write,
            access=Public(),
            body=bodies.NewMessage,
            answer=bodies.Status,
            status=201,
            max_body=MOST_MESSAGE_BODY,
            limit=RECEIPTS,
            summary="Add a message to a report, with its receipt.",
        ),
    ]


def _reading(api: "_Api") -> list[Route]:
    return [
        Route(
            method="GET",
            path="/v1/breach-reports",
            name="breach_reports.list",
            handler=api.listed,
            access=Person("reports"),
            answer=bodies.ReportList,
            query={
                "state": Query(kind="choice", choices=STATES),
                "unanswered": Query(kind="choice", choices=("true", "false")),
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=500, default=50),
            },
            summary="List breach reports, newest first; those in quarantine by their state only.",
        ),
        Route(
            method="GET",
            path=ONE,
            name="breach_reports.read",
            handler=api.read,
            access=Person("reports"),
            answer=bodies.ReportTold,
            summary="Read a report; the look is an entry of the access log.",
        ),
    ]


def _deeds(api: "_Api") -> list[Route]:
    work, approve = Person("reports"), Person("approve")
    return [
        _deed("acknowledgement", "acknowledge", api.acknowledge, work, summary="Say that somebody looks at the report."),
        _deed("triage", "triage", api.triage, work, summary="Judge whether it is or may be a breach of personal data.", body=bodies.Triage),
        _deed("reply", "reply", api.reply, work, summary="Answer the reporter, who reads it with the receipt.", body=bodies.Reply),
        _deed("exclusion", "exclude", api.exclude, work, summary="Exclude somebody it may be about from seeing it.", body=bodies.Exclude),
        _deed("dismissal", "dismissal.propose", api.propose_dismissal, work, summary="Propose to dismiss the report.", body=bodies.Dismiss),
        _deed(
            "dismissal/approval",
            "dismissal.approve",
            api.dismiss,
            approve,
            summary="Dismiss it, as another proposed.",
            body=bodies.DismissApproval,
        ),
        _deed(
            "dismissal/rejection",
            "dismissal.turn_down",
            api.turn_down_dismissal,
            approve,
            summary="Turn down the dismissal somebody proposed.",
            body=bodies.DismissRejection,
        ),
        _deed(
            "awareness",
            "awareness.propose",
            api.propose_awareness,
            work,
            summary="Propose another moment of awareness.",
            body=bodies.Awareness,
        ),
        _deed(
            "awareness/approval",
            "awareness.approve",
            api.move_awareness,
            approve,
            summary="Move the moment of awareness, as another proposed.",
            body=bodies.AwarenessApproval,
        ),
        _deed(
            "awareness/rejection",
            "awareness.turn_down",
            api.turn_down_awareness,
            approve,
            summary="Turn down another moment of awareness that somebody proposed.",
            body=bodies.AwarenessRejection,
        ),
    ]


def _deed(
    path: str,
    name: str,
    handler: Callable[[Call], object],
    access: Access,
    *,
    summary: str,
    body: type[msgspec.Struct] | None = None,
) -> Route:
    return Route(
        method="POST",
        path=f"{ONE}/{path}",
        name=f"breach_reports.{name}",
        handler=handler,  # type: ignore[arg-type]  # each is a coroutine function, which this alias is too wide to say
        access=access,
        body=body,
        answer=bodies.ReportStands,
        summary=summary,
    )


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the room, shape the answer, return."""

    reports: Reports

    async def receive(self, call: Call) -> Answer:
        body: bodies.NewReport = call.body
        wish = Wish() if body.exclude is None else Wish(body.exclude.offices, plain(body.exclude.words))
        told = Told(body.category, plain(body.narrative), body.language, body.noticed_on or "", plain(body.contact or ""), wish)
        knock = _knock(call, "elsewhere" if call.is_from_elsewhere else "", call.idempotency_key)
        taken = await self.reports.receive(self.reports.association(call.path["association"]), told, knock)
        already = taken.receipt is None
        return Answer(bodies.ReportTaken(taken.reference, taken.receipt, already), status=200 if already else None)

    async def status(self, call: Call) -> Answer:
        body: bodies.WithReceipt = call.body
        association = self.reports.association(call.path["association"])
        return Answer(telling.status(await self.reports.follow(association, body.receipt, _knock(call))))

    async def write(self, call: Call) -> Answer:
        body: bodies.NewMessage = call.body
        association = self.reports.association(call.path["association"])
        return Answer(telling.status(await self.reports.write(association, body.receipt, plain(body.text), _knock(call))))

    async def listed(self, call: Call) -> Answer:
        _, errand = _errand(call)
        unanswered = {"true": True, "false": False}.get(call.query["unanswered"])
        wanted = Wanted(call.query["state"], unanswered, call.query["after"], call.query["limit"])
        found, page = await heard(errand, lambda: self.reports.listed(errand, wanted))
        days = await call.caller.association.run(holidays)
        items = [telling.item(each.case.fact, each.clock, call.now, days) for each in found]
        return Answer(bodies.ReportList(items, None if page.more is None else write_id(page.more), page.quarantined, page.withheld))

    async def read(self, call: Call) -> Answer:
        (asker, errand), report = _errand(call), call.path_id("report")
        taken = await heard(errand, lambda: asker.association.run(lambda deed: service.read(deed, errand, report)), about(report))
        hours = service.hours(await asker.association.book())
        days = await asker.association.run(holidays)
        return Answer(telling.whole(taken, await opened(errand, taken), hours, call.now, days))

    async def acknowledge(self, call: Call) -> Answer:
        return await self._done(call, service.acknowledge)

    async def triage(self, call: Call) -> Answer:
        body: bodies.Triage = call.body
        aware = None if body.aware_at is None else _time(body.aware_at)
        return await self._done(
            call, lambda deed, errand, report: service.triage(deed, errand, report, body.finding, aware_at=aware, note=body.note)
        )

    async def reply(self, call: Call) -> Answer:
        body: bodies.Reply = call.body
        service.require_text(body.text)
        return await self._done(call, lambda deed, errand, report: service.reply(deed, errand, report, body.text))

    async def exclude(self, call: Call) -> Answer:
        try:
            staff = parse_id(call.body.staff)
        except NotFound:
            raise Invalid([FieldError("staff", "unknown-staff")]) from None
        return await self._done(call, lambda deed, errand, report: service.exclude(deed, errand, report, staff))

    async def propose_dismissal(self, call: Call) -> Answer:
        body: bodies.Dismiss = call.body
        return await self._done(call, lambda deed, errand, report: service.propose_dismissal(deed, errand, report, body.reason, body.note))

    async def dismiss(self, call: Call) -> Answer:
        body: bodies.DismissApproval = call.body
        second = self.reports.second
        return await self._done(call, lambda deed, errand, report: second.dismiss(deed, errand, report, body.reason, body.code))

    async def turn_down_dismissal(self, call: Call) -> Answer:
        reason = call.body.reason
        return await self._done(call, lambda deed, errand, report: service.turn_down_dismissal(deed, errand, report, reason))

    async def turn_down_awareness(self, call: Call) -> Answer:
        to = _time(call.body.aware_at)
        return await self._done(call, lambda deed, errand, report: service.turn_down_awareness(deed, errand, report, to))

    async def propose_awareness(self, call: Call) -> Answer:
        body: bodies.Awareness = call.body
        to = _time(body.aware_at)
        return await self._done(call, lambda deed, errand, report: service.propose_awareness(deed, errand, report, to, body.reason))

    async def move_awareness(self, call: Call) -> Answer:
        body: bodies.AwarenessApproval = call.body
        to, second = _time(body.aware_at), self.reports.second
        return await self._done(call, lambda deed, errand, report: second.move_awareness(deed, errand, report, to, body.code))

    async def _done(self, call: Call, deed_of: Callable[[Deed, Errand, bytes], ReportFact]) -> Answer:
        """Do one deed on the report of the path and tell how it stands."""
        (asker, errand), report = _errand(call), call.path_id("report")
        fact = await heard(errand, lambda: asker.association.run(lambda deed: deed_of(deed, errand, report)), about(report))
        hours = service.hours(await asker.association.book())
        return Answer(bodies.ReportStands(write_id(report), fact.state, telling.clock(fact, hours, call.now)))


def _knock(call: Call, seen: Doubt = "", key: str | None = None) -> Knock:
    return Knock(call.network, call.now, call.request_id, seen, key)


def _errand(call: Call) -> tuple[Asker, Errand]:
    return call.caller, Errand(call.caller, call.request_id)


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError("aware_at", "wrong-type")]) from None
