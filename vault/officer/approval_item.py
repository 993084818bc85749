"""One thing that waits for a second person, as the page of approvals tells it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits: what it says, who made it and when; `yours` where the caller made it or counts as who did.

    `weighed` where its approver is asked what the law sets against it (law 16); `named` is what an approval says it means besides the id,
    `page` where more is told of it, `records` where those of all its pages are, `paper` where its approver has to see the order's own.
    """

    kind: str
    id: str
    by: str
    at: str
    yours: bool
    may_turn_down: bool
    says: list[tuple[str, str]] = field(default_factory=list)
    weighed: bool = False
    named: str = ""
    page: str = ""
    paper: bool = False
    records: str = ""
