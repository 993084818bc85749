"""Evidence of an incident out of the access log: which people and fields did this hand touch between two times (article 8).

Invariants: what is kept is the question, the numbers of the entries, the checkpoint that covers them and how many people they name, never a
copy of a value; saving, reading and proving are entries; an entry that names a case somebody is excluded from is kept from her and told by
one number for the whole log, whatever she asks.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access.audit import first_at
from vault.access.touches import Person, Span, Touched
from vault.access.withholding import count, hidden_from, named_between
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.breach_reports import incidents
from vault.breach_reports.evidence_facts import EVIDENCE, EVIDENCE_PAGE, MOST_PEOPLE, EvidenceFact, EvidencePage, PagePerson, page_key
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.incident_lifecycle import IncidentState
from vault.breach_reports.service import entry_of
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.storage.idempotency import Once, made_before, remember

CREATED: Final = 201
MOST_EVIDENCE: Final = 50
"""Pieces of evidence of one incident."""
KEY: Final = "key:"
SAVED: Final = "incident.evidence-saved"
READ: Final = "incident.evidence-read"
PROVED: Final = "incident.evidence-proved"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: the hand as the log writes it, or an API key by its id ("key:<16 hex digits>"), from one moment on, before another."""

    hand: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Meant:
    """The question as this log has it: the entries between which it is looked for, or the evidence that the same request made before."""

    span: Span
    made: bytes | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into the log found, and the checkpoint it is complete to."""

    span: Span
    touched: Touched
    note: str


@dataclass(frozen=True, slots=True)
class Told:
    """One piece of evidence as its reader may know it: what she may not see is in none of the counts."""

    fact: EvidenceFact
    entries: int
    people: int


@dataclass(frozen=True, slots=True)
class Known:
    """The evidence of an incident, and how many entries of the whole log are kept from the reader."""

    items: list[Told]
    withheld: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of people, the number of the page after it, and what is kept from the reader."""

    people: list[PagePerson]
    next: int | None
    withheld: int


def meant(deed: Deed, errand: Errand, incident: bytes, asked: Asked, *, below: int, once: Once | None) -> Meant:
    """Where the question is looked for, in the log of a size. Raises NotFound, Invalid, IncidentState, and refusals."""
    errand, found = _of(deed, errand, incident)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return Meant(Span("", 0, 0), made)
    _require(asked, deed.now)
    if len(_known(deed, found)) >= MOST_EVIDENCE:
        raise IncidentState
    first, end = first_at(deed, asked.since), min(first_at(deed, asked.until), below)
    return Meant(Span(_hand(deed, errand, asked.hand), first, max(first, end)))


def save(deed: Deed, errand: Errand, incident: bytes, asked: Asked, found: Found, *, once: Once | None) -> Told:
    """Keep what was found, without what the asker may not see. Raises as `meant`."""
    errand, about = _of(deed, errand, incident)
    hidden = hidden_from(deed, errand.asker)
    people = found.touched.without(hidden)
    id_ = os.urandom(16)
    pages = _pages(people)
    fact = EvidenceFact(
        id=id_.hex(),
        incident=incident.hex(),
        by=errand.hand,
        at=deed.now,
        hand=found.span.hand,
        since=asked.since,
        until=asked.until,
        first=found.span.first,
        end=found.span.end,
        note=found.note,
        entries=len({number for one in people.values() for number, _ in one.rows}),
        people=len(people),
        pages=len(pages),
        key=asked.hand.removeprefix(KEY) if asked.hand.startswith(KEY) else "",
        hidden=tuple(each.hex() for each in hidden),
    )
    written = [facts.write(deed, EVIDENCE_PAGE, page_key(fact.id, number), page) for number, page in enumerate(pages)]
    deed.append(_entry(deed, errand, about, SAVED, facts=(facts.write(deed, EVIDENCE, fact.id, fact), *written), count=fact.entries))
    if once is not None:
        remember(deed.transaction, deed.association, once, id_, CREATED)
    return Told(fact, fact.entries, fact.people)


def listed(deed: Deed, errand: Errand, incident: bytes) -> Known:
    """The evidence of an incident, oldest first; the look is an entry. Raises NotFound, and refusals."""
    errand, about = _of(deed, errand, incident)
    hidden = hidden_from(deed, errand.asker)
    told = [_told(deed, one, hidden) for one in _known(deed, about)]
    deed.append(_entry(deed, errand, about, READ, count=len(told)))
    return Known(told, count(deed, hidden))


def one(deed: Deed, errand: Errand, incident: bytes, evidence: bytes) -> Told:
    """One piece of evidence; the look is an entry. Raises NotFound, and refusals."""
    errand, about = _of(deed, errand, incident)
    told = _told(deed, _one(deed, about, evidence), hidden_from(deed, errand.asker))
    deed.append(_entry(deed, errand, about, READ, count=1))
    return told


