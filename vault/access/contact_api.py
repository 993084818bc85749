"""The calls about contacting people: whether one may be, and pages of whom may be, each decided at the moment it leaves (6.4)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from vault.access import contact
from vault.access.api import VerdictAnswer, verdict_answer
from vault.access.contact import MOST, Page, Wanted
from vault.access.verdicts import Judged
from vault.consent.links import path_of
from vault.errors import Conflict, FieldError, Invalid
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.channels import Channels
from vault.subjects.meant import by_record
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Needs, Route
from vault.web.times import write_time

Means = Literal["sms", "whatsapp", "call", "email", "post"]
AT_ONCE: Final = 2
"""So many pages are opened at a time in this process: each holds the values of up to 500 people."""
USUAL: Final = 200


class MayContactBody(Body, frozen=True):
    """Whether this person may be contacted by this means for this purpose."""

    record: str
    purpose: str
    channel: Means


class ContactsBody(Body, frozen=True):
    """A page of the people who may be contacted: up to 500 records are looked at, from the one after `after` on."""

    type: str
    purpose: str
    channel: Means
    named: bool = False
    after: str | None = None
    limit: int = USUAL


class Person(msgspec.Struct, frozen=True):
    """One person on the page; `stop` is the link by which she ends it, null where the association's `site` is not known."""

    record: str
    fields: dict[str, Any]
    stop: str | None


class ContactsAnswer(msgspec.Struct, frozen=True):
    """Who may be contacted now, in whose name, and until when that may be relied on; `next` is where the following page begins."""

    sender: dict[str, str]
    items: list[Person]
    left_out: int
    decided_at: str
    valid_until: str
    next: str | None


@dataclass(slots=True)
class _Api:
    channels: Mapping[str, Channels]
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ask(self, call: Call) -> Answer:
        """Tell whether one person may be contacted."""
        asker: Asker = call.caller
        errand, body = Errand(asker, call.request_id), call.body
        record = parse_id(body.record)

        async def judged() -> Judged:
            return await asker.association.run(lambda deed: contact.may_contact(deed, errand, record, body.purpose, body.channel))

        found = await heard(errand, judged, by_record(record))
        if not found.verdict.allowed:
            asker.association.refusals.refused(asker.ref)
        return Answer(verdict_answer(found))

    async def page(self, call: Call) -> Answer:
        """Give one page."""
        asker: Asker = call.caller
        errand, wanted = Errand(asker, call.request_id), _wanted(call.body)
        told = self.channels.get(asker.association.code, Channels())
        if not told.names:
            # Whoever is written to is told by whom (law 25), so nothing leaves that nobody signs.
            raise Conflict("sender-unnamed")

        async def given() -> tuple[Page, list[contact.Contact]]:
            page = await asker.association.run(lambda deed: contact.page(deed, errand, wanted), weight=wanted.limit)
            return page, await asyncio.to_thread(page.contacts)

        async with self.turns:
            page, people = await heard(errand, given)
        return Answer(
            ContactsAnswer(
                sender=told.names,
                items=[Person(write_id(one.record), one.values, _stop(told, asker, one)) for one in people],
                left_out=page.left_out,
                decided_at=write_time(page.at),
                valid_until=write_time(page.valid_until),
                next=None if page.next is None else write_id(page.next),
            )
        )


def _stop(told: Channels, asker: Asker, person: contact.Contact) -> str | None:
    return told.site + path_of(asker.association.code, person.link) if told.site else None


def _wanted(body: ContactsBody) -> Wanted:
    if not 1 <= body.limit <= MOST:
        raise Invalid([FieldError("limit", "out-of-range")])
    return Wanted(
        type=body.type,
        purpose=body.purpose,
        channel=body.channel,
        named=body.named,
        after=None if body.after is None else parse_id(body.after),
        limit=body.limit,
    )


def contact_routes(channels: Mapping[str, Channels]) -> list[Route]:
    """The calls of this file; `channels` tell in whose name each association writes."""
    api = _Api(channels)
    return [
        Route(
            method="POST",
            path="/v1/may-contact",
            name="contacts.ask",
            handler=api.ask,
            access=Needs("decisions:ask"),
            body=MayContactBody,
            answer=VerdictAnswer,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="Ask whether one person may be contacted by one means for one purpose, without getting a value.",
        ),
        Route(
            method="POST",
            path="/v1/contacts",
            name="contacts.page",
            handler=api.page,
            access=Needs("contacts:read"),
            body=ContactsBody,
            answer=ContactsAnswer,
            headers=frozenset({"Amanah-On-Behalf-Of"}),
            summary="A page of the people who may be contacted now, each decided anew and an entry.",
        ),
    ]
