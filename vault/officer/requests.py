"""People's requests about their data by the time that is left, one of them with what was said about it, its steps, and the letter (law 4).

Invariants: what she said is shown to who works on requests, after an entry that says so; no cell of a record is opened here; a step is the
same deed as over the API, and a link back shows what was done, so that loading again does nothing twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.access import request_queue, requests
from vault.access.replies import letter
from vault.access.request_queue import OPEN, OVERDUE, Shown
from vault.access.requests import DAY, Check, Wanted
from vault.access.rights_words import LISTS, OWN_PAGE, channels
from vault.access_log.deed import Deed
from vault.errors import Conflict, Invalid, Malformed, NotFound, Refused, TooMany, VaultError
from vault.officer.frame import SIGN_IN, Frame, Speaker, failed, link, looks, require_form, speaker_of, typed
from vault.policy.facts import SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.channels import Channels
from vault.rulebook.requests import NEEDS, RequestFact
from vault.web.answer import HTML, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.problems import Sentence
from vault.web.route import Person, Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/requests"
ONE: Final = "/officer/requests/one"
LETTER: Final = "/officer/requests/letter"
PAGE: Final = 50
STATES: Final = (OPEN, OVERDUE, "answered", "refused", "taken-back")
LONGEST: Final = 8000
"""Bytes of the words in one form: four thousand Arabic letters."""
_FIELDS: Final = {"token": 400, "act": 40, "request": 100, "record": 100, "consent": 100, "says": LONGEST}
_CHOSEN: Final = {"kind": 40, "channel": 40, "method": 40, "result": 40, "reason": 40}
Step = Callable[[Deed, Errand, bytes], RequestFact]


@dataclass(frozen=True, slots=True)
class Line:
    """One request of the queue: its clock in words, None once it is settled, and how much of the time is used, out of a hundred."""

    id: str
    kind: str
    channel: str
    state: str
    due: str
    left: str | None
    overdue: bool
    used: int


def request_pages(frame: Frame) -> list[Route]:
    """The pages of this file."""
    pages = _Requests(frame)
    one = Query(kind="id", required=True)
    done = Query(kind="choice", choices=("opened", "identity", "extension", "refusal", "answer", "taking-back"))
    return [
        looks(
            PATH,
            "officer.requests",
            pages.look,
            "requests",
            "People's requests by the time that is left.",
            state=Query(kind="choice", choices=STATES, default=OPEN),
            after=Query(kind="id"),
        ),
        looks(ONE, "officer.request", pages.one, "requests", "One request and its steps.", request=one, done=done),
        looks(LETTER, "officer.request-letter", pages.letter, "requests", "The letter about a request, to print.", request=one),
        Route(
            method="POST",
            path=PATH,
            name="officer.request-step",
            handler=pages.step,
            access=Person("requests"),
            form=Form(fields={**_FIELDS, **_CHOSEN}),
            max_body=16 * 1024,
            media_type=HTML,
            query={"lang": Query(kind="choice", choices=("ar", "en"))},
            sign_in=SIGN_IN,
            summary="Take a request down, or take its next step.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Requests:
    """The handlers."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await self._queue(call, None, call.query["state"], call.query["after"])

    async def one(self, call: Call) -> Answer:
        return await self._one(call, call.query["request"], None, call.query["done"])

    async def letter(self, call: Call) -> Answer:
        code, request, language = call.caller.association.code, call.query["request"], call.language
        name = self.frame.channels.get(code, Channels()).named(code, language)
        elsewhere = link(LETTER, "ar" if language == "en" else "en", request=write_id(request))
        return letter(await _shown(call, request), name, elsewhere, call.now, language)

    async def step(self, call: Call) -> Answer:
        require_form(call)
        given = typed(call)
        act = given.get("act", "")
        if act == "open":
            return await self._opened(call, given)
        request, step = _id(given.get("request", "")), _STEPS.get(act)
        if step is None:
            raise Malformed
        try:
            await _run(call, lambda deed, errand: step(given)(deed, errand, request))
        except (Refused, Conflict, Invalid, TooMany) as error:
            return await self._one(call, request, error, None, given)
        return led_to(link(ONE, call.language, request=write_id(request), done=act))

    async def _opened(self, call: Call, given: Mapping[str, str]) -> Answer:
        kind: Any = given.get("kind", "")
        if kind not in LISTS.kinds:
            raise Malformed
        try:
            wanted = Wanted(_id(given.get("record", "")), kind, given.get("channel", ""), SELF, given.get("says", ""))
            made = await _run(call, lambda deed, errand: requests.take_down(deed, errand, wanted, None))
        except (Refused, NotFound, Invalid, TooMany) as error:
            return await self._queue(call, error, OPEN, None, given)
        return led_to(link(ONE, call.language, request=write_id(bytes.fromhex(made.id)), done="opened"))

    async def _queue(
        self, call: Call, error: VaultError | None, state: str, after: bytes | None, filled: Mapping[str, str] | None = None
    ) -> Answer:
        wanted = request_queue.Wanted(state, after, PAGE)
        found, more = await _run(call, lambda deed, errand: request_queue.queue(deed, errand, wanted))
        book = await call.caller.association.book()
        ways, speaker = channels(book.pack), speaker_of(call)
        return await self.frame.page(
            "requests.html",
            call,
            **failed(call, error),
            lines=[_line(each, ways, speaker, call.now) for each in found],
            next=None if more is None else link(PATH, call.language, state=state, after=write_id(more)),
            state=state,
            states=STATES,
            kinds={code: one.short.in_language(call.language) for code, one in LISTS.kinds.items()},
            ways={code: one.in_language(call.language) for code, one in ways.items() if code != OWN_PAGE},
            now=speaker.time(call.now),
            given=filled or {},
        )

    async def _one(
        self, call: Call, request: bytes, error: VaultError | None, done: str | None, filled: Mapping[str, str] | None = None
    ) -> Answer:
        found = await _shown(call, request)
        fact, language, speaker = found.fact, call.language, speaker_of(call)
        book = await call.caller.association.book()
        return await self.frame.page(
            "request.html",
            call,
            **failed(call, error),
            line=_line(fact, channels(book.pack), speaker, call.now),
            fact=fact,
            right=LISTS.kinds[fact.kind].in_language(language),
            record=speaker.id(fact.record),
            by_guardian=None if fact.given_by == SELF else speaker.id(fact.given_by),
            received=speaker.time(fact.received_at),
            check=None if fact.identity is None else LISTS.checks[fact.identity.method].in_language(language),
            extension=None if fact.extension is None else LISTS.extensions[fact.extension.reason].in_language(language),
            refusal=None if not fact.reason else LISTS.refusals[fact.reason].in_language(language),
            said=[(one.what.replace("-", "_"), one.text, speaker.time(one.at)) for one in found.said],
            deeds=[(deed.what, speaker.time(deed.at), number) for deed, number in found.deeds],
            needs=NEEDS.get(fact.kind),
            checks={code: one.in_language(language) for code, one in LISTS.checks.items()},
            extensions={code: one.in_language(language) for code, one in LISTS.extensions.items()},
            refusals={code: one.in_language(language) for code, one in LISTS.refusals.items() if one.holds_for(fact.kind)},
            letter=link(LETTER, language, request=write_id(request)),
            done=done,
            given=filled or {},
        )


