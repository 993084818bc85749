"""What the vault knows of a person's capacity: minority, interdiction, death, her guardians and where they contradict each other.

Invariants: an interdiction and a death bite when they are recorded, by one person, and are in the journal before that is answered; capacity
is given back by another person than took it (promise 9); whoever looks leaves an entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import select

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.consent.within import require_case, require_reach
from vault.errors import Conflict, NotFound
from vault.policy.events import Event, Interdicted, SubjectDeceased
from vault.policy.facts import NEVER, SELF, Guardian, Person
from vault.policy.signers import in_office
from vault.policy.standing import lacks_capacity
from vault.rulebook.approving import Second
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import same_person
from vault.storage.journal import Closing
from vault.subjects import people, tables
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, happened, policy_event

READ: Final = "capacity.read"
INTERDICTED: Final = "capacity.interdicted"
RESTORED: Final = "capacity.restored"
DECEASED: Final = "subject.deceased"
DAY: Final = 86_400_000_000
State = Literal["adult", "minor", "interdicted", "deceased"]
Office = Literal["awaiting-verification", "in-office", "to-come", "over", "removed"]


@dataclass(frozen=True, slots=True)
class Capacity:
    """How somebody stands: her state, the moment of full capacity (None for who has it, NEVER where the day is unknown), her guardians.

    `reaffirm` are purpose and recipient of what guardians gave and she has to confirm, now or from her majority on; `in_conflict` those on
    which guardians in office contradict each other.
    """

    state: State
    full_capacity_from: int | None
    guardians: tuple[tuple[Guardian, Office], ...]
    reaffirm: tuple[str, ...]
    in_conflict: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComingOfAge:
    """Somebody for whom guardians spoke and who comes, or came, of age: one of her records, the moment, and what she has to confirm."""

    record: bytes
    full_capacity_from: int
    reaffirm: tuple[str, ...]


def shown(deed: Deed, errand: Errand, record: bytes) -> Capacity:
    """How the record's person stands now. Leaves an entry. Raises NotFound, a refusal for whose case it is not."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_case(deed, errand, known, record, READ)
    deed.append(errand.entry(kind=READ, outcome="allow", about=(About(known.subject, record),), basis="law"))
    person = _person(known)
    return Capacity(
        state=_state(person, deed.now),
        full_capacity_from=person.full_capacity_from,
        guardians=tuple((guardian, _office(person, guardian, deed.now)) for guardian in person.guardians),
        reaffirm=_by_guardians(person),
        in_conflict=_in_conflict(person, deed.now),
    )


def interdict(deed: Deed, errand: Errand, record: bytes, judgment: str) -> None:
    """Record that a court took an adult's capacity: what she says alone counts no more. Raises NotFound, Conflict where that is known."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_reach(deed, errand, known, record, INTERDICTED)
    if _person(known).interdicted:
        raise Conflict
    event = happened(Interdicted(deed.now), at=deed.now, by=errand.hand, record=record, detail={"judgment": judgment})
    told = errand.entry(kind=INTERDICTED, outcome="allow", flags=errand.asker.flags)
    people.change(deed, known, [event], told, record=record, closes=Closing("interdiction", known.subject.hex()))


def give_back(deed: Deed, second: Second, record: bytes, judgment: str) -> None:
    """Record that a court gave capacity back, by another person than recorded that it was taken.

    Raises NotFound, Conflict where she is under no interdiction, refusals `same-person` and `step-up-required`, TooMany.
    """
    second = second.still(deed)
    known = people.of_record(deed, record)
    if not _person(known).interdicted:
        raise Conflict
    book, makers = second.errand.book(deed), _by_whom(deed, known)
    maker = next((one for one in makers if same_person(book, one, second.asker.ref)), makers[0])
    approval = second.approve(deed, maker, RESTORED)
    event = happened(Interdicted(deed.now, on=False), at=deed.now, by=second.asker.ref, record=record, detail={"judgment": judgment})
    told = second.errand.entry(kind=RESTORED, outcome="allow", facts=approval.facts, flags=approval.flags)
    people.change(deed, known, [event], told, record=record)


def died(deed: Deed, errand: Errand, record: bytes, evidence: str) -> None:
    """Record a death: consent ends with it, orders are answered still. Raises NotFound, Conflict where it is known."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_reach(deed, errand, known, record, DECEASED)
    if _person(known).deceased_at is not None:
        raise Conflict
    event = happened(SubjectDeceased(deed.now), at=deed.now, by=errand.hand, record=record, detail={"evidence": evidence})
    told = errand.entry(kind=DECEASED, outcome="allow", flags=errand.asker.flags)
    people.change(deed, known, [event], told, record=record, closes=Closing("death", known.subject.hex()))


