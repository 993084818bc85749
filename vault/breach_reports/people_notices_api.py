"""HTTP in and out of notices to the people touched: officers write them, list whom they are for, and follow each letter (24(5))."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import door, people_notices, service
from vault.breach_reports import people_notice_bodies as bodies
from vault.breach_reports.authority_notice import Words
from vault.breach_reports.authority_notice_bodies import WordsBody, WordsTold
from vault.breach_reports.authority_notices_api import number_of
from vault.breach_reports.bodies import EntryTold
from vault.breach_reports.incident_shapes import IncidentFact, PeopleNotice
from vault.breach_reports.incident_telling import state
from vault.breach_reports.incidents_api import about_incident
from vault.breach_reports.letters import LetterFact
from vault.breach_reports.people_notices import PARTS, SecondReader, Where, Wording, named, words_of
from vault.breach_reports.service import SecondFactor
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.rulebook.alarm import heard, ring
from vault.rulebook.asker import Asker, Errand
from vault.web import Access, Answer, Call, Person, Query, Route, parse_id, write_id
from vault.web.times import write_time

ALL: Final = "/v1/incidents/{incident}/people-notices"
ONE: Final = "/v1/incidents/{incident}/people-notices/{version}"
LETTER: Final = "/v1/incidents/{incident}/letters/{letter}"


def people_notice_routes(factor: SecondFactor) -> list[Route]:
    """Return the calls of this file."""
    api = _Api(SecondReader(factor))
    pages = {"after": Query(kind="id"), "limit": Query(kind="integer", low=1, high=500, default=50)}
    gets: list[tuple[str, str, Any, type, dict[str, Query], str]] = [
        (ALL, "list", api.listed, bodies.PeopleNoticeList, {}, "List an incident's notices to people without their words."),
        (ONE, "read", api.read, bodies.PeopleNoticeTold, {}, "Read a notice to people; the look is an entry of the access log."),
        (f"{ONE}/letters", "letters", api.letters, bodies.LetterList, pages, "List a notice's letters and how each stands."),
    ]
    return [
        *(
            Route(
                method="GET",
                path=path,
                name=f"people_notices.{name}",
                handler=handler,
                access=Person("reports"),
                answer=answer,
                query=query,
                summary=summary,
            )
            for path, name, handler, answer, query, summary in gets
        ),
        _deed(ALL, "draft", api.draft, bodies.NewPeopleNotice, bodies.PeopleNoticeItem, "Write a notice to the people touched.", 201),
        _deed(f"{ONE}/people", "people", api.people, bodies.ListPeople, bodies.PeopleNoticeItem, "Put people on a notice's list."),
        _deed(
            f"{ONE}/approval",
            "approve",
            api.approve,
            bodies.ApproveLetters,
            bodies.PeopleNoticeItem,
            "Let the letters go out to everybody on the list.",
            access=Person("approve"),
        ),
        _deed(f"{ONE}/again", "again", api.again, bodies.SendAgain, bodies.SentAgain, "Send again what failed."),
        _deed(f"{LETTER}/removal", "remove", api.remove, None, bodies.LetterTold, "Take somebody off the list before a letter left."),
        _deed(f"{LETTER}/outcome", "note", api.note, bodies.LetterOutcome, bodies.LetterTold, "Note what became of a letter by post."),
    ]


def _deed(  # noqa: PLR0917
    path: str,
    name: str,
    handler: Any,  # noqa: ANN401 - each is a coroutine function
    body: type[msgspec.Struct] | None,
    answer: type,
    summary: str,
    status: int = 200,
    *,
    access: Access | None = None,
) -> Route:
    return Route(
        method="POST",
        path=path,
        name=f"people_notices.{name}",
        handler=handler,
        access=access or Person("reports"),
        body=body,
        answer=answer,
        status=status,
        summary=summary,
    )


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the room, shape the answer, return."""

    second: SecondReader

    async def listed(self, call: Call) -> Answer:
        fact = await run(call, people_notices.shown)
        within = service.hours(await call.caller.association.book())
        return Answer(bodies.PeopleNoticeList([item(each) for each in fact.people_notices], state(fact, "people", within)))

    async def draft(self, call: Call) -> Answer:
        wording = wording_of({name: getattr(call.body, name) for name in PARTS})
        fact = await run(call, lambda deed, errand, incident: people_notices.draft(deed, errand, incident, wording))
        return Answer(item(fact.people_notices[-1]))

    async def read(self, call: Call) -> Answer:
        number = number_of(call)
        fact, wording, entry = await opened(call, call.path_id("incident"), number)
        words = {name: WordsTold(getattr(wording, name).ar, getattr(wording, name).en) for name in PARTS}
        return Answer(bodies.PeopleNoticeTold(item=item(named(fact, number)), entry=entry, **words))

    async def people(self, call: Call) -> Answer:
        number, records = number_of(call), [_record(at, text) for at, text in enumerate(call.body.records)]
        fact = await run(
            call, lambda deed, errand, incident: people_notices.list_(deed, errand, incident, number, records), weight=len(records)
        )
        return Answer(item(named(fact, number)))

    async def approve(self, call: Call) -> Answer:
        body, number, second = call.body, number_of(call), self.second
        seen = people_notices.Seen(body.people, body.list_version)
        fact = await run(call, lambda deed, errand, incident: second.approve(deed, errand, incident, number, seen=seen, code=body.code))
        return Answer(item(named(fact, number)))

    async def again(self, call: Call) -> Answer:
        return Answer(bodies.SentAgain(await all_again(call, call.path_id("incident"), number_of(call), doubtful=call.body.doubtful)))

    async def letters(self, call: Call) -> Answer:
        number, where = number_of(call), Where(call.query["after"], call.query["limit"])

        def look(deed: Deed, errand: Errand, incident: bytes) -> tuple[people_notices.Standing, list[LetterFact], str | None]:
            page, more = people_notices.listed(deed, errand, incident, number, where)
            return people_notices.standing(deed, errand, incident, number), page, more

        stands, page, more = await run(call, look)
        wanted = wanted_off(stands.notice)
        items, version = [letter(each, wanted) for each in page], stands.notice.list_version
        return Answer(bodies.LetterList(items, None if more is None else _id(more), stands.counts, version))

    async def remove(self, call: Call) -> Answer:
        id_ = call.path_id("letter")
        fact = await run(call, lambda deed, errand, incident: people_notices.remove(deed, errand, incident, id_))
        return Answer(letter(fact, {fact.id}))

    async def note(self, call: Call) -> Answer:
        id_, result = call.path_id("letter"), call.body.result
        return Answer(letter(await run(call, lambda deed, errand, incident: people_notices.note(deed, errand, incident, id_, result))))


