"""Finds records by value: who has it is told by tokens and checks, who may be told of it by the articles; no cell is opened.

Invariants: every search is an entry with field, purpose, count of candidates and the records told of, and one with the reason for those
not told of, never with value or token, and an alarm where more have the value than are told of; nobody and nobody one may know of are one
answer and the same work; a match counts only if the rows it was found by are the ones the person's sheet names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vault.access.silences import since_withdrawn
from vault.access.verdicts import as_assigned
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.errors import FieldError, Invalid, Unavailable
from vault.policy.decide import barred, known_here
from vault.policy.facts import INTERNAL, Question, Rules, Verdict
from vault.policy.silence import Silence, silenced
from vault.records import index
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, purpose_of
from vault.rulebook.shapes import FieldFact, RecordTypeFact
from vault.subjects import people

KIND: Final = "record.search"
INTAKE: Final = "intake"
MOST_MATCHES: Final = 500
"""So many records are told of under one value, by id; who is judged is not bounded by it, so that nobody hides behind others."""
CROWDED: Final = "SEARCH_CROWDED"


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: a value in one field of one type of record, for a purpose."""

    type: str
    field: str
    value: Any
    purpose: str


@dataclass(frozen=True, slots=True)
class Found:
    """Records that have the value; under the duty of intake also those whose name is merely like it, for a clerk to look into."""

    matches: tuple[bytes, ...]
    suggestions: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Search:
    """One search inside its deed; `silent_since`: the newest no to being contacted at this very value for the purpose."""

    deed: Deed
    errand: Errand
    book: Book
    shape: RecordTypeFact
    field: FieldFact
    question: Question
    silent_since: Silence | None = None

    @property
    def rules(self) -> Rules:
        """What a verdict on records of this type rests on."""
        return self.book.rules[self.shape.name]


@dataclass(frozen=True, slots=True)
class _Match:
    """One record that has the value, whose it is, and whether that may be told."""

    record: bytes
    subject: bytes
    verdict: Verdict


def search(deed: Deed, errand: Errand, sought: Sought) -> Found:
    """Find records by value.

    Raises a refusal with its entry for a question that may be asked about nobody, Invalid for a field nobody is found by and a value that
    is none, Unavailable `integrity` for a match whose rows do not hold.
    """
    errand = errand.still(deed)
    one = _admitted(deed, errand, sought)
    key = index.key_of(one.field, sought.value)
    one = replace(one, silent_since=since_withdrawn(deed, one.rules.purposes[one.question.purpose], one.field, key))
    loose = index.loose_key_of(one.field, sought.value) if _at_intake(one) else None
    found = _told(one, index.lookup(deed, one.shape, one.field, key))
    if loose is None:
        return Found(found)
    alike = _told(one, index.lookup(deed, one.shape, one.field, loose, loose=True), flags=("suggested",))
    return Found(found, tuple(record for record in alike if record not in found))


def _admitted(deed: Deed, errand: Errand, sought: Sought) -> _Search:
    book = errand.book(deed)
    shape = book.types.get(sought.type)
    rules = book.rules[sought.type] if shape else _no_type(book)
    purpose = rules.purposes.get(sought.purpose)
    question = Question(purpose.action if purpose else "use", sought.purpose, INTERNAL, frozenset({sought.field}), deed.now)
    verdict = barred(question, rules, errand.asker.asker)
    if verdict is not None:
        raise _refusal(errand, rules, question, verdict.reason, (verdict.article, verdict.law))
    if purpose is not None and purpose.within_hours is not None and INTAKE not in errand.asker.scopes:
        raise _refusal(errand, rules, question, "OUT_OF_SCOPE", (f"{rules.pack}:1", ""))
    field = next((each for each in index.searchable(shape) if each.name == sought.field), None) if shape else None
    if shape is None or field is None:
        raise Invalid([FieldError("field", "not-searchable")])
    return _Search(deed, errand, book, shape, field, question)


def _at_intake(one: _Search) -> bool:
    return one.rules.purposes[one.question.purpose].within_hours is not None


