"""The calls about referrals: an officer refers somebody to a partner, and the partner's own system answers and says what came of it."""

from typing import Annotated, Literal

import msgspec

from vault.access import referrals
from vault.access.orders_api import Code
from vault.access.referral_facts import ReferralFact, Service, Way
from vault.access.referrals import Heard, Page, Wanted
from vault.access.verdicts import Judged
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Person, Query, Route
from vault.web.times import parse_time, write_time

STATES = ("offered", "accepted", "refused", "outcome", "ended", "all")
OWN = Needs("referrals:answer")


class ReferralBody(Body):
    """Who is referred to which partner, for which service, and the approved disclosure her data leaves on."""

    record: str
    recipient: Code
    service: Service
    purpose: Code = "partner_sharing"
    disclosure: str | None = None


class ReplyBody(Body, frozen=True):
    """Whether the partner takes the person on."""

    answer: Literal["accepted", "refused"]


class OutcomeBody(Body, frozen=True):
    """What came of it."""

    outcome: Literal["served", "not-served"]


class NotedReplyBody(Body, frozen=True):
    """Whether the partner takes the person on, as an officer was told: how, and when the partner said so."""

    answer: Literal["accepted", "refused"]
    way: Way
    said_at: Annotated[str, msgspec.Meta(max_length=40)]


class NotedOutcomeBody(Body, frozen=True):
    """What came of it, as an officer was told."""

    outcome: Literal["served", "not-served"]
    way: Way
    said_at: Annotated[str, msgspec.Meta(max_length=40)]


class NoteShown(msgspec.Struct, frozen=True):
    """A word of the partner's as an officer noted it."""

    word: str
    way: str
    said_at: str
    by: str
    at: str


class OwnReferralShown(msgspec.Struct, frozen=True, kw_only=True):
    """A referral as its partner sees it: a reference, a service, the disclosure whose package holds the data, and how it stands."""

    id: str
    state: str
    service: str
    purpose: str
    disclosure: str | None
    offered_at: str
    answer: str | None
    answered_at: str | None
    outcome: str | None
    outcome_at: str | None
    ended_at: str | None


class ReferralShown(OwnReferralShown, frozen=True, kw_only=True):
    """A referral as officers see it: of which record and to whom, besides, and which words an officer noted for the partner."""

    record: str
    recipient: str
    notes: list[NoteShown]


class ReferralsAnswer(msgspec.Struct, frozen=True):
    """A page of referrals, the oldest first; `next` is where the following page begins."""

    items: list[ReferralShown]
    next: str | None


class OwnReferralsAnswer(msgspec.Struct, frozen=True):
    """A page of a party's own referrals, the oldest first."""

    items: list[OwnReferralShown]
    next: str | None


def _time(at: int | None) -> str | None:
    return None if at is None else write_time(at)


def _own(one: ReferralFact) -> OwnReferralShown:
    return OwnReferralShown(
        id=write_id(bytes.fromhex(one.id)),
        state=one.state,
        service=one.service,
        purpose=one.purpose,
        disclosure=write_id(bytes.fromhex(one.disclosure)) if one.disclosure else None,
        offered_at=write_time(one.offered_at),
        answer=one.reply,
        answered_at=_time(one.answered_at),
        outcome=one.outcome,
        outcome_at=_time(one.outcome_at),
        ended_at=_time(one.ended_at),
    )


def _shown(one: ReferralFact) -> ReferralShown:
    own = msgspec.structs.asdict(_own(one))
    notes = [NoteShown(each.word, each.way, write_time(each.said_at), each.by, write_time(each.at)) for each in one.notes]
    return ReferralShown(record=write_id(bytes.fromhex(one.record)), recipient=one.recipient, notes=notes, **own)


def _heard(body: NotedReplyBody | NotedOutcomeBody) -> Heard:
    try:
        return Heard(body.way, parse_time(body.said_at))
    except ValueError:
        raise Invalid([FieldError("said_at", "wrong-type")]) from None


async def offer(call: Call) -> Answer:
    """Refer somebody."""
    asker: Asker = call.caller
    body: ReferralBody = call.body
    wanted = Wanted(
        record=parse_id(body.record),
        recipient=body.recipient,
        purpose=body.purpose,
        service=body.service,
        disclosure=None if body.disclosure is None else parse_id(body.disclosure),
    )
    errand, once = Errand(asker, call.request_id), once_for(asker, route=call.route.name, key=call.idempotency_key, body=body)

    async def offered() -> ReferralFact:
        made = await asker.association.run(lambda deed: referrals.offer(deed, errand, wanted, once))
        if isinstance(made, Judged):
            raise made.refusal()
        return made

    return Answer(_shown(await heard(errand, offered, by_record(wanted.record))))


