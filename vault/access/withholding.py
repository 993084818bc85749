"""Keeps from a reader of the log what is about a case that she is excluded from: nothing of it is shown, and how much there is is told.

Invariants: what is withheld is decided by what is written about the reader inside the deed of the reading, and by nothing a caller says;
how much is withheld is one number for the whole log, whatever is asked for, so that no question tells which entries they are.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select

from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.breach_reports.shapes import EXCLUSIONS
from vault.rulebook import facts
from vault.rulebook.asker import Asker
from vault.rulebook.two_people import STAFF, accounts_of
from vault.storage.octets import octets


def hidden_from(deed: Deed, asker: Asker) -> tuple[bytes, ...]:
    """The cases this reader, or the person at the screen, is excluded from. Raises Unavailable `integrity`."""
    refs = [ref for ref in (asker.ref, asker.on_behalf) if ref is not None]
    every = accounts_of(asker.association.books.at(deed), refs)
    people = [ref.removeprefix(STAFF) for ref in sorted(every) if ref.startswith(STAFF)]
    kept = facts.read_several(deed, EXCLUSIONS, people) if people else {}
    return tuple(sorted({bytes.fromhex(case) for one in kept.values() for case in one.cases}))


def open_only(hidden: tuple[bytes, ...]) -> list[ColumnElement[bool]]:
    """What an entry must be so that none of these cases is named in it."""
    if not hidden:
        return []
    place, subject = tables.entry, tables.subject
    about = select(subject.c.number).where(subject.c.association_id == place.c.association_id, subject.c.subject.in_(hidden))
    return [place.c.number.not_in(about.correlate(place))]


def count(deed: Deed, hidden: tuple[bytes, ...]) -> int:
    """How many entries of the whole log name one of these cases."""
    if not hidden:
        return 0
    subject = tables.subject
    named = select(func.count(subject.c.number.distinct())).where(
        subject.c.association_id == deed.association, subject.c.subject.in_(hidden)
    )
    return int(deed.transaction.connection.execute(named).scalar() or 0)


def names_one(deed: Deed, hidden: tuple[bytes, ...], first: int, end: int) -> bool:
    """Whether an entry from `first` on and before `end` names one of these cases."""
    if not hidden:
        return False
    subject = tables.subject
    here = select(subject.c.number).where(
        subject.c.association_id == deed.association, subject.c.subject.in_(hidden), subject.c.number >= first, subject.c.number < end
    )
    return deed.transaction.connection.execute(here.limit(1)).scalar() is not None


def named_between(deed: Deed, hidden: tuple[bytes, ...], first: int, end: int) -> frozenset[int]:
    """The entries from `first` on and before `end` that name one of these cases."""
    if not hidden:
        return frozenset()
    subject = tables.subject
    here = select(subject.c.number).where(
        subject.c.association_id == deed.association, subject.c.subject.in_(hidden), subject.c.number >= first, subject.c.number < end
    )
    return frozenset(deed.transaction.connection.execute(here).scalars())


def naming(deed: Deed, hidden: tuple[bytes, ...], numbers: Collection[int]) -> frozenset[int]:
    """Which of these entries name one of these cases."""
    if not hidden or not numbers:
        return frozenset()
    subject = tables.subject
    named = select(subject.c.number).where(
        subject.c.association_id == deed.association, subject.c.subject.in_(hidden), subject.c.number.in_(numbers)
    )
    return frozenset(deed.transaction.connection.execute(named).scalars())


def cases_of(deed: Deed, numbers: Collection[int]) -> tuple[About, ...]:
    """The reports and incidents these entries name, as another entry names them: so that it is kept from whom those are kept from."""
    subject = tables.subject.c
    here = (subject.association_id == deed.association, subject.number.in_(numbers), subject.subject == subject.record)
    found = deed.transaction.connection.execute(select(octets(subject.subject)).where(*here).distinct())
    return tuple(About(case, case) for case in sorted(found.scalars()))
