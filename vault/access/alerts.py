"""Alerts as officers work on them: shown, reviewed, and the thresholds declared by two people.

Invariants: the look is an entry; what rests on a case that excludes the reader is kept from her; nobody reviews what rests on her own
deeds or those of an account she made, whoever fired it; whatever is declared, tighter or looser, canaries included, is in force once
another person has approved that very wording.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import select

from vault.access import withholding
from vault.access.alert_facts import (
    ALERT,
    DETECTION,
    DETECTION_PROPOSAL,
    OWN,
    AlertFact,
    DeclaredFact,
    DetectionProposal,
    Reason,
    in_force,
    padded,
)
from vault.access.approving import Approver
from vault.access.detection import WITHDRAWN, DetectionFact
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import EntryRefused, parse
from vault.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.subjects import people

REVIEWED: Final = "alert.reviewed"
OVERDUE: Final = "overdue"
APPROVED: Final = "detection.approved"
MOST_LOOKED_AT: Final = 500
"""Alerts that one page opens: where few of them stand as asked, the page is short and `next` goes on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts: in this state (None: in any; `overdue`: whose review was due), raised before entry number `after`, at most `limit`."""

    state: str | None
    after: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Page:
    """Alerts by id, newest first; the number the next page begins after.

    `withheld` counts all alerts that rest on what is kept from the reader: one number whatever is asked for, as in the log.
    """

    items: list[tuple[str, AlertFact]]
    more: int | None
    withheld: int


def page(deed: Deed, errand: Errand, wanted: Wanted) -> Page:
    """A page of alerts, without those that rest on an entry about a case the reader is excluded from. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    kept_from_her = _kept_from(deed, errand)
    numbers = _raised(deed, wanted.after, kept_from_her)
    stored = facts.read_several(deed, ALERT, list(numbers))
    meant = [
        key
        for key in numbers
        if wanted.state in {None, stored[key].state} or (wanted.state == OVERDUE and stored[key].is_overdue(deed.now))
    ]
    here = meant[: wanted.limit]
    deed.append(errand.entry(kind="alerts.read", outcome="allow", basis="law", count=len(here)))
    more = None
    if len(meant) > wanted.limit:
        more = numbers[here[-1]]
    elif len(numbers) == MOST_LOOKED_AT:
        more = min(numbers.values())
    return Page([(key, stored[key]) for key in here], more, len(kept_from_her))


def _kept_from(deed: Deed, errand: Errand) -> frozenset[str]:
    """All alerts of the association that are kept from the reader; only for whom a case excludes are any opened."""
    hidden = withholding.hidden_from(deed, errand.asker)
    if not hidden:
        return frozenset()
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, ALERT)
    named = withholding.named_between(deed, hidden, 0, deed.size)
    return frozenset(key for key, one in every.items() if not named.isdisjoint(one.indexes))


def _hidden(deed: Deed, errand: Errand, alert: AlertFact) -> bool:
    """Whether the alert rests on an entry about a case the reader is excluded from."""
    return bool(withholding.naming(deed, withholding.hidden_from(deed, errand.asker), alert.indexes))


def _raised(deed: Deed, after: int | None, without: Collection[str]) -> dict[str, int]:
    """The ids of the next alerts but these, with the number of the entry that raised each, newest first."""
    told = log_tables.fact
    query = select(told.c.fact_key, told.c.number).where(
        told.c.association_id == deed.association,
        told.c.fact_kind == ALERT.name,
        told.c.version == 1,
        told.c.fact_key.not_in(without),
    )
    if after is not None:
        query = query.where(told.c.number < after)
    rows = deed.transaction.connection.execute(query.order_by(told.c.number.desc()).limit(MOST_LOOKED_AT)).all()
    return {row.fact_key: row.number for row in rows}


