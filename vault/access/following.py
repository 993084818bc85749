"""Follows the log for withdrawals, corrections and erasures: what past recipients are told, what is taken down, which referrals end.

Invariants: who was given something is taken from the log's own entries; recalls, their place in the outbox and how far the log was followed
are written in one deed, so that each cause raises its recalls once, whichever process dies and however many follow. Law 18, 25, 28 and
article 6.2: who got data on a person's word is told when that word is taken back.
"""

import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy import and_, insert, select

from vault.access import referrals
from vault.access.publishing import take_down
from vault.access.recall_facts import FOLLOW, OWN, RECALL, Cause, FollowFact, RecallFact, What
from vault.access.tables import recall_outbox
from vault.access_log import tables as log_tables
from vault.access_log.closed import STOPS, ended_consent
from vault.access_log.deed import Deed
from vault.access_log.entry import RELEASES, About, Entry, EntryRefused, Stored, parse
from vault.consent import merging
from vault.errors import Unavailable
from vault.policy.facts import INTERNAL
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.shapes import AGREEMENT
from vault.storage.transaction import Transaction

SYSTEM: Final = "system"
RAISED: Final = "recall.raised"
FOLLOWED: Final = "recalls.followed"
UPDATED: Final = "record.updated"
ERASED: Final = "erasure.approved"
NOS: Final = ("consent.withdrawn", "consent.invalidated", "consent.refused", "consent.rejected")
CAUSES: Final = (*NOS, UPDATED, ERASED, merging.APPROVED)
AT_ONCE: Final = 100
"""Causes that are looked at in one deed."""
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Given:
    """What one entry gave to a party outside the house; `agreed` is to whom she had agreed, the house where it was its processor."""

    agreed: str
    recipient: str
    record: bytes
    purpose: str
    fields: frozenset[str]
    order: str


@dataclass(slots=True)
class Follower:
    """Follows one association's log, for this process."""

    association: Association
    _next: int = 0

    async def follow(self) -> int:
        """Raise the recalls of everything that is new; how many. Raises Unavailable, and follows again from there the next time."""
        raised, more = 0, True
        while more:
            through = await self.association.run(_through)
            causes, end = await self.association.look(partial(_causes, association=self.association.id, first=max(through, self._next)))
            more = len(causes) == AT_ONCE
            if causes or end - through >= REMEMBERED:
                raised += await self.association.run(partial(_raise, causes=causes, end=end))
            self._next = end
        return raised


def _through(deed: Deed) -> int:
    stands = facts.read(deed, FOLLOW, OWN)
    return 0 if stands is None else stands.through


def _causes(transaction: Transaction, association: bytes, first: int) -> tuple[list[Cause], int]:
    """The next causes from an entry on, and the entry that what comes after them begins at."""
    place = log_tables.entry
    here = (place.c.association_id == association, place.c.number >= first)
    wanted = select(place.c.number, place.c.body).where(*here, place.c.kind.in_(CAUSES), place.c.outcome == "allow")
    rows = transaction.connection.execute(wanted.order_by(place.c.number).limit(AT_ONCE)).all()
    causes: list[Cause] = []
    for row in rows:
        stored = _parsed(row.body)
        causes += _cause(row.number, stored)
        if stored.entry.kind == merging.APPROVED:
            # A no that was said for several of her sheets at once is told of one time.
            causes += dict.fromkeys(_joined(transaction, association, row.number, _people(stored)))
    if len(rows) == AT_ONCE:
        return causes, rows[-1].number + 1
    newest = select(place.c.number).where(*here).order_by(place.c.number.desc()).limit(1)
    return causes, max(int(transaction.connection.execute(newest).scalar() or first - 1) + 1, first)


def _cause(number: int, stored: Stored) -> Iterator[Cause]:
    entry = stored.entry
    if entry.kind in {UPDATED, ERASED}:
        for about in entry.about:
            # An erasure has one entry for each record; the one that ends the person's sheet is told of.
            if about.version is not None:
                what: What = "correction" if entry.kind == UPDATED else "erasure"
                record = about.record if entry.kind == UPDATED else None
                yield Cause(number, what, about.subject, record, frozenset(entry.fields))
    elif entry.kind in NOS and stored.closes and stored.closes[0] in STOPS:
        purpose, recipient, _ = ended_consent(stored.closes[2])
        # Who has two sheets withdrew for both, whichever record she said it through.
        told = [bytes.fromhex(stored.closes[1]), *(about.subject for about in entry.about if about.version is not None)]
        for subject in dict.fromkeys(told):
            yield Cause(number, "withdrawal", subject, purpose=purpose, recipient=recipient)


def _joined(transaction: Transaction, association: bytes, number: int, people: AbstractSet[bytes]) -> Iterator[Cause]:
    """What each of these, joined as one person by this entry, had said no to before: now it is said of the others as well."""
    for subject in sorted(people):
        before = [(at, _parsed(body)) for at, body in _told(transaction, association, subject, (*NOS, merging.APPROVED), number)]
        # Whom an earlier joining made one with her was told of then.
        news = people - {subject}.union(*(_people(stored) for _, stored in before if stored.entry.kind == merging.APPROVED))
        for at, stored in before:
            for cause in _cause(at, stored):
                if cause.subject == subject:
                    yield from (replace(cause, number=number, subject=other, before=at) for other in sorted(news))


