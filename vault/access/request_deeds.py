"""Checks in the log and in her history that what answers a request was done: a deed is believed where its own entry tells of it."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import and_, select

from vault.access.certificate import ERASURE
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, EntryRefused, parse
from vault.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from vault.policy.events import Given, Stopped
from vault.rulebook import facts
from vault.rulebook.requests import REQUEST, DoneFact, RequestFact, What
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, policy_event

COPIED: Final = "request.copied"
_KINDS: Final[Mapping[What, frozenset[str]]] = {
    "copy": frozenset({COPIED}),
    "correction": frozenset({"record.updated"}),
    "erasure": frozenset({"erasure.approved"}),
    "withdrawal": frozenset(),
}
"""The kinds of entry that are such a deed; a withdrawal is found in her history."""


def entry_of(deed: Deed, found: RequestFact, done: DoneFact) -> tuple[int, Entry]:
    """The number and words of the entry that wrote this deed into the request. Raises Unavailable `integrity` where none did."""
    told, place = log_tables.fact, log_tables.entry
    same = and_(place.c.association_id == told.c.association_id, place.c.number == told.c.number)
    wrote = (
        told.c.association_id == deed.association,
        told.c.fact_kind == REQUEST.name,
        told.c.fact_key == found.id,
        told.c.version == done.version,
    )
    row = deed.transaction.connection.execute(select(place.c.number, place.c.body).join(told, same).where(*wrote)).first()
    if row is None:
        raise Unavailable("integrity")
    try:
        return row.number, parse(bytes(row.body)).entry
    except EntryRefused as error:
        raise Unavailable("integrity") from error


def require_done(deed: Deed, found: RequestFact) -> None:
    """Raise Unavailable `integrity` unless an entry of the right kind, about this very person, tells of each deed but a withdrawal.

    Who has two sheets is the same person in both.
    """
    for done in found.deeds:
        if done.what == "withdrawal":
            continue
        _, entry = entry_of(deed, found, done)
        sheets = _sheets(deed, found, done)
        hers = any(about.subject.hex() in sheets for about in entry.about)
        if entry.kind not in _KINDS[done.what] or entry.outcome != "allow" or not hers:
            raise Unavailable("integrity")


def withdrawn(deed: Deed, found: RequestFact, consent: bytes) -> None:
    """Raise Invalid `unknown-consent` unless the consent is hers, and Conflict `deed-missing` unless it was withdrawn since she asked."""
    try:
        known, _ = people.of_consent(deed, consent)
    except NotFound:
        raise Invalid([FieldError("consent", "unknown-consent")]) from None
    events = [policy_event(one) for each in people.history(deed, known) for one in each if isinstance(one, Happened)]
    given = [one for one in events if isinstance(one, Given) and one.grant.id == consent.hex()]
    if found.subject not in _with_others(known) or not given:
        raise Invalid([FieldError("consent", "unknown-consent")])
    same = [one for one in events if isinstance(one, Stopped) and (one.purpose, one.recipient) == (given[0].purpose, given[0].recipient)]
    if not any(one.stop.kind == "withdraw" and one.stop.recorded_at >= found.received_at for one in same):
        raise Conflict("deed-missing")


def _sheets(deed: Deed, found: RequestFact, done: DoneFact) -> set[str]:
    """The ids of her sheets, in hexadecimal; of who was erased those that her erasure names."""
    if done.what == "erasure":
        erased = facts.read(deed, ERASURE, done.reference)
        named = set() if erased is None else {erased.subject, *erased.others}
        return named if found.subject in named else {found.subject}
    try:
        return _with_others(people.of_subject(deed, bytes.fromhex(found.subject)))
    except NotFound:
        return {found.subject}


def _with_others(known: Known) -> set[str]:
    return {known.subject.hex(), *(known.sheet.others if known.sheet is not None else ())}