def review(deed: Deed, approver: Approver, alert: bytes, reason: Reason) -> AlertFact:
    """Say what an alert was.

    Raises NotFound, Conflict where it was reviewed, the refusal `same-person` for one about deeds of her own, Unavailable `integrity`.
    """
    approver = approver.still(deed)
    errand = approver.errand
    found = facts.read(deed, ALERT, alert.hex())
    if found is None or _hidden(deed, errand, found):
        raise NotFound
    if found.state != "unreviewed":
        raise Conflict
    book = errand.book(deed)
    for hand in sorted({found.hand, *_hands(deed, found)}):
        require_two(book, hand, approver.caller, REVIEWED)
    settled = msgspec.structs.replace(
        found, state="reviewed", reason=reason, reviewed_by=approver.caller.ref, reviewed_at=deed.now, padding=""
    )
    written = facts.write(deed, ALERT, alert.hex(), padded(settled))
    about, article, flags = withholding.cases_of(deed, found.indexes), f"{book.association.pack}:7", approver.caller.flags
    told = {"about": about, "reason": reason.upper(), "article": article, "facts": (written,), "flags": flags}
    deed.append(errand.entry(kind=REVIEWED, outcome="allow", **told))
    return settled


def _hands(deed: Deed, alert: AlertFact) -> Iterator[str]:
    """Whose deeds an alert rests on, at a client's screen too; who wrote a withdrawal down is none of those it is about."""
    place = log_tables.entry.c
    named = (place.association_id == deed.association, place.number.in_(alert.indexes), place.kind != WITHDRAWN)
    for encoded in deed.transaction.connection.execute(select(place.body).where(*named)).scalars().all():
        try:
            entry = parse(bytes(encoded)).entry
        except EntryRefused as error:
            raise Unavailable("integrity") from error
        yield entry.on_behalf or entry.actor


def declared(deed: Deed, errand: Errand) -> tuple[DetectionFact, DetectionProposal | None]:
    """The thresholds in force and those that wait for approval. The look is an entry."""
    errand = errand.still(deed)
    waits = facts.read(deed, DETECTION_PROPOSAL, OWN)
    deed.append(errand.entry(kind="detection.read", outcome="allow", basis="law"))
    return in_force(deed), waits if waits is not None and waits.state == "proposed" else None


def propose(deed: Deed, errand: Errand, wanted: DetectionFact, canaries: tuple[bytes, ...]) -> DetectionProposal:
    """Propose thresholds and canaries (records), in the place of what waits. Raises Invalid for a record that is not here."""
    errand = errand.still(deed)
    known = people.of_records(deed, canaries) if canaries else {}
    pairs: list[tuple[str, str]] = []
    for record in sorted(set(canaries)):
        person = known[record]
        if isinstance(person, NotFound):
            raise Invalid([FieldError("canaries", "unknown-record")])
        if not isinstance(person, people.Known):
            raise person
        pairs.append((record.hex(), person.subject.hex()))
    rules = msgspec.structs.replace(wanted, canaries=tuple(pairs))
    waits = facts.read(deed, DETECTION_PROPOSAL, OWN)
    if waits is not None and waits.state == "proposed" and (waits.rules, waits.proposed_by) == (rules, errand.asker.ref):
        return waits
    made = DetectionProposal(id=os.urandom(16).hex(), rules=rules, proposed_by=errand.asker.ref, proposed_at=deed.now)
    written = facts.write(deed, DETECTION_PROPOSAL, OWN, padded(made))
    deed.append(errand.entry(kind="detection.proposed", outcome="allow", facts=(written,), flags=errand.asker.flags))
    return made


def approve(deed: Deed, approver: Approver, proposal: bytes) -> DetectionFact:
    """Approve the thresholds another person proposed: they are in force from the next look at the log on.

    Raises NotFound where none was ever proposed, Conflict for another wording than waits, refusals `same-person` and `step-up-required`.
    """
    approver = approver.still(deed)
    waits = facts.read(deed, DETECTION_PROPOSAL, OWN)
    if waits is None:
        raise NotFound
    if waits.state != "proposed" or waits.id != proposal.hex():
        raise Conflict
    approval = approver.approve(deed, waits.proposed_by, APPROVED)
    settled = msgspec.structs.replace(waits, state="approved", settled_by=approver.caller.ref, padding="")
    written = (
        facts.write(deed, DETECTION, OWN, padded(DeclaredFact(rules=waits.rules, approved_by=approver.caller.ref))),
        facts.write(deed, DETECTION_PROPOSAL, OWN, padded(settled)),
    )
    article = f"{approver.errand.book(deed).association.pack}:7"
    deed.append(
        approver.errand.entry(kind=APPROVED, outcome="allow", article=article, facts=(*approval.facts, *written), flags=approval.flags)
    )
    return waits.rules
