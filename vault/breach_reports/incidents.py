"""What officers do about an incident: open it, link reports, weigh it, note who was told; what stops its clock untold takes two people.

Invariants: a look at what was written is an entry first; every deed is one version of the incident's fact and one entry that names it; whom
one of its reports excludes sees nothing of it, and her tries are entries.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.breach_reports import authority_notice, case, clocks, door, incident_file, kept_again, letters, service
from vault.breach_reports import incident_lifecycle as lifecycle
from vault.breach_reports.case import Text
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.incident_joining import join, refusal, require_officer
from vault.breach_reports.incident_lifecycle import IncidentState
from vault.breach_reports.incident_shapes import (
    KINDS,
    NOTE,
    REASON,
    SUMMARY,
    Act,
    Answer,
    IncidentFact,
    Moved,
    Proposal,
    Settled,
    Track,
    Unlinked,
    Weight,
)
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.lifecycle import HOUR, Clock, in_riyadh, overtaken
from vault.breach_reports.retention import HoldState, standing
from vault.breach_reports.service import MOST_NOTE, Approval, SecondFactor
from vault.breach_reports.shapes import BREACH_REPORT, TOMBSTONE, ReportFact, TombstoneFact
from vault.errors import FieldError, Invalid, NotFound
from vault.policy.facts import NEVER
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import STAFF, same_person
from vault.storage.idempotency import Once, made_before, remember
from vault.storage.journal import Closing

CREATED: Final = 201
MOST_REPORTS: Final = 100
"""Reports of one incident: each fact of them is written where one of them excludes somebody."""
MOST_REFERENCE: Final = 100
_APPROVED: Final[dict[Act, str]] = {
    "awareness": "incident.awareness-moved",
    "not_required": "incident.not-required",
    "ruled_out": "incident.ruled-out",
}
_PROPOSED: Final[dict[Act, str]] = {
    "awareness": "incident.awareness-proposed",
    "not_required": "incident.not-required-proposed",
    "ruled_out": "incident.ruling-out-proposed",
}
Which = Literal["open", "settled", "all"]


@dataclass(frozen=True, slots=True)
class Opening:
    """A new incident: what happened, the reports it is opened from, and since when the association was aware, where an officer says so."""

    summary: str
    reports: tuple[bytes, ...] = ()
    aware_at: int | None = None


@dataclass(frozen=True, slots=True)
class Filing:
    """That somebody was told: on which track, when, under which reference of theirs, and why so late."""

    track: Track
    filed_at: int
    reference: str = ""
    late_reason: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident in a list, with its clock."""

    fact: IncidentFact
    clock: Clock | None


@dataclass(frozen=True, slots=True)
class Page:
    """Incidents, the least time left first; the id the next page begins after; how many are kept from the reader."""

    items: list[Listed]
    more: str | None
    withheld: int


