"""A legal hold on the page of a report or an incident: laid by one with a reason, lifted by two; the same deeds as over the API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vault.access_log.deed import Deed
from vault.breach_reports import holds
from vault.breach_reports.bodies import HoldTold
from vault.breach_reports.incidents import SecondPerson as IncidentSecond
from vault.breach_reports.retention import What
from vault.breach_reports.service import SecondPerson
from vault.breach_reports.shapes import Hold
from vault.identity.callers import Caller
from vault.officer.frame import Speaker
from vault.officer.report_steps import code_of, number
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person

Step = Callable[[Deed, Errand, bytes], object]
Second = SecondPerson | IncidentSecond
APPROVES: Final = "approve-lifting"
"""What another person settles with her code."""


@dataclass(frozen=True, slots=True)
class Held:
    """The hold that stands: by whom, since when and why; `proposal` names what waits to lift it, None where nothing does.

    `yours` where the reader proposed that or counts as who did.
    """

    by: str
    at: str
    reason: str
    proposal: int | None
    lifting_by: str
    lifting_at: str
    lifting_reason: str
    yours: bool


def steps_on(what: What) -> Mapping[str, Callable[[Mapping[str, str], Second], Step]]:
    """The steps of a hold on a report or an incident, by the name of their form."""

    def lay(typed: Mapping[str, str], _second: Second) -> Step:
        return lambda deed, errand, id_: holds.lay(deed, errand, what, id_, typed["says"])

    def propose(typed: Mapping[str, str], _second: Second) -> Step:
        return lambda deed, errand, id_: holds.propose_lifting(deed, errand, what, id_, typed["says"])

    def lift(typed: Mapping[str, str], second: Second) -> Step:
        proposal, by = number(typed["proposal"]), holds.Second(second.factor, code_of(typed))
        return lambda deed, errand, id_: by.lift(deed, errand, what, id_, proposal)

    return {"hold": lay, "propose-lifting": propose, APPROVES: lift}


def held(caller: Caller, book: Book, speaker: Speaker, stored: Sequence[Hold], told: Sequence[HoldTold]) -> Held | None:
    """The hold that stands, in words: `told` are the same holds with their reasons opened; None for none."""
    if not stored or stored[-1].lifted_at is not None:
        return None
    one, words = stored[-1], told[-1]
    waits = one.lifting_reason is not None
    return Held(
        by=speaker.actor(one.by),
        at=speaker.time(one.at),
        reason=words.reason or "",
        proposal=one.lifting_reason,
        lifting_by=speaker.actor(one.lifting_by) if waits else "",
        lifting_at=speaker.time(one.lifting_at or 0) if waits else "",
        lifting_reason=words.lifting_reason or "",
        yours=waits and same_person(book, one.lifting_by, caller.ref),
    )
