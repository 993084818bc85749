"""What is kept about referrals: of which record, to whom, for which service, and each word of the partner's, its own or noted for it."""

from typing import Literal

from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

Reply = Literal["accepted", "refused"]
Result = Literal["served", "not-served"]
Way = Literal["phone", "letter", "email", "visit"]
"""How a partner without a system of its own says its word; who said it there is nobody's name here."""
State = Literal["offered", "accepted", "refused", "outcome", "ended"]
Service = Literal["housing", "food", "health", "education", "employment", "finance", "legal", "family", "disability", "relief", "other"]
"""For what somebody is referred: a closed list, since in whatever may be typed a name or number of hers could stand."""


class Note(Fact, frozen=True):
    """A word of the partner's as an officer noted it: what it said and how, when it said so, and who noted that when."""

    word: Reply | Result
    way: Way
    said_at: int
    by: str
    at: int


class ReferralFact(Fact, frozen=True):
    """A referral: of which record, to whom, for which service, and how far it got; ids in hexadecimal, times in microseconds UTC.

    `id` is the reference the partner knows it by: random, and of nothing else. `disclosure` is what its data left on, empty where it tells
    only that somebody is referred. `cause` is the number of the entry that ended it. `notes` are words an officer noted for the partner;
    what is in none of them is the word of the partner's own system.
    """

    id: str
    record: str
    recipient: str
    purpose: str
    service: Service
    offered_by: str
    offered_at: int
    disclosure: str = ""
    reply: Reply | None = None
    answered_by: str = ""
    answered_at: int | None = None
    outcome: Result | None = None
    outcome_at: int | None = None
    ended_at: int | None = None
    cause: int | None = None
    notes: tuple[Note, ...] = ()

    @property
    def state(self) -> State:
        """`offered`, `accepted`, `refused`, `outcome` once the partner said what came of it, `ended` once it was taken from the partner."""
        if self.ended_at is not None:
            return "ended"
        return "outcome" if self.outcome is not None else self.reply or "offered"


REFERRAL: Kind[ReferralFact] = Kind("referral", ReferralFact, in_book=False)