def listed(deed: Deed, errand: Errand, which: Which, after: bytes | None, limit: int) -> Page:
    """A page of incidents by the time left to tell the authority, then those whose people are still to be told, then the others.

    Behind one that is none of these any more it goes on at the earliest place that one can have stood, so that none is left out. Raises
    NotFound for an `after` that is no incident she may see, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    within = service.hours(errand.book(deed))
    every = incident_file.known(deed).values()
    seen = [one for one in every if not is_excluded(errand, one)]
    wanted = [one for one in seen if which == "all" or bool(lifecycle.open_tracks(one)) == (which == "open")]
    shown = sorted(wanted, key=lambda one: _place(one, within))
    begin = 0
    if after is not None:
        last = next((one for one in seen if one.id == after.hex()), None)
        if last is None:
            raise NotFound
        behind = _place(last, within) if last in wanted else _stood(last, within, which)
        begin = sum(_place(one, within) <= behind for one in shown)
    here = shown[begin : begin + limit]
    more = here[-1].id if len(shown) > begin + limit else None
    return Page([Listed(one, clocks.clock(one, within)) for one in here], more, len(every) - len(seen))


def _place(fact: IncidentFact, within: int) -> tuple[int, int, str]:
    running = clocks.clock(fact, within)
    if running is not None:
        return running.due_at, 0, fact.id
    return NEVER, 0 if lifecycle.open_tracks(fact) else -fact.opened_at, fact.id


def _stood(fact: IncidentFact, within: int, which: Which) -> tuple[int, int, str]:
    """The earliest place at which an incident can have stood among the open or the settled, where it is no longer."""
    return (fact.aware_at + within * HOUR, 0, fact.id) if which == "open" else (NEVER, -fact.opened_at, fact.id)


def read(deed: Deed, errand: Errand, incident: bytes) -> door.TakenIncident:
    """All of an incident: its entry is appended, and it opens once that is committed. Raises NotFound, Unavailable."""
    errand, found = _of(deed, errand, incident)
    return door.take_incident(deed, as_shown(deed, errand, found), _entry(errand, deed, "incident.read"), KINDS)


def as_shown(deed: Deed, errand: Errand, found: Incident) -> Incident:
    """The incident without the reports taken out of it that are kept from who asks: she was excluded from these alone, and since."""
    left = tuple(each for each in found.fact.unlinked if not _is_kept(deed, errand, each.report))
    return replace(found, fact=msgspec.structs.replace(found.fact, unlinked=left))


def _is_kept(deed: Deed, errand: Errand, report: str) -> bool:
    """Whether a report is kept from who asks; one that was destroyed, by what its tombstone says."""
    fact: ReportFact | TombstoneFact | None = facts.read(deed, TOMBSTONE, report) or facts.read(deed, BREACH_REPORT, report)
    hidden = () if fact is None else (*fact.excluded, *(fact.held if isinstance(fact, ReportFact) else ()))
    return not errand.accounts.isdisjoint(hidden)


def open_(deed: Deed, errand: Errand, opening: Opening, once: Once | None) -> IncidentFact:
    """Open an incident from reports, or from an officer's own finding; its clock runs from the earliest moment of awareness.

    A repeat of the same request gives the one it made. Raises Invalid, NotFound, IncidentState, Conflict `last-officer`, refusals.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        # Who was excluded since is not told how it stands.
        return _of(deed, errand, made)[1].fact
    summary = _text(errand, SUMMARY, opening.summary, "summary")
    if len(set(opening.reports)) > MOST_REPORTS:
        raise Invalid([FieldError("reports", "too-long")])
    reports = [service.seen(deed, errand, each) for each in dict.fromkeys(opening.reports)]
    incident = os.urandom(16)
    bare = IncidentFact(
        id=incident.hex(),
        reference=_reference(deed),
        state="suspected",
        opened_at=deed.now,
        opened_by=errand.hand,
        aware_at=deed.now,
        awareness=(),
    )
    fact = lifecycle.opened(bare, [each.fact for each in reports], opening.aware_at, deed.now)
    joined = join(deed, errand, fact, reports, members=[])
    written = (incident_file.begin(deed, joined.fact, [summary]), *joined.written(deed))
    about = (About(incident, incident), *(each.about[0] for each in reports))
    _tell(deed, errand, about, "incident.opened", written=written)
    if once is not None:
        remember(deed.transaction, deed.association, once, incident, CREATED)
    return incident_file.load(deed, incident).fact


def link(deed: Deed, errand: Errand, incident: bytes, report: bytes) -> IncidentFact:
    """Link a report; awareness goes earlier with it where it came earlier. Raises NotFound, IncidentState, `last-officer`, refusals."""
    errand, found = _of(deed, errand, incident)
    new = service.seen(deed, errand, report)
    if len(found.fact.reports) >= MOST_REPORTS:
        raise IncidentState
    joined = join(deed, errand, found.fact, [new], members=incident_file.circle(deed, found).reports)
    written = (incident_file.change(deed, found, joined.fact), *joined.written(deed))
    _tell(deed, errand, (*found.about, *new.about), "incident.linked", written=written)
    return joined.fact


def unlink(deed: Deed, errand: Errand, incident: bytes, report: bytes, reason: str) -> IncidentFact:
    """Take a report out again: its own clock runs again, and the incident's awareness stays.

    A legal hold on the incident or one of its reports holds them all, so that none is taken from under it. Raises NotFound, IncidentState,
    HoldState.
    """
    errand, found = _of(deed, errand, incident)
    old = service.seen(deed, errand, report)
    event = Unlinked(report=old.fact.id, by=errand.hand, at=deed.now, reason=len(found.fact.parts))
    fact = lifecycle.unlinked(found.fact, event)
    beside = incident_file.circle(deed, found).reports
    if standing(found.fact.holds) or any(standing(each.fact.holds) for each in beside):
        raise HoldState
    text = reason_of(errand, found, reason)
    freed = msgspec.structs.replace(overtaken(old.fact, errand.hand, deed.now), incident="", unlinked_at=deed.now)
    written = (incident_file.change(deed, found, fact, text), case.change(deed, old, freed))
    _tell(deed, errand, (*found.about, *old.about), "incident.unlinked", written=written)
    return fact


def move(deed: Deed, errand: Errand, incident: bytes, state: Moved, note: str) -> IncidentFact:
    """Say how far it is; closed, no letter goes out any more. Raises NotFound, IncidentState, TracksOpen, also where letters are due."""
    errand, found = _of(deed, errand, incident)
    if state == "closed" and (authority_notice.owes(found.fact) or letters.are_due(deed, incident)):
        raise lifecycle.TracksOpen
    texts, number = _note(errand, found, note)
    fact = lifecycle.moved(found.fact, state, number, errand.hand, deed.now)
    return _changed(deed, errand, found, "incident.moved", fact=fact, texts=texts)


