"""What of somebody is published, item by item and channel by channel, and what has to be taken down again (article 6.1).

Invariants: nothing is registered as published but on a verdict of that moment for these very fields and this channel; from the withdrawal
of that consent, a correction or the erasure on, it stands in the queue of what is to be taken down until somebody says it is; where it
stood is forgotten then.
"""

import os
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access.recall_facts import Cause
from vault.access.told_about import keys_of
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.errors import NotFound
from vault.policy.facts import INTERNAL, Channel
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.storage.idempotency import Once, made_before, remember
from vault.subjects import people

DECIDED: Final = "publication.decided"
REGISTERED: Final = "publication.registered"
DUE: Final = "publication.due"
TAKEN_DOWN: Final = "publication.taken-down"
READ: Final = "publications.read"
SYSTEM: Final = "system"
CREATED: Final = 201
State = Literal["standing", "due", "taken-down", "all"]


class PublicationFact(Fact, frozen=True):
    """Something published: which fields of which record, for what purpose, in which channel, and where it stands there.

    Times in microseconds UTC, ids in hexadecimal; `due_at` from when it has to be gone, `cause` the number of the entry that says so.
    """

    id: str
    record: str
    fields: tuple[str, ...]
    purpose: str
    channel: str
    place: str
    published_by: str
    published_at: int
    due_at: int | None = None
    cause: int | None = None
    taken_down_at: int | None = None
    taken_down_by: str = ""

    @property
    def state(self) -> State:
        """`standing`, `due` to be taken down, or `taken-down`."""
        if self.taken_down_at is not None:
            return "taken-down"
        return "standing" if self.due_at is None else "due"


PUBLICATION: Kind[PublicationFact] = Kind("publication", PublicationFact, in_book=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be published: items of a record by field, for a purpose, in a channel, at a place in it."""

    record: bytes
    fields: tuple[str, ...]
    purpose: str
    channel: Channel
    place: str


def publish(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> PublicationFact | Judged:
    """Register that something is published from now on, or give the verdict that says no; its entry stands either way.

    A repeat of the same request gives the one it made. Raises NotFound, Conflict `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _of(deed, made)
    known = people.of_record(deed, wanted.record)
    judged = judge(deed, errand, Asked(wanted.record, "publish", wanted.purpose, wanted.fields, None, DECIDED, wanted.channel), known)
    if not judged.verdict.allowed:
        return judged
    made = os.urandom(16)
    publication = PublicationFact(
        id=made.hex(),
        record=wanted.record.hex(),
        fields=tuple(sorted(wanted.fields)),
        purpose=wanted.purpose,
        channel=wanted.channel,
        place=wanted.place,
        published_by=errand.hand,
        published_at=deed.now,
    )
    written = facts.write(deed, PUBLICATION, publication.id, publication)
    about = (About(known.subject, wanted.record),)
    told = errand.entry(kind=REGISTERED, outcome="allow", about=about, purpose=wanted.purpose, fields=publication.fields, facts=(written,))
    deed.append(told)
    if once is not None:
        remember(deed.transaction, deed.association, once, made, CREATED)
    return publication


def listed(deed: Deed, errand: Errand, state: State) -> list[PublicationFact]:
    """What is in this state, the oldest first; the look is an entry. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, PUBLICATION).values()
    found = sorted((one for one in every if state in {"all", one.state}), key=lambda one: (one.published_at, one.id))
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=len(found)))
    return found


def taken_down(deed: Deed, errand: Errand, publication: bytes) -> PublicationFact:
    """Note that it is gone from its place, which is forgotten. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    found = _of(deed, publication)
    if found.taken_down_at is not None:
        return found
    gone = msgspec.structs.replace(found, place="", taken_down_at=deed.now, taken_down_by=errand.hand)
    deed.append(errand.entry(kind=TAKEN_DOWN, outcome="allow", facts=(facts.write(deed, PUBLICATION, gone.id, gone),)))
    return gone


def take_down(deed: Deed, cause: Cause) -> int:
    """Put everything published of a person that the cause is about into the queue of what is to be taken down; how much."""
    count = 0
    for key in keys_of(deed, cause.subject, REGISTERED, cause.below):
        found = _of(deed, bytes.fromhex(key))
        if found.state == "standing" and _touched(cause, found):
            due = msgspec.structs.replace(found, due_at=deed.now, cause=cause.number)
            written = facts.write(deed, PUBLICATION, due.id, due)
            about = (About(cause.subject, bytes.fromhex(due.record)),)
            deed.append(Entry(kind=DUE, outcome="allow", actor=SYSTEM, about=about, purpose=due.purpose, basis="law", facts=(written,)))
            count += 1
    return count


def _touched(cause: Cause, found: PublicationFact) -> bool:
    if cause.what == "withdrawal":
        return (cause.purpose, cause.recipient) == (found.purpose, INTERNAL)
    same = cause.record is None or cause.record.hex() == found.record
    return same and (not cause.fields or bool(cause.fields & {*found.fields}))


def _of(deed: Deed, publication: bytes) -> PublicationFact:
    found = facts.read(deed, PUBLICATION, publication.hex())
    if found is None:
        raise NotFound
    return found
