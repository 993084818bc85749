"""The notices of one incident: to the authority, five parts; to the people, words, list, second reader and letters (regulation 24).

Invariants: what was written is shown after an entry that says so, on the page that is for that; the page of all notices opens nothing; a
step is the same deed as over the API, and a link back shows what was done, so that loading again does nothing twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from vault.access.breach_letters_api import printed
from vault.breach_reports import authority_notice_telling, authority_notices, people_notices, people_notices_api, service
from vault.breach_reports.authority_notice import MEMBERS, PART_OF, task
from vault.breach_reports.authority_notices_api import opened as opened_notice
from vault.breach_reports.incident_shapes import AuthorityNotice, IncidentFact, PeopleNotice
from vault.breach_reports.incident_telling import state
from vault.breach_reports.letters import LetterFact
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.people_notices import PARTS, SecondReader, Where, named
from vault.breach_reports.people_notices_api import run
from vault.errors import Conflict, Invalid, Malformed, Refused, TooMany, VaultError
from vault.officer import notice_steps
from vault.officer.frame import SIGN_IN, Frame, Speaker, link, looks, require_form, speaker_of
from vault.officer.notice_steps import TEXTS, id_of, number_of
from vault.officer.report_steps import code_of
from vault.rulebook.channels import Channels
from vault.web.answer import HTML, Answer
from vault.web.call import Call, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.route import Person, Query, Route

PATH: Final = "/officer/notices"
PRINT: Final = "/officer/notices/authority"
PEOPLE: Final = "/officer/notices/people"
LETTER: Final = "/officer/notices/letter"
MOST: Final = 500
LONGEST: Final = 12_000
MOST_BYTES: Final = 192 * 1024
"""Bytes of one text in a form (six thousand Arabic letters), and of all of it as a browser writes it."""
_BOTH: Final = {f"{name}_{language}" for name in {*TEXTS, *PARTS} for language in ("ar", "en")}
_FIELDS: Final = {
    **dict.fromkeys(_BOTH, LONGEST),
    **dict.fromkeys(
        ("token", "act", "incident", "notice", "letter", "code", "happened_at", "filed_at", "people", "list_version", "told", "result"), 400
    ),
    **dict.fromkeys(("estimated", "reference", "record"), 400),
    **dict.fromkeys(("reasons", "late_reason", "records"), LONGEST),
}
_ACTS: Final = ("draft", "file", "people", "list", "remove", "approve", "again", "note")
Step = Callable[[Call, bytes, Mapping[str, str]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A notice to the authority in a list: its number, what it lacks in words, and when it was filed where it was."""

    number: int
    gaps: str
    drafted: str
    filed: str
    reference: str
    supplement: bool
    print: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """A letter that somebody has to see to."""

    id: str
    record: str
    state: str
    reason: str
    print: str