def close_again(deed: Deed, known: Known, kind: str, told: Entry, *, by: str, at: int) -> int:
    """Record again the interdiction or death that the journal tells of, where it is not known; how many doors stood open."""
    person = _person(known)
    if kind == "death":
        event, is_known = happened(SubjectDeceased(deed.now), at=deed.now, by=by), person.deceased_at is not None
    else:
        since = [one.at for one in _interdictions(deed, known)]
        event, is_known = happened(Interdicted(deed.now), at=deed.now, by=by), person.interdicted or any(each >= at for each in since)
    if is_known:
        return 0
    people.change(deed, known, [event], told, closes=Closing(kind, known.subject.hex()))
    return 1


def coming_of_age(deed: Deed, errand: Errand, within: int, *, after: bytes | None, limit: int) -> tuple[list[ComingOfAge], bytes | None]:
    """Who of the next `limit` people comes of age within so many microseconds, or came of age and has not confirmed; and where to go on.

    The look is an entry that names whom it told of. Raises Unavailable `integrity`.
    """
    errand = errand.still(deed)
    subjects = _some(deed, after, limit + 1)
    found, named = [], []
    for subject in subjects[:limit]:
        known = people.of_subject(deed, subject)
        person, day = _person(known), _person(known).full_capacity_from
        records = sorted(known.sheet.records) if known.sheet else []
        if day is None or day == NEVER or deed.now + within < day or person.deceased_at is not None or person.interdicted or not records:
            continue
        left = tuple(name for name in _by_guardians(person) if day > deed.now or not _said_herself(person, name, day))
        if left:
            found.append(ComingOfAge(bytes.fromhex(records[0]), day, left))
            named.append(About(subject, bytes.fromhex(records[0])))
    deed.append(errand.entry(kind=READ, outcome="allow", about=tuple(named), basis="law", count=len(found)))
    return found, subjects[limit - 1] if len(subjects) > limit else None


def _some(deed: Deed, after: bytes | None, limit: int) -> Sequence[bytes]:
    place = tables.sheet.c
    query = select(place.subject).where(place.association_id == deed.association).order_by(place.subject).limit(limit)
    if after is not None:
        query = query.where(place.subject > after)
    return [bytes(one) for one in deed.transaction.connection.execute(query).scalars()]


def _person(known: Known) -> Person:
    return known.sheet.person if known.sheet else Person()


def _state(person: Person, now: int) -> State:
    if person.deceased_at is not None:
        return "deceased"
    if person.interdicted:
        return "interdicted"
    return "minor" if lacks_capacity(person, now) else "adult"


def _office(person: Person, guardian: Guardian, now: int) -> Office:
    if guardian.removed_for_cause_at is not None:
        return "removed"
    if not in_office(person, guardian.id, now):
        return "over"
    if not guardian.verified:
        return "awaiting-verification"
    return "to-come" if now < guardian.valid_from else "in-office"


def _by_guardians(person: Person) -> tuple[str, ...]:
    """Purpose and recipient of every standing in which a guardian's consent stands."""
    return tuple(sorted(name for name, one in person.standings.items() if any(grant.by != SELF for grant in one.grants)))


def _said_herself(person: Person, name: str, day: int) -> bool:
    return any(grant.by == SELF and grant.indicated_at >= day for grant in person.standings[name].grants)


def _in_conflict(person: Person, now: int) -> tuple[str, ...]:
    """Where one guardian in office says yes and another no, as `vault.policy.signers.agreed_among` judges it."""
    if not lacks_capacity(person, now):
        return ()
    found = []
    for name, standing in person.standings.items():
        kinds = {word.kind for word in standing.words if in_office(person, word.by, now)}
        if "grant" in kinds and kinds & ({"refuse", "withdraw"} if standing.grants else {"refuse"}):
            found.append(name)
    return tuple(sorted(found))


def _interdictions(deed: Deed, known: Known) -> list[Happened]:
    every = [one for events in people.history(deed, known) for one in events if isinstance(one, Happened)]
    return [one for one in every if isinstance(policy_event(one), Interdicted)]


def _by_whom(deed: Deed, known: Known) -> list[str]:
    """Who recorded, in whichever of her sheets, that her capacity was taken. Raises NotFound where no event tells it."""
    newest = [_interdictions(deed, one)[-1:] for one in (known, *people.others(deed, known))]
    # An older one that ended before the sheets were joined is not the one that lasts.
    found = [one.by for some in newest for one in some if _takes(policy_event(one))]
    if not found:
        raise NotFound
    return found


def _takes(event: Event) -> bool:
    return isinstance(event, Interdicted) and event.on
