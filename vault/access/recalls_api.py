"""The calls about recalls: the queue of what past recipients have not confirmed, for officers, and a recipient's own for its system."""

from typing import Literal

import msgspec

from vault.access import recalls
from vault.access.recall_facts import RecallFact
from vault.access.recalls import Wanted
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.web.answer import Answer
from vault.web.call import Call, write_id
from vault.web.route import Body, Needs, Person, Query, Route
from vault.web.times import write_time

STATES = ("open", "confirmed", "all")


class RecallConfirmationBody(Body, frozen=True):
    """What became of the data: `destroyed`, `corrected`, or `kept` because a law orders it."""

    outcome: Literal["destroyed", "corrected", "kept"]


class RecallShown(msgspec.Struct, frozen=True):
    """A recall: who is told of what about which record, and how far it got."""

    id: str
    recipient: str
    kind: str
    record: str
    fields: tuple[str, ...]
    purpose: str | None
    raised_at: str
    told_at: str | None
    outcome: str | None
    confirmed_at: str | None


class RecallsAnswer(msgspec.Struct, frozen=True):
    """A page of recalls, the oldest first; `next` is where the following page begins."""

    items: list[RecallShown]
    next: str | None


def _time(at: int | None) -> str | None:
    return None if at is None else write_time(at)


def _shown(one: RecallFact) -> RecallShown:
    return RecallShown(
        id=write_id(bytes.fromhex(one.id)),
        recipient=one.recipient,
        kind=one.what,
        record=write_id(bytes.fromhex(one.record)),
        fields=one.fields,
        purpose=one.purpose or None,
        raised_at=write_time(one.raised_at),
        told_at=_time(one.told_at),
        outcome=one.outcome,
        confirmed_at=_time(one.confirmed_at),
    )


async def _listed(call: Call, party: str | None) -> Answer:
    asker: Asker = call.caller
    errand, query = Errand(asker, call.request_id), call.query
    wanted = Wanted(state=query["state"], party=party, after=query["after"], limit=query["limit"])
    found, more = await heard(errand, lambda: asker.association.run(lambda deed: recalls.listed(deed, errand, wanted)))
    items = [_shown(one) for one in found]
    return Answer(RecallsAnswer(items, items[-1].id if more else None))


async def _confirmed(call: Call, party: str | None) -> Answer:
    asker: Asker = call.caller
    errand, recall, outcome = Errand(asker, call.request_id), call.path_id("recall"), call.body.outcome

    async def noted() -> RecallFact:
        return await asker.association.run(lambda deed: recalls.confirm(deed, errand, recall, outcome, party))

    return Answer(_shown(await heard(errand, noted)))


async def listed(call: Call) -> Answer:
    """List what every recipient is told of."""
    return await _listed(call, None)


async def confirmed(call: Call) -> Answer:
    """Note what a recipient wrote that became of the data."""
    return await _confirmed(call, None)


async def own_listed(call: Call) -> Answer:
    """List what the party's own system is told of."""
    return await _listed(call, call.caller.asker.party)


async def own_confirmed(call: Call) -> Answer:
    """Take the party's own word."""
    return await _confirmed(call, call.caller.asker.party)


_PAGE = {
    "state": Query(kind="choice", choices=STATES, default="open"),
    "after": Query(kind="id"),
    "limit": Query(kind="integer", low=1, high=500, default=50),
}
ROUTES = [
    Route(
        method="GET",
        path="/v1/recalls",
        name="recalls.list",
        handler=listed,
        access=Person("disclosures"),
        answer=RecallsAnswer,
        query=_PAGE,
        summary="What past recipients are told of and have not confirmed, the oldest first.",
    ),
    Route(
        method="POST",
        path="/v1/recalls/{recall}/confirmation",
        name="recalls.confirm",
        handler=confirmed,
        access=Person("disclosures"),
        body=RecallConfirmationBody,
        answer=RecallShown,
        summary="Note what a recipient wrote that became of the data.",
    ),
    Route(
        method="GET",
        path="/v1/own-recalls",
        name="recalls.own.list",
        handler=own_listed,
        access=Needs("recalls:confirm"),
        answer=RecallsAnswer,
        query=_PAGE,
        summary="What the party whose key this is is told of.",
    ),
    Route(
        method="POST",
        path="/v1/own-recalls/{recall}/confirmation",
        name="recalls.own.confirm",
        handler=own_confirmed,
        access=Needs("recalls:confirm"),
        body=RecallConfirmationBody,
        answer=RecallShown,
        summary="Say what became of the data, for the party whose key this is.",
    ),
]
