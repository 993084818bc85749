"""HTTP in and out of incidents: officers open, link, weigh, settle and read them (CONTRACT 3, article 8)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.breach_reports import door, incident_bodies, incident_telling, incidents, service
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.incidents import Filing, Opening, Proposing, SecondPerson
from vault.breach_reports.service import SecondFactor
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.rulebook import facts
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand, once_for
from vault.web import Access, Answer, Call, Person, Query, Route, parse_id, write_id
from vault.web.times import parse_time

ALL: Final = "/v1/incidents"
ONE: Final = "/v1/incidents/{incident}"
WHICH: Final = ("open", "settled", "all")


def incident_routes(factor: SecondFactor) -> list[Route]:
    """Return the calls of this file."""
    api = _Api(SecondPerson(factor))
    work, approve = Person("reports"), Person("approve")
    return [
        *_reading(api),
        _deed("link", api.link, work, incident_bodies.LinkReport, "Link a report to the incident."),
        _deed("unlink", api.unlink, work, incident_bodies.UnlinkReport, "Take a report out of the incident again."),
        _deed("state", api.move, work, incident_bodies.MoveIncident, "Say how far the incident is."),
        _deed("assessment", api.assess, work, incident_bodies.WeighIncident, "Answer the two questions of weight."),
        _deed("awareness", api.propose_awareness, work, incident_bodies.ProposeAwareness, "Propose the moment of awareness."),
        _deed("not-required", api.propose_not_required, work, incident_bodies.ProposeNotRequired, "Propose that nobody need be told."),
        _deed("ruling-out", api.propose_ruling_out, work, incident_bodies.WithReason, "Propose that it is no incident."),
        _deed("approval", api.approve, approve, incident_bodies.ApproveProposal, "Do what another proposed."),
        _deed("rejection", api.turn_down, approve, incident_bodies.TurnDownProposal, "Turn down what somebody proposed."),
        _deed("filing", api.file, work, incident_bodies.FileTrack, "Note that the authority or the people were told."),
        _deed("reopening", api.reopen, work, incident_bodies.ReopenTrack, "Say that a track is not settled after all."),
        _deed("exclusion", api.exclude, work, incident_bodies.ExcludeStaff, "Exclude somebody it may be about from seeing it."),
    ]


def _reading(api: "_Api") -> list[Route]:
    return [
        Route(
            method="GET",
            path=ALL,
            name="incidents.list",
            handler=api.listed,
            access=Person("reports"),
            answer=incident_bodies.IncidentList,
            query={
                "state": Query(kind="choice", choices=WHICH, default="open"),
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=500, default=50),
            },
            summary="List incidents, the least time left to tell the authority first.",
        ),
        Route(
            method="POST",
            path=ALL,
            name="incidents.open",
            handler=api.open,
            access=Person("reports"),
            body=incident_bodies.NewIncident,
            answer=incident_bodies.IncidentStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Open an incident from reports, or from an officer's own finding.",
        ),
        Route(
            method="GET",
            path=ONE,
            name="incidents.read",
            handler=api.read,
            access=Person("reports"),
            answer=incident_bodies.IncidentTold,
            summary="Read an incident; the look is an entry of the access log.",
        ),
    ]


def _deed(path: str, handler: Callable[[Call], object], access: Access, body: type[msgspec.Struct], summary: str) -> Route:
    return Route(
        method="POST",
        path=f"{ONE}/{path}",
        name=f"incidents.{path.replace('-', '_')}",
        handler=handler,  # type: ignore[arg-type]  # each is a coroutine function, which this alias is too wide to say
        access=access,
        body=body,
        answer=incident_bodies.IncidentStands,
        summary=summary,
    )


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the room, shape the answer, return."""

    second: SecondPerson

    async def listed(self, call: Call) -> Answer:
        (asker, errand), query = _errand(call), call.query
        page = await heard(
            errand,
            lambda: asker.association.run(lambda deed: incidents.listed(deed, errand, query["state"], query["after"], query["limit"])),
        )
        within = service.hours(await asker.association.book())
        items = [incident_telling.item(each, within, call.now) for each in page.items]
        more = None if page.more is None else write_id(bytes.fromhex(page.more))
        return Answer(incident_bodies.IncidentList(items, more, page.withheld))

    async def open(self, call: Call) -> Answer:
        (asker, errand), body = _errand(call), call.body
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=body)
        aware = None if body.aware_at is None else time_of(body.aware_at, "aware_at")
        opening = Opening(body.summary, tuple(_report(each, "reports") for each in body.reports), aware)
        made = await heard(errand, lambda: asker.association.run(lambda deed: incidents.open_(deed, errand, opening, once)))
        return await _answered(call, made)

    async def read(self, call: Call) -> Answer:
        (asker, errand), incident = _errand(call), call.path_id("incident")
        meant = about_incident(incident)
        taken = await heard(errand, lambda: asker.association.run(lambda deed: incidents.read(deed, errand, incident)), meant)
        try:
            opened = door.give_out(taken)
        except Unavailable as error:
            await ring(errand, error, meant)
            raise
        within = service.hours(await asker.association.book())
        return Answer(incident_telling.whole(taken, opened, within, call.now))

    async def link(self, call: Call) -> Answer:
        report = _report(call.body.report)
        return await self._done(call, lambda deed, errand, incident: incidents.link(deed, errand, incident, report))

    async def unlink(self, call: Call) -> Answer:
        body, report = call.body, _report(call.body.report)
        return await self._done(call, lambda deed, errand, incident: incidents.unlink(deed, errand, incident, report, body.reason))

    async def move(self, call: Call) -> Answer:
        body = call.body
        return await self._done(call, lambda deed, errand, incident: incidents.move(deed, errand, incident, body.state, body.note))

    async def assess(self, call: Call) -> Answer:
        body, answers = call.body, (call.body.sensitive, call.body.over_100)
        return await self._done(call, lambda deed, errand, incident: incidents.assess(deed, errand, incident, answers, body.note))

    async def propose_awareness(self, call: Call) -> Answer:
        return await self._proposed(call, Proposing("awareness", call.body.reason, to=time_of(call.body.aware_at, "aware_at")))

    async def propose_not_required(self, call: Call) -> Answer:
        return await self._proposed(call, Proposing("not_required", call.body.reason, track=call.body.track))

    async def propose_ruling_out(self, call: Call) -> Answer:
        return await self._proposed(call, Proposing("ruled_out", call.body.reason))

    async def approve(self, call: Call) -> Answer:
        body, second = call.body, self.second
        return await self._done(call, lambda deed, errand, incident: second.approve(deed, errand, incident, body.proposal, body.code))

    async def turn_down(self, call: Call) -> Answer:
        proposal = call.body.proposal
        return await self._done(call, lambda deed, errand, incident: incidents.turn_down(deed, errand, incident, proposal))

    async def file(self, call: Call) -> Answer:
        body = call.body
        filing = Filing(body.track, time_of(body.filed_at, "filed_at"), body.reference, body.late_reason)
        return await self._done(call, lambda deed, errand, incident: incidents.file(deed, errand, incident, filing))

    async def reopen(self, call: Call) -> Answer:
        body = call.body
        return await self._done(call, lambda deed, errand, incident: incidents.reopen(deed, errand, incident, body.track, body.reason))

    async def exclude(self, call: Call) -> Answer:
        try:
            staff = parse_id(call.body.staff)
        except NotFound:
            raise Invalid([FieldError("staff", "unknown-staff")]) from None
        return await self._done(call, lambda deed, errand, incident: incidents.exclude(deed, errand, incident, staff))

    async def _proposed(self, call: Call, wanted: Proposing) -> Answer:
        return await self._done(call, lambda deed, errand, incident: incidents.propose(deed, errand, incident, wanted))

    async def _done(self, call: Call, deed_of: Callable[[Deed, Errand, bytes], IncidentFact]) -> Answer:
        """Do one deed on the incident of the path and tell how it stands."""
        (asker, errand), incident = _errand(call), call.path_id("incident")
        fact = await heard(errand, lambda: asker.association.run(lambda deed: deed_of(deed, errand, incident)), about_incident(incident))
        return await _answered(call, fact)


async def _answered(call: Call, fact: IncidentFact) -> Answer:
    within = service.hours(await call.caller.association.book())
    return Answer(incident_telling.stands(fact, within, call.now))


def about_incident(incident: bytes) -> Callable[[Deed], tuple[About, ...]]:
    """What an alarm names: the incident, if the log ever heard of it."""

    def meant(deed: Deed) -> tuple[About, ...]:
        return (About(incident, incident),) if facts.version(deed, INCIDENT, incident.hex()) else ()

    return meant


def _report(text: str, field: str = "report") -> bytes:
    try:
        return parse_id(text)
    except NotFound:
        raise Invalid([FieldError(field, "out-of-range")]) from None


def _errand(call: Call) -> tuple[Asker, Errand]:
    return call.caller, Errand(call.caller, call.request_id)


def time_of(text: str, field: str) -> int:
    """The moment a member names. Raises Invalid for what is no time."""
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError(field, "wrong-type")]) from None