def assess(deed: Deed, errand: Errand, incident: bytes, answers: tuple[Answer, Answer], note: str) -> IncidentFact:
    """Answer the two questions of weight: data of a sensitive class? more than a hundred people? Raises NotFound, IncidentState."""
    errand, found = _of(deed, errand, incident)
    texts, number = _note(errand, found, note)
    weight = Weight(sensitive=answers[0], many=answers[1], by=errand.hand, at=deed.now, note=number)
    return _changed(deed, errand, found, "incident.assessed", fact=lifecycle.assessed(found.fact, weight), texts=texts)


def file(deed: Deed, errand: Errand, incident: bytes, filing: Filing) -> IncidentFact:
    """Note that the authority or the people were told. Raises NotFound, IncidentState, Invalid."""
    errand, found = _of(deed, errand, incident)
    if len(filing.reference) > MOST_REFERENCE:
        raise Invalid([FieldError("reference", "out-of-range")])
    texts, number = _note(errand, found, filing.late_reason, "late_reason", REASON)
    made = Settled(
        track=filing.track,
        how="filed",
        at=deed.now,
        by=errand.hand,
        filed_at=filing.filed_at,
        reference=filing.reference.strip(),
        reason=number,
    )
    texts = [replace(each, beyond=case.KEPT_FREE) for each in texts]
    fact = lifecycle.filed(found.fact, made, service.hours(errand.book(deed)), deed.now)
    return _changed(deed, errand, found, "incident.filed", fact=fact, texts=texts)


def reopen(deed: Deed, errand: Errand, incident: bytes, track: Track, reason: str) -> IncidentFact:
    """Say that a track is not settled after all: its clock runs on. Raises NotFound, IncidentState."""
    errand, found = _of(deed, errand, incident)
    text = reason_of(errand, found, reason)
    fact = lifecycle.reopened(found.fact, track, len(found.fact.parts), errand.hand, deed.now)
    return _changed(deed, errand, found, "incident.reopened", fact=fact, texts=[text])


@dataclass(frozen=True, slots=True)
class Proposing:
    """What is proposed: the deed, with the moment or the track it is about, and why."""

    act: Act
    reason: str
    to: int | None = None
    track: Track | None = None


def propose(deed: Deed, errand: Errand, incident: bytes, wanted: Proposing) -> IncidentFact:
    """Propose a deed that takes two people; nothing changes before the second. Raises NotFound, IncidentState, Invalid."""
    errand, found = _of(deed, errand, incident)
    text = reason_of(errand, found, wanted.reason)
    made = Proposal(number=len(found.fact.parts), act=wanted.act, by=errand.hand, at=deed.now, track=wanted.track, to=wanted.to)
    return _changed(deed, errand, found, _PROPOSED[wanted.act], fact=lifecycle.proposed(found.fact, made, deed.now), texts=[text])


def turn_down(deed: Deed, errand: Errand, incident: bytes, proposal: int) -> IncidentFact:
    """Turn down what waits under this number: clocks run on, so one person is enough. Raises NotFound, IncidentState."""
    errand, found = _of(deed, errand, incident)
    fact = lifecycle.turned_down(found.fact, proposal, errand.hand, deed.now)
    return _changed(deed, errand, found, "incident.proposal-turned-down", fact=fact)


@dataclass(frozen=True, slots=True)
class SecondPerson:
    """The deeds that take two people, done by the second one."""

    factor: SecondFactor

    def approve(self, deed: Deed, errand: Errand, incident: bytes, proposal: int, code: str | None) -> IncidentFact:
        """Do what another person proposed. Raises NotFound, IncidentState, and refusals with their entries."""
        errand, found = _of(deed, errand, incident)
        waits = lifecycle.waiting(found.fact, proposal)
        kind = _APPROVED[waits.act]
        if same_person(errand.book(deed), waits.by, errand.asker.ref):
            raise refusal(deed, errand, found.about, kind, reason="SAME_PERSON")
        approval = self.factor.approve(deed, errand.asker, code, kind=kind, about=found.about)
        fact = lifecycle.approved(found.fact, waits, errand.hand, deed.now)
        return _changed(deed, errand, found, kind, fact=fact, by=approval)


