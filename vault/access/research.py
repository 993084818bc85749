"""Releases of studies: people are looked at page by page, each with verdict and entry before a cell of hers opens, then told of together.

Invariants: a study and a month have one release, written in one deed, and whoever asks again gets that one and no second count; who
withdrew, died, is restricted or is to be erased by the moment of that deed is not in it; it goes to nobody outside the house, whatever was
signed; an extract is approved by another person than asked for it, is given once and lies nowhere. Sources: article 6.3; law 27; ADR 0087.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from keys.pseudonyms import Pseudonyms
from vault.access import counting, extracts, studies
from vault.access.counting import Cell, Counted, Page
from vault.access.hiding import At, shown, withheld
from vault.access.studies import release_key
from vault.access.study_shapes import RELEASE, Number, ReleaseFact, StudyFact
from vault.access_log.deed import Deed, EntryRefusal
from vault.errors import Conflict, NotFound
from vault.policy.decide import barred, cites
from vault.policy.facts import INTERNAL, Purpose, Question, Supersession
from vault.policy.research import bands
from vault.rulebook import facts, study_keys
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.storage.journal import Closing
from vault.web.times import RIYADH, moment

RELEASED: Final = "research.released"
READ: Final = "research.read"
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
    counted, after = Counted(), b""
    while True:
        page = await run(partial(_page, errand=errand, begun=begun, counted=counted, after=after), weight=counting.AT_ONCE)
        # `run` answers after the commit, so the receipts may be given out.
        await asyncio.to_thread(counting.look, page, begun.study, counted)
        if page.next is None:
            break
        after = page.next
    made = await run(lambda deed: _finish(deed, errand, begun, counted), weight=counting.AT_ONCE)
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


def _page(deed: Deed, errand: Errand, begun: _Begun, counted: Counted, after: bytes) -> Page:
    """Decide one page of those who may be counted, while the study may be released."""
    errand = errand.still(deed)
    study = studies.of(deed, begun.study.code)
    _require_releasable(deed, errand, study, begun.month)
    return counting.page(deed, errand, study, counted, after)


def _rules(book: Book, study: StudyFact) -> _Rules:
    """What of the rulebook a verdict on anybody rests on: the purpose, and which notices were replaced."""
    rules = book.rules[study.type]
    return rules.purposes.get(study.purpose), rules.superseded


def _finish(deed: Deed, errand: Errand, begun: _Begun, counted: Counted) -> "_Releasing | Released":
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
    gone = counting.gone_since(deed, errand, study, counted, begun.size)
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


def _hidden_before(deed: Deed, study: StudyFact, month: str) -> list[At]:
    """What the month before hid of a table."""
    year, number = map(int, month.split("-"))
    last = f"{year}-{number - 1:02}" if number > 1 else f"{year - 1}-12"
    found = facts.read(deed, RELEASE, release_key(study.code, last))
    return [one.at for one in found.numbers if one.people is None] if found is not None else []


def _numbers(study: StudyFact, cells: Sequence[Cell], before: Sequence[At]) -> tuple[Number, ...]:
    sizes = [len(bands(each.laid)) for each in study.dimensions]
    return tuple(Number(at=at, people=people_) for at, people_ in shown(Counter(cells), sizes, before).items())
