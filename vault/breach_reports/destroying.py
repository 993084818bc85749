"""The run of retention: what is due is shown, one person proposes to destroy it, another releases it; each case leaves a tombstone.

Invariants: what goes is decided again, case by case, in the deed that destroys it: a hold, a reopened matter or a clock that runs meanwhile
keeps it; nobody releases what she proposed, nor destroys what is kept from her (promises 7 and 9).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.breach_reports import case, incident_file, retention
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.retention import Term
from vault.breach_reports.service import SecondFactor
from vault.breach_reports.shapes import EXCLUSIONS, TOMBSTONE, ReportFact, TombstoneFact
from vault.breach_reports.tombstones import KINDS, Ending, bury, outcome_of
from vault.errors import Conflict, NotFound
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.rulebook.two_people import STAFF, same_person

MOST: Final = 50
"""Cases of one run: they go in one transaction."""
PROPOSED: Final = "breach_report.destruction-proposed"
RELEASED: Final = "breach_report.destruction-released"
TURNED_DOWN: Final = "breach_report.destruction-turned-down"


class NothingDue(Conflict):
    """No case is due, or none that is not kept from who asks."""

    code = "nothing-due"


class RunSettled(Conflict):
    """The run was released or turned down already."""

    code = "run-settled"


class RunNothingDue(Conflict):
    """No case of the run may be destroyed now: it waits still."""

    code = "run-nothing-due"


class CaseFact(Fact, frozen=True):
    """One case of a run: what it is and its id in hexadecimal."""

    what: Literal["report", "incident"]
    id: str


class DestructionFact(Fact, frozen=True):
    """A run somebody proposed: which cases, and who released it or turned it down; how many cases went, linked reports among them."""

    id: str
    proposed_by: str
    proposed_at: int
    cases: tuple[CaseFact, ...]
    released_by: str = ""
    released_at: int | None = None
    destroyed: int = 0
    turned_down_by: str = ""
    turned_down_at: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a second person."""
        return self.released_at is None and self.turned_down_at is None


