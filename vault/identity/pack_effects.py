"""Whose consents a change of pack touches: counted over everybody, listed record by record, never with a value.

Invariants: counting names nobody; a list names who is on it in an entry of the log; each person's consent is judged once, by the strictest
of her records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlalchemy import select

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.identity.callers import Caller
from vault.identity.pack_plan import Plan
from vault.policy.changing import opens, touched
from vault.policy.facts import Rules
from vault.rulebook.asker import Errand
from vault.rulebook.book import VISITOR, Book, rules_under
from vault.subjects import people, tables
from vault.subjects.people import Known

Effect = Literal["wider", "insufficient", "narrower", "shorter"]
EFFECTS: Final[tuple[Effect, ...]] = ("wider", "insufficient", "narrower", "shorter")
"""What becomes of a consent, the gravest first: it opens what it did not, nothing any more, less, or is kept for a shorter time."""
AT_ONCE: Final = 200
"""So many people are looked at in one deed: the others' deeds do not wait for all of them."""
LISTED: Final = "pack.affected"


@dataclass(frozen=True, slots=True)
class Affected:
    """One consent that the change touches: the record it is found by, purpose and recipient, and what becomes of it."""

    subject: bytes
    record: bytes | None
    purpose: str
    recipient: str
    effect: Effect


@dataclass(slots=True)
class Tally:
    """How many consents the change touches, by purpose and recipient and effect, and in how many records' people."""

    counts: dict[tuple[str, str], dict[Effect, int]] = field(default_factory=dict)
    people: int = 0

    def add(self, found: Sequence[Affected]) -> None:
        """Count these of some people."""
        self.people += len({one.subject for one in found})
        for one in found:
            of = self.counts.setdefault((one.purpose, one.recipient), dict.fromkeys(EFFECTS, 0))
            of[one.effect] += 1

    def total(self, effect: Effect) -> int:
        """How many have this effect."""
        return sum(of[effect] for of in self.counts.values())


@dataclass(frozen=True, slots=True)
class Weighing:
    """A plan beside the book as it is: what is compared for each person."""

    plan: Plan
    before: Mapping[str, Rules]
    after: Mapping[str, Rules]
    shorter: frozenset[str]
    at: int

    @classmethod
    def of(cls, book: Book, plan: Plan, at: int) -> "Weighing":
        """Make the rules as they would be, and find the record types that would be kept for a shorter time."""
        after = rules_under(book, book.association, {**book.purposes, **plan.purposes}, {**book.types, **plan.types})
        old, new = book.pack.retention_months, plan.pack.retention_months
        shorter = frozenset(name for name, months in new.items() if name not in old or months < old[name])
        return cls(plan, rules_under(book, book.association, book.purposes, book.types), after, shorter, at)

    def person(self, known: Known) -> list[Affected]:
        """What the change touches of one person."""
        sheet = known.sheet
        if sheet is None:
            return []
        record = bytes.fromhex(min(sheet.records)) if sheet.records else None
        types = sorted({state.type for state in sheet.records.values()} or {VISITOR}) if sheet.person.standings else []
        found = []
        for name in sorted(sheet.person.standings):
            code, _, recipient = name.partition("|")
            effects = [effect for type_ in types if (effect := self._effect(known, name, code, type_)) is not None]
            if effects:
                found.append(Affected(known.subject, record, code, recipient, min(effects, key=EFFECTS.index)))
        return found

    def _effect(self, known: Known, name: str, code: str, type_: str) -> Effect | None:
        if known.sheet is None or type_ not in self.before:
            return None
        person = known.sheet.person
        if code in self.plan.purposes:
            effect = touched(person, name, self.before[type_], self.after[type_], self.at)
            if effect is not None:
                return effect
        return "shorter" if type_ in self.shorter and opens(person, name, self.before[type_], self.at) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A page of those who are touched: of one purpose and recipient or of all, after which record, how many at most."""

    purpose: str | None = None
    recipient: str | None = None
    after: bytes | None = None
    limit: int = 200


def some(deed: Deed, weighing: Weighing, after: bytes) -> tuple[list[Affected], bytes | None]:
    """What the change touches of the next people in the order of their ids, and whom to go on after, None at the end."""
    place = tables.sheet.c
    query = select(place.subject).where(place.association_id == deed.association, place.subject > after).order_by(place.subject)
    subjects = [bytes(one) for one in deed.transaction.connection.execute(query.limit(AT_ONCE)).scalars()]
    found = [one for known in people.of_subjects(deed, subjects) for one in weighing.person(known)] if subjects else []
    return found, subjects[-1] if len(subjects) == AT_ONCE else None


def page(deed: Deed, errand: Errand, weighing: Weighing, wanted: Wanted) -> tuple[list[Affected], bytes | None]:
    """The touched consents of the next records, each person under her first record, and the record to go on after, None at the end."""
    place = tables.record.c
    query = select(place.record).where(place.association_id == deed.association).order_by(place.record).limit(wanted.limit)
    if wanted.after is not None:
        query = query.where(place.record > wanted.after)
    records = [bytes(one) for one in deed.transaction.connection.execute(query).scalars()]
    found: list[Affected] = []
    for record, known in (people.of_records(deed, records) if records else {}).items():
        if isinstance(known, Exception):
            # A list that leaves somebody out in silence would be wrong.
            raise known
        found += [one for one in weighing.person(known) if one.record == record and _is_wanted(one, wanted)]
    about = tuple({one.subject: About(one.subject, one.record) for one in found}.values())
    deed.append(
        errand.entry(kind=LISTED, outcome="allow", about=about, purpose=wanted.purpose, recipient=wanted.recipient, count=len(found))
    )
    return found, records[-1] if len(records) == wanted.limit else None


def _is_wanted(one: Affected, wanted: Wanted) -> bool:
    return wanted.purpose in (None, one.purpose) and wanted.recipient in (None, one.recipient)


async def tally(caller: Caller, weighing: Weighing) -> Tally:
    """Count over everybody, some people in a deed at a time."""
    told, after = Tally(), b""
    while True:
        start = after

        def look(deed: Deed, start: bytes = start) -> tuple[list[Affected], bytes | None]:
            return some(deed, weighing, start)

        found, more = await caller.association.run(look)
        told.add(found)
        if more is None:
            return told
        after = more
