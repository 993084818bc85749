"""What the calls about disclosures take and give, and how a fact becomes an answer."""

from typing import Annotated, Literal

import msgspec

from vault.access.orders_api import Code, Ids, Time
from vault.access.paging import pages_of
from vault.access.shapes import BARS, DisclosureFact, DisclosurePage, PageOut
from vault.identity.bodies import Approve
from vault.web.call import write_id
from vault.web.route import Body
from vault.web.times import write_time

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
    """An approval of a disclosure; `bars` are those of law 16 that stand against it, none where each was considered and none does.

    `pages` how many pages of it she was shown, where there are several.
    """

    pages: int | None = None
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


class DisclosurePageAnswer(msgspec.Struct, frozen=True):
    """A page that was added to a disclosure, decided field by field."""

    id: str
    state: str
    page: int
    granted: list[GrantedPart]
    refused: list[RefusedPart]


class LeftOutPart(msgspec.Struct, frozen=True):
    """A record that was granted and did not leave with its page when that left last, and why."""

    record: str
    code: str
    article: str


class PageLeft(msgspec.Struct, frozen=True):
    """When a page of several left last, how often it did, and what was left out of it then."""

    last: str
    times: int
    left_out: list[LeftOutPart]


class ReceivedPart(msgspec.Struct, frozen=True):
    """A package that the recipient says it received."""

    serial: int
    received_at: str


class DisclosureShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A disclosure as it is shown to who approves it.

    `granted` and `refused` are those of the page asked for; which one it is of how many, how many records all grant, and what became of it
    where there are several.
    """

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
    page: int | None = None
    pages: int | None = None
    people: int | None = None
    left: PageLeft | None = None


class ReceiptBody(Body):
    """The number of a package, and when the recipient received it by its own word."""

    serial: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    received_at: Time


class DisclosureStands(msgspec.Struct, frozen=True):
    """How a disclosure stands."""

    id: str
    state: str


def shown_of(found: DisclosureFact, page: DisclosurePage, out: PageOut | None) -> DisclosureShown:
    """A disclosure with one of its pages, and when that left last where there are several."""
    further = found.further
    return DisclosureShown(
        id=uuid_of(found.id),
        state=state_of(found),
        basis=found.basis,
        recipient=found.recipient,
        purpose=found.purpose,
        granted=granted_of(page),
        refused=refused_of(page),
        packages=found.released,
        order=uuid_of(found.order) if found.order else None,
        bars=found.bars,
        received=[ReceivedPart(each.serial, write_time(each.at)) for each in found.received],
        page=page.number if further else None,
        pages=pages_of(found) if further else None,
        people=len(found.granted) + further.granted if further else None,
        left=None if out is None else PageLeft(write_time(out.at), out.times, _left_out(out)),
    )


def state_of(found: DisclosureFact) -> str:
    """The state a disclosure is in, in one word."""
    if found.revoked_at is not None:
        return "barred" if found.bars else "revoked"
    return "approved" if found.approved_by else "requested"


def _left_out(out: PageOut) -> list[LeftOutPart]:
    return [LeftOutPart(uuid_of(one.record), one.code, one.article) for one in out.left_out]


def granted_of(found: DisclosureFact | DisclosurePage) -> list[GrantedPart]:
    """What is granted, record by record."""
    return [GrantedPart(uuid_of(part.record), part.fields) for part in found.granted]


def refused_of(found: DisclosureFact | DisclosurePage) -> list[RefusedPart]:
    """What is refused, field by field."""
    return [RefusedPart(uuid_of(part.record), part.field, part.code, part.article) for part in found.refused]


def uuid_of(text: str) -> str:
    """An id of a fact as it travels."""
    return write_id(bytes.fromhex(text))
