"""Releases of studies: people are looked at page by page, each with verdict and entry before a cell of hers opens, then told of together.

Invariants: a study and a month have one release, written in one deed, and whoever asks again gets that one and no second count; who
withdrew, died, is restricted or is to be erased by the moment of that deed is not in it; it goes to nobody outside the house, whatever was
signed; an extract is approved by another person than asked for it, is given once and lies nowhere. Sources: article 6.3; law 27; ADR 0087.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import select

from keys.container import Sealed
from keys.pseudonyms import Pseudonyms
from vault.access import extracts, studies
from vault.access.door import give_out, take_sealed
from vault.access.hiding import At, shown, withheld
from vault.access.leaving_out import tell_left_out
from vault.access.studies import release_key
from vault.access.study_shapes import RELEASE, Number, ReleaseFact, StudyFact
from vault.access.verdicts import Asked, Judged, Weighed, enter, weigh
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed, EntryRefusal
from vault.errors import Conflict, NotFound, Unavailable
from vault.policy.decide import barred, cites
from vault.policy.facts import INTERNAL, Purpose, Question, Supersession
from vault.policy.research import bands
from vault.records.values.bands import band_of
from vault.rulebook import facts, study_keys
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.storage.journal import Closing
from vault.subjects import people, tables
from vault.subjects.people import Known
from vault.web.times import RIYADH, moment

LOOKED_AT: Final = "research"
RELEASED: Final = "research.released"
READ: Final = "research.read"
AT_ONCE: Final = 500
Cell = tuple[int, ...]
_Rules = tuple[Purpose | None, Mapping[str, tuple[Supersession, ...]]]


@dataclass(frozen=True, slots=True)
class Released:
    """A month of a study as it is given: the release, the study, and for an extract its rows, each a pseudonym and a band by dimension."""

    release: ReleaseFact
    study: StudyFact
    rows: Sequence[tuple[str, Cell]] = ()


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a build goes by: the study, the month, how long the log was when it began, and the rules everybody is judged by."""

    study: StudyFact
    month: str
    size: int
    rules: _Rules


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as it was decided, still sealed: whom each verdict is about, and the record after which the next page begins."""

    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]
    persons: Sequence[bytes]
    seen: frozenset[bytes]
    kinds: Sequence[str]
    at: int
    next: bytes | None


@dataclass(slots=True)
class _Counted:
    """Who was looked at so far, by person: the record, her sheet's own id, and the bands her values lie in."""

    people: dict[bytes, tuple[bytes, bytes, Cell]] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Releasing:
    """What a committed release rests on; the rows of an extract are made after the commit."""

    release: ReleaseFact
    study: StudyFact
    kept: Sequence[tuple[bytes, Cell]] = ()
    pseudonyms: Pseudonyms | None = None

    def given(self) -> Released:
        """The release with its rows, in the order of the pseudonyms, which tells nothing."""
        names = self.pseudonyms
        rows = [] if names is None else sorted((names.of(person), cell) for person, cell in self.kept)
        return Released(self.release, self.study, rows)


async def release(errand: Errand, code: str, recipient: str) -> Released:
    """The release of a study for the present month, made now where there is none.

    Raises NotFound, Conflict (`study-ended`, `study-outdated`, `study-overlaps`, `release-given`, `release-lost`, `month-over`,
    `release-stale`, and as `extracts.require_approved`), a refusal `purpose-internal-only` with its entry for whoever is or names somebody
    outside, others for who may ask about nobody, Unavailable.
    """
    run = errand.asker.association.run
    begun = await run(lambda deed: _begin(deed, errand, code, recipient))
    if isinstance(begun, Released):
        return begun
    counted, after = _Counted(), b""
    while True:
        page = await run(partial(_page, errand=errand, begun=begun, counted=counted, after=after), weight=AT_ONCE)
        # `run` answers after the commit, so the receipts may be given out.
        await asyncio.to_thread(_open, page, begun.study, counted)
        if page.next is None:
            break
        after = page.next
    made = await run(lambda deed: _finish(deed, errand, begun, counted), weight=AT_ONCE)
    return made if isinstance(made, Released) else await asyncio.to_thread(made.given)


def read(deed: Deed, errand: Errand, code: str, month: str) -> Released:
    """What was released of a table for a month; the look is an entry.

    Raises NotFound where nothing was, Conflict `release-given` for an extract, `release-lost`, and refusals as `release` does.
    """
    errand = errand.still(deed)
    study = studies.of(deed, code)
    _require_inside(deed, errand, study, INTERNAL)
    found = _standing(deed, errand, study, month)
    if found is None:
        raise NotFound
    return found


def month_of(now: int) -> str:
    """The month of Riyadh, as `2026-11`."""
    return moment(now).astimezone(RIYADH).strftime("%Y-%m")


def _begin(deed: Deed, errand: Errand, code: str, recipient: str) -> "_Begun | Released":
    errand = errand.still(deed)
    study, month = studies.of(deed, code), month_of(deed.now)
    _require_inside(deed, errand, study, recipient)
    found = _standing(deed, errand, study, month)
    if found is not None:
        return found
    _require_releasable(deed, errand, study, month)
    return _Begun(study, month, deed.size, _rules(errand.book(deed), study))


