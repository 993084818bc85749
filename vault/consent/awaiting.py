"""The written consents that wait for a second person, of whomever: found by the log's newest entries, told by each person's history.

Invariant: the look is an entry that names everybody whose paper is told of.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About, EntryRefused, parse
from vault.consent.history import Told, happened_to, tell
from vault.errors import NotFound, Unavailable
from vault.policy.events import Given
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.sheet import policy_event

MOST_LOOKED_AT: Final = 1_000
MOST_PEOPLE: Final = 200
"""So many of the newest people who gave a consent are looked at; an older paper is found by its person."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A written consent that nobody has verified, and the record it went through."""

    told: Told
    record: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Papers that wait; `is_cut` where others may wait that were not looked at."""

    papers: list[Paper]
    is_cut: bool


def awaits(told: Told) -> bool:
    """Whether a consent is in writing, stands, and was neither verified nor rejected."""
    return told.grant.form == "written" and told.verified_at is None and told.stopped_at is None and told.seen != "rejected"


def papers(deed: Deed, errand: Errand, limit: int) -> Waiting:
    """The papers that wait, of the people who gave one last; at most `limit`. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    found: list[Paper] = []
    named: dict[bytes, bytes] = {}
    newest, is_cut = _newest(deed)
    for subject in newest:
        try:
            happened = happened_to(deed, people.of_subject(deed, subject))
        except NotFound:
            continue  # erased since
        given = {event.grant.id: one.record for one in happened if isinstance(event := policy_event(one), Given)}
        for told in tell(happened, deed.now):
            if awaits(told) and len(found) < limit:
                named[subject] = bytes.fromhex(given[told.grant.id])
                found.append(Paper(told, named[subject]))
        if len(found) == limit:
            is_cut = True
            break
    about = tuple(About(subject, record or None) for subject, record in named.items())
    deed.append(errand.entry(kind="consent.read", outcome="allow", about=about, basis="law", count=len(found)))
    return Waiting(found, is_cut)


def _newest(deed: Deed) -> tuple[list[bytes], bool]:
    """The people whose consents were recorded last, each once, the newest first; and whether others gave one before them."""
    place = tables.entry
    query = (
        select(place.c.body)
        .where(place.c.association_id == deed.association, place.c.kind == "consent.granted")
        .order_by(place.c.number.desc())
        .limit(MOST_LOOKED_AT)
    )
    try:
        entries = [parse(bytes(body)).entry for body in deed.transaction.connection.execute(query).scalars().all()]
    except EntryRefused as error:
        raise Unavailable("integrity") from error
    people_ = list(dict.fromkeys(about.subject for entry in entries for about in entry.about))
    return people_[:MOST_PEOPLE], len(people_) > MOST_PEOPLE or len(entries) == MOST_LOOKED_AT