def people(deed: Deed, errand: Errand, incident: bytes, evidence: bytes, number: int) -> Page:
    """The people of a page that its reader may see; the look is an entry. Raises NotFound, and refusals."""
    errand, about = _of(deed, errand, incident)
    fact = _one(deed, about, evidence)
    hidden = hidden_from(deed, errand.asker)
    seen = _seen(page(deed, fact, number), _dropped(deed, fact, hidden)) if number < fact.pages else []
    deed.append(_entry(deed, errand, about, READ, count=len(seen)))
    return Page(seen, number + 1 if number + 1 < fact.pages else None, count(deed, hidden))


def to_prove(deed: Deed, errand: Errand, incident: bytes, evidence: bytes) -> EvidenceFact:
    """The evidence that is held against the log; the look is an entry. Raises NotFound, and refusals."""
    errand, about = _of(deed, errand, incident)
    fact = _one(deed, about, evidence)
    deed.append(_entry(deed, errand, about, PROVED))
    return fact


def page(deed: Deed, fact: EvidenceFact, number: int) -> EvidencePage:
    """One page of a piece of evidence as it was written. Raises Unavailable `integrity`."""
    return facts.read(deed, EVIDENCE_PAGE, page_key(fact.id, number)) or EvidencePage(people=())


def of_incident(deed: Deed, errand: Errand, found: Incident) -> list[tuple[Told, list[EvidencePage]]]:
    """All evidence of an incident with its pages, as its reader may see them. Raises Unavailable `integrity`."""
    hidden, every = hidden_from(deed, errand.asker), []
    for fact in _known(deed, found):
        dropped = _dropped(deed, fact, hidden)
        pages = [EvidencePage(people=tuple(_seen(page(deed, fact, number), dropped))) for number in range(fact.pages)]
        every.append((_told(deed, fact, hidden), pages))
    return every


def _require(asked: Asked, now: int) -> None:
    wrong = [
        *([FieldError("from", "out-of-range")] if asked.since >= asked.until else []),
        *([FieldError("to", "future-dated")] if asked.until > now else []),
    ]
    if wrong:
        raise Invalid(wrong)


def _hand(deed: Deed, errand: Errand, hand: str) -> str:
    """The hand as the log writes it: of an API key that of its client, since the keys of one client are one hand there."""
    if not hand.startswith(KEY):
        return hand
    client = errand.book(deed).clients.get(hand.removeprefix(KEY))
    if client is None:
        raise Invalid([FieldError("actor", "unknown-key")])
    return f"client:{client.id}"


def _pages(found: Mapping[bytes, Person]) -> list[EvidencePage]:
    every = [
        PagePerson(subject=subject.hex(), record=one.record.hex(), rows=tuple((number, leaf.hex()) for number, leaf in one.rows))
        for subject, one in found.items()
    ]
    return [EvidencePage(people=tuple(every[at : at + MOST_PEOPLE])) for at in range(0, len(every), MOST_PEOPLE)]


def _of(deed: Deed, errand: Errand, incident: bytes) -> tuple[Errand, Incident]:
    errand = errand.still(deed)
    return incidents.seen(deed, errand, incident)


def _known(deed: Deed, found: Incident) -> list[EvidenceFact]:
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, EVIDENCE)
    return sorted((one for one in every.values() if one.incident == found.fact.id), key=lambda one: (one.at, one.id))


def _one(deed: Deed, found: Incident, evidence: bytes) -> EvidenceFact:
    fact = facts.read(deed, EVIDENCE, evidence.hex())
    if fact is None or fact.incident != found.fact.id:
        raise NotFound
    return fact


def _dropped(deed: Deed, fact: EvidenceFact, hidden: tuple[bytes, ...]) -> frozenset[int]:
    """The entries of this evidence that name a case kept from the reader, and not from who saved it."""
    more = tuple(each for each in hidden if each.hex() not in fact.hidden)
    return named_between(deed, more, fact.first, fact.end)


def _seen(found: EvidencePage, dropped: frozenset[int]) -> list[PagePerson]:
    kept = [msgspec.structs.replace(each, rows=tuple(row for row in each.rows if row[0] not in dropped)) for each in found.people]
    return [each for each in kept if each.rows]


def _told(deed: Deed, fact: EvidenceFact, hidden: tuple[bytes, ...]) -> Told:
    dropped = _dropped(deed, fact, hidden)
    if not dropped:
        return Told(fact, fact.entries, fact.people)
    seen = [each for number in range(fact.pages) for each in _seen(page(deed, fact, number), dropped)]
    return Told(fact, len({number for each in seen for number in each.numbers}), len(seen))


def _entry(deed: Deed, errand: Errand, found: Incident, kind: str, **members: object) -> Entry:
    return entry_of(errand, deed, kind, law=True, about=found.about, basis="law", flags=errand.asker.flags, **members)
