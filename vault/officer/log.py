"""Searching the access log, and who saw one person: the questions of `vault.access.audit`, each an entry before anything is shown."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vault.access import audit
from vault.access.audit import Shown, Wanted
from vault.access.audit_api import actor_of
from vault.access_log.entry import RELEASES, SHOWINGS
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.callers import Caller
from vault.officer.frame import RIYADH, Frame, Speaker, link, looks, speaker_of
from vault.officer.words import KINDS
from vault.policy.facts import INTERNAL
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.problems import status_of
from vault.web.route import Query, Route
from vault.web.times import fold_digits

OUTCOME_CODES: Final = ("allow", "refuse", "error")
PAGE: Final = 50
REPORT: Final = 200
_AFTER: Final = Query(kind="integer", low=0)
_LINE: Final = Query(kind="text", high=100)
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry in words."""

    number: int
    time: str
    kind: str
    outcome: str
    is_refused: bool
    hand: str
    is_somebody: bool
    by: str
    record: str | None
    purpose: str
    fields: str
    recipient: str | None
    article: str | None
    reason: str | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Seer:
    """Somebody who was shown something of a person: how often, and when last."""

    hand: str
    times: int
    last: str


def log_routes(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Log(frame)
    return [
        looks(
            "/officer/log",
            "officer.log",
            pages.search,
            "log:read",
            "Search the access log by person, actor, time, kind and outcome.",
            person=_LINE,
            actor=_LINE,
            kind=Query(kind="choice", choices=tuple(KINDS)),
            outcome=Query(kind="choice", choices=OUTCOME_CODES),
            since=_LINE,
            until=_LINE,
            after=_AFTER,
        ),
        looks(
            "/officer/person", "officer.person", pages.person, "log:read", "Who saw one person, for print too.", person=_LINE, after=_AFTER
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Log:
    """The handlers."""

    frame: Frame

    async def search(self, call: Call) -> Answer:
        caller: Caller = call.caller
        errand, query = Errand(caller, call.request_id), call.query
        speaker = speaker_of(call, await caller.association.book())
        wrong, found = _wrong(query), audit.Page([], None)
        if not wrong:
            wanted = _wanted(query)
            found = await heard(errand, lambda: caller.association.run(lambda deed: audit.entries(deed, errand, wanted)))
        asked = {name: query[name] for name in ("person", "actor", "kind", "outcome", "since", "until")}
        return await self.frame.page(
            "log.html",
            call,
            status=None if not wrong else status_of(Invalid([])),
            rows=[row(one, speaker) for one in found.items],
            withheld=found.withheld,
            wrong=wrong,
            asked={name: value or "" for name, value in asked.items()},
            kinds=sorted((word.in_language(call.language), code) for code, word in KINDS.items()),
            outcomes=[(code, speaker.outcome(code)) for code in OUTCOME_CODES],
            older=None if found.next is None else link("/officer/log", call.language, **asked, after=found.next),
        )

    async def person(self, call: Call) -> Answer:
        caller: Caller = call.caller
        association, errand, after = caller.association, Errand(caller, call.request_id), call.query["after"]
        text, status = call.query["person"], None
        speaker = speaker_of(call, await association.book())
        found = audit.Page([], None)
        wrong: dict[str, str] = _wrong(call.query) if text else {"person": "wrong_person"}
        if not wrong:
            record = parse_id(_id(text))
            try:
                found = await heard(
                    errand, lambda: association.run(lambda deed: audit.seen_by(deed, errand, record, after, REPORT)), by_record(record)
                )
            except NotFound:
                wrong = {"person": "no_person"}
        if wrong:
            status = status_of(NotFound())
        return await self.frame.page(
            "person.html",
            call,
            status=status,
            rows=[row(one, speaker) for one in found.items],
            withheld=found.withheld,
            seers=seers(found.items, speaker),
            wrong=wrong,
            person=text or "",
            now=speaker.time(call.now),
            older=None if found.next is None else link("/officer/person", call.language, person=text, after=found.next),
        )


def row(one: Shown, speaker: Speaker) -> Row:
    """An entry in the words of a language."""
    entry = one.stored.entry
    # Those about a report or an incident name that in a record's place: it is nobody's.
    named = () if entry.kind.startswith(("breach_report.", "incident.")) else entry.about
    record = next((about.record for about in named if about.record is not None), None)
    hand = entry.on_behalf or entry.actor
    return Row(
        number=one.number,
        time=speaker.time(one.stored.time),
        kind=speaker.kind(entry.kind),
        outcome=speaker.outcome(entry.outcome),
        is_refused=entry.outcome != "allow",
        hand=speaker.hand(hand),
        is_somebody=hand.startswith(("staff:", "client:")),
        by=speaker.actor(entry.actor) if entry.on_behalf else "",
        record=None if record is None else write_id(record),
        purpose=speaker.purpose(entry.purpose) if entry.purpose else "",
        fields=speaker.fields(entry.fields),
        recipient=None if entry.recipient == INTERNAL else entry.recipient,
        article=None if entry.article is None else speaker.article(entry.article),
        reason=speaker.reason(entry.reason) if entry.reason else None,
        count=entry.count,
    )


def seers(found: Sequence[Shown], speaker: Speaker) -> list[Seer]:
    """Who was shown something of the person, the latest first: only entries that let a value or a file out."""
    latest: dict[str, list[int]] = {}
    for one in found:
        entry = one.stored.entry
        if entry.outcome == "allow" and entry.kind in RELEASES | SHOWINGS:
            latest.setdefault(entry.on_behalf or entry.actor, []).append(one.stored.time)
    return [Seer(speaker.hand(hand), len(times), speaker.time(max(times))) for hand, times in latest.items()]


def _wanted(query: Any) -> Wanted:  # noqa: ANN401  # what the route declared
    since, until = query["since"], query["until"]
    return Wanted(
        record=parse_id(_id(query["person"])) if query["person"] else None,
        actor=actor_of(_id(query["actor"])) if query["actor"] else None,
        outcome=query["outcome"],
        kind=query["kind"],
        since=_begin(since) if since else None,
        until=_begin(until, _DAY) if until else None,
        after=query["after"],
        limit=PAGE,
    )


def _wrong(query: Any) -> dict[str, str]:  # noqa: ANN401  # what the route declared
    """What was asked and cannot be read, by the name of the sentence that says so."""
    readers: dict[str, Any] = {"person": lambda text: parse_id(_id(text)), "actor": lambda text: actor_of(_id(text)), "since": _begin}
    readers["until"] = lambda text: _begin(text, _DAY)
    wrong = {}
    for name, read in readers.items():
        if text := query.get(name):
            try:
                read(text)
            except (NotFound, Invalid):
                wrong[name] = f"wrong_{name}"
    return wrong


def _id(text: str) -> str:
    return fold_digits(text).strip().lower()


def _begin(text: str, later: dt.timedelta = dt.timedelta()) -> int:
    """The first moment of a day in Riyadh, in microseconds UTC. Raises Invalid for what is no day."""
    try:
        day = dt.date.fromisoformat(fold_digits(text).strip())
        return round((dt.datetime(day.year, day.month, day.day, tzinfo=RIYADH) + later).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        raise Invalid([FieldError("day", "wrong-type")]) from None
