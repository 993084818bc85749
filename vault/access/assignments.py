"""Who has a person's case: given, handed over for a time, ended, and opened in an emergency by a caseworker who does not have it.

Invariants: an assignment lifts the limit of a caseworker's role and nothing else, so that every article still decides and every read is an
entry; a caseworker hands over only a case she has, for no longer than she has it: what she handed over ends with what she had; she ends
what is hers or came from her, and nobody else's; whoever sees values at a screen and is no caseworker gives no case out; a case that is
opened in an emergency is hers for one hour, with her own one-time code and her reason, and an alert asks somebody else to look into it; an
end is in the journal before it is committed.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.consent.within import require_reach
from vault.errors import Conflict, FieldError, Gone, Invalid, NotFound
from vault.identity.callers import is_engaged
from vault.identity.second_factor import SecondFactor
from vault.policy.facts import NEVER
from vault.rulebook.asker import Asker, Errand
from vault.rulebook.book import Book
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Assigned, Assignment, SheetEvent, Unassigned, assigned_until, ended_with

MADE: Final = "assignment.made"
ENDED: Final = "assignment.ended"
READ: Final = "assignments.read"
BROKEN: Final = "access.break_glass"
STAFF: Final = "staff:"
UNIT: Final = "unit:"
EMERGENCY: Final = "break_glass"
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
BROKEN_LASTS: Final = HOUR
LONGEST_HAND_OVER: Final = 180 * DAY
FARTHEST_START: Final = 365 * DAY
MOST: Final = 32
"""Assignments of one person that stand side by side: each is in the sheet that every decision reads."""
CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Wanted:
    """A case as it is to be given: to whom ("staff:<hex>" or "unit:<code>"), from when and until when in microseconds UTC, and why."""

    to: str
    since: int | None
    until: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Because:
    """Why a case must be opened now, and a one-time code of the person at the screen."""

    reason: str
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """An assignment as the person's history has it; `ended_at` where it ended before its time, else None."""

    assignment: Assignment
    reason: str
    by: str
    at: int
    ended_at: int | None = None
    ended_by: str = ""
    ended_because: str = ""

    def lasts(self, at: int) -> bool:
        """Whether it was neither over nor ended at this moment; one that was to come was not."""
        return self.ended_at is None and (self.assignment.until is None or at < self.assignment.until)


