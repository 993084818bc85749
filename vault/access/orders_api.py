"""HTTP in and out for orders of authorities: registering, showing, approving, revoking."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from vault.access import orders
from vault.access.approving import Approver
from vault.access.extending import extend_order
from vault.access.paging import MOST_ON_A_PAGE, MOST_PAGES
from vault.access.shapes import OrderFact
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.bodies import Approve
from vault.identity.second_factor import SecondFactor
from vault.records.values.cleaning import ValueRefused
from vault.records.values.dates import date
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Asker, Errand, once_for
from vault.web.answer import Answer
from vault.web.call import Call, parse_id, write_id
from vault.web.route import Body, Person, Query, Route
from vault.web.times import parse_time, write_time

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Time = Annotated[str, msgspec.Meta(min_length=20, max_length=40)]
Ids = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=MOST_ON_A_PAGE)]
Names = Annotated[tuple[Code, ...], msgspec.Meta(min_length=1, max_length=32)]
PAGE: Final = Query(kind="integer", low=1, high=MOST_PAGES, default=1)
# Where the paper was signed it may be tomorrow already.
_AHEAD = timedelta(hours=14)


class OrderBody(Body):
    """An order as it was received; `issued_on` as on the paper, Hijri or Gregorian, the end exclusive.

    `statute` is the article it names; `uses` how many packages may leave on it; `secret`: the person is not to be told.
    """

    authority: Text
    kind: Literal["judicial", "regulatory"]
    number: Text
    issued_on: Text
    recipient: Code
    records: Ids
    fields: Names
    valid_from: Time
    valid_to: Time
    document_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}\Z")]
    statute: Text | None = None
    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    secret: bool = False


class OrderApproval(Approve):
    """An approval of an order; `scan_sha256` is that of its paper, by who has it before her and did not look at the one that is kept.

    `pages` how many pages of it she was shown, where there are several.
    """

    pages: int | None = None
    scan_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}\Z")] | None = None


class MoreRecords(Body):
    """Further records, on a page of their own."""

    records: Ids


class OrderExtended(msgspec.Struct, frozen=True):
    """The page that was added to an order, and how many records the order names with it."""

    id: str
    state: str
    page: int
    people: int


class OrderStands(msgspec.Struct, frozen=True):
    """How an order stands."""

    id: str
    state: str


class Days(msgspec.Struct, frozen=True):
    """One day in both calendars."""

    gregorian: str
    hijri: str


class OrderShown(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is shown to who approves it; `scan` where its paper is kept.

    `records` are those of the page asked for; which one it is of how many, and how many records all name, where there are several.
    """

    id: str
    state: str
    authority: str
    kind: str
    number: str
    issued_on: str
    recipient: str
    records: tuple[str, ...]
    fields: tuple[str, ...]
    valid_from: str
    valid_to: str
    document_sha256: str
    issued_days: Days
    executed: int
    secret: bool
    statute: str | None = None
    uses: int | None = None
    scan: bool | msgspec.UnsetType = msgspec.UNSET
    page: int | msgspec.UnsetType = msgspec.UNSET
    pages: int | msgspec.UnsetType = msgspec.UNSET
    people: int | msgspec.UnsetType = msgspec.UNSET


