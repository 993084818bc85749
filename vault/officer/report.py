"""One breach report: what was written about it, its files, and what officers do about it by forms (article 8).

Invariants: what somebody wrote is shown after an entry that says so, and to nobody the report excludes; a step is the same deed as over the
API, and what takes two people takes another one and her fresh one-time code here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from vault.breach_reports import bodies, incidents, service, telling
from vault.breach_reports.incident_lifecycle import LINKABLE, open_tracks
from vault.breach_reports.lifecycle import Clock, clock
from vault.breach_reports.page import leaving
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, given, opened
from vault.breach_reports.shapes import Dismissal, Move, ReportFact
from vault.errors import Conflict, Invalid, Malformed, Refused, TooMany, VaultError
from vault.identity.callers import Caller
from vault.officer.frame import RIYADH, SIGN_IN, Frame, Speaker, failed, link, looks, require_form, speaker_of, typed
from vault.officer.hold_steps import APPROVES, held, steps_on
from vault.officer.report_steps import REASONS, SECOND, STEPS, TURNED_DOWN, code_of
from vault.policy.pack_facts import Text
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.route import KIBIBYTE, Person, Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/reports"
ONE: Final = "/officer/reports/one"
FILE: Final = "/officer/reports/file"
HOUR: Final = 3_600_000_000
ACTS: Final = {**STEPS, **steps_on("report")}
MOST: Final = 100
"""Incidents a report can be linked to from its page, the least time left first."""
LONGEST: Final = 10_000
"""Bytes of the words in one form: five thousand Arabic letters."""


@dataclass(frozen=True, slots=True)
class Said:
    """One text of a report: whose it is in a word, when it came, and the files that came with it as id, type and kilobytes."""

    who: str
    text: str
    at: str
    files: list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Waits:
    """A step that waits for a second person: what the approval names and shows; `yours` where the reader made it or counts as who did."""

    act: str
    what: str
    named: str
    says: str
    by: str
    at: str
    yours: bool


def single_report_routes(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Report(frame, reports)
    one = Query(kind="id", required=True)
    return [
        looks(
            ONE,
            "officer.report",
            pages.look,
            "reports",
            "One report and its steps.",
            report=one,
            done=Query(kind="choice", choices=tuple(ACTS)),
        ),
        looks(FILE, "officer.report-file", pages.file, "reports", "A file of a report, to save.", report=one, file=one),
        Route(
            method="POST",
            path=PATH,
            name="officer.report-step",
            handler=pages.step,
            access=Person("reports"),
            form=Form(
                fields={
                    "token": 400,
                    "act": 40,
                    "report": 100,
                    "finding": 40,
                    "reason": 40,
                    "at": 100,
                    "staff": 100,
                    "code": 40,
                    "incident": 100,
                    "proposal": 40,
                    "says": LONGEST,
                }
            ),
            max_body=36 * KIBIBYTE,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Take a report's next step.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Report:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        return await self._one(call, call.query["report"], None, call.query["done"])

    async def file(self, call: Call) -> Answer:
        report, file = call.query["report"], call.query["file"].hex()
        errand, run = Errand(call.caller, call.request_id), call.caller.association.run
        taken = await heard(errand, lambda: run(lambda deed: service.read_file(deed, errand, report, file)), about(report))
        return leaving(await given(errand, taken))

    async def step(self, call: Call) -> Answer:
        require_form(call)
        caller: Caller = call.caller
        filled = typed(call)
        act, report = filled["act"], parse_id(fold_digits(filled["report"]).lower())
        if act not in ACTS:
            raise Malformed
        if act in SECOND or act == APPROVES:
            if "approve" not in caller.scopes:
                raise await self.frame.identity.entrance.out_of_scope(call)
            caller = replace(caller, needs="approve")
        errand = Errand(caller, call.request_id)
        try:
            step = ACTS[act](filled, self.reports.second)
            if act in TURNED_DOWN:
                await heard(errand, lambda: self.frame.identity.sessions.step_up(caller, code_of(filled)))
            await heard(errand, lambda: caller.association.run(lambda deed: step(deed, errand, report)), about(report))
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._one(call, report, error, None, filled)
        return led_to(link(ONE, call.language, report=write_id(report), done=act))

    async def _one(
        self, call: Call, report: bytes, error: VaultError | None, done: str | None, filled: Mapping[str, str] | None = None
    ) -> Answer:
        errand, association = Errand(call.caller, call.request_id), call.caller.association
        taken = await heard(errand, lambda: association.run(lambda deed: service.read(deed, errand, report)), about(report))
        book = await association.book()
        hours, fact, speaker = service.hours(book), taken.case.fact, speaker_of(call, book)
        told = telling.whole(taken, await opened(errand, taken), hours, call.now)
        labels, may = await self.reports.categories(association), _may(fact, clock(fact, hours))
        open_ = [] if "link" not in may else await association.run(lambda deed: incidents.listed(deed, errand, "open", None, MOST).items)
        running = clock(fact, hours)
        return await self.frame.page(
            "report.html",
            call,
            **failed(call, error),
            id=told.id,
            fact=fact,
            told=told,
            state=speaker.word(f"state_{fact.state}"),
            category=_label(labels, fact.category, call.language),
            received=speaker.time(fact.received_at),
            grade="" if fact.mail is None else speaker.word(f"mail_{fact.mail.grade}"),
            left=None if running is None else speaker.counted("hours", abs(running.left(call.now)) // HOUR),
            due=None if running is None else speaker.time(running.due_at),
            overdue=running is not None and running.is_overdue(call.now),
            provisional=running is not None and running.provisional,
            first=_files(told.files),
            messages=[
                Said(speaker.word(f"report_from_{each.sender}"), each.text, _shown(each.at), _files(each.files)) for each in told.messages
            ],
            notes=[Said(speaker.hand(each.by), each.text, _shown(each.at), []) for each in told.notes],
            waits=_waiting(call.caller, book, speaker, fact),
            hold=held(call.caller, book, speaker, fact.holds, told.holds),
            may=may,
            incidents=[(speaker.id(each.fact.id), each.fact.reference) for each in open_ if "authority" in open_tracks(each.fact)],
            reasons={code: speaker.word(f"report_reason_{code}") for code in REASONS},
            done=done,
            given=filled or {},
        )


def _label(labels: Mapping[str, Text], code: str, language: str) -> str:
    """A category in words, its code where it has none."""
    text = labels.get(code)
    return code if text is None else text.en if language == "en" else text.ar


def _may(fact: ReportFact, running: Clock | None) -> frozenset[str]:
    """The steps that are open: those that would be refused for how the report stands are not offered."""
    ended = fact.state == "dismissed"
    waits = fact.dismissal is not None and fact.dismissal.waits
    offered = {
        "acknowledge": fact.state in {"received", "quarantined"},
        "triage": not ended and fact.finding != "breach",
        "reply": True,
        "propose-dismissal": not ended and not waits,
        "propose-awareness": running is not None and not running.provisional,
        "exclude": True,
        "link": fact.state in LINKABLE and not fact.incident and not fact.held,
    }
    return frozenset(act for act, is_open in offered.items() if is_open)


def _waiting(caller: Caller, book: Book, speaker: Speaker, fact: ReportFact) -> list[Waits]:
    """What was proposed and nobody settled."""
    found: list[tuple[str, str, str, str, Dismissal | Move]] = []
    if fact.dismissal is not None and fact.dismissal.waits:
        reason = fact.dismissal.reason
        found.append(("dismiss", "dismissal", reason, speaker.word(f"report_reason_{reason}"), fact.dismissal))
    if fact.moves and fact.moves[-1].waits and not fact.incident:
        to = fact.moves[-1].to
        found.append(("move-awareness", "awareness", str(to), speaker.time(to), fact.moves[-1]))
    by, at, same = speaker.actor, speaker.time, same_person
    return [
        Waits(act, what, named, says, by(one.proposed_by), at(one.proposed_at), same(book, one.proposed_by, caller.ref))
        for act, what, named, says, one in found
    ]


def _files(found: list[bodies.FileTold]) -> list[tuple[str, str, int]]:
    return [(each.id, each.name or each.type, -(-each.size // KIBIBYTE)) for each in found]


def _shown(written: str) -> str:
    """A moment of an answer as the clocks in Riyadh show it."""
    return datetime.fromisoformat(written).astimezone(RIYADH).strftime("%Y-%m-%d %H:%M")
