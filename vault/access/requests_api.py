"""The calls about a person's requests: taking one down, the queue, who asks, more time, an answer, a refusal, and taking it back."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from vault.access import request_queue, requests
from vault.access.request_queue import OPEN, STATES, Shown
from vault.access.requests import DAY, Check, Wanted
from vault.access.rights_words import LISTS
from vault.access_log.deed import Deed
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Time, Word
from vault.policy.facts import SELF
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.requests import DoneFact, RequestFact, RequestKind
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Handler, Needs, Person, Query, Route
from vault.web.times import parse_time, write_time

Says = Annotated[str, msgspec.Meta(max_length=4000)]
Reasoned = Annotated[str, msgspec.Meta(min_length=3, max_length=4000)]


class RequestBody(Body, frozen=True, kw_only=True):
    """Whose data (a record of hers), what she asks, by which channel, in which words, by whose word, and when where that was before."""

    record: Word
    kind: RequestKind
    channel: Word
    says: Says = ""
    given_by: Word = SELF
    received_at: Time | None = None


class CheckBody(Body, frozen=True):
    """Whether it is she who asks or who may speak for her, how that was found out, and what there is to note of it."""

    result: Literal["verified", "failed"]
    method: Word
    note: Says = ""


class ReasonBody(Body, frozen=True):
    """A reason of the closed list, and the words she is told."""

    reason: Word
    says: Reasoned


class AnswerBody(Body, frozen=True):
    """The words she is told, and the consent that was withdrawn, where she asked for that."""

    says: Says = ""
    consent: Word | None = None


class SaysBody(Body, frozen=True):
    """What there is to note."""

    says: Says = ""


class CheckShown(msgspec.Struct, frozen=True):
    """How it was found out who asks."""

    result: str
    method: str
    by: str
    at: str


class ExtensionShown(msgspec.Struct, frozen=True):
    """The one extension."""

    reason: str
    by: str
    at: str
    due_before: str


class DeedShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deed that answers the request: the record, erasure or consent, by whom and when; `entry` is its number in the log."""

    deed: str
    id: str
    by: str
    at: str
    entry: int | None = None


class RefusalShown(msgspec.Struct, frozen=True):
    """Why it was refused, and the article that reason stands in."""

    reason: str
    article: str


