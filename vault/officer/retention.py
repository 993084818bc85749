"""What of closed reports and incidents may be destroyed and when, what another person is to release, and what stayed of those that went.

Invariants: nothing anybody wrote is opened; a step is the same deed as over the API; what was proposed is released on the page of
approvals, by another person with a fresh code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vault.breach_reports import destroying
from vault.breach_reports.destroying import Preview
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention import SOON, Term
from vault.breach_reports.shapes import TombstoneFact
from vault.errors import Conflict, Refused, VaultError
from vault.officer.frame import Frame, Speaker, failed, link, looks, require_form, sends, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.door import led_to
from vault.web.route import Query, Route

PATH: Final = "/officer/retention"
MOST: Final = 200
"""Lines of a table; the API has all of them, page by page."""


@dataclass(frozen=True, slots=True)
class Line:
    """A closed case, or what stays of one: its reference, what it is, when it was closed, and when it may go or went."""

    reference: str
    what: str
    closed: str
    when: str
    state: str


def retention_pages(frame: Frame, reports: Reports) -> list[Route]:
    """The page of this file."""
    pages, done = _Retention(frame, reports), Query(kind="choice", choices=("proposed",))
    return [
        looks(PATH, "officer.retention", pages.look, "reports", "What may be destroyed when, and what was.", done=done),
        sends(PATH, "officer.retention-proposed", pages.propose, "reports", "Propose to destroy what is due."),
    ]


@dataclass(frozen=True, slots=True)
class _Retention:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        return await self._shown(call)

    async def propose(self, call: Call) -> Answer:
        require_form(call)
        errand, association = Errand(call.caller, call.request_id), call.caller.association
        try:
            known = await heard(errand, lambda: self.reports.index.known(association))
            await heard(errand, lambda: association.run(lambda deed: destroying.propose(deed, errand, known)))
        except (Refused, Conflict) as error:
            return await self._shown(call, error)
        return led_to(link(PATH, call.language, done="proposed"))

    async def _shown(self, call: Call, error: VaultError | None = None) -> Answer:
        errand, association = Errand(call.caller, call.request_id), call.caller.association
        found = await preview(call, self.reports)
        gone, _, _ = await heard(errand, lambda: association.run(lambda deed: destroying.tombstones(deed, errand, None, MOST)))
        speaker = speaker_of(call, await association.book())
        run = found.waiting
        return await self.frame.page(
            "retention.html",
            call,
            **failed(call, error),
            lines=[_line(each, speaker, call.now) for each in found.terms[:MOST]],
            is_cut=len(found.terms) > MOST,
            due=sum(each.is_due(call.now) for each in found.terms),
            most=destroying.MOST,
            withheld=found.withheld,
            waits=None if run is None else (speaker.actor(run.proposed_by), speaker.time(run.proposed_at), len(run.cases)),
            gone=[_stone(each, speaker) for _, each in gone],
            done=call.query.get("done"),
        )


async def preview(call: Call, reports: Reports) -> Preview:
    """What is closed, and the run that waits, as who asks may see it. Raises Unauthenticated, Unavailable."""
    errand, association = Errand(call.caller, call.request_id), call.caller.association
    known = await heard(errand, lambda: reports.index.known(association))
    return await heard(errand, lambda: association.run(lambda deed: destroying.preview(deed, errand, known)))


def references(found: Preview) -> Sequence[str]:
    """The references of the cases of the run that waits, as far as they are closed still."""
    ids = set() if found.waiting is None else {each.id for each in found.waiting.cases}
    return [term.reference for term in found.terms if term.id in ids]


def _line(term: Term, speaker: Speaker, now: int) -> Line:
    state = term.stop.replace("-", "_") or ("due" if term.due_at <= now else "soon" if term.due_at <= now + SOON else "later")
    what, closed, due = speaker.word(f"retention_{term.what}"), speaker.time(term.closed_at), speaker.time(term.due_at)
    return Line(term.reference, what, closed, due, speaker.word(f"retention_{state}"))


def _stone(stone: TombstoneFact, speaker: Speaker) -> Line:
    state = speaker.word(f"retention_became_{stone.outcome}")
    return Line(
        stone.reference, speaker.word(f"retention_{stone.what}"), speaker.time(stone.closed_at), speaker.time(stone.destroyed_at), state
    )
