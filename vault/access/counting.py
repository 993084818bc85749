"""Looks at the people a study is about, page by page: a verdict and an entry for each before a cell of hers opens, and only bands are kept.

Invariants: nobody is counted twice, however many records or sheets are hers; who is left out is named by an entry with the reason; whatever
was written about somebody after she was looked at is heeded before she is told of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from keys.container import Sealed
from vault.access.door import give_out, take_sealed
from vault.access.leaving_out import tell_left_out
from vault.access.study_shapes import StudyFact
from vault.access.verdicts import Asked, Judged, Weighed, enter, weigh
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.errors import Unavailable
from vault.policy.facts import INTERNAL
from vault.records.values.bands import band_of
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.subjects import people, tables
from vault.subjects.people import Known
from vault.web.times import RIYADH, moment

LOOKED_AT: Final = "research"
AT_ONCE: Final = 500
Cell = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was decided, still sealed: whom each verdict is about, and the record after which the next page begins."""

    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    persons: Sequence[bytes]
    seen: frozenset[bytes]
    kinds: Sequence[str]
    at: int
    next: bytes | None


@dataclass(slots=True)
class Counted:
    """Who was looked at so far, by person: the record, her sheet's own id, and the bands her values lie in."""

    people: dict[bytes, tuple[bytes, bytes, Cell]] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)


def page(deed: Deed, errand: Errand, study: StudyFact, counted: Counted, after: bytes) -> Page:
    """Decide one page and append its entries, one for each person who is looked at."""
    book = errand.book(deed)
    records = _records(deed, study, after)
    weighed: list[tuple[Weighed, Known]] = []
    for record, known in (people.of_records(deed, records) if records else {}).items():
        if not isinstance(known, Known):
            # A count that leaves somebody out in silence would be wrong.
            raise Unavailable("integrity")
        if not counted.seen & set(_sheets(known)):
            weighed.append((_weigh(deed, errand, study, record, known), known))
    judged, persons, seen = [], [], set[bytes]()
    for one, known in weighed:
        # Somebody with two records, or two sheets, is one person.
        if one.verdict.allowed and known.subject not in seen:
            sheets = _sheets(known)
            seen.update(sheets)
            judged.append(enter(deed, errand, one))
            persons.append(min(sheets))
    tell_left_out(deed, errand, [one for one, _ in weighed if not one.verdict.allowed], INTERNAL)
    sealed = take_sealed(deed, book, judged)
    last = records[-1] if len(records) == AT_ONCE else None
    found = [sealed[number] for number in range(len(judged))]
    return Page(judged, found, persons, frozenset(seen), _kinds(book, study), deed.now, last)


def _weigh(deed: Deed, errand: Errand, study: StudyFact, record: bytes, known: Known) -> Weighed:
    return weigh(deed, errand, Asked(record, "use", study.purpose, study.fields, INTERNAL, LOOKED_AT), known)


def _sheets(known: Known) -> list[bytes]:
    """The ids of all sheets of a person, the one she was found by first."""
    return [known.subject, *(bytes.fromhex(one) for one in (known.sheet.others if known.sheet is not None else ()))]


def _kinds(book: Book, study: StudyFact) -> list[str]:
    """The kind of each field, in the order of the dimensions."""
    kinds = {one.name: one.kind for one in book.types[study.type].fields}
    return [kinds[name] for name in study.fields]


def look(page: Page, study: StudyFact, counted: Counted) -> None:
    """Look at everybody on the page through the door, once, and keep of her the bands her values lie in."""
    today = moment(page.at).astimezone(RIYADH).date()
    counted.seen |= page.seen
    laid = [(each.laid, kind) for each, kind in zip(study.dimensions, page.kinds, strict=True)]
    for judged, sealed, person in zip(page.judged, page.sealed, page.persons, strict=True):
        values = give_out(judged, sealed)
        cell = tuple(band_of(dimension, kind, values.get(dimension.field), today) for dimension, kind in laid)
        counted.people[person] = (judged.asked.record, judged.subject, cell)


def gone_since(deed: Deed, errand: Errand, study: StudyFact, counted: Counted, size: int) -> set[bytes]:
    """Whose verdict is a no by now among those about whom something was written since the build began; told to the log."""
    gone: set[bytes] = set()
    left_out: list[Weighed] = []
    everybody = {subject: (record, person) for person, (record, subject, _) in counted.people.items()}
    for some in _by_the_page(list(everybody)):
        asked = dict(everybody[subject] for subject in _changed(deed, some, size))
        for record, known in (people.of_records(deed, list(asked)) if asked else {}).items():
            if isinstance(known, Unavailable):
                raise known
            if not isinstance(known, Known):
                gone.add(asked[record])
                continue
            weighed = _weigh(deed, errand, study, record, known)
            # Two who were found to be one person are counted once.
            twice = {everybody[one][1] for one in _sheets(known) if one in everybody} - {asked[record], *gone}
            if not weighed.verdict.allowed or twice:
                gone.add(asked[record])
                left_out += [] if weighed.verdict.allowed else [weighed]
    tell_left_out(deed, errand, left_out, INTERNAL)
    return gone


def _changed(deed: Deed, subjects: Sequence[bytes], since: int) -> list[bytes]:
    """Those of these people about whom an entry from this number on wrote something."""
    place = log_tables.subject.c
    newer = (place.association_id == deed.association, place.subject.in_(subjects), place.number >= since, place.version.is_not(None))
    return [bytes(one) for one in deed.transaction.connection.execute(select(place.subject).where(*newer).distinct()).scalars()]


def _by_the_page(subjects: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [subjects[at : at + AT_ONCE] for at in range(0, len(subjects), AT_ONCE)]


def _records(deed: Deed, study: StudyFact, after: bytes) -> list[bytes]:
    """The next records, in the order of their random ids."""
    place = tables.record
    query = select(place.c.record).where(place.c.association_id == deed.association, place.c.type == study.type, place.c.record > after)
    return [bytes(one) for one in deed.transaction.connection.execute(query.order_by(place.c.record).limit(AT_ONCE)).scalars()]
