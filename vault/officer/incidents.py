"""Incidents by the time that is left to tell the authority, and who is still to be told (article 8, regulation 24); opens nothing.

A form opens one from an officer's own finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vault.breach_reports import incidents, service
from vault.breach_reports.incident_telling import state
from vault.breach_reports.incidents import Listed
from vault.breach_reports.retention import standing
from vault.errors import VaultError
from vault.officer.frame import Frame, Speaker, failed, link, looks, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Route

PATH: Final = "/officer/incidents"
MOST: Final = 500
HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One incident: its clock in words, None once the authority is settled, and how much of the time is used, out of a hundred."""

    id: str
    reference: str
    notices: str
    state: str
    weight: str
    aware: str
    due: str | None
    left: str | None
    overdue: bool
    provisional: bool
    used: int
    authority: str
    people: str
    held: bool = False


def incident_pages(frame: Frame) -> list[Route]:
    """The page of this file."""
    pages = _Incidents(frame)
    return [looks(PATH, "officer.incidents", pages.look, "reports", "Incidents by the time left to tell the authority.")]


@dataclass(frozen=True, slots=True)
class _Incidents:
    """The handler."""

    frame: Frame

    async def look(self, call: Call) -> Answer:
        return await shown_list(self.frame, call)


async def shown_list(frame: Frame, call: Call, error: VaultError | None = None, filled: Mapping[str, str] | None = None) -> Answer:
    """The page, with what was wrong and what was typed where an incident was not opened."""
    errand = Errand(call.caller, call.request_id)
    association = errand.asker.association
    page = await heard(errand, lambda: association.run(lambda deed: incidents.listed(deed, errand, "open", None, MOST)))
    within, speaker = service.hours(await association.book()), speaker_of(call)
    return await frame.page(
        "incidents.html",
        call,
        **failed(call, error),
        lines=[line(each, within, speaker, call.now) for each in page.items],
        withheld=page.withheld,
        is_cut=page.more is not None,
        now=speaker.time(call.now),
        given={"says": "", "at": ""} if filled is None else filled,
    )


def line(one: Listed, within: int, speaker: Speaker, now: int) -> Line:
    """An incident in words."""
    fact, clock = one.fact, one.clock
    newest = fact.weights[-1] if fact.weights else None
    answers = [] if newest is None else [("weight_sensitive", newest.sensitive), ("weight_over_100", newest.many)]
    used = 0 if clock is None else (now - clock.aware_at) * 100 // (clock.due_at - clock.aware_at)
    return Line(
        id=speaker.id(fact.id),
        reference=fact.reference,
        notices=link("/officer/notices", speaker.language, incident=speaker.id(fact.id)),
        state=speaker.word(f"incident_{fact.state}"),
        weight=speaker.joined(speaker.word(name) for name, answer in answers if answer == "yes"),
        aware=speaker.time(fact.aware_at),
        due=None if clock is None else speaker.time(clock.due_at),
        left=None if clock is None else speaker.counted("hours", abs(clock.left(now)) // HOUR),
        overdue=clock is not None and clock.is_overdue(now),
        provisional=clock is not None and clock.provisional,
        used=max(0, min(100, used)),
        authority=speaker.word(f"track_{state(fact, 'authority', within)}"),
        people=speaker.word(f"track_{state(fact, 'people', within)}"),
        held=standing(fact.holds) is not None,
    )