def _require_releasable(deed: Deed, errand: Errand, study: StudyFact, month: str) -> None:
    """Raise Conflict or a refusal where nothing can be released of the study in this month."""
    if not study.stands:
        raise Conflict("study-ended" if study.ended_at is not None else "not-approved")
    studies.require_sound(errand.book(deed), study)
    studies.require_unshared(deed, study, month)
    if study.form == "extract":
        extracts.require_approved(deed, errand, study, month)


def _standing(deed: Deed, errand: Errand, study: StudyFact, month: str) -> Released | None:
    """The month's release where there is one, with the entry that it was looked at; what was given once is not given again."""
    found = facts.read(deed, RELEASE, release_key(study.code, month))
    if found is None:
        return None
    if found.lost:
        raise Conflict("release-lost")
    if study.form == "extract":
        raise Conflict("release-given")
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", purpose=study.purpose, fields=tuple(sorted(study.fields))))
    return Released(found, study)


def _require_inside(deed: Deed, errand: Errand, study: StudyFact, recipient: str) -> None:
    """Refuse, once and before anybody is looked at, whoever is outside or asks for somebody who is, and who may ask about nobody at all."""
    book, caller = errand.book(deed), errand.asker.asker
    rules = book.rules.get(study.type)
    if rules is None:
        raise Conflict("study-outdated")
    question = Question("use", study.purpose, INTERNAL, frozenset(study.fields), deed.now)
    reason, cited = "", None
    if caller.party != INTERNAL or recipient != INTERNAL:
        # What they signed and what the purpose says by now is not asked: it never leaves (article 6.3).
        reason = "PURPOSE_INTERNAL_ONLY"
    elif (verdict := barred(question, rules, caller)) is not None:
        reason, cited = verdict.reason, (verdict.article, verdict.law)
    elif caller.only_assigned:
        # A count of the few who are assigned to her would be the month's count.
        reason = "OUT_OF_SCOPE"
    if reason:
        article, law = cited or cites(question, rules, reason)
        named = recipient if recipient == INTERNAL or recipient in book.recipients else None
        told = errand.entry(
            kind=RELEASED,
            outcome="refuse",
            purpose=study.purpose if study.purpose in rules.purposes else None,
            recipient=caller.party if recipient == INTERNAL else named,
            fields=tuple(sorted(study.fields)),
            basis="none",
            reason=reason,
            article=article,
            law=law or None,
        )
        raise EntryRefusal(told)


def _page(deed: Deed, errand: Errand, begun: _Begun, counted: _Counted, after: bytes) -> _Page:
    """Decide one page and append its entries, one for each person who is looked at."""
    errand = errand.still(deed)
    book, study = errand.book(deed), studies.of(deed, begun.study.code)
    _require_releasable(deed, errand, study, begun.month)
    records = _records(deed, study, after)
    weighed: list[tuple[Weighed, Known]] = []
    for record, known in (people.of_records(deed, records) if records else {}).items():
        if not isinstance(known, Known):
            # A count that leaves somebody out in silence would be wrong.
            raise Unavailable("integrity")
        if known.subject not in counted.seen:
            weighed.append((_weigh(deed, errand, study, record, known), known))
    judged, persons, seen = [], [], set[bytes]()
    for one, known in weighed:
        # Somebody with two records, or two sheets, is one person.
        if one.verdict.allowed and known.subject not in seen:
            sheets = [known.subject, *_others(known)]
            seen.update(sheets)
            judged.append(enter(deed, errand, one))
            persons.append(min(sheets))
    tell_left_out(deed, errand, [one for one, _ in weighed if not one.verdict.allowed], INTERNAL)
    sealed = take_sealed(deed, book, judged)
    last = records[-1] if len(records) == AT_ONCE else None
    found = [sealed[number] for number in range(len(judged))]
    return _Page(judged, found, persons, frozenset(seen), _kinds(book, study), deed.now, last)


def _weigh(deed: Deed, errand: Errand, study: StudyFact, record: bytes, known: Known) -> Weighed:
    return weigh(deed, errand, Asked(record, "use", study.purpose, study.fields, INTERNAL, LOOKED_AT), known)


def _others(known: Known) -> list[bytes]:
    return [bytes.fromhex(one) for one in known.sheet.others] if known.sheet is not None else []


def _rules(book: Book, study: StudyFact) -> _Rules:
    """What of the rulebook a verdict on anybody rests on: the purpose, and which notices were replaced."""
    rules = book.rules[study.type]
    return rules.purposes.get(study.purpose), rules.superseded


def _kinds(book: Book, study: StudyFact) -> list[str]:
    """The kind of each field, in the order of the dimensions."""
    kinds = {one.name: one.kind for one in book.types[study.type].fields}
    return [kinds[name] for name in study.fields]