async def _page(call: Call, party: str | None) -> tuple[list[ReferralFact], str | None]:
    asker: Asker = call.caller
    errand, query = Errand(asker, call.request_id), call.query
    state = None if query["state"] == "all" else query["state"]
    page = Page(state=state, party=party, after=query["after"], limit=query["limit"])
    found, more = await heard(errand, lambda: asker.association.run(lambda deed: referrals.listed(deed, errand, page)))
    return found, write_id(bytes.fromhex(found[-1].id)) if more else None


async def listed(call: Call) -> Answer:
    """List referrals to every partner."""
    found, more = await _page(call, None)
    return Answer(ReferralsAnswer([_shown(one) for one in found], more))


async def own_listed(call: Call) -> Answer:
    """List what the party's own system is offered."""
    found, more = await _page(call, call.caller.asker.party)
    return Answer(OwnReferralsAnswer([_own(one) for one in found], more))


async def answer(call: Call) -> Answer:
    """Take the partner's answer."""
    asker: Asker = call.caller
    errand, referral, reply = Errand(asker, call.request_id), call.path_id("referral"), call.body.answer

    async def answered() -> ReferralFact:
        return await asker.association.run(lambda deed: referrals.answer(deed, errand, referral, reply))

    return Answer(_own(await heard(errand, answered)))


async def conclude(call: Call) -> Answer:
    """Take the partner's word on what came of it."""
    asker: Asker = call.caller
    errand, referral, outcome = Errand(asker, call.request_id), call.path_id("referral"), call.body.outcome

    async def concluded() -> ReferralFact:
        return await asker.association.run(lambda deed: referrals.conclude(deed, errand, referral, outcome))

    return Answer(_own(await heard(errand, concluded)))


async def note_answer(call: Call) -> Answer:
    """Take what an officer was told of the partner's answer."""
    asker: Asker = call.caller
    body: NotedReplyBody = call.body
    errand, referral, told = Errand(asker, call.request_id), call.path_id("referral"), _heard(body)

    async def noted() -> ReferralFact:
        return await asker.association.run(lambda deed: referrals.answer(deed, errand, referral, body.answer, told))

    return Answer(_shown(await heard(errand, noted)))


async def note_outcome(call: Call) -> Answer:
    """Take what an officer was told came of it."""
    asker: Asker = call.caller
    body: NotedOutcomeBody = call.body
    errand, referral, told = Errand(asker, call.request_id), call.path_id("referral"), _heard(body)

    async def noted() -> ReferralFact:
        return await asker.association.run(lambda deed: referrals.conclude(deed, errand, referral, body.outcome, told))

    return Answer(_shown(await heard(errand, noted)))


_PAGE = {
    "state": Query(kind="choice", choices=STATES, default="all"),
    "after": Query(kind="id"),
    "limit": Query(kind="integer", low=1, high=500, default=50),
}
ROUTES = [
    Route(
        method="POST",
        path="/v1/referrals",
        name="referrals.offer",
        handler=offer,
        access=Person("disclosures"),
        body=ReferralBody,
        answer=ReferralShown,
        status=201,
        headers=frozenset({"Idempotency-Key"}),
        summary="Refer somebody to a partner under an agreement: by a reference alone, or with data on an approved disclosure.",
    ),
    Route(
        method="GET",
        path="/v1/referrals",
        name="referrals.list",
        handler=listed,
        access=Person("disclosures"),
        answer=ReferralsAnswer,
        query=_PAGE,
        summary="Referrals and how they stand, the oldest first.",
    ),
    Route(
        method="GET",
        path="/v1/own-referrals",
        name="referrals.own.list",
        handler=own_listed,
        access=OWN,
        answer=OwnReferralsAnswer,
        query=_PAGE,
        summary="What the party whose key this is is offered.",
    ),
    Route(
        method="POST",
        path="/v1/referrals/{referral}/answer",
        name="referrals.answer",
        handler=answer,
        access=OWN,
        body=ReplyBody,
        answer=OwnReferralShown,
        summary="Accept or refuse a referral, for the party whose key this is.",
    ),
    Route(
        method="POST",
        path="/v1/referrals/{referral}/outcome",
        name="referrals.outcome",
        handler=conclude,
        access=OWN,
        body=OutcomeBody,
        answer=OwnReferralShown,
        summary="Say what came of a referral that was accepted, for the party whose key this is.",
    ),
    Route(
        method="POST",
        path="/v1/referrals/{referral}/noted-answer",
        name="referrals.note_answer",
        handler=note_answer,
        access=Person("disclosures"),
        body=NotedReplyBody,
        answer=ReferralShown,
        summary="Note what a partner without a system of its own answered, how it said so and when.",
    ),
    Route(
        method="POST",
        path="/v1/referrals/{referral}/noted-outcome",
        name="referrals.note_outcome",
        handler=note_outcome,
        access=Person("disclosures"),
        body=NotedOutcomeBody,
        answer=ReferralShown,
        summary="Note what a partner without a system of its own said came of a referral that it accepted.",
    ),
]
