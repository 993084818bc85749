"""Letters that are to leave, one to each person: what became of each is a sealed fact, and a row beside it says when it is looked at.

Invariants: a row is an index and sends nothing by itself; before a letter is in any server's hands the fact says `sending`, committed, so
that of a process that dies the one letter is named `doubtful` that nobody can know of, and none is sent twice by itself; an address never
stands in a fact or a row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, Table, and_, delete, insert, select, update

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, Outcome, WrittenFact
from vault.breach_reports.intake import PURPOSE
from vault.errors import NotFound, Unavailable
from vault.policy.facts import NEVER
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.storage.journal import Closing
from vault.storage.metadata import association_column, identifier, instant, metadata

LEASE: Final = 180_000_000
"""Microseconds after which a letter in hand is nobody's any more: no mail server is spoken to for a third as long."""
FIRST_PAUSE: Final = 60_000_000
LONGEST_PAUSE: Final = 6 * 3_600_000_000
MOST_ATTEMPTS: Final = 8
AT_ONCE: Final = 200
OFFICERS: Final = 0
"""The number in the place of a notice's for the officers' own mail: the part of that number is always the incident's summary."""

DONE: Final = NEVER - 1
"""The moment in the place of the next look at a letter that nothing is left to do about by itself; NEVER for one nobody approved yet."""
UNREACHABLE: Final = "UNREACHABLE"
INCIDENT_OVER: Final = "INCIDENT_OVER"
SYSTEM: Final = "system"
ADDRESSED: Final = "incident.letter-addressed"
TOLD: Final[Mapping[str, str]] = {
    "sent": "incident.letter-sent",
    "failed": "incident.letter-failed",
    "doubtful": "incident.letter-doubtful",
    "post": "incident.letter-by-post",
    "withheld": "incident.letter-withheld",
    "listed": "incident.letter-delayed",
}

UNOPENED: Final = "INTEGRITY"
JOURNAL: Final = "breach-letter"

State = Literal["listed", "sending", "sent", "failed", "doubtful", "post", "withheld", "delivered", "returned", "removed"]
WordState = Literal["waiting", "sending", "sent", "failed", "doubtful", "dropped"]

