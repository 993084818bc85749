"""The pack an association is under, word for word as two people approved it: no newer release and no row of the database changes it.

Invariant: the association's own fact, which every deed reads, names the pack's hash; words of another hash are none of it.
"""

import calendar
import datetime as dt
from typing import Final

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.errors import Unavailable
from vault.policy import pack as packs
from vault.policy.pack import Pack, PackRefused, Source
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import AssociationFact, Fact


class PackFact(Fact, frozen=True):
    """One version of the association's pack: name and version as the file says, its words, and which two people made it its pack.

    `below` are the words of the pack it is laid over, as they were then. `reviewed` where it was looked at anew and kept as it is.
    """

    number: int
    name: str
    version: str
    sha256: str
    own: str
    below: str = ""
    proposed_by: str = ""
    proposed_at: int = 0
    approved_by: str = ""
    approved_at: int = 0
    reviewed: bool = False

    @property
    def words(self) -> Source:
        """What the pack is read from."""
        return Source(self.own, self.below)


JOURNAL: Final = "pack-purpose"
"""The journal's word for a purpose that a version of the pack made narrower; its detail is the version's number."""
PACK: Final[Kind[PackFact]] = Kind("pack", PackFact, in_book=False)


def key_of(number: int) -> str:
    """The name of a version among facts."""
    return f"{number:08d}"


def months_after(day: dt.date, months: int) -> dt.date:
    """The same day so many months on, the last of the month where it has no such day."""
    ahead = day.month - 1 + months
    year, month = day.year + ahead // 12, ahead % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def pinned(connection: Connection, cabinet: Cabinet, association: bytes, own: AssociationFact) -> Pack:
    """The pack in force. Raises Unavailable `integrity` where its words are not those of the association's fact."""
    if not own.pack_sha256:
        return packs.load(own.pack)
    found = facts.read_from(connection, cabinet, association, PACK, key_of(own.pack_number))
    if found is None or found.words.sha256 != own.pack_sha256:
        raise Unavailable("integrity")
    try:
        return packs.kept(found.words)
    except PackRefused:
        raise Unavailable("integrity") from None
