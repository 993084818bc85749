"""Asks about somebody in the place of her data: a declared predicate of one field, on the verdict that reading the field would take.

Invariants: the way to an answer is the way to the value (facts, verdict, entry, commit, value), one entry for each question; the entry
names the field and the predicate and never the answer; no constant comes from whoever asks; what was refused is refused before anything is
opened, so that a refusal tells nothing of whether there is a value. Sources: articles 1, 6.1 to 6.3; 004 6.3; ADR 0076.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from keys.container import Sealed
from vault.access.door import give_out, take_sealed
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed
from vault.errors import VaultError
from vault.records.values.predicates import Answered, begins_with, is_below, is_one_of, is_younger_than
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import PredicateFact
from vault.subjects import people
from vault.subjects.sheet import Sheet
from vault.web.times import RIYADH, moment

ASKED: Final = "record.asked"
NO_FIELD: Final = ""
"""What is asked of where the record's type declares no such predicate: no field has this name, so that the articles refuse it."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Predicates by name to be asked of one record for one purpose."""

    record: bytes
    purpose: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question came to: its verdict with its entry, and where that is a yes the answer, else why there is none."""

    judged: Judged
    answer: Answered | None = None
    failed: VaultError | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    """The verdicts of one deed, what is sealed of those that are a yes, and the kinds of the fields."""

    judged: Sequence[Judged]
    laid: Mapping[str, PredicateFact]
    kinds: Mapping[str, str]
    sealed: Mapping[int, Sequence[Sealed]]
    today: date


async def ask(errand: Errand, questions: Questions) -> list[Answer]:
    """The answer to each question, in order, all decided in one transaction. Raises NotFound, Unavailable."""
    decided = await errand.asker.association.run(lambda deed: _decide(deed, errand, questions), weight=len(questions.names))
    # `run` answers after the commit, so the receipts may be given out.
    return await asyncio.to_thread(_answers, decided)


def _decide(deed: Deed, errand: Errand, questions: Questions) -> _Decided:
    errand = errand.still(deed)
    known = people.of_record(deed, questions.record)
    book = errand.book(deed)
    sheet = cast(Sheet, known.sheet)  # who has a record has a sheet
    laid, kinds = _declared(book, sheet.records[questions.record.hex()].type)
    judged = [judge(deed, errand, _asked(questions, laid.get(name)), known) for name in questions.names]
    allowed = [number for number, one in enumerate(judged) if one.verdict.allowed]
    sealed = take_sealed(deed, book, [judged[number] for number in allowed])
    today = moment(deed.now).astimezone(RIYADH).date()
    return _Decided(judged, laid, kinds, {number: sealed[place] for place, number in enumerate(allowed)}, today)


def _declared(book: Book, type_: str) -> tuple[dict[str, PredicateFact], dict[str, str]]:
    """The predicates of a record type by name, and the kind of each of its fields."""
    shape = book.types[type_]
    return {one.name: one for one in shape.predicates}, {one.name: one.kind for one in shape.fields}


def _asked(questions: Questions, laid: PredicateFact | None) -> Asked:
    """What the articles are asked. What nobody declared is not named: a caller typed it."""
    field, predicate = (NO_FIELD, "") if laid is None else (laid.field, laid.name)
    return Asked(questions.record, None, questions.purpose, (field,), kind=ASKED, predicate=predicate)


def _answers(decided: _Decided) -> list[Answer]:
    return [_answer(decided, number, judged) for number, judged in enumerate(decided.judged)]


def _answer(decided: _Decided, number: int, judged: Judged) -> Answer:
    if not judged.verdict.allowed:
        return Answer(judged, failed=judged.refusal())
    laid = decided.laid[judged.asked.predicate]
    try:
        values = give_out(judged, decided.sealed[number])
    except VaultError as error:
        return Answer(judged, failed=error)
    return Answer(judged, _said(laid, decided.kinds[laid.field], values.get(laid.field), decided.today))


def _said(laid: PredicateFact, kind: str, value: Any, today: date) -> Answered:  # noqa: ANN401  # a stored value of any kind
    """What the predicate says of a value; unknown of none."""
    if value is None:
        return "unknown"
    if laid.younger_than is not None:
        return is_younger_than(value, laid.younger_than, today)
    if laid.below is not None:
        return is_below(value, laid.below)
    return is_one_of(kind, value, laid.one_of) if laid.one_of else begins_with(value, laid.begins_with)
