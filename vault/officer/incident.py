"""One incident: what happened, its clocks and its tracks, all that was done about it, and what officers do next by forms (article 8).

Invariants: what somebody wrote is shown after an entry that says so, and to nobody the incident is kept from; a step is the same deed as
over the API, and what takes two people takes another one and her fresh one-time code here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from vault.breach_reports import door, incident_telling, incidents, service
from vault.breach_reports.clocks import clock
from vault.breach_reports.incident_lifecycle import NEXT, OVER, open_tracks, settled
from vault.breach_reports.incident_shapes import TRACKS, IncidentFact
from vault.breach_reports.incidents import Opening, SecondPerson
from vault.breach_reports.incidents_api import about_incident
from vault.errors import Conflict, Invalid, Malformed, Refused, TooMany, Unavailable, VaultError
from vault.identity.callers import Caller
from vault.officer.frame import SIGN_IN, Frame, Speaker, failed, link, looks, require_form, speaker_of, typed
from vault.officer.hold_steps import APPROVES, held, steps_on
from vault.officer.incident_events import events, shown
from vault.officer.incident_steps import ANSWERS, SECOND, STEPS
from vault.officer.incidents import PATH, line, shown_list
from vault.officer.report_steps import code_of, moment
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.route import KIBIBYTE, Person, Query, Route
from vault.web.times import fold_digits

ONE: Final = "/officer/incidents/one"
ACTS: Final = {**STEPS, **steps_on("incident")}
LONGEST: Final = 10_000
"""Bytes of the words in one form: five thousand Arabic letters."""
_LINES: Final = ("act", "incident", "state", "track", "sensitive", "over_100", "at", "reference", "report", "proposal", "staff", "code")


@dataclass(frozen=True, slots=True)
class Waits:
    """A proposal that waits for a second person; `yours` where the reader made it or counts as who did."""

    number: int
    act: str
    says: str
    reason: str
    by: str
    at: str
    yours: bool


def single_incident_routes(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Incident(frame)
    done = Query(kind="choice", choices=("open", *ACTS))
    return [
        looks(
            ONE,
            "officer.incident",
            pages.look,
            "reports",
            "One incident and its steps.",
            incident=Query(kind="id", required=True),
            done=done,
        ),
        Route(
            method="POST",
            path=PATH,
            name="officer.incident-step",
            handler=pages.step,
            access=Person("reports"),
            form=Form(fields={"token": 400, **dict.fromkeys(_LINES, 400), "says": LONGEST}),
            max_body=36 * KIBIBYTE,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Open an incident, or take its next step.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Incident:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await self._one(call, call.query["incident"], None, call.query["done"])

    async def step(self, call: Call) -> Answer:
        require_form(call)
        caller: Caller = call.caller
        filled = typed(call)
        act = filled["act"]
        if act == "open":
            return await self._opened(call, filled)
        incident = parse_id(fold_digits(filled["incident"]).lower())
        if act not in ACTS:
            raise Malformed
        if act in SECOND or act == APPROVES:
            if "approve" not in caller.scopes:
                raise await self.frame.identity.entrance.out_of_scope(call)
            caller = replace(caller, needs="approve")
        errand = Errand(caller, call.request_id)
        try:
            step = ACTS[act](filled, SecondPerson(self.frame.identity.factor))
            if act == "turn-down":
                # It takes no code of its own: the session is stepped up by it first.
                await heard(errand, lambda: self.frame.identity.sessions.step_up(caller, code_of(filled)))
            await heard(errand, lambda: caller.association.run(lambda deed: step(deed, errand, incident)), about_incident(incident))
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._one(call, incident, error, None, filled)
        return led_to(link(ONE, call.language, incident=write_id(incident), done=act))

    async def _opened(self, call: Call, filled: Mapping[str, str]) -> Answer:
        errand, run = Errand(call.caller, call.request_id), call.caller.association.run
        try:
            opening = Opening(filled["says"], aware_at=moment(filled["at"]) if filled["at"] else None)
            made = await heard(errand, lambda: run(lambda deed: incidents.open_(deed, errand, opening, None)))
        except (Refused, Invalid, TooMany) as error:
            return await shown_list(self.frame, call, error, filled)
        return led_to(link(ONE, call.language, incident=write_id(bytes.fromhex(made.id)), done="open"))

    async def _one(
        self, call: Call, incident: bytes, error: VaultError | None, done: str | None, filled: Mapping[str, str] | None = None
    ) -> Answer:
        errand, association = Errand(call.caller, call.request_id), call.caller.association
        taken = await heard(errand, lambda: association.run(lambda deed: incidents.read(deed, errand, incident)), about_incident(incident))
        try:
            opened = door.give_out(taken)
        except Unavailable as wrong:
            await ring(errand, wrong, about_incident(incident))
            raise
        book = await association.book()
        within, fact, speaker = service.hours(book), taken.case.fact, speaker_of(call, book)
        told = incident_telling.whole(taken, opened, within, call.now)
        return await self.frame.page(
            "incident.html",
            call,
            **failed(call, error),
            id=told.id,
            fact=fact,
            told=told,
            line=line(incidents.Listed(fact, clock(fact, within)), within, speaker, call.now),
            rings=[(speaker.counted("hours", each.hours), shown(each.due_at), shown(each.fired_at)) for each in told.clocks],
            events=events(told, speaker),
            waits=_waiting(call.caller, book, speaker, fact, {each.proposal: each.reason or "" for each in told.proposals}),
            may=_may(fact),
            next=[(each, speaker.word(f"incident_{each}")) for each in sorted(NEXT[fact.state], key=list(NEXT).index)],
            answers=[(each, speaker.word(f"answer_{each}")) for each in ANSWERS],
            hold=held(call.caller, book, speaker, fact.holds, told.holds),
            open_tracks=open_tracks(fact),
            settled_tracks=[track for track in TRACKS if settled(fact, track) is not None],
            done=done,
            given=filled or {},
        )


def _may(fact: IncidentFact) -> frozenset[str]:
    """The steps that are open: those that would be refused for how the incident stands are not offered."""
    goes_on, tracks = fact.state not in OVER, open_tracks(fact)
    offered = {
        "assess": goes_on,
        "file": bool(tracks),
        "reopen": goes_on and any(settled(fact, track) is not None for track in TRACKS),
        "unlink": goes_on and bool(fact.reports),
        "propose-awareness": goes_on,
        "propose-not-required": bool(tracks),
        "propose-ruling-out": fact.state == "suspected",
        "exclude": True,
    }
    return frozenset(act for act, is_open in offered.items() if is_open)


def _waiting(caller: Caller, book: Book, speaker: Speaker, fact: IncidentFact, reasons: Mapping[int, str]) -> list[Waits]:
    """What was proposed and nobody settled, with the reason it was proposed for."""
    return [
        Waits(
            each.number,
            each.act,
            speaker.time(each.to) if each.to is not None else speaker.word(f"track_of_{each.track}") if each.track else "",
            reasons[each.number],
            speaker.actor(each.by),
            speaker.time(each.at),
            same_person(book, each.by, caller.ref),
        )
        for each in fact.proposals
        if each.waits
    ]
