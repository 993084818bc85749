"""HTTP in and out for disclosures: asking, showing, approving, and the package itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vault.access import disclosures, enclosing, releasing
from vault.access.approving import Approver
from vault.access.contents import Enclosed
from vault.access.disclosure_shapes import (
    DisclosureAnswer,
    DisclosureApproval,
    DisclosureBody,
    DisclosurePageAnswer,
    DisclosureShown,
    DisclosureStands,
    ReceiptBody,
    granted_of,
    refused_of,
    shown_of,
    state_of,
    uuid_of,
)
from vault.access.disclosures import Moved
from vault.access.extending import extend_disclosure
from vault.access.orders_api import PAGE, MoreRecords, distinct, ids, time
from vault.access.packing import packed
from vault.access.paging import MOST_ON_A_PAGE
from vault.access.shapes import DisclosureFact, DisclosurePage
from vault.errors import FieldError, Invalid, NotFound, Stale
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import INTERNAL
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.rulebook.channels import Channels
from vault.web.answer import OCTETS, Answer
from vault.web.call import Call, parse_id
from vault.web.route import Person, Route

AT_ONCE: Final = 2
"""Packages made at once in this process: the values of each are whole in memory until it is sealed."""


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
            query={"page": PAGE},
            summary="Show a disclosure to who approves it, with what one of its pages grants and refuses.",
        ),
        Route(
            method="POST",
            path="/v1/disclosures/{disclosure}/records",
            name="disclosures.extend",
            handler=api.extend,
            access=Person("disclosures"),
            body=MoreRecords,
            answer=DisclosurePageAnswer,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Ask for the same of further records, on a page of their own, before anybody approved it.",
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
            query={"page": PAGE},
            summary="Fetch the package, or one page of several, sealed to the recipient's key; everything in it is decided anew.",
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
        _count(asker, made)
        return Answer(DisclosureAnswer(uuid_of(made.id), state_of(made), granted_of(made), refused_of(made)))

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        number = call.query["page"]
        told = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.shown_page(deed, errand, disclosure, number)))
        return Answer(shown_of(*told))

    async def extend(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, records, errand = call.path_id("disclosure"), ids(call.body.records, "records"), Errand(asker, call.request_id)
        content = {"disclosure": disclosure.hex(), "records": call.body.records}
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=content)

        async def extended() -> tuple[DisclosureFact, DisclosurePage]:
            weight = 1 + len(records)
            return await asker.association.run(lambda deed: extend_disclosure(deed, errand, disclosure, records, once), weight=weight)

        found, page = await heard(errand, extended)
        _count(asker, page)
        return Answer(DisclosurePageAnswer(uuid_of(found.id), state_of(found), page.number, granted_of(page), refused_of(page)))

    async def approve(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)
        bars = None if call.body.bars is None else distinct(call.body.bars, "bars")

        async def approved() -> DisclosureFact:
            return await asker.association.run(lambda deed: disclosures.approve(deed, approver, disclosure, bars, call.body.pages))

        found = await heard(errand, approved)
        return Answer(DisclosureStands(uuid_of(found.id), state_of(found)))

    async def revoke(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.revoke(deed, errand, disclosure)))
        return Answer(DisclosureStands(uuid_of(found.id), state_of(found)))

    async def receive(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        serial, at = call.body.serial, time(call.body.received_at, "received_at")
        found = await heard(errand, lambda: asker.association.run(lambda deed: disclosures.receive(deed, errand, disclosure, serial, at)))
        return Answer(DisclosureStands(uuid_of(found.id), state_of(found)))

    async def package(self, call: Call) -> Answer:
        asker: Asker = call.caller
        disclosure, errand = call.path_id("disclosure"), Errand(asker, call.request_id)
        association, number = asker.association, call.query["page"]

        async def sealed() -> bytes:
            outcome = await association.run(lambda deed: releasing.release(deed, errand, disclosure, number), weight=MOST_ON_A_PAGE)
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


def _count(asker: Asker, decided: DisclosureFact | DisclosurePage) -> None:
    """Count each refusal against the asker's share."""
    for _ in {(part.record, part.code, part.article) for part in decided.refused}:
        asker.association.refusals.refused(asker.ref)


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
