"""The calls about what is published: registering it on a verdict, the queue of what is to be taken down, and saying that it is (6.1)."""

from typing import Annotated, Literal

import msgspec

from vault.access import publishing
from vault.access.publishing import PublicationFact, Wanted
from vault.access.verdicts import Judged
from vault.errors import FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Query, Route
from vault.web.times import write_time

STATES = ("standing", "due", "taken-down", "all")
ACCESS = Needs("publications:write")


class PublicationBody(Body, frozen=True):
    """What is published: items of a record by field (a name, a story, a picture), in which channel and where in it."""

    record: str
    items: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)]
    channel: Literal["website", "social", "print", "press", "broadcast"]
    place: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    purpose: str = "publication"


class PublicationShown(msgspec.Struct, frozen=True):
    """Something published, and how it stands."""

    id: str
    state: str
    record: str
    items: tuple[str, ...]
    purpose: str
    channel: str
    place: str
    published_at: str
    due_at: str | None
    taken_down_at: str | None


class PublicationsAnswer(msgspec.Struct, frozen=True):
    """What is in the state asked for, the oldest first."""

    items: list[PublicationShown]


def _time(at: int | None) -> str | None:
    return None if at is None else write_time(at)


def _shown(one: PublicationFact) -> PublicationShown:
    return PublicationShown(
        id=write_id(bytes.fromhex(one.id)),
        state=one.state,
        record=write_id(bytes.fromhex(one.record)),
        items=one.fields,
        purpose=one.purpose,
        channel=one.channel,
        place=one.place,
        published_at=write_time(one.published_at),
        due_at=_time(one.due_at),
        taken_down_at=_time(one.taken_down_at),
    )


def _wanted(body: PublicationBody) -> Wanted:
    if len(set(body.items)) != len(body.items):
        raise Invalid([FieldError("items", "out-of-range")])
    if not body.place.isprintable():
        raise Invalid([FieldError("place", "out-of-range")])
    return Wanted(record=parse_id(body.record), fields=body.items, purpose=body.purpose, channel=body.channel, place=body.place)


async def publish(call: Call) -> Answer:
    """Register a publication."""
    asker: Asker = call.caller
    errand, wanted = Errand(asker, call.request_id), _wanted(call.body)
    once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=call.body)

    async def registered() -> PublicationFact:
        made = await asker.association.run(lambda deed: publishing.publish(deed, errand, wanted, once))
        if isinstance(made, Judged):
            raise made.refusal()
        return made

    return Answer(_shown(await heard(errand, registered, by_record(wanted.record))))


async def listed(call: Call) -> Answer:
    """List publications."""
    asker: Asker = call.caller
    errand, state = Errand(asker, call.request_id), call.query["state"]
    found = await heard(errand, lambda: asker.association.run(lambda deed: publishing.listed(deed, errand, state)))
    return Answer(PublicationsAnswer([_shown(one) for one in found]))


async def taken_down(call: Call) -> Answer:
    """Note that a publication is gone."""
    asker: Asker = call.caller
    errand, publication = Errand(asker, call.request_id), call.path_id("publication")
    return Answer(_shown(await heard(errand, lambda: asker.association.run(lambda deed: publishing.taken_down(deed, errand, publication)))))


ROUTES = [
    Route(
        method="POST",
        path="/v1/publications",
        name="publications.register",
        handler=publish,
        access=ACCESS,
        body=PublicationBody,
        answer=PublicationShown,
        status=201,
        headers=frozenset({"Idempotency-Key", "Amanah-On-Behalf-Of"}),
        summary="Register that items of a record are published in a channel, where her written consent allows it now.",
    ),
    Route(
        method="GET",
        path="/v1/publications",
        name="publications.list",
        handler=listed,
        access=ACCESS,
        answer=PublicationsAnswer,
        query={"state": Query(kind="choice", choices=STATES, default="due")},
        summary="What is published and, by default, has to be taken down, the oldest first.",
    ),
    Route(
        method="POST",
        path="/v1/publications/{publication}/take-down",
        name="publications.take_down",
        handler=taken_down,
        access=ACCESS,
        answer=PublicationShown,
        headers=frozenset({"Amanah-On-Behalf-Of"}),
        summary="Note that a publication is gone from its place.",
    ),
]
