"""What is kept about recalls: that a past recipient is to be told of a change, how far it got, and how far the log was followed for it."""

from dataclasses import dataclass
from typing import Final, Literal

from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

OWN: Final = "own"
What = Literal["withdrawal", "correction", "erasure"]
Outcome = Literal["destroyed", "corrected", "kept"]


@dataclass(frozen=True, slots=True)
class Cause:
    """An entry that past recipients are told of: about whom, and what of it they may have been given.

    `before` is the entry up to which giving counts, where that is an older one: a no said through a record that was joined only now.
    """

    number: int
    what: What
    subject: bytes
    record: bytes | None = None
    fields: frozenset[str] = frozenset()
    purpose: str = ""
    recipient: str = ""
    before: int | None = None

    @property
    def below(self) -> int:
        """Below which entry something was given before this."""
        return self.number if self.before is None else self.before


class RecallFact(Fact, frozen=True):
    """One recall: which recipient is told of what about which record; ids in hexadecimal, times in microseconds UTC.

    `fields` are those it was given and is to act upon, `cause` the number of the entry it is told of, `order` the order it was given on,
    `told_at` when its own system took the message. `outcome` is what it says became of the data (`kept` where a law makes it keep them),
    `confirmed_by` whose word that is.
    """

    id: str
    recipient: str
    what: What
    record: str
    fields: tuple[str, ...]
    cause: int
    raised_at: int
    purpose: str = ""
    order: str = ""
    told_at: int | None = None
    outcome: Outcome | None = None
    confirmed_at: int | None = None
    confirmed_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has confirmed it."""
        return self.confirmed_at is None


class FollowFact(Fact, frozen=True):
    """Below which entry every cause of a recall has raised its recalls."""

    through: int


RECALL: Kind[RecallFact] = Kind("recall", RecallFact, in_book=False)
FOLLOW: Kind[FollowFact] = Kind("recalls_followed", FollowFact, in_book=False)