def _people(stored: Stored) -> AbstractSet[bytes]:
    """Whose sheets an entry wrote."""
    return {about.subject for about in stored.entry.about if about.version is not None}


def _told(transaction: Transaction, association: bytes, subject: bytes, kinds: Sequence[str], below: int) -> list[tuple[int, bytes]]:
    """Number and bytes of what the log says was done to this person by deeds of these kinds before an entry, the oldest first."""
    place, about = log_tables.entry, log_tables.subject
    same = and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number)
    query = select(place.c.number, place.c.body).distinct().select_from(place.join(about, same)).order_by(place.c.number)
    hers = (about.c.association_id == association, about.c.subject == subject, place.c.number < below)
    found = transaction.connection.execute(query.where(*hers, place.c.kind.in_(kinds), place.c.outcome == "allow")).all()
    return [(row.number, row.body) for row in found]


def _raise(deed: Deed, causes: Sequence[Cause], end: int) -> int:
    """Write the recalls of what no other process has followed, and how far the log was followed."""
    through = _through(deed)
    fresh = [cause for cause in causes if cause.number >= through]
    raised = sum([_recalls(deed, cause) + take_down(deed, cause) + referrals.end(deed, cause) for cause in fresh])
    if raised or end - through >= REMEMBERED:
        place = facts.write(deed, FOLLOW, OWN, FollowFact(through=max(end, through)))
        deed.append(Entry(kind=FOLLOWED, outcome="allow", actor=SYSTEM, facts=(place,)))
    return raised


def _recalls(deed: Deed, cause: Cause) -> int:
    """Raise a recall for every recipient and record of what the cause is about; how many."""
    # What was given on an order stands apart: where the order is secret, so is everything that names it.
    given: dict[tuple[str, bytes, str], frozenset[str]] = {}
    for one in given_to(deed, cause.subject, cause.below):
        fields = _touched(cause, one)
        if fields:
            place = (one.recipient, one.record, one.order)
            given[place] = given.get(place, frozenset()) | fields
    for (recipient, record, order), names in sorted(given.items()):
        _recall(deed, cause, Given("", recipient, record, cause.purpose, names, order))
    return len(given)


def _touched(cause: Cause, given: Given) -> frozenset[str]:
    """The fields a recipient was given that the cause is about, none where it is about nothing of that."""
    if cause.what == "withdrawal":
        return given.fields if (given.purpose, given.agreed) == (cause.purpose, cause.recipient) else frozenset()
    if cause.record is not None and cause.record != given.record:
        return frozenset()
    return given.fields & cause.fields if cause.fields else given.fields


def _recall(deed: Deed, cause: Cause, given: Given) -> None:
    made = os.urandom(16)
    recall = RecallFact(
        id=made.hex(),
        recipient=given.recipient,
        what=cause.what,
        record=given.record.hex(),
        fields=tuple(sorted(given.fields)),
        cause=cause.number,
        raised_at=deed.now,
        purpose=cause.purpose,
        order=given.order,
    )
    written = facts.write(deed, RECALL, recall.id, recall)
    about = (About(cause.subject, given.record),)
    told = Entry(kind=RAISED, outcome="allow", actor=SYSTEM, about=about, recipient=given.recipient, basis="law", facts=(written,))
    deed.append(replace(told, purpose=cause.purpose or None, fields=recall.fields, order=given.order or None))
    times = {"due": deed.now, "attempts": 0, "claimed_until": 0}
    row = {"association_id": deed.association, "recall": made, "recipient": given.recipient, **times}
    deed.transaction.connection.execute(insert(recall_outbox).values(row))


def given_to(deed: Deed, subject: bytes, below: int) -> Iterator[Given]:
    """What the log says was given of this person to parties outside before an entry. Raises Unavailable `integrity`."""
    place, about = log_tables.entry, log_tables.subject
    same = and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number)
    query = select(place.c.body, about.c.record).select_from(place.join(about, same))
    hers = (about.c.association_id == deed.association, about.c.subject == subject, place.c.number < below)
    released = (place.c.kind.in_(sorted(RELEASES)), place.c.outcome == "allow")
    for body, record in deed.transaction.connection.execute(query.where(*hers, *released).order_by(place.c.number)).all():
        entry = _parsed(body).entry
        party = _party(deed, entry)
        if record is not None and party:
            yield Given(entry.recipient or "", party, bytes(record), entry.purpose or "", frozenset(entry.fields), entry.order or "")


def _party(deed: Deed, entry: Entry) -> str:
    """Whom outside the house an entry gave something: the recipient, or the processor that asked in the house's name under an agreement."""
    if entry.recipient not in {None, INTERNAL}:
        return str(entry.recipient)
    under = facts.read(deed, AGREEMENT, entry.agreement) if entry.agreement else None
    return "" if under is None else under.recipient


def _parsed(body: bytes) -> Stored:
    try:
        return parse(bytes(body))
    except EntryRefused as error:
        raise Unavailable("integrity") from error