def _told(one: _Search, candidates: index.Candidates, flags: tuple[str, ...] = ()) -> tuple[bytes, ...]:
    """The records that may be told of, once the search is an entry."""
    matches = _judged(one, candidates)
    allowed = [match for match in matches if match.verdict.allowed]
    refused = [match for match in matches if not match.verdict.allowed]
    if candidates.crowded or len(matches) > MOST_MATCHES:
        _ring(one, len(matches) or candidates.count)
    allowed, refused = allowed[:MOST_MATCHES], refused[:MOST_MATCHES]
    for some in _rounds(allowed) or ([[]] if not refused else []):
        _write(one, some, flags, outcome="allow", count=candidates.count, basis=some[0].verdict.basis if some else "none")
    for some in _rounds(refused):
        _write(one, some, flags, outcome="refuse", count=candidates.count, basis="none", reason=some[0].verdict.reason)
    return tuple(match.record for match in allowed)


def _judged(one: _Search, candidates: index.Candidates) -> list[_Match]:
    """A verdict on every record that has the value; where none has, one is judged all the same and left out, so that it takes as long."""
    matched = frozenset(candidates.matched)
    looked_at = candidates.matched or candidates.records[:1]
    known = people.of_records(one.deed, looked_at) if looked_at else {}
    states, judged = {}, []
    for record, person in known.items():
        if not isinstance(person, people.Known) or person.sheet is None:
            if record in matched:
                raise Unavailable("integrity")
            continue
        states[record] = person.sheet.records[record.hex()]
        caller = as_assigned(one.errand, one.errand.asker.asker, person.sheet, one.deed.now)
        somebody = person.sheet.person
        if one.silent_since is not None:
            somebody = silenced(somebody, one.question.purpose, one.silent_since)
        verdict = known_here(one.question, somebody, one.rules, caller)
        judged.append(_Match(record, person.subject, verdict))
    try:
        index.stored(one.deed, states)
    except Unavailable:
        if matched:
            raise
    return [match for match in judged if match.record in matched]


def _ring(one: _Search, count: int) -> None:
    """Tell the officers that more records have one value than are told of: it stands for nobody, or somebody floods the index."""
    article, field = f"{one.rules.pack}:7", (one.field.name,)
    one.deed.append(one.errand.entry(kind="alarm", outcome="error", reason=CROWDED, article=article, fields=field, count=count))


def _write(one: _Search, matches: Sequence[_Match], flags: tuple[str, ...], **said: Any) -> None:  # noqa: ANN401 - members of an entry
    purpose = one.rules.purposes[one.question.purpose]
    consents = tuple(sorted({grant for match in matches for grant in match.verdict.grants}))
    one.deed.append(
        one.errand.entry(
            kind=KIND,
            about=tuple(About(match.subject, match.record) for match in matches),
            fields=(one.field.name,),
            purpose=purpose.code,
            recipient=INTERNAL,
            article=f"{one.rules.pack}:{purpose.article}",
            law=f"{one.rules.law_pack}:{purpose.law}" if purpose.law else None,
            consents=consents,
            flags=flags,
            **said,
        ),
    )


def _rounds(matches: Sequence[_Match]) -> list[list[_Match]]:
    """The matches so that no round has a person, a reason or a basis twice: an entry says one thing, and names a person once."""
    rounds: dict[tuple[int, str, str], list[_Match]] = {}
    seen: dict[bytes, int] = {}
    for match in matches:
        turn = seen[match.subject] = seen.get(match.subject, -1) + 1
        rounds.setdefault((turn, match.verdict.reason, match.verdict.basis), []).append(match)
    return list(rounds.values())


def _no_type(book: Book) -> Rules:
    """The rules for a type there is none of: no field is known."""
    own = book.association
    purposes = {code: purpose_of(fact) for code, fact in book.purposes.items()}
    return Rules(purposes=purposes, recipients=frozenset(), field_classes={}, pack=own.pack, law_pack=own.law_pack)


def _refusal(errand: Errand, rules: Rules, question: Question, reason: str, cites: tuple[str, str]) -> EntryRefusal:
    article, law = cites
    known = question.purpose in rules.purposes
    entry: Entry = errand.entry(
        kind=KIND,
        outcome="refuse",
        fields=tuple(sorted(name for name in question.fields if name in rules.field_classes)),
        purpose=question.purpose if known else None,
        basis="none",
        reason=reason,
        article=article,
        law=law or None,
    )
    return EntryRefusal(entry)
