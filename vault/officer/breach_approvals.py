"""What waits about reports and incidents on the page of approvals: listed without a word anybody wrote, approved and turned down.

Invariants: whom a report or incident excludes is shown nothing of it and refused by the room itself; an approval names what was seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vault.breach_reports import destroying, holds, incidents, service
from vault.breach_reports.destroying import DestructionFact
from vault.breach_reports.incidents import SecondPerson
from vault.breach_reports.incidents_api import about_incident
from vault.breach_reports.reporter import about
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention import What
from vault.breach_reports.waiting import waiting
from vault.identity.callers import Caller
from vault.officer import retention
from vault.officer.approval_item import Item
from vault.officer.frame import Speaker, left_to_right, link, speaker_of
from vault.officer.report_steps import REASONS, chosen, number
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import same_person
from vault.web.call import Call

TURNED_DOWN: Final = ("dismissal", "awareness", "incident", "destruction")
LIFTINGS: Final[Mapping[str, What]] = {"report-lifting": "report", "incident-lifting": "incident"}
OF_INCIDENTS: Final = frozenset({"incident", "incident-lifting"})
KINDS: Final = (*TURNED_DOWN, *LIFTINGS)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Puts what waits into words, for one reader."""

    book: Book
    caller: Caller
    say: Speaker

    def item(self, kind: str, id_: str, named: str, one: tuple[str, int], *says: tuple[str, str]) -> Item:
        """One thing that waits, with the page on which its reader may read what was written about it."""
        (by, at), shown = one, self.say.id(id_)
        path, name = ("/officer/incidents/one", "incident") if kind in OF_INCIDENTS else ("/officer/reports/one", "report")
        page = link(path, self.say.language, **{name: shown}) if "reports" in self.caller.scopes else ""
        yours = same_person(self.book, by, self.caller.ref)
        hand, moment = self.say.actor(by), self.say.time(at)
        return Item(kind, shown, hand, moment, yours, may_turn_down=kind in TURNED_DOWN, says=list(says), named=named, page=page)

    def destruction(self, run: DestructionFact, references: Sequence[str]) -> Item:
        """What is to be destroyed."""
        says = [("cases", str(len(run.cases))), ("references", self.say.joined(map(left_to_right, references)))]
        page = link(retention.PATH, self.say.language) if "reports" in self.caller.scopes else ""
        yours = same_person(self.book, run.proposed_by, self.caller.ref)
        hand, moment = self.say.actor(run.proposed_by), self.say.time(run.proposed_at)
        return Item("destruction", self.say.id(run.id), hand, moment, yours, may_turn_down=True, says=says, page=page)


async def breach_items(call: Call, reports: Reports) -> tuple[list[Item], int]:
    """All that waits about reports and incidents and the caller may see, and how many are kept from her."""
    caller: Caller = call.caller
    association, errand = caller.association, Errand(caller, call.request_id)
    known = await heard(errand, lambda: reports.index.known(association))
    found = await heard(errand, lambda: association.run(lambda deed: waiting(deed, errand, known)))
    book = await association.book()
    say = speaker_of(call, book)
    maker = _Maker(book, caller, say)
    make = maker.item
    items = [
        make(
            "dismissal",
            fact.id,
            one.reason,
            (one.proposed_by, one.proposed_at),
            ("reference", fact.reference),
            ("dismissed_for", say.word(f"report_reason_{one.reason}")),
        )
        for fact, one in found.dismissals
    ]
    items += [
        make(
            "awareness",
            fact.id,
            str(one.to),
            (one.proposed_by, one.proposed_at),
            ("reference", fact.reference),
            ("aware_was", say.time(one.was)),
            ("aware_to", say.time(one.to)),
        )
        for fact, one in found.moves
    ]
    items += [
        make(
            "incident",
            fact.id,
            str(one.number),
            (one.by, one.at),
            ("reference", fact.reference),
            ("proposed", say.word(f"incident_act_{one.act}")),
            *([] if one.track is None else [("track", say.word(f"track_of_{one.track}"))]),
            *([] if one.to is None else [("aware_was", say.time(fact.aware_at)), ("aware_to", say.time(one.to))]),
        )
        for fact, one in found.proposals
    ]
    items += [
        make(f"{what}-lifting", fact.id, str(one.lifting_reason), (one.lifting_by, one.lifting_at or 0), ("reference", fact.reference))
        for what, fact, one in found.liftings
    ]
    closed = await retention.preview(call, reports)
    if closed.waiting is not None and closed.waiting.cases:
        items.append(maker.destruction(closed.waiting, retention.references(closed)))
    return items, found.withheld


async def approve(call: Call, reports: Reports, kind: str, id_: bytes, code: str) -> None:
    """Do what another person proposed, as the page showed it. Raises Malformed, and what the room raises."""
    errand, run, named = Errand(call.caller, call.request_id), call.caller.association.run, call.form.fields.get("named", "")
    if kind == "dismissal":
        reason = chosen(named, REASONS)
        await heard(errand, lambda: run(lambda deed: reports.second.dismiss(deed, errand, id_, reason, code)), about(id_))
    elif kind == "awareness":
        to = number(named)
        await heard(errand, lambda: run(lambda deed: reports.second.move_awareness(deed, errand, id_, to, code)), about(id_))
    elif kind in LIFTINGS:
        proposal, lifting, what = number(named), holds.Second(reports.factor, code), LIFTINGS[kind]
        about_ = about(id_) if what == "report" else about_incident(id_)
        await heard(errand, lambda: run(lambda deed: lifting.lift(deed, errand, what, id_, proposal)), about_)
    elif kind == "destruction":
        await heard(errand, lambda: run(lambda deed: destroying.release(deed, errand, reports.factor, id_, code), weight=destroying.MOST))
        await call.caller.association.settle()
    else:
        proposal, second = number(named), SecondPerson(reports.factor)
        await heard(errand, lambda: run(lambda deed: second.approve(deed, errand, id_, proposal, code)), about_incident(id_))


async def turn_down(call: Call, kind: str, id_: bytes) -> None:
    """End what somebody proposed, as the page showed it; the session was stepped up. Raises Malformed, and what the room raises."""
    errand, run, named = Errand(call.caller, call.request_id), call.caller.association.run, call.form.fields.get("named", "")
    if kind == "dismissal":
        reason = chosen(named, REASONS)
        await heard(errand, lambda: run(lambda deed: service.turn_down_dismissal(deed, errand, id_, reason)), about(id_))
    elif kind == "awareness":
        to = number(named)
        await heard(errand, lambda: run(lambda deed: service.turn_down_awareness(deed, errand, id_, to)), about(id_))
    elif kind == "destruction":
        await heard(errand, lambda: run(lambda deed: destroying.turn_down(deed, errand, id_)))
    else:
        proposal = number(named)
        await heard(errand, lambda: run(lambda deed: incidents.turn_down(deed, errand, id_, proposal)), about_incident(id_))