@dataclass(frozen=True, slots=True)
class _Case:
    """One person as a deed about her case has her before it."""

    deed: Deed
    errand: Errand
    record: bytes
    known: Known

    @classmethod
    def of(cls, deed: Deed, errand: Errand, record: bytes, kind: str) -> "_Case":
        """The case of the record's person, for a deed of this kind.

        Raises NotFound, Unavailable `integrity`, a refusal for a type the key is not for.
        """
        case = cls(deed, errand, record, people.of_record(deed, record))
        require_reach(deed, errand, case.known, record, kind)
        return case

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Those the sheet holds, some of which may have run out."""
        return self.known.sheet.assignments if self.known.sheet is not None else ()

    @property
    def asker(self) -> Asker:
        """Who asks."""
        return self.errand.asker

    def stands(self, one: Assignment) -> bool:
        """Whether an assignment is in force or to come."""
        return one.until is None or self.deed.now < one.until

    def hers_until(self, *, emergencies: bool) -> int:
        """Until when the asker has the case, by what she opened in an emergency too or not; 0 where she does not have it."""
        if not emergencies:
            return kept_until(self.deed, self.errand, self.known)
        return assigned_until(self.assignments, self.asker.assignees, self.deed.now)

    def require_hers(self, kind: str) -> None:
        """Refuse a caseworker who does not have this case; what she opened in an emergency she only looks at."""
        if self.asker.asker.only_assigned and not self.hers_until(emergencies=kind == READ):
            raise self.refusal(kind, "NOT_ASSIGNED")

    def require_giver(self, kind: str) -> None:
        """Refuse who sees values at a client's screen and is no caseworker: cases are given and taken by others than who reads them."""
        if self.asker.on_behalf is not None and not self.asker.asker.only_assigned:
            raise self.refusal(kind, "OUT_OF_SCOPE")

    def handed_from(self, until: int) -> str:
        """The id of what the asker has for longest, until then at least. Raises the refusal `not-assigned` where there is none."""
        held = [one for one in self.assignments if one.kind != EMERGENCY and one.to in self.asker.assignees and one.lasts(self.deed.now)]
        best = max(held, key=lambda one: NEVER if one.until is None else one.until, default=None)
        if best is None or (best.until is not None and until > best.until):
            raise self.refusal(MADE, "NOT_ASSIGNED")
        return best.id

    def may_end(self, assignment: Assignment) -> bool:
        """Whether it is the asker's to end: hers, or handed over from what she or her unit has; anybody's where she is no caseworker."""
        if not self.asker.asker.only_assigned:
            return True
        came_from = [one for one in self.assignments if one.id == assignment.under]
        return assignment.to == self.errand.hand or any(one.to in self.asker.assignees for one in came_from)

    def give(self, assignment: Assignment, reason: str, entry: Entry) -> None:
        """Write the assignment. Raises Conflict `too-many-assignments`."""
        if sum(map(self.stands, self.assignments)) >= MOST:
            raise Conflict("too-many-assignments")
        event = Assigned(assignment=assignment, at=self.deed.now, by=self.errand.hand, reason=reason)
        people.change(self.deed, self.known, [event], entry, record=self.record)

    def entry(self, kind: str, *, flags: tuple[str, ...] = (), **said: object) -> Entry:
        """An entry about this case; it cites article 2, which binds whoever works with the data."""
        pack = self.errand.book(self.deed).association.pack
        said = {"outcome": "allow", **said}
        return self.errand.entry(kind=kind, article=f"{pack}:2", flags=(*self.asker.flags, *flags), **said)

    def refusal(self, kind: str, reason: str) -> EntryRefusal:
        """The refusal of a deed about this case."""
        return EntryRefusal(self.entry(kind, outcome="refuse", reason=reason, about=(About(self.known.subject, self.record),)))


def assign(deed: Deed, errand: Errand, record: bytes, wanted: Wanted, once: Once | None) -> Assignment:
    """Give the case of the record's person to somebody; by a caseworker it is a hand-over, which must have an end.

    Raises Invalid, NotFound, Gone, Conflict `erasure-pending`, `too-many-assignments`, and the refusals `not-assigned` for a caseworker who
    does not have the case, or not for so long, `out-of-scope` for anybody else at a client's screen.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _made(deed, record, made)
    case = _Case.of(deed, errand, record, MADE)
    since = deed.now if wanted.since is None else wanted.since
    _require_sound(deed, errand.book(deed), wanted, since)
    case.require_giver(MADE)
    made = os.urandom(16)
    assignment = Assignment(made.hex(), wanted.to, "assigned", since, wanted.until)
    if errand.asker.asker.only_assigned:
        assignment = replace(assignment, kind="handed_over", under=case.handed_from(_required_end(wanted, since)))
    people.unlocked(case.known)
    case.give(assignment, wanted.reason, case.entry(MADE))
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return assignment


def end(deed: Deed, errand: Errand, record: bytes, assignment: bytes, reason: str) -> None:
    """End an assignment before its time, and what was handed over from it.

    Raises NotFound for one that is over or never was, and the refusals `out-of-scope` as `assign`, `not-assigned` for a caseworker who does
    not have the case or whose that assignment is not.
    """
    case = _Case.of(deed, errand.still(deed), record, ENDED)
    found = next((one for one in case.assignments if one.id == assignment.hex() and case.stands(one)), None)
    if found is None:
        raise NotFound
    case.require_giver(ENDED)
    case.require_hers(ENDED)
    if not case.may_end(found):
        raise case.refusal(ENDED, "NOT_ASSIGNED")
    event = Unassigned(assignment=assignment.hex(), at=deed.now, by=case.errand.hand, reason=reason)
    closing = Closing("assignment", case.known.subject.hex(), assignment.hex())
    people.change(deed, case.known, [event], case.entry(ENDED), record=record, closes=closing)


def listed(deed: Deed, errand: Errand, record: bytes) -> list[Told]:
    """Every assignment there ever was of the record's person, oldest first; the look is an entry. Raises NotFound, and as `assign`."""
    case = _Case.of(deed, errand.still(deed), record, READ)
    case.require_hers(READ)
    found = _told(people.history(deed, case.known))
    deed.append(case.entry(READ, about=(About(case.known.subject, record),), count=len(found)))
    return found


