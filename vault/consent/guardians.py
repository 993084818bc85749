"""Who speaks for somebody who cannot: guardians recorded by one person, believed once another saw the deed, and ended by either.

Invariants: a guardian counts for nothing before a second person has seen what shows the office (implementing regulation 13); any but a
father needs a deed; the end of an office is in the journal before it is answered. Sources: Personal Status Law 136 to 139.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.consent.within import Matter, require_reach
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.events import GuardianAppointed, GuardianshipEnded
from vault.policy.facts import Guardian, GuardianKind, Person
from vault.policy.signers import guardian_of
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import same_person
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, happened, policy_event

APPOINTED: Final = "guardian.recorded"
VERIFIED: Final = "guardian.verified"
ENDED: Final = "guardian.ended"
JOURNAL: Final = "guardian"
FOR_CAUSE: Final = "for-cause"
MOST_GUARDIANS: Final = 16
BY_BIRTH: Final = "wali"
"""The kind a father is by law, without a deed; every other is made by one."""
Result = Literal["verified", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A guardian as somebody brings the papers: a known person, the kind, the deed by its number, from when until when (microseconds)."""

    subject: bytes
    kind: GuardianKind
    deed: str = ""
    valid_from: int | None = None
    valid_to: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a second person found: the result, whether she saw the original or a copy, and the deed's number where she names it."""

    result: Result
    sighted: str
    deed: str = ""


def appoint(deed: Deed, errand: Errand, record: bytes, wanted: Wanted) -> None:
    """Record a guardian of the record's person; nobody believes it yet.

    Raises NotFound, Invalid for a guardian there is none of, for herself and for an end that is none, Conflict `guardian-known` for one in
    office or removed for cause, `too-many-guardians`, `erasure-pending`.
    """
    matter = _hers(deed, errand, record, APPOINTED)
    known = matter.known
    people.unlocked(known)
    try:
        people.of_subject(deed, wanted.subject)
    except NotFound as error:
        raise Invalid([FieldError("guardian", "unknown-subject")]) from error
    if wanted.subject == known.subject:
        raise Invalid([FieldError("guardian", "out-of-range")])
    since = deed.now if wanted.valid_from is None else wanted.valid_from
    if wanted.valid_to is not None and wanted.valid_to <= max(since, deed.now):
        raise Invalid([FieldError("valid_to", "out-of-range")])
    person = _person(known)
    old = guardian_of(person, wanted.subject.hex())
    if old is not None and (old.valid_to is None or deed.now < old.valid_to or old.removed_for_cause_at is not None):
        # Recorded anew he would be as if he had never been removed.
        raise Conflict("guardian-known")
    if old is None and len(person.guardians) >= MOST_GUARDIANS:
        raise Conflict("too-many-guardians")
    guardian = Guardian(wanted.subject.hex(), wanted.kind, verified=False, valid_from=since, valid_to=wanted.valid_to)
    detail = {"recorded_by": matter.errand.hand} | ({"deed": wanted.deed} if wanted.deed else {})
    _happen(deed, matter, GuardianAppointed(guardian), _entry(matter.errand, APPOINTED), detail)


def verify(deed: Deed, errand: Errand, record: bytes, guardian: bytes, seen: Seen) -> str:
    """Record that a second person has seen the deed, or rejected it: a rejected guardian is ended.

    Raises NotFound, a refusal `same-person` with its entry, Conflict `guardian-settled` where he is verified or ended, Invalid where there
    is no deed and the kind needs one.
    """
    matter = _hers(deed, errand, record, VERIFIED)
    found = _in_person(matter.known, guardian)
    if found.verified or (found.valid_to is not None and found.valid_to <= deed.now):
        raise Conflict("guardian-settled")
    hands, named = _recorded(deed, matter.known, guardian)
    if any(same_person(matter.book, matter.errand.asker.ref, hand) for hand in hands):
        told = replace(_entry(matter.errand, VERIFIED), article=f"{matter.book.association.pack}:7")
        raise matter.refusal(told, "SAME_PERSON")
    detail = {"result": seen.result, "sighted": seen.sighted}
    if seen.result == "rejected":
        _end(deed, matter, guardian, {**detail, "guardian": guardian.hex()}, for_cause=False)
        return seen.result
    shows = seen.deed or named
    if found.kind != BY_BIRTH and not shows:
        raise Invalid([FieldError("deed", "missing")])
    event = GuardianAppointed(replace(found, verified=True))
    _happen(deed, matter, event, _entry(matter.errand, VERIFIED), detail | ({"deed": shows} if shows else {}))
    return seen.result


