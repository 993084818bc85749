"""Studies and extracts that wait, on the page of approvals: what is looked at, how and for what; approved and turned down as the calls do.

Invariants: who approves a study approves the wording that was shown; an approval of an extract is of one study and one month.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vault.access import extracts, studies
from vault.access.approving import Approver
from vault.access.research_api import month_in
from vault.access.studies import release_key
from vault.access.study_shapes import DimensionFact, ExtractRequestFact, StudyFact
from vault.access_log.deed import Deed
from vault.errors import NotFound
from vault.identity.callers import Caller
from vault.officer.approval_item import Item
from vault.officer.frame import Speaker, left_to_right
from vault.policy.research import OTHER, UNKNOWN, bands
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person

KINDS: Final = ("study", "extract")
OURS: Final = frozenset({OTHER, UNKNOWN})
"""The bands that every dimension has, whatever was declared."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Puts what waits into words, for one reader."""

    book: Book
    caller: Caller
    say: Speaker

    def study(self, fact: StudyFact) -> Item:
        """A study, as the call shows it: everything its wording lays down."""
        says = [*self._of(fact), ("form", self.say.word(f"form_{fact.form}"))]
        says += [each for one in fact.dimensions for each in self._dimension(one)]
        return self._item("study", fact, fact.code, (fact.proposed_by, fact.proposed_at), says)

    def extract(self, fact: StudyFact, asked: ExtractRequestFact) -> Item:
        """A month's extract of a study that stands: of whom, and what its rows will tell."""
        says = [*self._of(fact), ("month", left_to_right(asked.month))]
        says += [each for one in fact.dimensions for each in self._dimension(one)]
        named = release_key(fact.code, asked.month)
        return self._item("extract", fact, named, (asked.requested_by, asked.requested_at), says)

    def _of(self, fact: StudyFact) -> Iterator[tuple[str, str]]:
        yield "study", f"{fact.title.get(self.say.language, fact.code)} ({left_to_right(fact.code)})"
        yield "purpose", self.say.purpose(fact.purpose)
        yield "type", left_to_right(fact.type)
        yield "fields", self.say.fields(fact.fields)

    def _dimension(self, one: DimensionFact) -> Iterator[tuple[str, str]]:
        """A field with its bands, and below it each group with its words."""
        names = self.say.joined(map(self._band, bands(one.laid)))
        yield "dimension", f"{self.say.field(one.field)} ({left_to_right(one.name)}): {names}"
        for group, words in one.groups.items():
            yield "group", f"{left_to_right(group)}: {self.say.joined(words)}"

    def _band(self, name: str) -> str:
        return self.say.word(f"band_{name}") if name in OURS else left_to_right(name)

    def _item(self, kind: str, fact: StudyFact, named: str, one: tuple[str, int], says: list[tuple[str, str]]) -> Item:
        by, at = one
        yours = same_person(self.book, by, self.caller.ref)
        return Item(kind, self.say.id(fact.id), self.say.actor(by), self.say.time(at), yours, may_turn_down=True, says=says, named=named)


def approve(deed: Deed, approver: Approver, kind: str, wording: bytes, named: str) -> None:
    """Approve the study or the extract that was shown, as the call does. Raises NotFound for what no form of ours names, and as it does."""
    if kind == "study":
        studies.approve(deed, approver, named, wording)
    else:
        extracts.approve(deed, approver, *_extract(deed, wording, named))


def turn_down(deed: Deed, errand: Errand, kind: str, wording: bytes, named: str) -> None:
    """Turn down the study or the extract that was shown, as the call does. Raises as `approve` does."""
    if kind == "study":
        studies.turn_down(deed, errand, named, wording)
    else:
        extracts.turn_down(deed, errand, *_extract(deed, wording, named))


def _extract(deed: Deed, wording: bytes, named: str) -> tuple[str, str]:
    """The study's code and the month of an extract as the form names them."""
    code, _, month = named.partition(":")
    if studies.of(deed, code).id != wording.hex():
        raise NotFound
    return code, month_in(month)
