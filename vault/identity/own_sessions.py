"""Whose session is open where: a person's own to see and to end, and everybody's to end for who keeps accounts.

Invariants: nothing of a session is told that could open it; an end is in the journal before it is committed, one entry for each session;
sessions are found by the log's entries of the time a session lasts, so that none is forgotten and none long gone is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy import select

from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, EntryRefused, WrittenFact, parse
from vault.errors import NotFound, Unavailable
from vault.identity.callers import Caller, still
from vault.identity.sessions import LIFETIME
from vault.rulebook import facts
from vault.rulebook.shapes import SESSION, SessionFact
from vault.storage.journal import Closing

ENDED = "session.ended"


@dataclass(frozen=True, slots=True)
class Open:
    """A session that is open: its id, since when and until when, until when it approves, whether it is the one that asks."""

    id: str
    opened_at: int
    expires_at: int
    stepped_up_until: int
    is_current: bool


def shut_sessions(deed: Deed, ref: str) -> tuple[WrittenFact, ...]:
    """End every session of a person ("staff:<hex>"), those under way too; what was written, for the entry of the deed."""
    return tuple(facts.write(deed, SESSION, one.id, msgspec.structs.replace(one, ended_at=deed.now)) for one in list(_open(deed, ref)))


async def listed(caller: Caller) -> list[Open]:
    """The caller's own open sessions, the newest first."""
    return await caller.association.run(lambda deed: _listed(deed, still(deed, caller)))


async def end_one(caller: Caller, session: str) -> None:
    """End one of the caller's own sessions. Raises NotFound for one that is not open or another's."""

    def unit(deed: Deed) -> None:
        asker = still(deed, caller)
        _end(deed, asker, [one for one in _open(deed, asker.ref) if one.id == session], missing=True)

    await caller.association.run(unit)


async def end_others(caller: Caller) -> int:
    """End every session of the caller's but this one; how many."""

    def unit(deed: Deed) -> int:
        asker = still(deed, caller)
        return _end(deed, asker, [one for one in _open(deed, asker.ref) if one.id != asker.session])

    return await caller.association.run(unit)


async def end_all_of(caller: Caller, staff: bytes) -> int:
    """End every session of this member of staff; how many. Raises NotFound for nobody."""

    def unit(deed: Deed) -> int:
        asker = still(deed, caller)
        if staff.hex() not in asker.association.books.at(deed).staff:
            raise NotFound
        return _end(deed, asker, list(_open(deed, f"staff:{staff.hex()}")))

    return await caller.association.run(unit)


def _listed(deed: Deed, caller: Caller) -> list[Open]:
    return [
        Open(one.id, one.expires_at - LIFETIME, one.expires_at, max(one.stepped_up_until, 0), one.id == caller.session)
        for one in _open(deed, caller.ref)
    ]


def _open(deed: Deed, ref: str) -> Iterator[SessionFact]:
    """The open sessions of a person, the newest first. Raises Unavailable `integrity`."""
    place = tables.entry
    query = (
        select(place.c.body)
        .where(place.c.association_id == deed.association, place.c.actor == ref, place.c.kind == "session.opened")
        .where(place.c.time > deed.now - LIFETIME)
        .order_by(place.c.number.desc())
    )
    ids = [key for body in deed.transaction.connection.execute(query).scalars().all() for key in _sessions(bytes(body))]
    found = facts.read_several(deed, SESSION, ids) if ids else {}
    for id_ in ids:
        one = found.get(id_)
        if one is not None and one.ended_at is None and one.expires_at > deed.now:
            yield one


def _sessions(body: bytes) -> list[str]:
    try:
        return [fact.key for fact in parse(body).entry.facts if fact.kind == SESSION.name]
    except EntryRefused as error:
        raise Unavailable("integrity") from error


def _end(deed: Deed, caller: Caller, sessions: list[SessionFact], *, missing: bool = False) -> int:
    if missing and not sessions:
        raise NotFound
    for one in sessions:
        written = facts.write(deed, SESSION, one.id, msgspec.structs.replace(one, ended_at=deed.now))
        entry = Entry(kind=ENDED, outcome="allow", actor=caller.ref, facts=(written,), flags=caller.flags)
        deed.append(entry, changes_law=True, closes=Closing("session", one.id))
    return len(sessions)
