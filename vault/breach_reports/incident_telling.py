"""Incidents in the words of answers."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from vault.breach_reports import bodies, clocks, door, incident_bodies, lifecycle, telling
from vault.breach_reports import incident_lifecycle as rules
from vault.breach_reports.incident_shapes import TRACKS, IncidentFact, Proposal, Settled, Track
from vault.breach_reports.incidents import Listed
from vault.breach_reports.retention import standing
from vault.web import write_id
from vault.web.times import write_time

Words = Mapping[int, str]
"""What was written in the parts, by their numbers; empty where nothing was opened."""


def item(one: Listed, within: int, now: int) -> incident_bodies.IncidentItem:
    """One incident in a list."""
    fact = one.fact
    newest = fact.weights[-1] if fact.weights else None
    return incident_bodies.IncidentItem(
        id=_id(fact.id),
        reference=fact.reference,
        state=fact.state,
        opened_at=write_time(fact.opened_at),
        clock=telling.told(one.clock, now),
        authority=state(fact, "authority", within),
        people=state(fact, "people", within),
        reports=len(fact.reports),
        sensitive=newest.sensitive if newest else "unknown",
        over_100=newest.many if newest else "unknown",
        waiting=_waiting(fact),
        legal_hold=standing(fact.holds) is not None,
    )


def stands(fact: IncidentFact, within: int, now: int) -> incident_bodies.IncidentStands:
    """How an incident stands after a deed."""
    return incident_bodies.IncidentStands(
        id=_id(fact.id),
        reference=fact.reference,
        state=fact.state,
        aware_at=write_time(fact.aware_at),
        clock=telling.told(clocks.clock(fact, within), now),
        authority=state(fact, "authority", within),
        people=state(fact, "people", within),
        waiting=_waiting(fact),
    )


def whole(taken: door.TakenIncident, opened: Sequence[door.Opened], within: int, now: int) -> incident_bodies.IncidentTold:
    """An incident as an officer reads it, once it is opened."""
    fact = taken.case.fact
    words = {each.number: msgspec.json.decode(each.content, type=str) for each in opened}
    return incident_bodies.IncidentTold(
        id=_id(fact.id),
        reference=fact.reference,
        state=fact.state,
        summary=words[0],
        opened_at=write_time(fact.opened_at),
        opened_by=fact.opened_by,
        aware_at=write_time(fact.aware_at),
        aware_riyadh=_riyadh(fact.aware_at),
        aware_confirmed=fact.aware_confirmed,
        awareness=_awareness(fact, words),
        clock=telling.told(clocks.clock(fact, within), now),
        clocks=_rings(fact, within),
        authority=_track(fact, "authority", within, words),
        people=_track(fact, "people", within, words),
        settled_before={
            track: [_settled(fact, each, within, words) for each in fact.settled if each.track == track and each.reopened_at is not None]
            for track in TRACKS
        },
        reports=[_id(each) for each in fact.reports],
        unlinked=[
            incident_bodies.UnlinkedTold(_id(each.report), each.by, write_time(each.at), words[each.reason]) for each in fact.unlinked
        ],
        steps=[
            incident_bodies.StepTold(each.state, each.by, write_time(each.at), each.settled_by or None, _word(words, each.note))
            for each in fact.steps
        ],
        weights=[
            incident_bodies.WeightTold(each.sensitive, each.many, each.by, write_time(each.at), _word(words, each.note))
            for each in fact.weights
        ],
        proposals=[_proposal(each, words) for each in fact.proposals],
        holds=[telling.hold(each, words) for each in fact.holds],
        entry=bodies.EntryTold(taken.appended.index, taken.appended.leaf_hash.hex()),
    )


def state(fact: IncidentFact, track: Track, within: int) -> Literal["open", "filed", "late", "not_required"]:
    """How a track stands, in a word."""
    found = rules.settled(fact, track)
    return "open" if found is None else _how(fact, found, within)


def _how(fact: IncidentFact, found: Settled, within: int) -> Literal["filed", "late", "not_required"]:
    return "late" if rules.is_late(fact, found, within) else found.how


def _track(fact: IncidentFact, track: Track, within: int, words: Words) -> incident_bodies.TrackTold:
    found = rules.settled(fact, track)
    return incident_bodies.TrackTold(state="open") if found is None else _settled(fact, found, within, words)


def _settled(fact: IncidentFact, found: Settled, within: int, words: Words) -> incident_bodies.TrackTold:
    return incident_bodies.TrackTold(
        state=_how(fact, found, within),
        settled_at=write_time(found.at),
        by=found.by,
        approved_by=found.settled_by or None,
        filed_at=_time(found.filed_at),
        reference=found.reference or None,
        reason=_word(words, found.reason),
        reopened_at=_time(found.reopened_at),
        reopened_by=found.reopened_by or None,
        reopened_reason=_word(words, found.reopened_reason),
    )


def _awareness(fact: IncidentFact, words: Words) -> list[incident_bodies.AwareTold]:
    return [
        incident_bodies.AwareTold(
            why=each.why,
            was=_time(each.was),
            to=write_time(each.to),
            by=each.by,
            at=write_time(each.at),
            approved_by=each.settled_by or None,
            reason=_word(words, each.reason),
        )
        for each in fact.awareness
    ]


def _rings(fact: IncidentFact, within: int) -> list[incident_bodies.RingTold]:
    """The clocks that rang as they were due then, and those to come by awareness as it stands."""
    rang = {each.hours: each for each in fact.fired}
    hours = sorted({*rang, *clocks.marks(within)})
    due = {each: rang[each].due_at if each in rang else fact.aware_at + each * lifecycle.HOUR for each in hours}
    return [
        incident_bodies.RingTold(each, write_time(due[each]), _riyadh(due[each]), _time(rang[each].fired_at) if each in rang else None)
        for each in hours
    ]


def _waiting(fact: IncidentFact) -> list[incident_bodies.ProposalTold]:
    return [_proposal(each, {}) for each in fact.proposals if each.waits]


def _proposal(each: Proposal, words: Words) -> incident_bodies.ProposalTold:
    return incident_bodies.ProposalTold(
        proposal=each.number,
        act=each.act,
        track=each.track,
        aware_at=_time(each.to),
        proposed_by=each.by,
        proposed_at=write_time(each.at),
        approved_by=each.settled_by or None,
        approved_at=_time(each.settled_at),
        replaced=each.replaced,
        turned_down_by=each.turned_down_by or None,
        turned_down_at=_time(each.turned_down_at),
        overtaken_by=each.overtaken_by or None,
        overtaken_at=_time(each.overtaken_at),
        reason=words.get(each.number),
    )


def _word(words: Words, number: int | None) -> str | None:
    return None if number is None else words[number]


def _id(hexadecimal: str) -> str:
    return write_id(bytes.fromhex(hexadecimal))


def _riyadh(microseconds: int) -> str:
    return lifecycle.in_riyadh(microseconds).isoformat()


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else write_time(microseconds)