DESTRUCTION: Kind[DestructionFact] = Kind("breach_destruction", DestructionFact, in_book=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """What is closed, the earliest due first; how many cases, closed or not, are kept from the reader.

    `waiting` is the newest run that waits and has a case she may see; `begin` where the page begins that was asked for.
    """

    terms: list[Term]
    withheld: int
    waiting: DestructionFact | None
    begin: int = 0

    def page(self, limit: int) -> tuple[list[Term], str | None]:
        """So many of them from where the page begins, and the id the next one begins after."""
        here = self.terms[self.begin : self.begin + limit]
        return here, here[-1].id if len(self.terms) > self.begin + limit else None


@dataclass(frozen=True, slots=True)
class Done:
    """What a release did: the run, the ids (hex) of the cases that went and of those that stay, the epochs of their keys.

    What is kept from who released it is in neither.
    """

    run: DestructionFact
    gone: tuple[str, ...]
    left: tuple[str, ...]
    epochs: tuple[int, ...]


def preview(deed: Deed, errand: Errand, reports: Mapping[bytes, ReportFact], after: bytes | None = None) -> Preview:
    """Everything that is closed, by when it is due, with the page behind the case of this id.

    Where that is closed no more, or was destroyed, it goes on at the earliest place it can have stood, so that none is left out. Raises
    NotFound for an `after` that never was a case she may see, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    incidents = incident_file.known(deed)
    known = {fact.id: fact for fact in reports.values()}
    every = _terms(deed, errand, known, incidents)
    shown = [term for term in every if not _is_kept_from(errand, term)]
    begin = 0
    if after is not None:
        listed = next(((term.due_at, term.id) for term in shown if term.id == after.hex()), None)
        place = listed or _stood(deed, errand, known.get(after.hex()) or incidents.get(after.hex()), after.hex())
        begin = sum((term.due_at, term.id) <= place for term in shown)
    hidden = _hidden_from(deed, errand)
    runs = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, DESTRUCTION).values()
    seen = [_as_seen(each, hidden) for each in runs if each.waits]
    waiting = max((each for each in seen if each.cases), key=lambda each: (each.proposed_at, each.id), default=None)
    kept = hidden.intersection({*incidents, *known})
    return Preview(shown, len(kept), waiting, begin)


def _stood(deed: Deed, errand: Errand, fact: ReportFact | IncidentFact | None, id_: str) -> tuple[int, str]:
    """The earliest place at which a case can have stood that is not listed. Raises NotFound for one she may not see, or that is none."""
    stone, months = facts.read(deed, TOMBSTONE, id_), errand.book(deed).pack.retention_months
    if id_ in _hidden_from(deed, errand) or (stone is not None and not errand.accounts.isdisjoint(stone.excluded)):
        raise NotFound
    if stone is not None:
        return retention.due_at(stone.what, stone.closed_at, stone.outcome, months), id_
    if isinstance(fact, IncidentFact):
        return retention.due_at("incident", fact.opened_at, fact.state, months), ""
    if fact is None:
        raise NotFound
    return retention.due_at("report", fact.arrived_at, retention.SHORTEST, months), ""


def propose(deed: Deed, errand: Errand, reports: Mapping[bytes, ReportFact]) -> DestructionFact:
    """Propose to destroy what is due now, at most `MOST` cases. Raises NothingDue, Unavailable `integrity`."""
    errand = errand.still(deed)
    due = [term for term in preview(deed, errand, reports).terms if term.is_due(deed.now)][:MOST]
    if not due:
        raise NothingDue
    run = DestructionFact(
        id=os.urandom(16).hex(),
        proposed_by=errand.asker.ref,
        proposed_at=deed.now,
        cases=tuple(CaseFact(what=term.what, id=term.id) for term in due),
    )
    written = (facts.write(deed, DESTRUCTION, run.id, run),)
    deed.append(_entry(errand, deed, PROPOSED, facts=written, count=len(due), flags=errand.asker.flags))
    return run


def release(deed: Deed, errand: Errand, factor: SecondFactor, run: bytes, code: str | None) -> Done:
    """Destroy what another person proposed and is due still.

    Raises NotFound, also where every case is kept from who asks, RunSettled, RunNothingDue where nothing of it goes, and the refusals of
    a second person.
    """
    errand = errand.still(deed)
    found, hidden = _waiting(deed, errand, run)
    if same_person(errand.book(deed), found.proposed_by, errand.asker.ref):
        article = f"{errand.book(deed).association.pack}:7"
        raise EntryRefusal(errand.entry(kind=RELEASED, outcome="refuse", reason="SAME_PERSON", article=article, flags=errand.asker.flags))
    approval = factor.approve(deed, errand.asker, code, kind=RELEASED)
    gone: list[str] = []
    epochs: set[int] = set()
    for each in found.cases:
        for id_, of in _destroyed(deed, errand, each, found.id):
            gone.append(id_)
            epochs |= of
    if not gone:
        raise RunNothingDue
    settled = msgspec.structs.replace(found, released_by=errand.asker.ref, released_at=deed.now, destroyed=len(gone))
    written = (*approval.facts, facts.write(deed, DESTRUCTION, found.id, settled))
    deed.append(_entry(errand, deed, RELEASED, facts=written, count=len(gone), flags=approval.flags))
    seen = _as_seen(settled, hidden)
    return Done(seen, tuple(gone), tuple(each.id for each in seen.cases if each.id not in gone), tuple(sorted(epochs)))


def turn_down(deed: Deed, errand: Errand, run: bytes) -> DestructionFact:
    """End what somebody proposed: nothing of it goes. Raises NotFound, also where every case is kept from who asks, and RunSettled."""
    errand = errand.still(deed)
    found, hidden = _waiting(deed, errand, run)
    ended = msgspec.structs.replace(found, turned_down_by=errand.asker.ref, turned_down_at=deed.now)
    written = (facts.write(deed, DESTRUCTION, found.id, ended),)
    deed.append(_entry(errand, deed, TURNED_DOWN, facts=written, count=len(found.cases), flags=errand.asker.flags))
    return _as_seen(ended, hidden)


def _waiting(deed: Deed, errand: Errand, run: bytes) -> tuple[DestructionFact, frozenset[str]]:
    """The run with this id, and what is kept from who asks. Raises NotFound where that is all of it, RunSettled where it waits no more."""
    found, hidden = facts.read(deed, DESTRUCTION, run.hex()), _hidden_from(deed, errand)
    if found is None or not _as_seen(found, hidden).cases:
        raise NotFound
    if not found.waits:
        raise RunSettled
    return found, hidden


def tombstones(deed: Deed, errand: Errand, after: bytes | None, limit: int) -> tuple[list[tuple[str, TombstoneFact]], str | None, int]:
    """A page of what was destroyed, the newest first; the id the next page begins after; how many are kept from the reader.

    Raises NotFound for an `after` that is none, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, TOMBSTONE)
    shown = sorted(
        ((key, one) for key, one in every.items() if errand.accounts.isdisjoint(one.excluded)),
        key=lambda each: (-each[1].destroyed_at, each[0]),
    )
    begin = _behind([key for key, _ in shown], after)
    here = shown[begin : begin + limit]
    return here, here[-1][0] if len(shown) > begin + limit else None, len(every) - len(shown)