def _open(page: _Page, study: StudyFact, counted: _Counted) -> None:
    """Look at everybody on the page through the door, once, and keep of her the bands her values lie in."""
    today = moment(page.at).astimezone(RIYADH).date()
    counted.seen |= page.seen
    laid = [(each.laid, kind) for each, kind in zip(study.dimensions, page.kinds, strict=True)]
    for judged, sealed, person in zip(page.judged, page.sealed, page.persons, strict=True):
        values = give_out(judged, sealed)
        cell = tuple(band_of(dimension, kind, values.get(dimension.field), today) for dimension, kind in laid)
        counted.people[person] = (judged.asked.record, judged.subject, cell)


def _finish(deed: Deed, errand: Errand, begun: _Begun, counted: _Counted) -> "_Releasing | Released":
    """Write the release, without those about whom the answer is no by now; the month's release where another wrote it meanwhile."""
    errand = errand.still(deed)
    study = studies.of(deed, begun.study.code)
    if month_of(deed.now) != begun.month:
        raise Conflict("month-over")
    found = _standing(deed, errand, study, begun.month)
    if found is not None:
        return found
    _require_releasable(deed, errand, study, begun.month)
    _require_inside(deed, errand, study, INTERNAL)
    if _rules(errand.book(deed), study) != begun.rules:
        # Another purpose or notice than everybody was judged by.
        raise Conflict("release-stale")
    gone = _gone(deed, errand, begun, counted)
    kept = [(person, cell) for person, (_, _, cell) in counted.people.items() if person not in gone]
    by: dict[str, Any] = {"study": study.code, "month": begun.month, "released_by": errand.asker.ref, "released_at": deed.now}
    names = None
    if study.form == "table":
        release = ReleaseFact(**by, numbers=_numbers(study, [cell for _, cell in kept], _hidden_before(deed, study, begun.month)))
    else:
        out = withheld(Counter(cell for _, cell in kept))
        kept = [(person, cell) for person, cell in kept if cell not in out]
        names, release = study_keys.pseudonyms(deed, bytes.fromhex(study.id)), ReleaseFact(**by, rows=len(kept))
    told = errand.entry(
        kind=RELEASED,
        outcome="allow",
        purpose=study.purpose,
        recipient=INTERNAL,
        fields=tuple(sorted(study.fields)),
        basis="law",
        facts=(facts.write(deed, RELEASE, release_key(study.code, begun.month), release),),
        count=len(counted.people) - len(gone),
    )
    deed.append(told, closes=Closing(studies.RELEASED, study.code, begun.month))
    return _Releasing(release, study, kept, names)


def _gone(deed: Deed, errand: Errand, begun: _Begun, counted: _Counted) -> set[bytes]:
    """Whose verdict is a no by now among those about whom something was written since the build began; told to the log."""
    gone: set[bytes] = set()
    left_out: list[Weighed] = []
    everybody = {subject: (record, person) for person, (record, subject, _) in counted.people.items()}
    for some in _by_the_page(list(everybody)):
        asked = dict(everybody[subject] for subject in _changed(deed, some, begun.size))
        for record, known in (people.of_records(deed, list(asked)) if asked else {}).items():
            if isinstance(known, Unavailable):
                raise known
            weighed = _weigh(deed, errand, begun.study, record, known) if isinstance(known, Known) else None
            if weighed is None or not weighed.verdict.allowed:
                gone.add(asked[record])
                left_out += [] if weighed is None else [weighed]
    tell_left_out(deed, errand, left_out, INTERNAL)
    return gone


def _changed(deed: Deed, subjects: Sequence[bytes], since: int) -> list[bytes]:
    """Those of these people about whom an entry from this number on wrote something."""
    place = log_tables.subject.c
    newer = (place.association_id == deed.association, place.subject.in_(subjects), place.number >= since, place.version.is_not(None))
    return [bytes(one) for one in deed.transaction.connection.execute(select(place.subject).where(*newer).distinct()).scalars()]


def _by_the_page(subjects: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [subjects[at : at + AT_ONCE] for at in range(0, len(subjects), AT_ONCE)]


def _hidden_before(deed: Deed, study: StudyFact, month: str) -> list[At]:
    """What the month before hid of a table."""
    year, number = map(int, month.split("-"))
    last = f"{year}-{number - 1:02}" if number > 1 else f"{year - 1}-12"
    found = facts.read(deed, RELEASE, release_key(study.code, last))
    return [one.at for one in found.numbers if one.people is None] if found is not None else []


def _numbers(study: StudyFact, cells: Sequence[Cell], before: Sequence[At]) -> tuple[Number, ...]:
    sizes = [len(bands(each.laid)) for each in study.dimensions]
    return tuple(Number(at=at, people=people_) for at, people_ in shown(Counter(cells), sizes, before).items())


def _records(deed: Deed, study: StudyFact, after: bytes) -> list[bytes]:
    """The next records, in the order of their random ids."""
    place = tables.record
    query = select(place.c.record).where(place.c.association_id == deed.association, place.c.type == study.type, place.c.record > after)
    return [bytes(one) for one in deed.transaction.connection.execute(query.order_by(place.c.record).limit(AT_ONCE)).scalars()]