class RequestShown(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands; `days_left` counts whole days until the answer is due, less than 0 once it is late, null when settled."""

    id: str
    record: str
    kind: RequestKind
    channel: str
    given_by: str
    state: str
    received_at: str
    opened_at: str
    opened_by: str
    due_at: str
    days_left: int | None
    overdue: bool
    identity: CheckShown | None
    extension: ExtensionShown | None
    deeds: list[DeedShown]
    refusal: RefusalShown | None
    settled_by: str | None
    settled_at: str | None


class SaidShown(msgspec.Struct, frozen=True):
    """What was said at one step: `asked`, `identity`, `extension`, `answer`, `refusal`, `taken-back`."""

    what: str
    text: str
    by: str
    at: str


class RequestTold(RequestShown, frozen=True, kw_only=True):
    """One request with all that was said about it, oldest first; nothing once the person was erased."""

    said: list[SaidShown]


class RequestsAnswer(msgspec.Struct, frozen=True):
    """A page of requests, the least time left first, and where the next begins."""

    items: list[RequestShown]
    next: str | None


async def take_down(call: Call) -> Answer:
    """Take a request down."""
    asker: Asker = call.caller
    body: RequestBody = call.body
    record = parse_id(body.record)
    speaker = body.given_by if body.given_by == SELF else _id(body.given_by, "given_by", "unknown-guardian").hex()
    wanted = Wanted(record, body.kind, body.channel, speaker, body.says, _moment(body.received_at))
    once, errand = once_for(asker, route=call.route.name, key=call.idempotency_key, body=body), Errand(asker, call.request_id)

    async def taken() -> RequestFact:
        return await asker.association.run(lambda deed: requests.take_down(deed, errand, wanted, once), weight=2)

    return await _answered(call, await heard(errand, taken, by_record(record)))


async def queue(call: Call) -> Answer:
    """A page of the queue."""
    asker: Asker = call.caller
    errand = Errand(asker, call.request_id)
    wanted = request_queue.Wanted(call.query["state"], call.query["after"], call.query["limit"])
    found, more = await heard(errand, lambda: asker.association.run(lambda deed: request_queue.queue(deed, errand, wanted)))
    law_pack = (await asker.association.book()).association.law_pack
    return Answer(RequestsAnswer([shown(one, call.now, law_pack) for one in found], None if more is None else write_id(more)))


async def read(call: Call) -> Answer:
    """One with what was said."""
    asker: Asker = call.caller
    request, errand = call.path_id("rights_request"), Errand(asker, call.request_id)
    found = await heard(errand, lambda: asker.association.run(lambda deed: request_queue.shown(deed, errand, request)))
    return Answer(_told(found, call.now, (await asker.association.book()).association.law_pack))


async def check(call: Call) -> Answer:
    """Note who asks."""
    body: CheckBody = call.body
    found_out = Check(body.result, body.method, body.note)
    return await _done(call, lambda deed, errand, request: requests.check(deed, errand, request, found_out))


async def extend(call: Call) -> Answer:
    """Take more time."""
    body: ReasonBody = call.body
    return await _done(call, lambda deed, errand, request: requests.extend(deed, errand, request, body.reason, body.says))


async def refuse(call: Call) -> Answer:
    """Refuse."""
    body: ReasonBody = call.body
    return await _done(call, lambda deed, errand, request: requests.refuse(deed, errand, request, body.reason, body.says))


async def answer(call: Call) -> Answer:
    """Answer."""
    body: AnswerBody = call.body
    consent = None if body.consent is None else _id(body.consent, "consent", "unknown-consent")
    return await _done(call, lambda deed, errand, request: requests.answer(deed, errand, request, body.says, consent))


async def take_back(call: Call) -> Answer:
    """Note that she took it back."""
    says = call.body.says
    return await _done(call, lambda deed, errand, request: requests.take_back(deed, errand, request, says))


async def _done(call: Call, deed_of: Callable[[Deed, Errand, bytes], RequestFact]) -> Answer:
    asker: Asker = call.caller
    request, errand = call.path_id("rights_request"), Errand(asker, call.request_id)

    async def done() -> RequestFact:
        return await asker.association.run(lambda deed: deed_of(deed, errand, request), weight=2)

    return await _answered(call, await heard(errand, done))


async def _answered(call: Call, found: RequestFact) -> Answer:
    return Answer(shown(found, call.now, (await call.caller.association.book()).association.law_pack))


def _id(text: str, member: str, code: str) -> bytes:
    try:
        return parse_id(text)
    except NotFound:
        raise Invalid([FieldError(member, code)]) from None


def _moment(text: str | None) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise Invalid([FieldError("received_at", "wrong-type")]) from None


def shown(one: RequestFact, now: int, law_pack: str) -> RequestShown:
    """A request without what was said about it."""
    ground = LISTS.refusals.get(one.reason)
    check, extension = one.identity, one.extension
    return RequestShown(
        id=_hex(one.id),
        record=_hex(one.record),
        kind=one.kind,
        channel=one.channel,
        given_by=one.given_by if one.given_by == SELF else _hex(one.given_by),
        state=one.state,
        received_at=write_time(one.received_at),
        opened_at=write_time(one.opened_at),
        opened_by=one.opened_by,
        due_at=write_time(one.due_at),
        days_left=None if one.outcome else (one.due_at - now) // DAY,
        overdue=one.is_overdue(now),
        identity=None if check is None else CheckShown(check.result, check.method, check.by, write_time(check.at)),
        extension=None
        if extension is None
        else ExtensionShown(extension.reason, extension.by, write_time(extension.at), write_time(extension.due_before)),
        deeds=[_deed(each) for each in one.deeds],
        refusal=None if ground is None else RefusalShown(one.reason, ground.cited(law_pack)),
        settled_by=one.settled_by or None,
        settled_at=None if one.settled_at is None else write_time(one.settled_at),
    )


def _told(found: Shown, now: int, law_pack: str) -> RequestTold:
    members = msgspec.structs.asdict(shown(found.fact, now, law_pack))
    members["deeds"] = [_deed(each, number) for each, number in found.deeds]
    return RequestTold(**members, said=[SaidShown(each.what, each.text, each.by, write_time(each.at)) for each in found.said])


def _deed(done: DoneFact, entry: int | None = None) -> DeedShown:
    return DeedShown(done.what, _hex(done.reference), done.by, write_time(done.at), entry)


def _hex(text: str) -> str:
    return write_id(bytes.fromhex(text))


def request_routes() -> list[Route]:
    """The calls of this file."""

    def step(word: str, handler: Handler, body: type[Body], summary: str) -> Route:
        return Route(
            method="POST",
            path=f"/v1/requests/{{rights_request}}/{word}",
            name=f"requests.{word}",
            handler=handler,
            access=Person("requests"),
            body=body,
            answer=RequestShown,
            summary=summary,
        )

    return [
        Route(
            method="POST",
            path="/v1/requests",
            name="requests.make",
            handler=take_down,
            access=Needs("requests:write"),
            body=RequestBody,
            answer=RequestShown,
            status=201,
            headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
            summary="Take down what a person asks about her data, however it came; its thirty days run from when she said it.",
        ),
        Route(
            method="GET",
            path="/v1/requests",
            name="requests.list",
            handler=queue,
            access=Person("requests"),
            answer=RequestsAnswer,
            query={
                "state": Query(kind="choice", choices=STATES, default=OPEN),
                "after": Query(kind="id"),
                "limit": Query(kind="integer", low=1, high=500, default=50),
            },
            summary="People's requests, the least time left first; the look is an entry itself.",
        ),
        Route(
            method="GET",
            path="/v1/requests/{rights_request}",
            name="requests.read",
            handler=read,
            access=Person("requests"),
            answer=RequestTold,
            summary="One request with what was said about it, and each deed that answers it with its entry.",
        ),
        step("identity", check, CheckBody, "Note how it was found out whether it is she who asks, or who may speak for her."),
        step("extension", extend, ReasonBody, "Move the day the answer is due, once and before it is past, for a reason she is told."),
        step("refusal", refuse, ReasonBody, "Refuse a request for a reason of the closed list, with its article."),
        step("answer", answer, AnswerBody, "Answer a request, with the deed that was done for it or in words."),
        step("taking-back", take_back, SaysBody, "Note that she took her request back."),
    ]