async def all_again(call: Call, incident: bytes, number: int, *, doubtful: bool) -> int:
    """Send again everything that failed, some hundreds in a deed; how many that were. Raises as `people_notices.again`."""
    count = 0
    while more := await run(call, lambda deed, errand, id_: people_notices.again(deed, errand, id_, number, doubtful=doubtful), incident):
        count += int(more)
    return count


async def opened(call: Call, incident: bytes, number: int) -> tuple[IncidentFact, Wording, EntryTold]:
    """The words of one notice through the door, for who asks. Raises NotFound, refusals, Unavailable."""
    taken = await run(call, lambda deed, errand, id_: people_notices.read(deed, errand, id_, number), incident)
    try:
        wording = words_of(door.give_out(taken))
    except Unavailable as error:
        await ring(_errand(call), error, about_incident(incident))
        raise
    return taken.case.fact, wording, EntryTold(taken.appended.index, taken.appended.leaf_hash.hex())


async def run(call: Call, deed_of: Callable[[Deed, Errand, bytes], Any], incident: bytes | None = None, *, weight: int = 1) -> Any:  # noqa: ANN401
    """Do one deed on an incident, that of the path where none is named."""
    errand, id_ = _errand(call), call.path_id("incident") if incident is None else incident
    association = errand.asker.association
    return await heard(errand, lambda: association.run(lambda deed: deed_of(deed, errand, id_), weight=weight), about_incident(id_))


def wording_of(given: dict[str, WordsBody]) -> Wording:
    """The words of a notice as they are kept."""
    return Wording(**{name: Words(one.ar.strip(), one.en.strip()) for name, one in given.items()})


def item(notice: PeopleNotice) -> bodies.PeopleNoticeItem:
    """A notice without its words."""
    return bodies.PeopleNoticeItem(
        notice=notice.part,
        drafted_by=notice.by,
        drafted_at=write_time(notice.at),
        people=notice.people - notice.removed,
        list_version=notice.list_version,
        waiting=min(notice.people - notice.removed, notice.people - notice.approved),
        leaving=[bodies.LeavingTold(_id(each.letter), _id(each.record), each.by, write_time(each.at)) for each in notice.leaving],
        approvals=[bodies.ApprovalTold(each.by, write_time(each.at), each.people) for each in notice.sent],
    )


def wanted_off(notice: PeopleNotice) -> set[str]:
    """The letters (ids in hexadecimal) that somebody wants off the list and a second person has said nothing of."""
    return {each.letter for each in notice.leaving}


def letter(fact: LetterFact, wanted: Collection[str] = ()) -> bodies.LetterTold:
    """One letter; `wanted` are those that somebody wants off the list."""
    return bodies.LetterTold(
        id=_id(fact.id),
        record=_id(fact.record),
        state=fact.state,
        at=write_time(fact.at),
        attempts=fact.attempts,
        to=fact.to or None,
        reason=fact.reason or None,
        noted_by=fact.noted_by or None,
        leaving=fact.state == "listed" and fact.id in wanted,
    )


def _record(at: int, text: str) -> bytes:
    try:
        return parse_id(text)
    except NotFound:
        raise Invalid([FieldError(f"records[{at}]", "unknown-record")]) from None


def _errand(call: Call) -> Errand:
    asker: Asker = call.caller
    return Errand(asker, call.request_id)


def _id(hexadecimal: str) -> str:
    return write_id(bytes.fromhex(hexadecimal))
