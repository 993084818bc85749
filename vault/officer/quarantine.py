"""What nobody has looked at, by likeness: groups, one group with an example read, one deed on all of it (article 8).

Invariants: the text of one report is shown, after an entry that says so; a deed names the reports that stood on the page, so that none that
came meanwhile is among them; dismissing takes another person with a fresh code, whose session is stepped up by it first.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vault.breach_reports import groups, service, telling
from vault.breach_reports.groups_api import deed_of
from vault.breach_reports.lifecycle import unanswered
from vault.breach_reports.likeness import Group
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports, opened
from vault.breach_reports.shapes import ReportFact
from vault.errors import Conflict, Invalid, Malformed, NotFound, Refused, TooMany, VaultError
from vault.officer.frame import SIGN_IN, Frame, Speaker, link, looks, require_form, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import same_person
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import Person, Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/quarantine"
ONE: Final = "/officer/quarantine/group"
PAGE: Final = 40
REASONS: Final = ("spam", "duplicate", "not_privacy", "no_basis")
_ACTS: Final = ("acknowledgement", "no_breach", "breach", "dismissal", "approval", "apart")
_FORM: Final = Form(
    fields={"token": 400, "act": 40, "report": 100, "one": 100, "reason": 40, "code": 40, "note": 12_000, "reports": 40 * groups.MOST}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One group of the queue in words."""

    count: int
    address: str
    reference: str
    category: str
    first: str
    last: str
    doubts: str
    proposed: str
    wrote: int


@dataclass(frozen=True, slots=True)
class Member:
    """One report of a group: its reference, when it came, why it is in doubt, and where it is read."""

    id: str
    reference: str
    received: str
    doubt: str
    address: str
    is_read: bool
    wrote: bool


