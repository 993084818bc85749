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
    `scan` is the id of its sealed paper, empty while none was handed in.
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


class DisclosureFact(Fact, frozen=True):
    """A disclosure as it was asked for and decided; `key` is the fingerprint it was approved for, `released` how often it went out.

    Revoked, whether it was approved or not, it gives nothing more. `bars` are those of law 16 that its approver found to stand against it,
    None where she said nothing of them.
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


class PaperSeen(Fact, frozen=True):
    """That a person was shown the whole paper of an order, by her own request."""

    order: str
    scan: str
    by: str
    at: int


ORDER: Kind[OrderFact] = Kind("order", OrderFact, in_book=False)
PAPER_SEEN: Kind[PaperSeen] = Kind("order_paper_seen", PaperSeen, in_book=False)
DISCLOSURE: Kind[DisclosureFact] = Kind("disclosure", DisclosureFact, in_book=False)
