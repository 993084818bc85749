"""All that was done about an incident, one line each, the oldest first: what happened, whose hand it was, and the words that go with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from vault.breach_reports.incident_bodies import IncidentTold, TrackTold
from vault.breach_reports.incident_shapes import TRACKS, Track
from vault.officer.frame import RIYADH, Speaker, left_to_right
from vault.web.times import moment, parse_time


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done: when in Riyadh's time, what in words, by whom and who approved it, and the reason or note."""

    at: str
    what: str
    by: str
    approved_by: str = ""
    says: str = ""


def events(told: IncidentTold, speaker: Speaker) -> list[Event]:
    """The events of an incident as it was read."""
    found = (each for part in (_awareness, _states, _weights, _tracks, _others) for each in part(told, speaker))
    return [event for _, event in sorted(found, key=lambda each: each[0])]


def shown(written: str | None) -> str:
    """A moment of an answer as the clocks in Riyadh show it, "" for none."""
    return "" if written is None else moment(parse_time(written)).astimezone(RIYADH).strftime("%Y-%m-%d %H:%M")


Found = Iterator[tuple[int, Event]]


def _event(speaker: Speaker, at: str, by: str, what: str, says: str | None = None, approved_by: str | None = None) -> tuple[int, Event]:  # noqa: PLR0917 - one line of the table
    approver = speaker.actor(approved_by) if approved_by else ""
    return parse_time(at), Event(shown(at), what, speaker.hand(by), approver, says or "")


def _awareness(told: IncidentTold, speaker: Speaker) -> Found:
    for each in told.awareness:
        what = f"{speaker.word(f'event_aware_{each.why}')} {left_to_right(shown(each.to))}"
        yield _event(speaker, each.at, each.by, what, each.reason, each.approved_by)


def _states(told: IncidentTold, speaker: Speaker) -> Found:
    for each in told.steps:
        what = f"{speaker.word('event_state')} {speaker.word(f'incident_{each.state}')}"
        yield _event(speaker, each.at, each.by, what, each.note, each.approved_by)


def _weights(told: IncidentTold, speaker: Speaker) -> Found:
    for each in told.weights:
        answers = (f"{speaker.word(name)}: {speaker.word(f'answer_{answer}')}" for name, answer in _asked(each.sensitive, each.over_100))
        yield _event(speaker, each.at, each.by, speaker.joined(answers), each.note)


def _asked(sensitive: str, over_100: str) -> tuple[tuple[str, str], ...]:
    return ("weight_sensitive", sensitive), ("weight_over_100", over_100)


def _tracks(told: IncidentTold, speaker: Speaker) -> Found:
    now: dict[Track, TrackTold] = {"authority": told.authority, "people": told.people}
    for track in TRACKS:
        for each in (*told.settled_before[track], now[track]):
            name = speaker.word(f"track_of_{track}")
            if each.settled_at is not None and each.by is not None:
                said = (speaker.word(f"track_{each.state}"), left_to_right(shown(each.filed_at)), left_to_right(each.reference or ""))
                what = f"{name}: {speaker.joined(word for word in said if word)}"
                yield _event(speaker, each.settled_at, each.by, what, each.reason, each.approved_by)
            if each.reopened_at is not None and each.reopened_by is not None:
                yield _event(speaker, each.reopened_at, each.reopened_by, f"{name}: {speaker.word('event_reopened')}", each.reopened_reason)


def _others(told: IncidentTold, speaker: Speaker) -> Found:
    for gone in told.unlinked:
        yield _event(speaker, gone.at, gone.by, f"{speaker.word('event_unlinked')} {left_to_right(gone.report)}", gone.reason)
    for each in told.proposals:
        act = speaker.word(f"incident_act_{each.act}")
        yield _event(speaker, each.proposed_at, each.proposed_by, f"{speaker.word('event_proposed')} {act}", each.reason)
        if each.turned_down_at is not None and each.turned_down_by is not None:
            yield _event(speaker, each.turned_down_at, each.turned_down_by, f"{speaker.word('event_turned_down')} {act}")
        if each.overtaken_at is not None and each.overtaken_by is not None:
            yield _event(speaker, each.overtaken_at, each.overtaken_by, f"{speaker.word('event_overtaken')} {act}")
