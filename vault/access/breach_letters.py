"""Whom a notice of a breach reaches, and by which address: decided person by person at the moment it leaves (law 20, regulation 24(5)).

Invariants: facts, verdict, entry, commit, value: an address opens for the purpose `breach_notice` alone, after the entry that names the
person, and is kept nowhere; who cannot speak for herself is told through a guardian who can, as her sheet and his have him at that moment;
a letter is in one process's hand, and what was in the hand of one that died is doubtful and is not taken up again; one of which something
does not hold keeps no other back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from keys.container import Sealed
from vault.access.door import give_out, take_sealed
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.breach_reports import incident_file, incidents, letters, people_notices
from vault.breach_reports.incident_lifecycle import OVER, IncidentState
from vault.breach_reports.letters import ADDRESSED, DONE, INCIDENT_OVER, LEASE, LETTER, SYSTEM, LetterFact
from vault.errors import NotFound
from vault.policy.contact import CHANNELS
from vault.policy.facts import NEVER, Caller, Channel, Guardian, Person
from vault.policy.standing import lacks_capacity
from vault.rulebook import facts
from vault.rulebook.asker import Errand, Stranger
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.subjects import people
from vault.subjects.people import Known

PURPOSE: Final = "breach_notice"
NAME: Final = "full_name"
DECEASED: Final = "DECEASED"
NO_GUARDIAN: Final = "NO_GUARDIAN"
NO_EMAIL: Final = "NO_EMAIL"
ERASED: Final = "ERASED"
_NEAREST: Final = ("wali", "wasi", "custodian", "carer")
"""Guardians of who lacks capacity, the nearest first; an agent is a grown person's own."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a letter is for: herself or her guardian, by which of her or his records; `hindered` says why it cannot go by mail."""

    known: Known
    record: bytes
    to: Literal["self", "guardian"]
    hindered: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter in hand: what was decided about the address and, where it goes to a guardian, about the name of whom it is about."""

    letter: LetterFact
    judged: Sequence[Judged]
    sealed: Sequence[Sequence[Sealed]]

    @property
    def letter_is_for_ward(self) -> bool:
        """Whether it is about another than who gets it, whose name then comes second among the values."""
        return len(self.judged) > 1

    def values(self) -> list[dict[str, Any]]:
        """The values through the door, once: the addressee's, then the name of whom it is about. Raises Unavailable `integrity`."""
        return [give_out(judged, sealed) for judged, sealed in zip(self.judged, self.sealed, strict=True)]


def claim(deed: Deed, association: Association) -> Taken | None:
    """Take the first letter in hand that is due, with the entry that opens its address; None where none is.

    Raises DoesNotHold for one that is to be set aside before the next can be taken, Unavailable.
    """
    # Read first, so that what of the association does not hold is laid to no letter.
    association.books.at(deed)
    for letter in letters.due(deed, officers=False):
        with letters.holding(letter):
            taken = _claimed(deed, association, letter)
        if taken is not None:
            return taken
    return None


def by_hand(deed: Deed, errand: Errand, incident: bytes, letter: bytes) -> Taken | Judged:
    """A letter to print, with name and postal address; the verdict that says no, where one does.

    Raises NotFound, IncidentState for one that is on its way by mail or left already.
    """
    errand, found = incidents.seen(deed, errand, incident)
    fact = people_notices.one(deed, found, letter)
    if not people_notices.goes_by_hand(found.fact, fact, deed.now):
        raise IncidentState
    hers = people.of_record(deed, bytes.fromhex(fact.record))
    book, meant = errand.book(deed), addressee(deed, errand.book(deed), hers, bytes.fromhex(fact.record))
    field = _field(book, meant, "post")
    return _judged(deed, errand, fact, meant, (NAME, field) if field else (NAME,))


def addressee(deed: Deed, book: Book, hers: Known, record: bytes) -> Addressee:
    """Whom the notice about this person is for, as her sheet stands."""
    person, now = _person(hers), deed.now
    if _has_died(person, now):
        return Addressee(hers, record, "self", DECEASED)
    if not lacks_capacity(person, now):
        return Addressee(hers, record, "self")
    for guardian in sorted((each for each in person.guardians if _may_act(each, now)), key=lambda each: _NEAREST.index(each.kind)):
        try:
            found = people.of_subject(deed, bytes.fromhex(guardian.id))
        except NotFound:
            continue
        his = _person(found)
        if _has_died(his, now) or lacks_capacity(his, now):
            continue
        records = sorted(found.sheet.records if found.sheet is not None else ())
        if records:
            mine = [each for each in records if _mail_field(book, found, each)]
            return Addressee(found, bytes.fromhex((mine or records)[0]), "guardian")
    return Addressee(hers, record, "self", NO_GUARDIAN)