def _behind(ids: Sequence[str], after: bytes | None) -> int:
    """Where a page begins. Raises NotFound for an id that is none of these."""
    if after is None:
        return 0
    if after.hex() not in ids:
        raise NotFound
    return ids.index(after.hex()) + 1


def _destroyed(deed: Deed, errand: Errand, each: CaseFact, run: str) -> list[tuple[str, frozenset[int]]]:
    """Destroy one case of a run with all that goes with it, if it is due as it stands in this deed; what went."""
    try:
        reports, incidents = _as_it_stands(deed, each)
    except NotFound:
        return []  # another run was first
    term = next((one for one in _terms(deed, errand, reports, incidents) if one.id == each.id), None)
    if term is None or not term.is_due(deed.now) or _is_kept_from(errand, term):
        return []
    done = []
    # The reports first: their entries then name an incident that is there.
    for id_ in reversed(term.cases):
        fact = incidents.get(id_) or reports[id_]
        outcome = fact.state if isinstance(fact, IncidentFact) else outcome_of(fact)
        told = _entry(errand, deed, KINDS["incident" if id_ in incidents else "report"], flags=errand.asker.flags)
        done.append((id_, bury(deed, told, fact, Ending(run, term.closed_at, outcome))))
    return done


def _as_it_stands(deed: Deed, each: CaseFact) -> tuple[dict[str, ReportFact], dict[str, IncidentFact]]:
    """The case and what it is linked with, read in this deed. Raises NotFound, Unavailable `integrity`."""
    if each.what == "report":
        return {each.id: case.load(deed, bytes.fromhex(each.id)).fact}, {}
    found = incident_file.load(deed, bytes.fromhex(each.id))
    return {one.fact.id: one.fact for one in incident_file.circle(deed, found).reports}, {each.id: found.fact}


def _terms(deed: Deed, errand: Errand, reports: Mapping[str, ReportFact], incidents: Mapping[str, IncidentFact]) -> list[Term]:
    return retention.terms(reports, incidents, errand.book(deed).pack.retention_months)


def _hidden_from(deed: Deed, errand: Errand) -> frozenset[str]:
    """The cases that are kept from who asks, or from the person at the screen, through whichever account of hers."""
    people = sorted(ref.removeprefix(STAFF) for ref in errand.accounts if ref.startswith(STAFF))
    kept = facts.read_several(deed, EXCLUSIONS, people) if people else {}
    return frozenset(case_ for each in kept.values() for case_ in each.cases)


def _as_seen(run: DestructionFact, hidden: frozenset[str]) -> DestructionFact:
    """The run without what is kept from its reader: a run may have been proposed by somebody who sees more."""
    return msgspec.structs.replace(run, cases=tuple(each for each in run.cases if each.id not in hidden))


def _is_kept_from(errand: Errand, term: Term) -> bool:
    return not errand.accounts.isdisjoint(term.excluded)


def _entry(errand: Errand, deed: Deed, kind: str, **members: object) -> Entry:
    own = errand.book(deed).association
    return errand.entry(
        kind=kind, outcome="allow", purpose=PURPOSE, basis="law", article=f"{own.pack}:8", law=f"{own.law_pack}:18", **members
    )
