"""Whom a deed is about, for the entry of an alarm: as far as the rows still tell, and never an id that only the caller knows.

Each function is made with what the caller named and asked inside the alarm's own deed.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import exists, select

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.errors import NotFound
from vault.subjects import people, tables
from vault.subjects.people import Known

NOBODY: Final = bytes(16)
"""Stands where the person is meant whose rows do not tell who she is."""

Meant = Callable[[Deed], tuple[About, ...]]


def by_record(record: bytes) -> Meant:
    """The record, and its person where her rows say who she is."""

    def meant(deed: Deed) -> tuple[About, ...]:
        found = people.of_records(deed, [record])[record]
        if isinstance(found, NotFound):
            return ()
        return (About(found.subject if isinstance(found, Known) else NOBODY, record),)

    return meant


def by_subject(subject: bytes | None) -> Meant:
    """The person of this id, where there is one."""

    def meant(deed: Deed) -> tuple[About, ...]:
        if subject is None:
            return ()
        place = tables.sheet
        there = select(exists().where(place.c.association_id == deed.association, place.c.subject == subject))
        return (About(subject),) if deed.transaction.connection.execute(there).scalar() else ()

    return meant


def by_consent(consent: bytes) -> Meant:
    """The person and the record a consent went through, where the index still has it."""

    def meant(deed: Deed) -> tuple[About, ...]:
        place = tables.consent
        query = select(place.c.record).where(place.c.association_id == deed.association, place.c.consent == consent)
        record = deed.transaction.connection.execute(query).scalar()
        return by_record(bytes(record))(deed) if record is not None else ()

    return meant
