"""The queue of what nobody has looked at, by likeness, and one deed on many reports: each has its own event and its own entry (article 8).

Invariants: a group is only a way to look: a deed names every report it is done on, and one that came meanwhile is not among them; a report
whose deed fails leaves the others alone; nobody alone dismisses one report or a thousand (promise 9).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import case, service
from vault.breach_reports.lifecycle import ReportState, unanswered
from vault.breach_reports.likeness import WAITING, Group, groups
from vault.breach_reports.reporter import about
from vault.breach_reports.shapes import ReportFact, State
from vault.errors import Conflict, FieldError, Invalid, NotFound, Refused, VaultError
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand

MOST: Final = 500
"""Reports of one call."""
TOGETHER: Final = 25
"""Deeds on their way at once: the rest of the house is served between them."""
OWN_DOING: Final = frozenset({"trap", "elsewhere", "automatic", "junk"})
"""Doubts that a report brought on itself, and not how much else came."""
STEP_UP: Final = "step-up-required"
DeedOf = Callable[[Deed, Errand, bytes], ReportFact]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups: of reports in this state (None: either), at most `limit`, behind the one whose example is `after`."""

    state: State | None = None
    after: bytes | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of groups; the example the next page begins after, None for none; how many groups and reports there are in all.

    `withheld` counts all reports that are kept from the reader, whether they wait or not: nothing tells her what became of one.
    """

    groups: list[Group]
    more: bytes | None
    groups_in_all: int
    reports_in_all: int
    withheld: int


@dataclass(frozen=True, slots=True)
class Told:
    """A group in numbers: in quarantine, doubtful for what, proposed to be dismissed for what, whose reporter wrote again."""

    quarantined: int
    doubts: Mapping[str, int]
    proposed: Mapping[str, int]
    unanswered: int


def told(group: Group) -> Told:
    """The numbers of a group."""
    facts = group.members
    return Told(
        quarantined=sum(fact.state == "quarantined" for fact in facts),
        doubts=Counter(fact.doubt for fact in facts if fact.doubt),
        proposed=Counter(fact.dismissal.reason for fact in facts if fact.dismissal is not None),
        unanswered=sum(bool(unanswered(fact)) for fact in facts),
    )


def queue(errand: Errand, known: Mapping[bytes, ReportFact], wanted: Wanted) -> Queue:
    """The groups that are wanted: the few before the many, so that no flood buries one report. Raises NotFound for a wrong `after`.

    Those that are in doubt for what they did themselves come last; among groups of one size the least time left is first. Behind a report
    that somebody looked at meanwhile the page goes on at the earliest place it can have stood, so that no group is left out.
    """
    seen = service.seen_by(errand, known)
    waiting = [fact for fact in seen.values() if fact.state in ((wanted.state,) if wanted.state else WAITING)]
    found = sorted(groups(waiting), key=_place)
    start = 0
    if wanted.after is not None:
        if wanted.after not in seen:
            raise NotFound
        behind = _stood(found, seen[wanted.after])
        start = sum(_place(group) <= behind for group in found)
    here = found[start : start + wanted.limit]
    more = bytes.fromhex(here[-1].example.id) if start + len(here) < len(found) else None
    return Queue(here, more, len(found), len(waiting), len(known) - len(seen))


def group_of(errand: Errand, known: Mapping[bytes, ReportFact], report: bytes) -> Group:
    """The group a report is in, itself first. Raises NotFound where it does not wait, or excludes who asks."""
    for group in groups(service.seen_by(errand, known).values()):
        first = next((fact for fact in group.members if fact.id == report.hex()), None)
        if first is not None:
            return Group([first, *(fact for fact in group.members if fact is not first)])
    raise NotFound


def set_apart(deed: Deed, errand: Errand, report: bytes) -> ReportFact:
    """Take a report out of its group: from now on it stands alone. Raises NotFound, ReportState, the refusal `excluded`."""
    errand = errand.still(deed)
    found = service.seen(deed, errand, report)
    if found.fact.state not in WAITING or found.fact.apart:
        raise ReportState
    fact = msgspec.structs.replace(found.fact, apart=True)
    written = case.change(deed, found, fact)
    kind = "breach_report.set-apart"
    deed.append(service.entry_of(errand, deed, kind, about=found.about, facts=(written,), flags=errand.asker.flags))
    return fact


async def each(errand: Errand, reports: Sequence[bytes], deed_of: DeedOf) -> list[ReportFact | VaultError]:
    """What became of every report, in order: the fact after its deed, or why that was not done.

    Raises Invalid for none, too many, or one twice, and what the first one meets where that is no matter of the report: who may not do it
    is told once, and nothing was done.
    """
    if not 0 < len(reports) <= MOST or len(set(reports)) < len(reports):
        raise Invalid([FieldError("reports", "out-of-range")])
    found = [await _one(errand, reports[0], deed_of)]
    if isinstance(found[0], VaultError) and _is_of_the_caller(found[0]):
        raise found[0]
    for at in range(1, len(reports), TOGETHER):
        found += await asyncio.gather(*(_one(errand, report, deed_of) for report in reports[at : at + TOGETHER]))
    return found


async def _one(errand: Errand, report: bytes, deed_of: DeedOf) -> ReportFact | VaultError:
    try:
        return await heard(errand, lambda: _run(errand, report, deed_of), about(report))
    except VaultError as error:
        return error


def _run(errand: Errand, report: bytes, deed_of: DeedOf) -> Awaitable[ReportFact]:
    return errand.asker.association.run(lambda deed: deed_of(deed, errand, report))


def _is_of_the_caller(error: VaultError) -> bool:
    return error.code == STEP_UP or not isinstance(error, NotFound | Conflict | Refused)


def _stood(found: Sequence[Group], after: ReportFact) -> tuple[bool, int, int, str]:
    """The place of the group a report is in; of one that waits no more the earliest there is, for how many were like it is not kept."""
    of = next((group for group in found if any(each.id == after.id for each in group.members)), None)
    return (False, 1, after.arrived_at, after.id) if of is None else _place(of)


def _place(group: Group) -> tuple[bool, int, int, str]:
    own = all(fact.doubt in OWN_DOING for fact in group.members)
    return own, len(group.members), group.example.arrived_at, group.example.id