outbox = Table(
    "notice_outbox",
    metadata,
    association_column(),
    identifier("letter", primary_key=True),
    identifier("incident"),
    Column("notice", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    instant("claimed_until"),
)
Index("ix_notice_outbox_due", outbox.c.association_id, outbox.c.due)
Index("ix_notice_outbox_notice", outbox.c.association_id, outbox.c.incident, outbox.c.notice, outbox.c.letter)


class DoesNotHold(Unavailable):
    """Something of one letter, or of whom it is about, does not hold: it is to be set aside in a deed of its own."""

    code = "integrity"

    def __init__(self, letter: bytes) -> None:
        """Hold the letter's id (16 bytes)."""
        super().__init__()
        self.letter = letter


class LetterFact(Fact, frozen=True):
    """One letter: of which notice of which incident, about whom (a record and its person), and what became of it. Ids in hexadecimal.

    `place` is its place on the notice's list, from 1. `reason` tells why it is `failed`, `post` or `withheld`; `to` is "self" or "guardian"
    once it was addressed; `noted_by` who noted what became of one that went by hand or post, or wanted it off the list. `anew` says that
    two people had let it go before its incident was over.
    """

    id: str
    incident: str
    notice: int
    place: int
    record: str
    subject: str
    state: State
    at: int
    attempts: int = 0
    reason: str = ""
    to: str = ""
    noted_by: str = ""
    anew: bool = False


class WordFact(Fact, frozen=True):
    """One mail to a member of staff: a clock of an incident rang, or (`held`) something waits for who says whom a reporter meant.

    Ids in hexadecimal; `incident` is the report's where it is such a mail.
    """

    id: str
    incident: str
    hours: int
    staff: str
    state: WordState
    at: int
    attempts: int = 0
    what: Literal["clock", "held"] = "clock"


LETTER: Kind[LetterFact] = Kind("breach_letter", LetterFact, in_book=False)
WORD: Kind[WordFact] = Kind("clock_mail", WordFact, in_book=False)


def id_of(deed: Deed, incident: str, notice: int, subject: str) -> bytes:
    """The id of the letter to a person under a notice: the same person has one, however often she is named."""
    return deed.cabinet.pepper.hash("breach-letter", f"{incident}:{notice}:{subject}")[:16]


def add(deed: Deed, letter: bytes, incident: str, notice: int, due: int = NEVER) -> None:
    """Insert the row of a letter."""
    values = {"association_id": deed.association, "letter": letter, "incident": bytes.fromhex(incident), "notice": notice, "due": due}
    deed.transaction.connection.execute(insert(outbox).values(**values, claimed_until=0))


def drop(deed: Deed, letter: bytes) -> None:
    """Delete the row of a letter, where there is one: its fact is written anew."""
    place = and_(outbox.c.association_id == deed.association, outbox.c.letter == letter)
    deed.transaction.connection.execute(delete(outbox).where(place))


def release(deed: Deed, incident: str, notice: int) -> None:
    """Make every letter of a notice due that nothing was done about yet; its fact decides whether it goes."""
    place = and_(_of(deed, incident, notice), outbox.c.due == NEVER)
    deed.transaction.connection.execute(update(outbox).where(place).values(due=deed.now))


def due(deed: Deed, *, officers: bool) -> list[bytes]:
    """Letters that are due and in nobody's hand: the officers' own mail, or all others."""
    place = outbox.c
    which = place.notice == OFFICERS if officers else place.notice != OFFICERS
    here = (place.association_id == deed.association, place.due <= deed.now, place.claimed_until <= deed.now, which)
    found = deed.transaction.connection.execute(select(place.letter).where(*here).order_by(place.due, place.letter).limit(AT_ONCE))
    return [bytes(each) for each in found.scalars()]


def are_due(deed: Deed, incident: bytes) -> bool:
    """Whether a letter to somebody it touches, which two people let go, has not left and is not given up."""
    place = outbox.c
    here = (place.association_id == deed.association, place.incident == incident, place.notice != OFFICERS, place.due < DONE)
    return deed.transaction.connection.execute(select(place.letter).where(*here).limit(1)).first() is not None


def move(deed: Deed, letter: bytes, due_: int, claimed_until: int = 0) -> None:
    """Say when a letter is looked at again, NEVER for not by itself, and until when it is in this process's hand."""
    place = and_(outbox.c.association_id == deed.association, outbox.c.letter == letter)
    deed.transaction.connection.execute(update(outbox).where(place).values(due=due_, claimed_until=claimed_until))


def pause(attempts: int) -> int:
    """Microseconds until a letter that was not taken so many times, from 1, is tried again: a minute, two, four, and so on to six hours."""
    return min(FIRST_PAUSE << min(attempts - 1, 10), LONGEST_PAUSE)


def change(deed: Deed, letter: LetterFact, state: State, **members: object) -> tuple[LetterFact, WrittenFact]:
    """Write what became of a letter."""
    changed = msgspec.structs.replace(letter, state=state, at=deed.now, **members)
    return changed, facts.write(deed, LETTER, letter.id, changed)


def left(letter: LetterFact, how: Literal["sending", "sent"]) -> Closing:
    """The journal's line that says a letter may have left, or did: no restore lets it leave a second time by itself."""
    return Closing(JOURNAL, letter.incident, f"{letter.id}|{how}")


def settle(deed: Deed, letter: LetterFact, state: State, **members: object) -> None:
    """Note what came of a letter in hand; nothing where somebody settled it otherwise meanwhile. Raises Unavailable `integrity`."""
    stands = facts.read(deed, LETTER, letter.id)
    if stands is None or stands.attempts != letter.attempts or stands.state not in {"listed", "sending", "doubtful"}:
        return
    changed, written = change(deed, stands, state, **members)
    move(deed, bytes.fromhex(letter.id), deed.now + pause(changed.attempts) if state == "listed" else DONE)
    incident = bytes.fromhex(letter.incident)
    outcome: Outcome = "error" if state in {"failed", "doubtful", "listed"} else "allow"
    deed.append(
        Entry(
            kind=TOLD[state],
            outcome=outcome,
            actor=SYSTEM,
            about=(About(incident, incident),),
            purpose=PURPOSE,
            reason=changed.reason or None,
            facts=(written,),
        )
    )
    if state == "sent":
        deed.closes_too(left(letter, "sent"))


def delayed(deed: Deed, letter: LetterFact, reason: str = UNREACHABLE) -> None:
    """Put a letter back that did not leave: it is tried again after a while, and has failed after eight times, for this reason."""
    attempts = letter.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        settle(deed, letter, "failed", attempts=attempts, reason=reason)
    else:
        settle(deed, letter, "listed", attempts=attempts)


@contextmanager
def holding(letter: bytes) -> Iterator[None]:
    """Lay what does not hold inside the block to this letter: DoesNotHold is raised, and its deed undone."""
    try:
        yield
    except (NotFound, Unavailable) as error:
        if error.code in {DoesNotHold.code, NotFound.code}:
            raise DoesNotHold(letter) from error
        raise


def set_aside(deed: Deed, letter: bytes, pack: str) -> None:
    """Note that a letter has failed since something of it or of whom it is about does not hold, with an alarm: the others go on."""
    about: tuple[About, ...] = ()
    try:
        stands = facts.read(deed, LETTER, letter.hex())
    except Unavailable:
        # What it says of itself is what does not hold: its row alone is put to rest.
        stands = None
        move(deed, letter, DONE)
    if stands is not None:
        settle(deed, stands, "failed", reason=UNOPENED)
        incident = bytes.fromhex(stands.incident)
        about = (About(incident, incident),)
    alarm(deed, about, pack)


def alarm(deed: Deed, about: tuple[About, ...], pack: str) -> None:
    """Append the alarm of a letter or a mail that cannot leave since something does not hold."""
    deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, about=about, reason=UNOPENED, article=f"{pack}:7"))


