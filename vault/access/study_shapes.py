"""The shapes of what is laid down about research inside the house: studies, the asking for an extract, and what was released of a month.

Field names are those of the bytes kept for years, as in `vault/rulebook/shapes.py`: times in microseconds UTC, ids in hexadecimal.
"""

from typing import Literal

import msgspec

from vault.policy.research import Dimension
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

Form = Literal["table", "extract"]


class DimensionFact(Fact, frozen=True):
    """One field as a study sees it: its steps, or its groups of words by name."""

    name: str
    field: str
    steps: tuple[int, ...] = ()
    groups: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    @property
    def laid(self) -> Dimension:
        """The dimension as the rules of research take it."""
        return Dimension(name=self.name, field=self.field, steps=self.steps, groups=self.groups)


class StudyFact(Fact, frozen=True):
    """A study: a table of numbers, or an extract of rows with pseudonyms, of the people of one record type and for one purpose.

    `id` names this wording of it; it never changes, and one that is ended stays so. In force while `approved_by` is set and `ended_at` not.
    """

    code: str
    id: str
    form: Form
    type: str
    purpose: str
    title: dict[str, str]
    dimensions: tuple[DimensionFact, ...]
    proposed_by: str
    proposed_at: int
    approved_by: str = ""
    approved_at: int | None = None
    ended_by: str = ""
    ended_at: int | None = None

    @property
    def stands(self) -> bool:
        """Whether releases are made of it."""
        return bool(self.approved_by) and self.ended_at is None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields it looks at, in the order of its dimensions."""
        return tuple(each.field for each in self.dimensions)


class ExtractRequestFact(Fact, frozen=True):
    """That a month's extract of a study was asked for, and by whom it was approved or turned down."""

    study: str
    month: str
    requested_by: str
    requested_at: int
    approved_by: str = ""
    approved_at: int | None = None
    turned_down_by: str = ""
    turned_down_at: int | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody approved it nor turned it down."""
        return not self.approved_by and self.turned_down_at is None


class Number(Fact, frozen=True):
    """One number of a table: where it stands (None for a total over that dimension), and how many people, None where it is hidden."""

    at: tuple[int | None, ...]
    people: int | None


class ReleaseFact(Fact, frozen=True):
    """What was released of a study for a month: the numbers of a table, or how many rows an extract had, which themselves lie nowhere.

    `lost` where only the journal knows of it: nothing is released for that month again.
    """

    study: str
    month: str
    released_by: str
    released_at: int
    numbers: tuple[Number, ...] = ()
    rows: int = 0
    lost: bool = False


STUDY: Kind[StudyFact] = Kind("study", StudyFact, in_book=False)
EXTRACT_REQUEST: Kind[ExtractRequestFact] = Kind("study_request", ExtractRequestFact, in_book=False)
RELEASE: Kind[ReleaseFact] = Kind("study_release", ReleaseFact, in_book=False)