def quarantine_pages(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Quarantine(frame, reports)
    done = {
        "done": Query(kind="choice", choices=_ACTS),
        "count": Query(kind="integer", low=0, high=groups.MOST, default=0),
        "left": Query(kind="integer", low=0, high=groups.MOST, default=0),
    }
    return [
        looks(
            PATH,
            "officer.quarantine",
            pages.look,
            "reports",
            "What nobody has looked at, by likeness.",
            state=Query(kind="choice", choices=("received", "quarantined")),
            after=Query(kind="id"),
            **done,
        ),
        looks(
            ONE,
            "officer.quarantine-group",
            pages.one,
            "reports",
            "One group, with one report of it read.",
            report=Query(kind="id", required=True),
            **done,
        ),
        Route(
            method="POST",
            path=PATH,
            name="officer.quarantine-deed",
            handler=pages.act,
            access=Person("reports"),
            form=_FORM,
            max_body=48 * 1024,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Do one deed on the reports of a group, or take one out of it.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Quarantine:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        state = call.query["state"]
        errand, known = await self.reports.waiting(Errand(call.caller, call.request_id))
        found = await asyncio.to_thread(groups.queue, errand, known, groups.Wanted(state, call.query["after"], PAGE))
        labels, speaker = await self._labels(call), speaker_of(call)
        return await self.frame.page(
            "quarantine.html",
            call,
            lines=[_line(each, labels, speaker) for each in found.groups],
            found=found,
            next=None if found.more is None else link(PATH, call.language, state=state, after=write_id(found.more)),
            state=state,
            **_done(call),
        )

    async def one(self, call: Call) -> Answer:
        return await self._one(call, call.query["report"], None)

    async def act(self, call: Call) -> Answer:
        require_form(call)
        given: Mapping[str, str] = {name: text.strip() for name, text in call.form.fields.items()}
        act = given.get("act", "")
        if act not in _ACTS:
            raise Malformed
        report = _id(given.get("report", ""))
        try:
            if act == "apart":
                return await self._apart(call, report, _id(given.get("one", "")))
            found = await groups.each(*await self._wanted(call, act, given))
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._one(call, report, error)
        failed = sum(isinstance(each, VaultError) for each in found)
        return led_to(link(PATH, call.language, done=act, count=len(found) - failed, left=failed))

    async def _wanted(self, call: Call, act: str, given: Mapping[str, str]) -> tuple[Errand, Sequence[bytes], groups.DeedOf]:
        """What is to be done on which reports by whom; who approves is stepped up by her code first."""
        reports, reason = [_id(each) for each in given.get("reports", "").split()], _reason(given)
        errand = Errand(call.caller, call.request_id)
        if act != "approval":
            deed, finding = ("triage", act) if act in ("breach", "no_breach") else (act, None)
            return errand, reports, deed_of(deed, finding, reason, given.get("note", ""))
        caller, second = call.caller, self.reports.second
        if "approve" not in caller.scopes:
            raise await self.frame.identity.entrance.out_of_scope(call)
        code = fold_digits(given.get("code", ""))
        until = await heard(errand, lambda: self.frame.identity.sessions.step_up(caller, code))
        approving = Errand(replace(caller, needs="approve", stepped_up_until=until), call.request_id)
        return approving, reports, lambda deed, errand, report: second.dismiss(deed, errand, report, reason, None)

    async def _apart(self, call: Call, group: bytes, report: bytes) -> Answer:
        errand = Errand(call.caller, call.request_id)
        await heard(errand, lambda: call.caller.association.run(lambda deed: groups.set_apart(deed, errand, report)), about(report))
        if group == report:
            return led_to(link(PATH, call.language, done="apart", count=1))
        return led_to(link(ONE, call.language, report=write_id(group), done="apart", count=1))

    async def _one(self, call: Call, report: bytes, error: VaultError | None) -> Answer:
        errand, known = await self.reports.waiting(Errand(call.caller, call.request_id))
        found = await asyncio.to_thread(groups.group_of, errand, known, report)
        taken = await heard(errand, lambda: call.caller.association.run(lambda deed: service.read(deed, errand, report)), about(report))
        shown = telling.whole(taken, await opened(errand, taken), service.hours(await call.caller.association.book()), call.now)
        labels, speaker = await self._labels(call), speaker_of(call)
        facts = found.members[: groups.MOST]
        return await self.frame.page(
            "quarantine_group.html",
            call,
            status=None if error is None else status_of(error),
            headers={} if error is None else problem_headers(error),
            problem=None if error is None else problem_of(error, call.request_id, call.language),
            line=_line(found, labels, speaker),
            shown=shown,
            report=write_id(report),
            members=[_member(fact, report, speaker) for fact in sorted(facts, key=lambda fact: (fact.received_at, fact.id))],
            reports=" ".join(fact_id(fact) for fact in facts),
            reasons=[(each, speaker.word(f"group_reason_{each}")) for each in REASONS],
            proposed=await _by_others(call, facts, speaker),
            **(_done(call) if error is None and call.route.method == "GET" else {"done": None, "count": 0, "left": 0}),
        )

    async def _labels(self, call: Call) -> Mapping[str, str]:
        found = await self.reports.categories(call.caller.association)
        return {code: text.en if call.language == "en" else text.ar for code, text in found.items()}


def fact_id(fact: ReportFact) -> str:
    """A report's id as it travels."""
    return write_id(bytes.fromhex(fact.id))


async def _by_others(call: Call, facts: Sequence[ReportFact], speaker: Speaker) -> list[tuple[str, str, int, str]]:
    """What another person proposed to dismiss: reason, its word, how many, which."""
    book, found = await call.caller.association.book(), dict[str, list[str]]()
    for fact in facts:
        if fact.dismissal is not None and not same_person(book, fact.dismissal.proposed_by, call.caller.ref):
            found.setdefault(fact.dismissal.reason, []).append(fact_id(fact))
    return [(reason, speaker.word(f"group_reason_{reason}"), len(ids), " ".join(ids)) for reason, ids in found.items()]


def _done(call: Call) -> dict[str, Any]:
    return {name: call.query[name] for name in ("done", "count", "left")}


def _line(group: Group, labels: Mapping[str, str], speaker: Speaker) -> Line:
    told, example = groups.told(group), min(group.members, key=lambda fact: (fact.received_at, fact.id))
    return Line(
        count=len(group.members),
        address=link(ONE, speaker.language, report=fact_id(example)),
        reference=example.reference,
        category=labels.get(example.category, example.category),
        first=speaker.time(example.received_at),
        last=speaker.time(max(fact.received_at for fact in group.members)),
        doubts=speaker.joined(f"{speaker.word(f'group_doubt_{doubt}')} ({count})" for doubt, count in told.doubts.items()),
        proposed=speaker.joined(f"{speaker.word(f'group_reason_{reason}')} ({count})" for reason, count in told.proposed.items()),
        wrote=told.unanswered,
    )


def _member(fact: ReportFact, read: bytes, speaker: Speaker) -> Member:
    return Member(
        id=fact_id(fact),
        reference=fact.reference,
        received=speaker.time(fact.received_at),
        doubt=speaker.word(f"group_doubt_{fact.doubt}") if fact.doubt else "",
        address=link(ONE, speaker.language, report=fact_id(fact)),
        is_read=fact.id == read.hex(),
        wrote=bool(unanswered(fact)),
    )


def _reason(given: Mapping[str, str]) -> Any:  # noqa: ANN401  # one of REASONS, or None
    reason = given.get("reason") or None
    if reason is not None and reason not in REASONS:
        raise Malformed
    return reason


def _id(text: str) -> bytes:
    try:
        return parse_id(fold_digits(text).lower())
    except NotFound:
        raise Malformed from None