def break_glass(deed: Deed, errand: Errand, factor: SecondFactor, record: bytes, because: Because) -> Assignment:
    """Open the case for one hour to the caseworker at the screen, who shows by her own one-time code that she is there.

    Raises Conflict `nothing-to-break` where nothing keeps her out, the refusal `step-up-required` for another code, TooMany, as `assign`.
    """
    case = _Case.of(deed, errand.still(deed), record, BROKEN)
    hand = case.errand.hand
    if not case.asker.asker.only_assigned or case.hers_until(emergencies=True):
        raise Conflict("nothing-to-break")
    used = factor.use(deed, case.errand.book(deed).staff[hand.removeprefix(STAFF)], because.code)
    if used is None:
        raise case.refusal(BROKEN, "STEP_UP_REQUIRED")
    # Only now: who merely tries is not told that an erasure was asked for.
    people.unlocked(case.known)
    assignment = Assignment(os.urandom(16).hex(), hand, EMERGENCY, deed.now, deed.now + BROKEN_LASTS)
    case.give(assignment, because.reason, case.entry(BROKEN, facts=(used,), flags=("break-glass",)))
    return assignment


def kept_until(deed: Deed, errand: Errand, known: Known) -> int:
    """Until when the asker has this person's case by more than an emergency; 0 where she does not."""
    held = known.sheet.assignments if known.sheet is not None else ()
    return assigned_until([one for one in held if one.kind != EMERGENCY], errand.asker.assignees, deed.now)


def _made(deed: Deed, record: bytes, made: bytes) -> Assignment:
    """What the same request made before. Raises Gone where its person was erased since."""
    try:
        known = people.of_record(deed, record)
    except NotFound as error:
        raise Gone from error
    return next(told.assignment for told in _told(people.history(deed, known)) if told.assignment.id == made.hex())


def _required_end(wanted: Wanted, since: int) -> int:
    """The end a hand-over must have. Raises Invalid without one and for one too far off."""
    if wanted.until is None:
        raise Invalid([FieldError("until", "missing")])
    if wanted.until > since + LONGEST_HAND_OVER:
        raise Invalid([FieldError("until", "out-of-range")])
    return wanted.until


def _require_sound(deed: Deed, book: Book, wanted: Wanted, since: int) -> None:
    """Raise Invalid for somebody or a unit there is none of, and for times that are none."""
    if wanted.to.startswith(UNIT):
        unit = wanted.to.removeprefix(UNIT)
        if all(one.unit != unit or not is_engaged(one, deed.now) for one in book.staff.values()):
            raise Invalid([FieldError("to", "unknown-unit")])
    else:
        member = book.staff.get(wanted.to.removeprefix(STAFF))
        if member is None or not is_engaged(member, deed.now):
            raise Invalid([FieldError("to", "unknown-staff")])
    if not deed.now <= since <= deed.now + FARTHEST_START:
        raise Invalid([FieldError("from", "out-of-range")])
    if wanted.until is not None and wanted.until <= since:
        raise Invalid([FieldError("until", "out-of-range")])


def _told(versions: list[list[SheetEvent]]) -> list[Told]:
    found: dict[str, Told] = {}
    for event in _events(versions):
        if isinstance(event, Assigned):
            found[event.assignment.id] = Told(event.assignment, event.reason, event.by, event.at)
        else:
            for id_ in ended_with([one.assignment for one in found.values()], event.assignment):
                if found[id_].lasts(event.at):
                    found[id_] = replace(found[id_], ended_at=event.at, ended_by=event.by, ended_because=event.reason)
    return list(found.values())


def _events(versions: list[list[SheetEvent]]) -> Iterator[Assigned | Unassigned]:
    return (event for events in versions for event in events if isinstance(event, Assigned | Unassigned))
