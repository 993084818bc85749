"""The fact of an incident: everything decided about it and the digest of every sealed part; what people wrote is in the parts.

Field names are those of the bytes kept for years: a new member gets a default, none changes its meaning. Times in microseconds UTC, ids in
hexadecimal; `note` and `reason` are the numbers of the parts that hold the words.
"""

from typing import Final, Literal

from vault.breach_reports.shapes import Fired, Hold, PartFact
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

State = Literal["suspected", "confirmed", "contained", "remediating", "closed", "ruled_out"]
Moved = Literal["suspected", "confirmed", "contained", "remediating", "closed"]
Track = Literal["authority", "people"]
Act = Literal["awareness", "not_required", "ruled_out"]
Answer = Literal["yes", "no", "unknown"]
TRACKS: Final[tuple[Track, ...]] = ("authority", "people")

# The kinds of parts: what a part holds, and what an entry names as opened.
SUMMARY: Final = "summary"
NOTE: Final = "note"
REASON: Final = "reason"
KINDS: Final = (NOTE, REASON, SUMMARY)
AUTHORITY_NOTICE: Final = "authority_notice"
PEOPLE_NOTICE: Final = "people_notice"


class Aware(Fact, frozen=True):
    """One event of the moment of awareness: how it came to be `to`. `opened` and `linked` are by rule, `corrected` by two people."""

    to: int
    why: Literal["opened", "linked", "corrected"]
    by: str
    at: int
    was: int | None = None
    settled_by: str = ""
    reason: int | None = None


class Step(Fact, frozen=True):
    """One change of state."""

    state: State
    by: str
    at: int
    settled_by: str = ""
    note: int | None = None


class Weight(Fact, frozen=True):
    """One answer to the two questions of weight: is data of a sensitive class touched, are more than a hundred people."""

    sensitive: Answer
    many: Answer
    by: str
    at: int
    note: int | None = None


class Unlinked(Fact, frozen=True):
    """A report that was linked and is no more."""

    report: str
    by: str
    at: int
    reason: int


class Settled(Fact, frozen=True):
    """How a track was settled: filed at `filed_at` under the reference of who took it, or not required; until it was reopened."""

    track: Track
    how: Literal["filed", "not_required"]
    at: int
    by: str
    settled_by: str = ""
    filed_at: int | None = None
    reference: str = ""
    reason: int | None = None
    reopened_at: int | None = None
    reopened_by: str = ""
    reopened_reason: int | None = None


class Proposal(Fact, frozen=True):
    """A deed somebody proposed that takes two people; named by the number of the part that holds its reason.

    `overtaken_by` is who changed what it rested on, so that it waits no more.
    """

    number: int
    act: Act
    by: str
    at: int
    track: Track | None = None
    to: int | None = None
    settled_by: str = ""
    settled_at: int | None = None
    replaced: bool = False
    turned_down_by: str = ""
    turned_down_at: int | None = None
    overtaken_by: str = ""
    overtaken_at: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a second person."""
        return not (self.settled_by or self.replaced or self.turned_down_by or self.overtaken_by)


class AuthorityNotice(Fact, frozen=True):
    """A notice to the authority, named by the number of the part that holds its words; `gaps` are the members it lacks (regulation 24(1)).

    `filed_at` is when the authority's platform took it, by the word of `noted_by`, under `reference`; `reasons` why it was filed with gaps.
    A `supplement` came after another was filed (24(2)).
    """

    part: int
    by: str
    at: int
    gaps: tuple[str, ...] = ()
    filed_at: int | None = None
    noted_by: str = ""
    noted_at: int | None = None
    reference: str = ""
    supplement: bool = False
    reasons: int | None = None


class Sending(Fact, frozen=True):
    """That two people let letters go out to the first so many places of a list: the second one, and when."""

    by: str
    at: int
    people: int


class Leaving(Fact, frozen=True):
    """That somebody proposed to take a person off a list although two people let her letter go; letter and record in hexadecimal."""

    letter: str
    record: str
    by: str
    at: int


class PeopleNotice(Fact, frozen=True):
    """A notice to the people touched, named by the number of the part that holds its words; who they are stands in facts of their own.

    `people` counts the places given on its list, `removed` those taken out again; letters go to the places `sent` covers, the first ones.
    `hands` are those who put people on the list or took them off it, or proposed that, since the last of `sent`. `leaving` are to be taken
    off by a second person; `reconsidered` counts how often that was proposed and how often somebody was put on again instead.
    """

    part: int
    by: str
    at: int
    people: int = 0
    removed: int = 0
    sent: tuple[Sending, ...] = ()
    hands: tuple[str, ...] = ()
    leaving: tuple[Leaving, ...] = ()
    reconsidered: int = 0

    @property
    def list_version(self) -> int:
        """How often its list was changed: who lets letters go out names the list she saw."""
        return self.people + self.removed + self.reconsidered

    @property
    def approved(self) -> int:
        """How many places two people let letters go out to."""
        return self.sent[-1].people if self.sent else 0


class IncidentFact(Fact, frozen=True):
    """One incident as it stands; the first of `awareness` to the last tell how `aware_at` came to be what it is.

    `excluded` are the people ("staff:<hex id>") who see nothing of it: those whom a linked report excludes, and those excluded here;
    `excluded_by` who excluded somebody else. `holds` and `gone` are as those of a report.
    """

    id: str
    reference: str
    state: State
    opened_at: int
    opened_by: str
    aware_at: int
    awareness: tuple[Aware, ...]
    parts: tuple[PartFact, ...] = ()
    aware_confirmed: bool = False
    reports: tuple[str, ...] = ()
    unlinked: tuple[Unlinked, ...] = ()
    steps: tuple[Step, ...] = ()
    weights: tuple[Weight, ...] = ()
    settled: tuple[Settled, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    fired: tuple[Fired, ...] = ()
    excluded: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    notices: tuple[AuthorityNotice, ...] = ()
    people_notices: tuple[PeopleNotice, ...] = ()
    holds: tuple[Hold, ...] = ()
    gone: bool = False


INCIDENT: Kind[IncidentFact] = Kind("incident", IncidentFact, in_book=False)
