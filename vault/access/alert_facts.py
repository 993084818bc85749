"""What is kept about alerts: each alert, the declared thresholds and those proposed, and how far the log was looked through; all sealed.

Invariant: what lies in the clear does not tell which rule fired, on what or about whom: else a copy of the database would tell which
records are canaries. So the facts are padded to one size, and the entries that write them name neither rule nor person.
"""

from typing import Final, Literal, TypeVar

import msgspec

from vault.access.detection import HOUR, DetectionFact, Rule
from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.rulebook.working_days import DETECTION_NAME

OWN: Final = "own"
PAGE: Final = 1024
"""The stored size of a fact is a multiple of so many bytes, and a few for the seal."""

BROKEN_REVIEWED_WITHIN: Final = 48 * HOUR
Reason = Literal["explained", "mistaken", "misuse", "test"]
State = Literal["unreviewed", "reviewed"]


class Padded(Fact, frozen=True):
    """A fact whose size tells little."""

    padding: str = ""


class AlertFact(Padded, frozen=True, kw_only=True):
    """One alert: the rule, whose deeds (as the log names her), the numbers of the entries it rests on, and what became of it."""

    rule: Rule
    hand: str
    indexes: tuple[int, ...]
    limit: int
    raised_at: int
    state: State = "unreviewed"
    reason: Reason | None = None
    reviewed_by: str = ""
    reviewed_at: int = 0

    @property
    def review_by(self) -> int | None:
        """By when somebody must have looked into it, in microseconds UTC; None under the rules that set no time."""
        return self.raised_at + BROKEN_REVIEWED_WITHIN if self.rule == "break_glass" else None

    def is_overdue(self, now: int) -> bool:
        """Whether its review was due and nobody made it."""
        return self.state == "unreviewed" and self.review_by is not None and self.review_by <= now


class DeclaredFact(Padded, frozen=True, kw_only=True):
    """The thresholds in force."""

    rules: DetectionFact
    approved_by: str = ""


class DetectionProposal(Padded, frozen=True, kw_only=True):
    """Thresholds as one person proposed them; `id` names this wording, so that an approval is of what was seen."""

    id: str
    rules: DetectionFact
    proposed_by: str
    proposed_at: int
    state: Literal["proposed", "approved"] = "proposed"
    settled_by: str = ""


class WatchFact(Fact, frozen=True):
    """How far the log was looked through: every entry before number `through` was, and what it made fire is an alert."""

    through: int


ALERT: Kind[AlertFact] = Kind("alert", AlertFact, in_book=False)
DETECTION: Kind[DeclaredFact] = Kind(DETECTION_NAME, DeclaredFact, in_book=False)
DETECTION_PROPOSAL: Kind[DetectionProposal] = Kind("detection_proposal", DetectionProposal, in_book=False)
WATCH: Kind[WatchFact] = Kind("alert_watch", WatchFact, in_book=False)

P = TypeVar("P", AlertFact, DeclaredFact, DetectionProposal)


def padded(fact: P) -> P:
    """The same fact, padded to a multiple of `PAGE` bytes."""
    one = msgspec.structs.replace(fact, padding=" ")
    return msgspec.structs.replace(one, padding=" " * (1 + -len(msgspec.json.encode(one)) % PAGE))


def in_force(deed: Deed) -> DetectionFact:
    """The thresholds in force: those declared, else the usual ones. Raises Unavailable `integrity`."""
    found = facts.read(deed, DETECTION, OWN)
    return DetectionFact() if found is None else found.rules
