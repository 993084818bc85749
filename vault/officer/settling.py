"""Reports that wait for somebody to say whom their reporter meant: by likeness, how long each waits, and one word on all of a group.

Invariants: of a report its number, its time, the offices and the reporter's words for whom she means are shown and nothing else, these
words after an entry that says so; who may be meant finds nothing here, nor how much there is; a deed names the reports that stood on the
page, and what their reporters wrote for whom they mean was read there before.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.breach_reports import groups, lifecycle, service, settling
from vault.breach_reports.exclusion import SETTLES
from vault.breach_reports.likeness import Group
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, opened
from vault.breach_reports.shapes import ReportFact
from vault.errors import Conflict, Invalid, Malformed, NotFound, Refused, TooMany, VaultError
from vault.officer.frame import SIGN_IN, Frame, Speaker, failed, link, looks, require_form, speaker_of, typed
from vault.officer.report_steps import account
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.route import Person, Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/exclusions"
ONE: Final = "/officer/exclusions/group"
MOST: Final = 100
"""Groups of the table; what is settled makes room for the next."""
READ: Final = 25
"""Reports of a group whose reporters used words of their own: as many as are read on one page."""
_FORM: Final = Form(fields={"token": 400, "report": 100, "reports": 40 * groups.MOST, "one": 100, "staff": 400, "more": 2_000})


@dataclass(frozen=True, slots=True)
class Line:
    """A group, or one report of it, in words: how many, the offices, whom the reporter describes, how long it waits, the time left."""

    id: str
    reference: str
    count: int
    offices: str
    described: bool
    received: str
    waits: str
    left: str
    overdue: bool
    address: str
    words: str = ""


def settling_pages(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Settling(frame, reports)
    number = Query(kind="integer", low=0, high=groups.MOST, default=0)
    one = Query(kind="id", required=True)
    return [
        looks(PATH, "officer.exclusions", pages.look, SETTLES, "What waits for whom a reporter meant.", done=number, left=number),
        looks(ONE, "officer.exclusions-group", pages.one, SETTLES, "One group of it, with whom the reporters describe.", report=one),
        Route(
            method="POST",
            path=PATH,
            name="officer.exclusions-settled",
            handler=pages.settle,
            access=Person(SETTLES),
            form=_FORM,
            max_body=32 * 1024,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Say of the reports of a group whom their reporters meant.",
        ),
    ]


async def waiting(call: Call, reports: Reports) -> list[ReportFact]:
    """What waits that does not mean who asks, oldest first. Raises Unauthenticated, Unavailable."""
    errand, association = Errand(call.caller, call.request_id), call.caller.association
    known = await heard(errand, lambda: reports.index.known(association))
    return [fact for _, fact in await association.run(lambda deed: settling.waiting(deed, errand, known))]


def since(found: list[ReportFact], call: Call) -> tuple[int, str] | None:
    """How many wait and for how long the oldest does, in words; None where none does."""
    if not found:
        return None
    return len(found), speaker_of(call).counted("hours", max(0, call.now - found[0].received_at) // lifecycle.HOUR)


@dataclass(frozen=True, slots=True)
class _Settling:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        found = await asyncio.to_thread(settling.alike, await waiting(call, self.reports))
        hours, speaker = service.hours(await call.caller.association.book()), speaker_of(call)
        return await self.frame.page(
            "exclusions.html",
            call,
            lines=[_line(group, speaker, hours, call.now) for group in found[:MOST]],
            in_all=sum(len(group.members) for group in found),
            is_cut=len(found) > MOST,
            done=call.query["done"],
            left=call.query["left"],
        )

    async def one(self, call: Call) -> Answer:
        return await self._one(call, call.query["report"], None)

    async def settle(self, call: Call) -> Answer:
        require_form(call)
        given = typed(call)
        report, errand = _id(given["report"]), Errand(call.caller, call.request_id)
        reports = [_id(each) for each in (given["one"] or given["reports"]).split()]
        try:
            staff = [account(each) for each in f"{given['staff']} {given['more']}".split()]
            found = await groups.each(errand, reports, lambda deed, errand, report: settling.settle(deed, errand, report, staff))
            if len(found) == 1 and isinstance(found[0], VaultError):
                raise found[0]
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._one(call, report, error, given)
        left = sum(isinstance(each, VaultError) for each in found)
        return led_to(link(PATH, call.language, done=len(found) - left, left=left))

    async def _one(self, call: Call, report: bytes, error: VaultError | None, given: Mapping[str, str] | None = None) -> Answer:
        every = await asyncio.to_thread(settling.alike, await waiting(call, self.reports))
        group = next((each for each in every if any(fact.id == report.hex() for fact in each.members)), None)
        if group is None:
            raise NotFound
        here = group.members[: READ if settling.describes(group.example) else groups.MOST]
        hours, speaker = service.hours(await call.caller.association.book()), speaker_of(call)
        lines = [_line(Group([fact]), speaker, hours, call.now) for fact in here]
        return await self.frame.page(
            "exclusions_group.html",
            call,
            **failed(call, error),
            report=write_id(report),
            line=_line(group, speaker, hours, call.now),
            members=[replace(line, words=await self._words(call, fact)) for line, fact in zip(lines, here, strict=True)],
            reports=" ".join(line.id for line in lines),
            held=[speaker.actor(ref) for ref in group.example.held],
            given={"staff": "", "more": "", **(given or {})},
        )

    async def _words(self, call: Call, fact: ReportFact) -> str:
        """Whom a reporter describes, "" for nobody, after the commit of the entry that says it is read."""
        if not settling.describes(fact):
            return ""
        errand, report, run = Errand(call.caller, call.request_id), bytes.fromhex(fact.id), call.caller.association.run
        taken = await heard(errand, lambda: run(lambda deed: settling.read(deed, errand, report)), about(report))
        return "".join([msgspec.json.decode(each.content, type=str) for each in await opened(errand, taken)])


def _line(group: Group, speaker: Speaker, hours: int, now: int) -> Line:
    oldest = group.example
    clock = lifecycle.clock(oldest, hours)
    return Line(
        id=speaker.id(oldest.id),
        reference=oldest.reference,
        count=len(group.members),
        offices=speaker.joined(speaker.word(f"entry_office_{office}") for office in oldest.offices),
        described=settling.describes(oldest),
        received=speaker.time(oldest.received_at),
        waits=speaker.counted("hours", max(0, now - oldest.received_at) // lifecycle.HOUR),
        left="" if clock is None else speaker.counted("hours", abs(clock.left(now)) // lifecycle.HOUR),
        overdue=clock is not None and clock.is_overdue(now),
        address=link(ONE, speaker.language, report=speaker.id(oldest.id)),
    )


def _id(text: str) -> bytes:
    try:
        return parse_id(fold_digits(text).lower())
    except NotFound:
        raise Malformed from None
