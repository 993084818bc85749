"""The work of a restore on what it loaded: deeds one after another inside its one transaction.

Invariant: each deed is closed before the next begins, so that whatever the size of a vault no more than one portion of entries is held.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from vault.access.erasure_words import ERASE, Words
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.errors import NotFound, Unavailable
from vault.reclosing import close
from vault.records.refinding import find_anew
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.shapes import SESSION
from vault.storage.journal import RESTORED, Closing, Line
from vault.storage.transaction import Transaction
from vault.subjects import tables as subjects

SYSTEM: Final = "system"
FLAGS: Final = ("from-backup",)
AT_ONCE: Final = 500

Unit = Callable[[Deed], int]


def takes_all(line: Line) -> bool:
    """Whether the line tells of a whole person's erasure: what is hers is not even looked at to find her by."""
    return line.closing.kind == ERASE and not Words.read(line.closing.detail).classes


class Work:
    """Deeds on a connection whose transaction the caller commits."""

    def __init__(self, connection: Connection, association: Association, clock: Callable[[], int]) -> None:
        """Take the open transaction and the association as it goes on."""
        self._connection = connection
        self._association = association
        self._clock = clock

    def deed(self, *units: Unit) -> int:
        """Do these in one deed; the sum of what they give."""
        deed = self._association.log.begin(Transaction(self._connection, self._clock()))
        done = sum([unit(deed) for unit in units])
        deed.close()
        # Nobody is told anything before the commit; the next deed goes on from this one.
        deed.commit_seen()
        return done

    def carry_out(self, lines: Sequence[Line]) -> int:
        """Close every door these lines tell of; how many stood open."""
        doors = [line for line in lines if line.closing.kind != RESTORED]
        return sum(
            self.deed(*(partial(close, association=self._association, line=line) for line in doors[at : at + AT_ONCE]))
            for at in range(0, len(doors), AT_ONCE)
        )

    def credentials(self) -> list[Line]:
        """A line for every API client and every session that could still open something."""
        deed = self._association.log.begin(Transaction(self._connection, self._clock()))
        clients = {one.id for one in self._association.books.at(deed).clients.values() if one.revoked_at is None}
        kept = facts.read_all(self._connection, deed.cabinet, deed.association, {SESSION.name}).get(SESSION.name, {})
        sessions = [msgspec.json.decode(content, type=SESSION.shape) for content in kept.values()]
        open_ones = [one.id for one in sessions if one.ended_at is None and one.expires_at > deed.now]
        closings = [Closing("client", one) for one in sorted(clients)] + [Closing("session", one) for one in open_ones]
        return [Line(deed.base, deed.now, closing) for closing in closings]

    def find_anew(self) -> int:
        """Make anew what everybody's records are found by; how many people do not open."""
        place = subjects.record.c
        own = place.association_id == self._association.id
        among = int(self._connection.execute(select(func.count()).select_from(subjects.record).where(own)).scalar() or 0)
        return sum(self.deed(*(partial(self._person, subject, among) for subject in some)) for some in self._people())

    def _people(self) -> Iterator[list[bytes]]:
        place, after = subjects.sheet.c, b""
        query = select(place.subject).where(place.association_id == self._association.id).order_by(place.subject).limit(AT_ONCE)
        while some := [bytes(one) for one in self._connection.execute(query.where(place.subject > after)).scalars()]:
            yield some
            after = some[-1]

    def _person(self, subject: bytes, among: int, deed: Deed) -> int:
        book = self._association.books.at(deed)
        told = Entry(kind="record.found-anew", outcome="allow", actor=SYSTEM, basis="law", flags=FLAGS)
        try:
            find_anew(deed, book, subject, told, among=among)
        except (NotFound, Unavailable):
            deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", about=(About(subject),), flags=FLAGS))
            return 1
        return 0
