"""Who approves what another person made, with which code, in the rooms that `identity` stands beside (promise 9).

Invariant: nobody approves what she made herself or what was made by somebody whose account she made, and that refusal is an entry.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import WrittenFact
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.two_people import same_person


class Approval(Protocol):
    """What an approved deed's entry must carry."""

    @property
    def facts(self) -> tuple[WrittenFact, ...]:
        """The step a one-time code used up."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flag of a ceremony account."""


class Factor(Protocol):
    """The second factor of people, which `identity` keeps and the roof hands in."""

    def approve(self, deed: Deed, caller: Any, code: str | None, *, kind: str) -> Approval:  # noqa: ANN401 - identity's own caller
        """Let a person's deed through by a code of its own or in a session stepped up by one. Raises a refusal `step-up-required`."""


@dataclass(frozen=True, slots=True)
class Second:
    """A signed-in person about to approve; `code` is a one-time code of her own, None in a session stepped up by one."""

    asker: Asker
    request: str
    code: str | None
    factor: Factor

    @property
    def errand(self) -> Errand:
        """What she does it for."""
        return Errand(self.asker, self.request)

    def still(self, deed: Deed) -> "Second":
        """The same person as the rulebook inside this deed knows her. Raises Unauthenticated where she is no more."""
        return replace(self, asker=self.asker.still(deed))

    def approve(self, deed: Deed, maker: str, kind: str) -> Approval:
        """Let her approve what `maker` made; call it last. Raises refusals `same-person` and `step-up-required`, TooMany."""
        book = self.errand.book(deed)
        if same_person(book, maker, self.asker.ref):
            article, flags = f"{book.association.pack}:7", self.asker.flags
            raise EntryRefusal(self.errand.entry(kind=kind, outcome="refuse", reason="SAME_PERSON", article=article, flags=flags))
        return self.factor.approve(deed, self.asker, self.code, kind=kind)