def order_routes(factor: SecondFactor) -> list[Route]:
    """Return the calls about orders."""
    api = _Api(factor)
    return [
        Route(
            method="POST",
            path="/v1/orders",
            name="orders.register",
            handler=api.register,
            access=Person("orders"),
            body=OrderBody,
            answer=OrderStands,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Register an order of a judicial or regulatory authority; it opens nothing before another person approved it.",
        ),
        Route(
            method="GET",
            path="/v1/orders/{order}",
            name="orders.read",
            handler=api.read,
            access=Person("approve"),
            answer=OrderShown,
            query={"page": PAGE},
            summary="Show an order to who approves it, with the records of one of its pages.",
        ),
        Route(
            method="POST",
            path="/v1/orders/{order}/records",
            name="orders.extend",
            handler=api.extend,
            access=Person("orders"),
            body=MoreRecords,
            answer=OrderExtended,
            status=201,
            headers=frozenset({"Idempotency-Key"}),
            summary="Let an order that nobody approved yet name further records, on a page of their own, by who registered it.",
        ),
        Route(
            method="POST",
            path="/v1/orders/{order}/approval",
            name="orders.approve",
            handler=api.approve,
            access=Person("approve"),
            body=OrderApproval,
            optional_body=True,
            answer=OrderStands,
            summary="Approve an order that another person registered.",
        ),
        Route(
            method="POST",
            path="/v1/orders/{order}/revocation",
            name="orders.revoke",
            handler=api.revoke,
            access=Person("orders"),
            answer=OrderStands,
            summary="Revoke an order: nothing is given on it from this answer on.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    factor: SecondFactor

    async def register(self, call: Call) -> Answer:
        asker: Asker = call.caller
        wanted, errand = _wanted(call.body, call.now), Errand(asker, call.request_id)
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=call.body)

        async def registered() -> OrderFact:
            weight = 1 + len(wanted.records)
            return await asker.association.run(lambda deed: orders.register(deed, errand, wanted, once), weight=weight)

        made = await heard(errand, registered)
        return Answer(_stands(made))

    async def read(self, call: Call) -> Answer:
        asker: Asker = call.caller
        order, errand, page = call.path_id("order"), Errand(asker, call.request_id), call.query["page"]
        found, records = await heard(errand, lambda: asker.association.run(lambda deed: orders.shown(deed, errand, order, page)))
        return Answer(_shown(found, page, records))

    async def extend(self, call: Call) -> Answer:
        asker: Asker = call.caller
        order, records, errand = call.path_id("order"), ids(call.body.records, "records"), Errand(asker, call.request_id)
        content = {"order": order.hex(), "records": call.body.records}
        once = once_for(asker, route=call.route.name, key=call.idempotency_key, body=content)

        async def extended() -> tuple[OrderFact, int]:
            weight = 1 + len(records)
            return await asker.association.run(lambda deed: extend_order(deed, errand, order, records, once), weight=weight)

        found, page = await heard(errand, extended)
        return Answer(OrderExtended(write_id(order), _state(found), page, len(found.records) + found.further))

    async def approve(self, call: Call) -> Answer:
        asker: Asker = call.caller
        order, errand = call.path_id("order"), Errand(asker, call.request_id)
        approver = Approver(call.caller, call.request_id, call.body.code, self.factor)

        async def approved() -> OrderFact:
            return await asker.association.run(lambda deed: orders.approve(deed, approver, order, call.body.scan_sha256, call.body.pages))

        return Answer(_stands(await heard(errand, approved)))

    async def revoke(self, call: Call) -> Answer:
        asker: Asker = call.caller
        order, errand = call.path_id("order"), Errand(asker, call.request_id)
        found = await heard(errand, lambda: asker.association.run(lambda deed: orders.revoke(deed, errand, order)))
        return Answer(_stands(found))


def ids(texts: tuple[str, ...], member: str) -> tuple[bytes, ...]:
    """The ids a member of a body lists. Raises Invalid for a text that is none, as for an id of nobody, and for one that comes twice."""
    found = []
    for number, text in enumerate(texts):
        try:
            found.append(parse_id(text))
        except NotFound:
            raise Invalid([FieldError(f"{member}.{number}", "unknown-record")]) from None
    distinct(texts, member)
    return tuple(found)


def distinct(texts: tuple[str, ...], member: str) -> tuple[str, ...]:
    """The texts, each once. Raises Invalid where one comes twice."""
    if len(set(texts)) != len(texts):
        raise Invalid([FieldError(member, "out-of-range")])
    return texts


def _wanted(body: OrderBody, now: int) -> orders.Wanted:
    for name in ("authority", "number", "statute"):
        text: str | None = getattr(body, name)
        if text is not None and (not text.strip() or not text.isprintable()):
            raise Invalid([FieldError(name, "out-of-range")])
    return orders.Wanted(
        authority=body.authority,
        kind=body.kind,
        number=body.number,
        issued_on=_issued(body.issued_on, now),
        recipient=body.recipient,
        records=ids(body.records, "records"),
        fields=distinct(body.fields, "fields"),
        valid_from=time(body.valid_from, "valid_from"),
        valid_to=time(body.valid_to, "valid_to"),
        document_sha256=body.document_sha256.lower(),
        statute=body.statute or "",
        uses=body.uses,
        secret=body.secret,
    )


def _issued(text: str, now: int) -> str:
    """The day on the paper in its own calendar. Raises Invalid where it is no whole day, or one to come."""
    try:
        found = date(text)
    except ValueRefused as error:
        raise Invalid([FieldError("issued_on", error.code)]) from None
    latest = (datetime.fromtimestamp(now / 1_000_000, UTC) + _AHEAD).date()
    if found.precision != "day" or found.first > latest:
        raise Invalid([FieldError("issued_on", "out-of-range")])
    return found.normal


def time(text: str, name: str) -> int:
    """The moment of a member of a body. Raises Invalid for a text that is none."""
    try:
        return parse_time(text)
    except ValueError:
        raise Invalid([FieldError(name, "wrong-type")]) from None


def _state(order: OrderFact) -> str:
    if order.revoked_at is not None:
        return "revoked"
    if order.spent_at is not None:
        return "spent"
    return "approved" if order.approved_by else "registered"


def _stands(order: OrderFact) -> OrderStands:
    return OrderStands(write_id(bytes.fromhex(order.id)), _state(order))


def _shown(order: OrderFact, page: int, records: tuple[str, ...]) -> OrderShown:
    several = order.pages > 1
    return OrderShown(
        id=write_id(bytes.fromhex(order.id)),
        state=_state(order),
        authority=order.authority,
        kind=order.kind,
        number=order.number,
        issued_on=order.issued_on,
        recipient=order.recipient,
        records=tuple(write_id(bytes.fromhex(record)) for record in records),
        fields=order.fields,
        valid_from=write_time(order.valid_from),
        valid_to=write_time(order.valid_to),
        document_sha256=order.document_sha256,
        issued_days=days(order.issued_on),
        executed=order.executed,
        secret=order.secret,
        statute=order.statute or None,
        uses=order.uses,
        scan=bool(order.scan) or msgspec.UNSET,
        page=page if several else msgspec.UNSET,
        pages=order.pages if several else msgspec.UNSET,
        people=len(order.records) + order.further if several else msgspec.UNSET,
    )


def days(issued_on: str) -> Days:
    """The day an order was issued, in both calendars."""
    found = date(issued_on)
    return Days(found.first.isoformat(), found.hijri or "")
