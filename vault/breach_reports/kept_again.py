"""Excludes again, and holds again, whom and what the journal says was excluded and held and the stored rows say was not.

Invariants: a restore shows no case to whom it was kept from, and lets nothing be destroyed over a hold; a line of which the database knows,
whatever became of it since, leaves nothing to do. Formats: docs/spec/journal.md.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.breach_reports import case, incident_file
from vault.breach_reports.case import MOST_PARTS, Case, Text
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.incident_shapes import REASON
from vault.breach_reports.retention import What
from vault.breach_reports.shapes import EXCLUSIONS, NOTE, Hold
from vault.rulebook import facts
from vault.storage.journal import Closing, Line

EXCLUDED: Final = "case-exclusion"
HELD: Final = "case-hold"
_AGAIN: Final = "أُعيد هذا الحجز بعد استعادة نسخة، وسببه في ما فُقد. · Laid again after a restore; its reason is in what was lost."
_EXCLUSION: Final[dict[str, str]] = {"report": "breach_report.excluded", "incident": "incident.excluded"}
_HOLD: Final[dict[str, str]] = {"report": "breach_report.held", "incident": "incident.held"}


def exclusions(who: Iterable[str], by: Iterable[str], *, reports: Iterable[str] = (), incidents: Iterable[str] = ()) -> list[Closing]:
    """The journal's lines for these people ("staff:<hex id>") excluded from these cases (ids in hexadecimal) by these, if by another.

    The first is for the entry of the deed, whose facts name the other cases.
    """
    hand, whom = next(iter(by), ""), ",".join(who)
    every = [*(("report", id_) for id_ in reports), *(("incident", id_) for id_ in incidents)]
    return [Closing(EXCLUDED, id_, f"{what}|{whom}|{hand}") for what, id_ in every]


def hold(what: What, id_: str, laid: Hold) -> Closing:
    """The journal's line for a legal hold, with the moment it was laid at, by which it is known again."""
    return Closing(HELD, id_, f"{what}|{laid.by}|{laid.at}")


def exclude_again(deed: Deed, line: Line, told: Entry) -> int:
    """Exclude these people again from a case; how many doors stood open. Raises NotFound, Unavailable `integrity`."""
    what, words, by = line.closing.detail.split("|")
    found, whom = _case(deed, what, line.closing.reference), words.split(",")
    known = facts.read_several(deed, EXCLUSIONS, [who.partition(":")[2] for who in whom])
    hidden = len(known) == len(whom) and all(found.fact.id in each.cases for each in known.values())
    if hidden and not {*whom} - {*found.fact.excluded}:
        return 0
    excluded = tuple(sorted({*found.fact.excluded, *whom}))
    hands = tuple(dict.fromkeys((*found.fact.excluded_by, *([by] if by else []))))
    told = replace(told, kind=_EXCLUSION[what], facts=incident_file.hide(deed, whom, [found.fact.id]))
    _write(deed, found, told, line.closing, excluded=excluded, excluded_by=hands)
    return 1


def hold_again(deed: Deed, line: Line, told: Entry) -> int:
    """Hold a case again; how many doors stood open. Raises NotFound, Unavailable `integrity`."""
    what, by, moment = line.closing.detail.split("|")
    found, at = _case(deed, what, line.closing.reference), int(moment)
    if any(one.at == at for one in found.fact.holds):
        return 0
    holds = (*found.fact.holds, Hold(by=by, at=at, reason=len(found.fact.parts)))
    text = Text(NOTE if what == "report" else REASON, told.actor, msgspec.json.encode(_AGAIN), beyond=MOST_PARTS)
    _write(deed, found, replace(told, kind=_HOLD[what]), line.closing, text, holds=holds)
    return 1


def _case(deed: Deed, what: str, id_: str) -> Case | Incident:
    return incident_file.load(deed, bytes.fromhex(id_)) if what == "incident" else case.load(deed, bytes.fromhex(id_))


def _write(deed: Deed, found: Case | Incident, told: Entry, closes: Closing, *texts: Text, **put: object) -> None:
    """Write the next version of a case with what is put into its fact, and the entry, which is of the line's own door."""
    if isinstance(found, Incident):
        written = incident_file.change(deed, found, msgspec.structs.replace(found.fact, **put), *texts)
    else:
        written = case.change(deed, found, msgspec.structs.replace(found.fact, **put), *texts)
    deed.append(replace(told, about=found.about, facts=(written, *told.facts)), closes=closes)
