"""HTTP in and out for disclosures: asking, showing, approving, and the package itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from vault.access import disclosures, enclosing
from vault.access.approving import Approver
from vault.access.contents import Enclosed
from vault.access.disclosures import MOST_RECORDS, Moved
from vault.access.orders_api import Code, Ids, Time, distinct, ids, time
from vault.access.packing import packed
from vault.access.shapes import BARS, DisclosureFact
from vault.errors import FieldError, Invalid, NotFound, Stale
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import INTERNAL
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.channels import Channels
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Person, Route
from vault.web.times import write_time

AT_ONCE: Final = 2
"""Packages made at once in this process: the values of each are whole in memory until it is sealed."""


# Refused fields are told by their names: what cannot be one, such as a value typed in its place, is met before anything is decided.
FieldNames = Annotated[
    tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")], ...], msgspec.Meta(min_length=1, max_length=32)
]


class DisclosureBody(Body):
    """What shall be given to whom, of up to 500 records, and on which basis; `order` with the basis `order`."""

    basis: Literal["consent", "order"]
    recipient: Code
    records: Ids
    fields: FieldNames
    purpose: Code
    order: Code | None = None


class DisclosureApproval(Approve):
    """An approval of a disclosure; `bars` are those of law 16 that stand against it, none where each was considered and none does."""

    bars: Annotated[tuple[Literal[BARS], ...], msgspec.Meta(max_length=len(BARS))] | None = None  # type: ignore[valid-type]


class GrantedPart(msgspec.Struct, frozen=True):
    """What is granted of one record."""

    record: str
    fields: tuple[str, ...]


class RefusedPart(msgspec.Struct, frozen=True):
    """One field that is not given, and why."""

    record: str
    field: str
    code: str
    article: str


class DisclosureAnswer(msgspec.Struct, frozen=True):
    """A disclosure as it stands, decided field by field."""

    id: str
    state: str
    granted: list[GrantedPart]
    refused: list[RefusedPart]


class ReceivedPart(msgspec.Struct, frozen=True):
    """A package that the recipient says it received."""

    serial: int
    received_at: str


class DisclosureShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A disclosure as it is shown to who approves it."""

    id: str
    state: str
    basis: str
    recipient: str
    purpose: str
    granted: list[GrantedPart]
    refused: list[RefusedPart]
    packages: int
    order: str | None = None
    received: list[ReceivedPart] = []
    bars: tuple[str, ...] | None = None


class ReceiptBody(Body):
    """The number of a package, and when the recipient received it by its own word."""

    serial: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    received_at: Time


class DisclosureStands(msgspec.Struct, frozen=True):
    """How a disclosure stands."""

    id: str
    state: str