def exclude(deed: Deed, errand: Errand, incident: bytes, staff: bytes) -> IncidentFact:
    """Exclude somebody it may be about from it and from all its reports, for good, as from a report (`service.exclude`).

    Raises NotFound, Invalid for nobody here, Conflict `last-officer`, and the refusal `same-person` for a second one.
    """
    errand, found = _of(deed, errand, incident)
    book, who = errand.book(deed), f"{STAFF}{staff.hex()}"
    if staff.hex() not in book.staff:
        raise Invalid([FieldError("staff", "unknown-staff")])
    excluded = tuple(sorted({*found.fact.excluded, who}))
    require_officer(book, excluded, deed.now)
    if excluded == found.fact.excluded:
        return found.fact
    own = errand.asker.ref
    others = () if own == who else (own,)
    if others and any(same_person(book, own, by) for by in found.fact.excluded_by):
        raise refusal(deed, errand, found.about, "incident.excluded", reason="SAME_PERSON")
    circle = incident_file.circle(deed, found)
    by = (*found.fact.excluded_by, *others)
    written = (*incident_file.hide(deed, [who], circle.ids), *circle.exclude(deed, excluded, by))
    reports = [each.fact.id for each in circle.reports]
    first, *more = kept_again.exclusions((who,), others, reports=reports, incidents=(found.fact.id,))
    _tell(deed, errand, found.about, "incident.excluded", written=written, closes=first)
    for closing in more:
        deed.closes_too(closing)
    return msgspec.structs.replace(found.fact, excluded=excluded, excluded_by=by)


def is_excluded(errand: Errand, fact: IncidentFact) -> bool:
    """Whether the incident is kept from who asks, or the person at the screen."""
    return not errand.accounts.isdisjoint(fact.excluded)


def seen(deed: Deed, errand: Errand, incident: bytes) -> tuple[Errand, Incident]:
    """The incident, for who still is one of those it is not kept from; as `_of` raises."""
    return _of(deed, errand, incident)


def tell(deed: Deed, errand: Errand, found: Incident, kind: str, *written: WrittenFact, approval: Approval | None = None) -> None:
    """Append the entry of a deed on an incident that wrote these facts."""
    _tell(deed, errand, found.about, kind, written=written, approval=approval)


def look(errand: Errand, deed: Deed) -> Entry:
    """The entry of a look at what was written about an incident, for the door to fill in."""
    return _entry(errand, deed, "incident.read")


def reason_of(errand: Errand, found: Incident, words: str, field: str = "reason") -> Text:
    """Why a deed is done, for which there is room in an incident full of notes. Raises Invalid."""
    return replace(_text(errand, REASON, words, field), beyond=case.kept_for(found.fact.parts, errand.hand))


def _of(deed: Deed, errand: Errand, incident: bytes) -> tuple[Errand, Incident]:
    """The incident, for whom it is not kept from. Raises NotFound, Unavailable `integrity`, the refusal `excluded` with its entry."""
    errand = errand.still(deed)
    found = incident_file.load(deed, incident)
    if is_excluded(errand, found.fact):
        raise refusal(deed, errand, found.about, "incident.refused", reason="EXCLUDED")
    return errand, found


def _changed(
    deed: Deed, errand: Errand, found: Incident, kind: str, *, fact: IncidentFact, texts: Sequence[Text] = (), by: Approval | None = None
) -> IncidentFact:
    _tell(deed, errand, found.about, kind, written=(incident_file.change(deed, found, fact, *texts),), approval=by)
    return fact


def _tell(
    deed: Deed,
    errand: Errand,
    about: tuple[About, ...],
    kind: str,
    *,
    written: tuple[WrittenFact, ...],
    approval: Approval | None = None,
    closes: Closing | None = None,
) -> None:
    used, flags = (approval.facts, approval.flags) if approval else ((), errand.asker.flags)
    deed.append(_entry(errand, deed, kind, about=about, facts=(*used, *written), flags=flags), closes=closes)


def _entry(errand: Errand, deed: Deed, kind: str, **members: object) -> Entry:
    own = errand.book(deed).association
    cites = {"article": f"{own.pack}:8", "law": f"{own.law_pack}:20"}
    return errand.entry(kind=kind, outcome="allow", purpose=PURPOSE, **cites, **members)


def _text(errand: Errand, kind: str, text: str, field: str) -> Text:
    """A text that has to be there. Raises Invalid."""
    if not text.strip() or len(text) > MOST_NOTE:
        raise Invalid([FieldError(field, "out-of-range")])
    return Text(kind, errand.hand, msgspec.json.encode(text.strip()))


def _note(errand: Errand, found: Incident, note: str, field: str = "note", kind: str = NOTE) -> tuple[list[Text], int | None]:
    """A text that may be left out, and the number its part will have. Raises Invalid."""
    if not note.strip():
        return [], None
    return [_text(errand, kind, note, field)], len(found.fact.parts)


def _reference(deed: Deed) -> str:
    """A short number that is no incident's yet: random, so that nobody reads from it how many there are."""
    year, taken = in_riyadh(deed.now).year, {each.reference for each in incident_file.known(deed).values()}
    while True:
        found = f"IN-{year}-{secrets.randbelow(1_000_000):06}"
        if found not in taken:
            return found