def notice_pages(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Notices(frame, SecondReader(frame.identity.factor))
    incident, notice = Query(kind="id", required=True), Query(kind="integer", low=0, high=999_999, required=True)
    done = Query(kind="choice", choices=_ACTS)
    told = {"incident": incident, "done": done}
    return [
        looks(PATH, "officer.notices", pages.look, "reports", "The notices of an incident, to the authority and to people.", **told),
        looks(
            PRINT, "officer.notice", pages.authority, "reports", "A notice to the authority, to print.", incident=incident, notice=notice
        ),
        looks(PEOPLE, "officer.people-notice", pages.people, "reports", "A notice to people and its letters.", notice=notice, **told),
        looks(
            LETTER,
            "officer.breach-letter",
            pages.letter,
            "reports",
            "A letter about a breach, to print.",
            incident=incident,
            letter=Query(kind="id", required=True),
        ),
        Route(
            method="POST",
            path=PATH,
            name="officer.notice-step",
            handler=pages.step,
            access=Person("reports"),
            form=Form(fields=_FIELDS),
            max_body=MOST_BYTES,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Take the next step of a notice.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Notices:
    """The handlers."""

    frame: Frame
    second: SecondReader

    async def look(self, call: Call) -> Answer:
        return await self._all(call, call.query["incident"], None, call.query["done"])

    async def people(self, call: Call) -> Answer:
        return await self._people(call, call.query["incident"], call.query["notice"], None, done=call.query["done"])

    async def authority(self, call: Call) -> Answer:
        incident, number, language = call.query["incident"], call.query["notice"], call.language
        found = await opened_notice(call, incident, number)
        code = call.caller.association.code
        name = self.frame.channels.get(code, Channels()).named(code, language)
        elsewhere = link(PRINT, "ar" if language == "en" else "en", incident=write_id(incident), notice=number)
        return authority_notice_telling.page(found, name, elsewhere, language)

    async def letter(self, call: Call) -> Answer:
        return await printed(call, call.query["incident"], call.query["letter"], self.frame.channels)

    async def step(self, call: Call) -> Answer:
        require_form(call)
        given: Mapping[str, str] = {name: text.strip() for name, text in call.form.fields.items()}
        act, incident = given.get("act", ""), id_of(given.get("incident", ""))
        steps: Mapping[str, Step] = {
            "draft": notice_steps.draft,
            "file": notice_steps.file,
            "people": notice_steps.write,
            "list": notice_steps.list_,
            "remove": notice_steps.remove,
            "approve": self._approve,
            "again": notice_steps.again,
            "note": notice_steps.note,
        }
        if act not in steps:
            raise Malformed
        number = given.get("notice", "")
        try:
            number = await steps[act](call, incident, given)
        except (Refused, Conflict, Invalid, TooMany) as error:
            if act in {"draft", "file", "people"}:
                return await self._all(call, incident, error, None, given)
            return await self._people(call, incident, number_of(number), error, typed=given)
        if act in {"draft", "file"}:
            return led_to(link(PATH, call.language, incident=write_id(incident), done=act))
        return led_to(link(PEOPLE, call.language, incident=write_id(incident), notice=number, done=act))

    async def _approve(self, call: Call, incident: bytes, given: Mapping[str, str]) -> str:
        if "approve" not in call.caller.scopes:
            raise await self.frame.identity.entrance.out_of_scope(call)
        number, code = number_of(given.get("notice", "")), code_of({"code": "", **given})
        seen = people_notices.Seen(number_of(given.get("people", "")), number_of(given.get("list_version", "")))
        approving = replace(call, caller=replace(call.caller, needs="approve"))
        await run(approving, lambda deed, errand, id_: self.second.approve(deed, errand, id_, number, seen=seen, code=code), incident)
        return str(number)

    async def _all(
        self, call: Call, incident: bytes, error: VaultError | None, done: str | None, typed: Mapping[str, str] | None = None
    ) -> Answer:
        fact: IncidentFact = await run(call, authority_notices.shown, incident)
        within, speaker = service.hours(await call.caller.association.book()), speaker_of(call)
        owed = task(fact, within, call.now)
        return await self.frame.page(
            "notices.html",
            call,
            **_failed(call, error),
            **_of(fact, speaker),
            authority=speaker.word(f"track_{state(fact, 'authority', within)}"),
            people=speaker.word(f"track_{state(fact, 'people', within)}"),
            lines=[_line(each, fact, speaker) for each in reversed(fact.notices)],
            open=[_line(each, fact, speaker) for each in reversed(fact.notices) if each.filed_at is None],
            owed=None if owed is None else _gaps(owed.gaps, speaker),
            owed_hours="" if owed is None else speaker.counted("hours", max(0, call.now - owed.since) // HOUR),
            remind="" if owed is None else speaker.time(owed.remind_at),
            letters=[
                (_people_line(each), link(PEOPLE, call.language, incident=speaker.id(fact.id), notice=each.part))
                for each in reversed(fact.people_notices)
            ],
            texts_of=TEXTS,
            parts=PARTS,
            done=done,
            given=typed or {},
        )

    async def _people(
        self,
        call: Call,
        incident: bytes,
        number: int,
        error: VaultError | None,
        *,
        done: str | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> Answer:
        fact, wording, _ = await people_notices_api.opened(call, incident, number)
        stands = await run(call, lambda deed, errand, id_: people_notices.standing(deed, errand, id_, number), incident)
        page, more = await run(
            call, lambda deed, errand, id_: people_notices.listed(deed, errand, id_, number, Where(None, MOST)), incident
        )
        speaker, notice = speaker_of(call), named(fact, number)
        return await self.frame.page(
            "people_notice.html",
            call,
            **_failed(call, error),
            **_of(fact, speaker),
            number=number,
            parts=[(speaker.word(f"notice_{name}_people"), getattr(wording, name)) for name in PARTS],
            notice=_people_line(notice),
            leaving=[(speaker.id(each.record), speaker.actor(each.by), speaker.time(each.at)) for each in notice.leaving],
            counts=[(speaker.word(f"letter_state_{name}"), count) for name, count in sorted(stands.counts.items())],
            may_go_again=stands.counts.get("failed", 0) or any(map(people_notices.waits_to_go_anew, page)),
            by_hand=[_by_hand(each, fact, speaker) for each in page if people_notices.goes_by_hand(fact, each, call.now)],
            is_cut=more is not None,
            back=link(PATH, call.language, incident=write_id(incident)),
            done=done,
            given=typed or {},
        )


def _of(fact: IncidentFact, speaker: Speaker) -> dict[str, Any]:
    return {"incident": speaker.id(fact.id), "reference": fact.reference, "aware": speaker.time(fact.aware_at)}


def _line(notice: AuthorityNotice, fact: IncidentFact, speaker: Speaker) -> Line:
    return Line(
        number=notice.part,
        gaps=_gaps(notice.gaps, speaker),
        drafted=speaker.time(notice.at),
        filed="" if notice.filed_at is None else speaker.time(notice.filed_at),
        reference=notice.reference,
        supplement=notice.supplement,
        print=link(PRINT, speaker.language, incident=speaker.id(fact.id), notice=notice.part),
    )


def _gaps(names: tuple[str, ...], speaker: Speaker) -> str:
    """The members that are missing, each with the letter of its part."""
    return speaker.joined(f"{speaker.word(f'notice_{name}')} ({speaker.word(f'letter_of_{PART_OF[name]}')})" for name in names)


def _people_line(notice: PeopleNotice) -> dict[str, int]:
    told = people_notices_api.item(notice)
    waits = told.waiting + len(told.leaving)
    return {"number": notice.part, "people": told.people, "waiting": waits, "list_version": told.list_version}


def _by_hand(letter: LetterFact, fact: IncidentFact, speaker: Speaker) -> ByHand:
    return ByHand(
        id=speaker.id(letter.id),
        record=speaker.id(letter.record),
        state=speaker.word(f"letter_state_{letter.state}"),
        reason=speaker.word(f"letter_reason_{letter.reason}") if letter.reason in REASONS else letter.reason,
        print=link(LETTER, speaker.language, incident=speaker.id(fact.id), letter=speaker.id(letter.id)),
    )


REASONS: Final = frozenset(
    {"NO_EMAIL", "NO_GUARDIAN", "DECEASED", "REFUSED", "UNREACHABLE", "UNCARRIED", "UNWRITTEN", "INTEGRITY"}
    | {"ERASED", "INCIDENT_OVER", "ERASURE_PENDING"}
)
"""Why a letter did not leave by mail, where the pages have a word for it."""


def _failed(call: Call, error: VaultError | None) -> dict[str, Any]:
    """What a page says of a step that was not taken, with the members that do not hold in words."""
    if error is None:
        return {"problem": None, "wrong": ""}
    speaker = speaker_of(call)
    found = [each.field.partition(".")[0].partition("[")[0] for each in error.errors] if isinstance(error, Invalid) else []
    known = dict.fromkeys(
        name for name in found if name in {*MEMBERS, *PARTS, "reasons", "late_reason", "reference", "filed_at", "records", "record"}
    )
    return {
        "status": status_of(error),
        "headers": problem_headers(error),
        "problem": problem_of(error, call.request_id, call.language),
        "wrong": speaker.joined(
            speaker.word(f"notice_{name}_people" if name in {"risks", "advice"} else f"notice_{name}") for name in known
        ),
    }