def disclosure_routes(factor: SecondFactor, channels: Mapping[str, Channels]) -> list[Route]:
    """Return the calls about disclosures; `channels` hold the associations' names by code."""
    api = _Api(factor, channels, asyncio.Semaphore(AT_ONCE))
    return [
        Route(
            method="POST",
            path="/v1/disclosures",
            name="disclosures.request",
            handler=api.request,
            access=Person("disclosures"),
            body=DisclosureBody,
            answer=DisclosureAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Ask for data to be given to a recipient: decided field by field, given after another person's approval.",
        ),
        Route(
            method="GET",
            path="/v1/disclosures/{disclosure}",
            name="disclosures.read",
            handler=api.read,
            access=Person("approve"),
            answer=DisclosureShown,
            summary="Show a disclosure to who approves it.",
        ),
        Route(
            method="POST",
            path="/v1/disclosures/{disclosure}/approval",
            name="disclosures.approve",
            handler=api.approve,
            access=Person("approve"),
            body=DisclosureApproval,
            optional_body=True,
            answer=DisclosureStands,
            summary="Approve a disclosure that another person asked for, or end it where a bar of law 16 stands against it.",
        ),
        Route(
            method="POST",
            path="/v1/disclosures/{disclosure}/revocation",
            name="disclosures.revoke",
            handler=api.revoke,
            access=Person("approve"),
            answer=DisclosureStands,
            summary="Turn a disclosure down, or take its approval back: no package leaves on it any more.",
        ),
        Route(
            method="POST",
            path="/v1/disclosures/{disclosure}/receipts",
            name="disclosures.receive",
            handler=api.receive,
            access=Person("disclosures"),
            body=ReceiptBody,
            answer=DisclosureStands,
            summary="Note that the recipient says it received a package.",
        ),
        Route(
            method="GET",
            path="/v1/disclosures/{disclosure}/package",
            name="disclosures.package",
            handler=api.package,
            access=Person("disclosures"),
            media_type=OCTETS,
            summary="Fetch the package, sealed to the recipient's key; everything in it is decided anew.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor
    channels: Mapping[str, Channels]
    turns: asyncio.Semaphore

    async def request(self, call: Call) -> Answer:
        asker: Asker = call.caller
        wanted, errand = _wanted(call.body), Errand(asker, call.request_id)
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=call.body)

        async def asked() -> DisclosureFact:
            weight = 1 + len(wanted.records)
            return await asker.association.run(lambda deed: disclosures.request(deed, errand, wanted, once), weight=weight)

        made = await heard(errand, asked)
        for _ in {(part.record, part.code, part.article) for part in made.refused}:
            asker.association.refusals.refused(asker.ref)
        return Answer(DisclosureAnswer(_uuid(made.id), _state(made), _granted(made), _refused(made)))

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.shown(deed, errand, disclosure)))
        return Answer(_shown(found))

    async def approve(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)
        bars = None if call.body.bars is None else distinct(call.body.bars, "bars")

        async def approved() -> DisclosureFact:
            return await asker.association.run(lambda deed: disclosures.approve(deed, approver, disclosure, bars))

        found = await heard(errand, approved)
        return Answer(DisclosureStands(_uuid(found.id), _state(found)))

    async def revoke(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.revoke(deed, errand, disclosure)))
        return Answer(DisclosureStands(_uuid(found.id), _state(found)))

    async def receive(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        serial, at = call.body.serial, time(call.body.received_at, "received_at")
        found = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.receive(deed, errand, disclosure, serial, at)))
        return Answer(DisclosureStands(_uuid(found.id), _state(found)))

    async def package(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        association = asker.association

        async def sealed() -> bytes:
            outcome = await association.run(lambda deed: disclosures.release(deed, errand, disclosure), weight=MOST_RECORDS)
            if isinstance(outcome, Moved):
                for _ in range(outcome.refused):
                    association.refusals.refused(asker.ref)
                raise Stale(outcome.leaf_hash)
            files = await enclosing.opened(errand, outcome.documents)
            enclosed = Enclosed(files, association.code, self.channels.get(association.code, Channels()))
            # The recipient takes a witness of the log along: whatever happens to it afterwards, this much of it stands in another hand.
            checkpoint = await association.checkpoint()
            return await asyncio.to_thread(packed, outcome, enclosed, association.cabinet.signer, checkpoint)

        async with self.turns:
            return Answer(await heard(errand, sealed))


def _wanted(body: DisclosureBody) -> disclosures.Wanted:
    if body.recipient == INTERNAL:
        raise Invalid([FieldError("recipient", "out-of-range")])
    if (body.order is not None) != (body.basis == "order"):
        raise Invalid([FieldError("order", "missing" if body.order is None else "out-of-range")])
    return disclosures.Wanted(
        basis=body.basis,
        order=None if body.order is None else _order(body.order),
        recipient=body.recipient,
        records=ids(body.records, "records"),
        fields=distinct(body.fields, "fields"),
        purpose=body.purpose,
    )


def _order(text: str) -> bytes:
    try:
        return parse_id(text)
    except NotFound:
        raise Invalid([FieldError("order", "out-of-range")]) from None


def _shown(found: DisclosureFact) -> DisclosureShown:
    return DisclosureShown(
        id=_uuid(found.id),
        state=_state(found),
        basis=found.basis,
        recipient=found.recipient,
        purpose=found.purpose,
        granted=_granted(found),
        refused=_refused(found),
        packages=found.released,
        order=_uuid(found.order) if found.order else None,
        bars=found.bars,
        received=[ReceivedPart(each.serial, write_time(each.at)) for each in found.received],
    )


def _state(found: DisclosureFact) -> str:
    if found.revoked_at is not None:
        return "barred" if found.bars else "revoked"
    return "approved" if found.approved_by else "requested"


def _granted(found: DisclosureFact) -> list[GrantedPart]:
    return [GrantedPart(_uuid(part.record), part.fields) for part in found.granted]


def _refused(found: DisclosureFact) -> list[RefusedPart]:
    return [RefusedPart(_uuid(part.record), part.field, part.code, part.article) for part in found.refused]


def _uuid(text: str) -> str:
    return write_id(bytes.fromhex(text))