def _identity(given: Mapping[str, str]) -> Step:
    result: Any = given.get("result", "")
    if result not in ("verified", "failed"):
        raise Malformed
    found_out = Check(result, given.get("method", ""), given.get("says", ""))
    return lambda deed, errand, request: requests.check(deed, errand, request, found_out)


def _extension(given: Mapping[str, str]) -> Step:
    return lambda deed, errand, request: requests.extend(deed, errand, request, given.get("reason", ""), given.get("says", ""))


def _refusal(given: Mapping[str, str]) -> Step:
    return lambda deed, errand, request: requests.refuse(deed, errand, request, given.get("reason", ""), given.get("says", ""))


def _answer(given: Mapping[str, str]) -> Step:
    consent = _id(given["consent"]) if given.get("consent") else None
    return lambda deed, errand, request: requests.answer(deed, errand, request, given.get("says", ""), consent)


def _taking_back(given: Mapping[str, str]) -> Step:
    return lambda deed, errand, request: requests.take_back(deed, errand, request, given.get("says", ""))


_STEPS: Final[Mapping[str, Callable[[Mapping[str, str]], Step]]] = {
    "identity": _identity,
    "extension": _extension,
    "refusal": _refusal,
    "answer": _answer,
    "taking-back": _taking_back,
}


async def _run(call: Call, deed_of: Callable[[Deed, Errand], Any]) -> Any:  # noqa: ANN401 - whatever the deed gives
    errand = Errand(call.caller, call.request_id)
    return await heard(errand, lambda: call.caller.association.run(lambda deed: deed_of(deed, errand), weight=2))


async def _shown(call: Call, request: bytes) -> Shown:
    found: Shown = await _run(call, lambda deed, errand: request_queue.shown(deed, errand, request))
    return found


def _id(text: str) -> bytes:
    return parse_id(fold_digits(text).lower())


def _line(found: RequestFact, ways: Mapping[str, Sentence], speaker: Speaker, now: int) -> Line:
    """A request in words."""
    days = abs(found.due_at - now) // DAY
    return Line(
        id=speaker.id(found.id),
        kind=LISTS.kinds[found.kind].short.in_language(speaker.language),
        channel=ways.get(found.channel, Sentence(found.channel, found.channel)).in_language(speaker.language),
        state=speaker.word(f"request_state_{found.state.replace('-', '_')}"),
        due=speaker.time(found.due_at),
        left=None if found.outcome else speaker.word("days").format(days=days),
        overdue=found.is_overdue(now),
        used=max(0, min(100, (now - found.received_at) * 100 // (found.due_at - found.received_at))),
    )
