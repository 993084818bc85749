"""The short mail to officers when a clock of an incident rings: the incident's number and the time that is left, and nothing else.

Invariants: it is written down in the deed in which the clock rings, so that it is as once as the ringing; whom the incident excludes by the
moment it leaves is not written to; before a server hears of it the fact says `sending`, so that no process sends it twice.
"""

import os
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, Outcome, WrittenFact
from vault.breach_reports import clocks, held_mail, incident_file, letters, service
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.letters import DONE, LEASE, OFFICERS, SYSTEM, WORD, WordFact, WordState
from vault.breach_reports.lifecycle import HOUR
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF, accounts_of

MAILED: Final = "incident.clock-mailed"
USUAL: Final = frozenset({60})
SCOPES: Final = frozenset({"reports", "approve"})
"""Who may be written to: who works on reports, and who approves (the chair at 60 hours)."""
LONGEST_PAUSE: Final = HOUR // 2
MOST_TRIES: Final = 30
"""A mail that is not taken is tried again for half a day: so long is left to the authority's 72 hours when the usual one is written."""


@dataclass(frozen=True, slots=True)
class Telling:
    """At which hours whom (staff ids in hexadecimal) a mail is written to; what the operator laid down.

    `boxes` are those who are written to at one address, where that is several.
    """

    staff: frozenset[str] = frozenset()
    hours: frozenset[int] = USUAL
    boxes: tuple[frozenset[str], ...] = ()

    def beside(self, staff: str) -> frozenset[str]:
        """Who else is written to where this member of staff is."""
        return frozenset(each for box in self.boxes if staff in box for each in box) - {staff}


NOBODY: Final = Telling()


@dataclass(frozen=True, slots=True)
class Word:
    """A mail in hand: to whom, the incident's number, and how many hours are left (less than 0 once the time is over).

    One about a held report has neither.
    """

    fact: WordFact
    reference: str
    left: int


def written(deed: Deed, book: Book, incident: IncidentFact, hours: int, telling: Telling) -> tuple[WrittenFact, ...]:
    """Write down the mails of a clock that rings now, one to everybody who is to have one."""
    if hours not in telling.hours:
        return ()
    return tuple(_begin(deed, incident, hours, staff) for staff in sorted(telling.staff) if _may_know(book, incident, staff, deed.now))


def claim(deed: Deed, association: Association, telling: Telling = NOBODY) -> Word | None:
    """Take the first mail in hand that is due; None where none is. Raises DoesNotHold for one that is to be set aside, Unavailable."""
    book = association.books.at(deed)
    for id_ in letters.due(deed, officers=True):
        with letters.holding(id_):
            word = _claimed(deed, book, id_, telling)
        if word is not None:
            return word
    return None


def set_aside(deed: Deed, mail: bytes, pack: str) -> None:
    """Note that a mail has failed since something of it or of its incident does not hold, with an alarm: the others go on."""
    about: tuple[About, ...] = ()
    try:
        stands = facts.read(deed, WORD, mail.hex())
    except Unavailable:
        stands = None
        letters.move(deed, mail, DONE)
    if stands is not None:
        settle(deed, stands, "failed")
        incident = bytes.fromhex(stands.incident)
        about = (About(incident, incident),)
    letters.alarm(deed, about, pack)


def settle(deed: Deed, fact: WordFact, state: WordState) -> None:
    """Note what came of a mail: `sent`, `doubtful`, `dropped`, or `waiting` to be tried again until it has `failed` so often."""
    stands = facts.read(deed, WORD, fact.id)
    if stands is None or stands.state not in {"waiting", "sending", "doubtful"}:
        return
    attempts = stands.attempts + (state == "waiting")
    state = "failed" if attempts >= MOST_TRIES else state
    changed = msgspec.structs.replace(stands, state=state, at=deed.now, attempts=attempts)
    again = deed.now + min(letters.pause(attempts), LONGEST_PAUSE) if state == "waiting" else DONE
    letters.move(deed, bytes.fromhex(fact.id), again)
    _tell(deed, changed)


def _claimed(deed: Deed, book: Book, id_: bytes, telling: Telling) -> Word | None:
    fact = facts.read(deed, WORD, id_.hex())
    if fact is not None and fact.state == "sending":
        settle(deed, fact, "doubtful")
        return None
    if fact is None or fact.state != "waiting":
        letters.move(deed, id_, DONE)
        return None
    said = _of_held(deed, book, fact, telling) if fact.what == "held" else _of_clock(deed, book, fact)
    if said is None:
        settle(deed, fact, "dropped")
        return None
    changed = msgspec.structs.replace(fact, state="sending", at=deed.now)
    _tell(deed, changed)
    letters.move(deed, id_, deed.now, deed.now + LEASE)
    return Word(changed, *said)


def _of_clock(deed: Deed, book: Book, fact: WordFact) -> tuple[str, int] | None:
    """What a mail of a clock says, None where its addressee has nothing to be told any more."""
    incident = incident_file.load(deed, bytes.fromhex(fact.incident)).fact
    clock = clocks.clock(incident, service.hours(book))
    if clock is None or not _may_know(book, incident, fact.staff, deed.now):
        return None
    return incident.reference, clock.left(deed.now) // HOUR


def _of_held(deed: Deed, book: Book, fact: WordFact, telling: Telling) -> tuple[str, int] | None:
    """What a mail about a held report says, which is nothing of it; None as above."""
    return ("", 0) if held_mail.may_leave(deed, book, fact, telling.beside(fact.staff)) else None


def _begin(deed: Deed, incident: IncidentFact, hours: int, staff: str) -> WrittenFact:
    id_ = os.urandom(16)
    letters.add(deed, id_, incident.id, OFFICERS, deed.now)
    word = WordFact(id=id_.hex(), incident=incident.id, hours=hours, staff=staff, state="waiting", at=deed.now)
    return facts.write(deed, WORD, word.id, word)


def _may_know(book: Book, incident: IncidentFact, staff: str, now: int) -> bool:
    """Whether this is a member of staff at work whom the incident excludes through none of her accounts."""
    member = book.staff.get(staff)
    if member is None or not member.active or (member.valid_to is not None and member.valid_to <= now):
        return False
    return not SCOPES.isdisjoint(member.scopes) and f"{STAFF}{staff}" not in accounts_of(book, incident.excluded)


def _tell(deed: Deed, fact: WordFact) -> None:
    incident = bytes.fromhex(fact.incident)
    outcome: Outcome = "error" if fact.state in {"failed", "doubtful", "waiting"} else "allow"
    told = Entry(
        kind=held_mail.MAILED if fact.what == "held" else MAILED,
        outcome=outcome,
        actor=SYSTEM,
        about=(About(incident, incident),),
        purpose=PURPOSE,
        count=fact.hours or None,
        flags=(fact.state,),
        facts=(facts.write(deed, WORD, fact.id, fact),),
    )
    deed.append(told)
