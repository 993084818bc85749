"""The shapes of what is laid down about giving data to others: orders of authorities, and disclosures with what was granted.

Field names are those of the bytes kept for years, as in `vault/rulebook/shapes.py`: times in microseconds UTC, ids in hexadecimal.
"""

from typing import Literal

from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact


class OrderFact(Fact, frozen=True):
    """An order of a judicial or regulatory authority (article 4): for one recipient, these records and exactly these fields.

    `valid_to` is exclusive; `issued_on` as it stands on the paper, in its own calendar; `statute` the article it rests on where the paper
    names one. It is executed at most `uses` times, each package one, and spent with the last. `secret`: the person is not told of it.
    `scan` is the id of its sealed paper, empty while none was handed in. `records` are those of its first page, of `pages`; the pages
    behind it name `further` records.
    """

    id: str
    authority: str
    kind: Literal["judicial", "regulatory"]
    number: str
    issued_on: str
    recipient: str
    records: tuple[str, ...]
    fields: tuple[str, ...]
    valid_from: int
    valid_to: int
    document_sha256: str
    registered_by: str
    registered_at: int
    approved_by: str = ""
    approved_at: int | None = None
    revoked_at: int | None = None
    statute: str = ""
    uses: int | None = None
    executed: int = 0
    spent_at: int | None = None
    secret: bool = False
    scan: str = ""
    pages: int = 1
    further: int = 0


class OrderPage(Fact, frozen=True):
    """A further page of an order, from the second on: records that it names beside those of the pages before."""

    order: str
    number: int
    id: str
    records: tuple[str, ...]


BARS = (
    "ward_interest",
    "security",
    "foreign_relations",
    "crime_or_fair_trial",
    "safety",
    "privacy_of_others",
    "professional_duty",
    "judgment",
    "confidential_source",
)
"""What stands against a disclosure that no authority ordered (law 16), the interest of a minor or ward first."""


class Part(Fact, frozen=True):
    """What is granted of one record."""

    record: str
    fields: tuple[str, ...]


class Refusal(Fact, frozen=True):
    """One field of one record that is not given, and why."""

    record: str
    field: str
    code: str
    article: str


class Arrival(Fact, frozen=True):
    """A package that the recipient says it received, noted by a member of staff; `at` by the recipient's word."""

    serial: int
    at: int
    noted_by: str
    noted_at: int


class Further(Fact, frozen=True):
    """What stands on a disclosure's pages behind the first: how many pages there are with it, and what these grant and refuse.

    `fields` are all that one of them grants; `plan` is the digest over what every page grants (`paging.plan_of`).
    """

    pages: int
    granted: int
    refused: int
    fields: tuple[str, ...]
    plan: str


class DisclosureFact(Fact, frozen=True):
    """A disclosure as it was asked for and decided; `key` is the fingerprint it was approved for, `released` how often it went out.

    Revoked, whether it was approved or not, it gives nothing more. `bars` are those of law 16 that its approver found to stand against it,
    None where she said nothing of them. What is granted and refused is that of its first page; `further` tells of the others.
    """

    id: str
    basis: Literal["consent", "order"]
    recipient: str
    purpose: str
    granted: tuple[Part, ...]
    refused: tuple[Refusal, ...]
    requested_by: str
    requested_at: int
    order: str = ""
    key: str = ""
    approved_by: str = ""
    approved_at: int | None = None
    released: int = 0
    revoked_by: str = ""
    revoked_at: int | None = None
    received: tuple[Arrival, ...] = ()
    bars: tuple[str, ...] | None = None
    further: Further | None = None


class DisclosurePage(Fact, frozen=True):
    """A page of a disclosure; those from the second on are facts of their own."""

    disclosure: str
    number: int
    id: str
    granted: tuple[Part, ...]
    refused: tuple[Refusal, ...]


class LeftOut(Fact, frozen=True):
    """A record that was granted and did not leave with its page, and why."""

    record: str
    code: str
    article: str


class PageOut(Fact, frozen=True):
    """A page that left, how often and when last, and what was left out of it then."""

    disclosure: str
    number: int
    times: int
    at: int
    left_out: tuple[LeftOut, ...] = ()


class PaperSeen(Fact, frozen=True):
    """That a person was shown the whole paper of an order, by her own request."""

    order: str
    scan: str
    by: str
    at: int


ORDER: Kind[OrderFact] = Kind("order", OrderFact, in_book=False)
PAPER_SEEN: Kind[PaperSeen] = Kind("order_paper_seen", PaperSeen, in_book=False)
DISCLOSURE: Kind[DisclosureFact] = Kind("disclosure", DisclosureFact, in_book=False)
ORDER_PAGE: Kind[OrderPage] = Kind("order_page", OrderPage, in_book=False)
DISCLOSURE_PAGE: Kind[DisclosurePage] = Kind("disclosure_page", DisclosurePage, in_book=False)
PAGE_OUT: Kind[PageOut] = Kind("disclosure_page_out", PageOut, in_book=False)