def end(deed: Deed, errand: Errand, record: bytes, guardian: bytes, reason: str, *, for_cause: bool) -> None:
    """End a guardian's office, now; `for_cause` takes the ground from what he gave too. Raises NotFound."""
    matter = _hers(deed, errand, record, ENDED)
    _in_person(matter.known, guardian)
    _end(deed, matter, guardian, {"reason": reason}, for_cause=for_cause)


def end_again(deed: Deed, known: Known, guardian: bytes, told: Entry, *, for_cause: bool, by: str) -> int:
    """End an office the journal says ended, where it goes on; how many doors stood open."""
    found = guardian_of(_person(known), guardian.hex())
    if found is None:
        return 0
    over = found.valid_to is not None and found.valid_to <= deed.now
    if over and (found.removed_for_cause_at is not None or not for_cause):
        return 0
    event = happened(GuardianshipEnded(guardian.hex(), deed.now, for_cause=for_cause), at=deed.now, by=by)
    people.change(deed, known, [event], told, closes=_closing(known, guardian, for_cause=for_cause))
    return 1


def _hers(deed: Deed, errand: Errand, record: bytes, kind: str) -> Matter:
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_reach(deed, errand, known, record, kind)
    return Matter(errand, errand.book(deed), known, record)


def _person(known: Known) -> Person:
    return known.sheet.person if known.sheet else Person()


def _in_person(known: Known, guardian: bytes) -> Guardian:
    found = guardian_of(_person(known), guardian.hex())
    if found is None:
        raise NotFound
    return found


def _recorded(deed: Deed, known: Known, guardian: bytes) -> tuple[set[str], str]:
    """Through whose hands the newest record of this guardian went, and the deed it names. Raises Unavailable `integrity`.

    A sheet that was joined has him from another one, whose history alone tells who recorded him.
    """
    newest = [found for one in (known, *people.others(deed, known)) if (found := _newest(deed, one, guardian)) is not None]
    hands = {hand for one in newest for hand in (one.by, str(one.detail.get("recorded_by", one.by)))}
    return hands, str(max(newest, key=lambda one: one.at).detail.get("deed", "")) if newest else ""


def _newest(deed: Deed, known: Known, guardian: bytes) -> Happened | None:
    """The newest record of this guardian in one sheet's history, None where it has none."""
    found = None
    for events in people.history(deed, known):
        for one in events:
            event = policy_event(one) if isinstance(one, Happened) else None
            if isinstance(one, Happened) and isinstance(event, GuardianAppointed) and event.guardian.id == guardian.hex():
                found = one
    return found


def _end(deed: Deed, matter: Matter, guardian: bytes, detail: dict[str, str], *, for_cause: bool) -> None:
    event = GuardianshipEnded(guardian.hex(), deed.now, for_cause=for_cause)
    closing = _closing(matter.known, guardian, for_cause=for_cause)
    _happen(deed, matter, event, _entry(matter.errand, ENDED), detail, closes=closing)


def _closing(known: Known, guardian: bytes, *, for_cause: bool) -> Closing:
    return Closing(JOURNAL, known.subject.hex(), guardian.hex() + (f"|{FOR_CAUSE}" if for_cause else ""))


def _happen(
    deed: Deed,
    matter: Matter,
    event: GuardianAppointed | GuardianshipEnded,
    told: Entry,
    detail: dict[str, str],
    *,
    closes: Closing | None = None,
) -> None:
    wrapped = happened(event, at=deed.now, by=matter.errand.asker.ref, record=matter.record, detail=detail)
    people.change(deed, matter.known, [wrapped], told, record=matter.record, closes=closes)


def _entry(errand: Errand, kind: str) -> Entry:
    return errand.entry(kind=kind, outcome="allow", flags=errand.asker.flags)
