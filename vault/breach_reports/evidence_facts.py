"""The facts of evidence from the access log: the question, how many entries and people answer it, and which, by their references.

Field names are those of the bytes kept for years: a new member gets a default, none changes its meaning. Times in microseconds UTC, ids in
hexadecimal. No value and no field of a value stands in them: these are read from the log's own entries, as often as somebody asks.
"""

from typing import Final

from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

MOST_PEOPLE: Final = 500
"""People of one page."""


class EvidenceFact(Fact, frozen=True):
    """One piece of evidence of an incident: who asked when, the hand asked about, from when on and before when.

    `first` and `end` are the numbers between which the entries lie, `note` the signed checkpoint that covers them. `key` is the API key the
    hand was asked for by, where it was. `hidden` are the cases that were kept from who asked: entries that name one are not among these.
    """

    id: str
    incident: str
    by: str
    at: int
    hand: str
    since: int
    until: int
    first: int
    end: int
    note: str
    entries: int
    people: int
    pages: int
    key: str = ""
    hidden: tuple[str, ...] = ()


class PagePerson(Fact, frozen=True):
    """One person: her id, a record she was touched through ("" where no entry names one), the entries by number and leaf hash."""

    subject: str
    record: str
    rows: tuple[tuple[int, str], ...]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the entries, ascending."""
        return [number for number, _ in self.rows]


class EvidencePage(Fact, frozen=True):
    """The people of one page, ordered by id."""

    people: tuple[PagePerson, ...]


EVIDENCE: Kind[EvidenceFact] = Kind("incident_evidence", EvidenceFact, in_book=False)
EVIDENCE_PAGE: Kind[EvidencePage] = Kind("incident_evidence_page", EvidencePage, in_book=False)


def page_key(evidence: str, number: int) -> str:
    """The key of a page, counted from 0."""
    return f"{evidence}-{number}"


def empty(deed: Deed, incident: bytes) -> list[WrittenFact]:
    """Empty the evidence of an incident that is destroyed: what stays names no hand and nobody whom it touched.

    Returns what the entries of the destruction name. Evidence that does not hold opens for nobody and is left as it lies.
    """
    every = facts.holding(deed.transaction.connection, deed.cabinet, deed.association, EVIDENCE)
    written: list[WrittenFact] = []
    for id_, one in sorted(every.items()):
        if one.incident == incident.hex():
            written += [facts.write(deed, EVIDENCE_PAGE, page_key(id_, number), EvidencePage(people=())) for number in range(one.pages)]
            bare = EvidenceFact(
                id=id_,
                incident=one.incident,
                by="",
                at=one.at,
                hand="",
                since=0,
                until=0,
                first=0,
                end=0,
                note="",
                entries=0,
                people=0,
                pages=0,
            )
            written.append(facts.write(deed, EVIDENCE, id_, bare))
    return written