def page(deed: Deed, incident: str, notice: int, after: bytes | None, limit: int) -> list[bytes]:
    """The ids of a notice's letters, in the order of the ids."""
    place = outbox.c
    query = select(place.letter).where(_of(deed, incident, notice)).order_by(place.letter).limit(limit)
    if after is not None:
        query = query.where(place.letter > after)
    return [bytes(each) for each in deed.transaction.connection.execute(query).scalars()]


def known(deed: Deed, ids: Sequence[bytes]) -> list[LetterFact]:
    """The letters with these ids, in order; rows the log never heard of are none. Raises Unavailable `integrity`."""
    found = facts.read_several(deed, LETTER, [each.hex() for each in ids]) if ids else {}
    return [found[each.hex()] for each in ids if each.hex() in found]


def every(deed: Deed, incident: str, notice: int) -> Iterator[LetterFact]:
    """All letters of a notice, some hundreds at a time. Raises Unavailable `integrity`."""
    after: bytes | None = None
    while ids := page(deed, incident, notice, after, AT_ONCE):
        yield from known(deed, ids)
        after = ids[-1]


def _of(deed: Deed, incident: str, notice: int) -> ColumnElement[bool]:
    return and_(outbox.c.association_id == deed.association, outbox.c.incident == bytes.fromhex(incident), outbox.c.notice == notice)


def empty(deed: Deed, incident: bytes) -> list[WrittenFact]:
    """Empty every letter of an incident that is destroyed, and its mail to officers: what stays names neither record nor person.

    Their rows go. Returns what the entries of the destruction name.
    """
    here = and_(outbox.c.association_id == deed.association, outbox.c.incident == incident)
    found = deed.transaction.connection.execute(select(outbox.c.letter, outbox.c.notice).where(here).order_by(outbox.c.letter)).all()
    deed.transaction.connection.execute(delete(outbox).where(here))
    return [_emptied(deed, bytes(row.letter).hex(), incident.hex(), row.notice) for row in found]


def _emptied(deed: Deed, letter: str, incident: str, notice: int) -> WrittenFact:
    if notice == OFFICERS:
        return facts.write(deed, WORD, letter, WordFact(id=letter, incident=incident, hours=0, staff="", state="dropped", at=deed.now))
    bare = LetterFact(id=letter, incident=incident, notice=notice, place=0, record="", subject="", state="removed", at=deed.now)
    return facts.write(deed, LETTER, letter, bare)