def _claimed(deed: Deed, association: Association, letter: bytes) -> Taken | None:
    fact = facts.read(deed, LETTER, letter.hex())
    if fact is not None and fact.state == "sending":
        letters.settle(deed, fact, "doubtful")
        return None
    if fact is None or fact.state != "listed":
        letters.move(deed, letter, DONE)
        return None
    found = incident_file.load(deed, bytes.fromhex(fact.incident))
    if fact.place > people_notices.named(found.fact, fact.notice).approved:
        # Due by its row alone: two people have not let it go.
        letters.move(deed, letter, NEVER)
        return None
    if found.fact.state in OVER:
        letters.settle(deed, fact, "withheld", reason=INCIDENT_OVER)
        return None
    return _addressed(deed, association, fact)


def _addressed(deed: Deed, association: Association, fact: LetterFact) -> Taken | None:
    try:
        hers = people.of_record(deed, bytes.fromhex(fact.record))
    except NotFound:
        letters.settle(deed, fact, "withheld", reason=ERASED)
        return None
    postman = Errand(Stranger(association, SYSTEM, asker=Caller(purposes=frozenset({PURPOSE}))), "")
    book = postman.book(deed)
    meant = addressee(deed, book, hers, bytes.fromhex(fact.record))
    field = _field(book, meant, "email")
    if meant.hindered or not field:
        letters.settle(deed, fact, "post", reason=meant.hindered or NO_EMAIL, to=meant.to)
        return None
    taken = _judged(deed, postman, fact, meant, (field,))
    if isinstance(taken, Judged):
        letters.settle(deed, fact, "withheld", reason=taken.verdict.reason, to=meant.to)
        return None
    # Committed before any server hears of it: who finds it in hand later knows that it may have left.
    changed, written = letters.change(deed, fact, "sending", to=meant.to)
    letters.move(deed, bytes.fromhex(fact.id), deed.now, deed.now + LEASE)
    incident = bytes.fromhex(fact.incident)
    told = Entry(kind=ADDRESSED, outcome="allow", actor=SYSTEM, about=(About(incident, incident),), purpose=PURPOSE, facts=(written,))
    deed.append(told)
    deed.closes_too(letters.left(fact, "sending"))
    return Taken(changed, taken.judged, taken.sealed)


def _judged(deed: Deed, errand: Errand, fact: LetterFact, meant: Addressee, fields: tuple[str, ...]) -> Taken | Judged:
    """What opens the addressee's fields, and the name of whom the letter is about where that is another; the first verdict that says no."""
    incident = bytes.fromhex(fact.incident)
    asked = [(meant.known, Asked(meant.record, "use", PURPOSE, fields, case=incident))]
    if meant.to == "guardian":
        record = bytes.fromhex(fact.record)
        asked.append((people.of_record(deed, record), Asked(record, "use", PURPOSE, (NAME,), case=incident)))
    judged = [judge(deed, errand, one, known) for known, one in asked]
    refused = [one for one in judged if not one.verdict.allowed]
    if refused:
        return refused[0]
    sealed = take_sealed(deed, errand.book(deed), judged)
    return Taken(fact, judged, [sealed[number] for number in range(len(judged))])


def _field(book: Book, meant: Addressee, channel: Channel) -> str:
    """The field of the addressee's record in which an address of this kind lies, "" where there is none."""
    type_ = meant.known.sheet.records[meant.record.hex()].type if meant.known.sheet is not None else ""
    return next((one.name for one in book.types[type_].fields if one.kind == CHANNELS[channel]), "")


def _mail_field(book: Book, known: Known, record: str) -> str:
    return _field(book, Addressee(known, bytes.fromhex(record), "guardian"), "email")


def _person(known: Known) -> Person:
    return known.sheet.person if known.sheet is not None else Person()


def _has_died(person: Person, now: int) -> bool:
    return person.deceased_at is not None and person.deceased_at <= now


def _may_act(guardian: Guardian, now: int) -> bool:
    """Whether a guardian may be told for a ward: seen by a second person, in office at this moment, and not removed for cause."""
    in_office = guardian.valid_from <= now and (guardian.valid_to is None or now < guardian.valid_to)
    return guardian.verified and in_office and guardian.removed_for_cause_at is None and guardian.kind in _NEAREST
