"""What of an incident goes into one file for an authority or an auditor: how it went, its clocks and notices, and its evidence with proofs.

Invariants: nothing anybody reported is opened for it, so that no reporter's words, contact or files can be in it; the look is an entry that
is committed first; the same incident gives the same content, whenever and however often it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from vault.access import incident_evidence, incident_notices
from vault.access.incident_evidence import Told
from vault.access.incident_notices import Letters
from vault.access_log.deed import Deed
from vault.breach_reports import door, incident_file, incident_telling, incidents, service
from vault.breach_reports.evidence_facts import EvidencePage
from vault.breach_reports.incident_shapes import KINDS
from vault.breach_reports.service import entry_of
from vault.breach_reports.shapes import ReportFact
from vault.errors import FieldError, Invalid
from vault.policy.pack import Text
from vault.rulebook.asker import Errand
from vault.web.call import write_id
from vault.web.times import write_time

EXPORTED: Final = "incident.exported"
MOST_ROWS: Final = 200_000
"""Namings of people in one file, over all its evidence and letters."""
_OF_NOW: Final = ("clock", "entry")
"""Members of an incident as it is read that are about the reading, and not about the incident."""
_OPENED: Final = tuple(sorted((*KINDS, *incident_notices.KINDS)))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exporting:
    """An incident whose entry is appended, with what goes beside its words: reports without content, evidence with pages, letters."""

    taken: door.TakenIncident
    reports: tuple[ReportFact, ...]
    evidence: Sequence[tuple[Told, list[EvidencePage]]]
    letters: Letters
    categories: Mapping[str, Text]
    within: int
    at: int


def take(deed: Deed, errand: Errand, incident: bytes) -> Exporting:
    """Append the entry, and take what is exported. Raises NotFound, Invalid beyond `MOST_ROWS`, Unavailable, the refusal `excluded`."""
    errand = errand.still(deed)
    found = incidents.as_shown(deed, errand, incidents.seen(deed, errand, incident)[1])
    evidence = incident_evidence.of_incident(deed, errand, found)
    letters = incident_notices.letters_of(deed, found.fact)
    namings = sum(len(person.rows) for _, pages in evidence for page in pages for person in page.people)
    if namings + sum(map(len, letters.values())) > MOST_ROWS:
        raise Invalid([FieldError("incident", "out-of-range")])
    reports = tuple(each.fact for each in incident_file.circle(deed, found).reports)
    told = entry_of(errand, deed, EXPORTED, law=True, flags=errand.asker.flags)
    taken = door.take_incident(deed, found, told, _OPENED, kind=EXPORTED)
    book = errand.book(deed)
    return Exporting(taken, reports, evidence, letters, book.pack.report_categories, service.hours(book), deed.now)


def told(exporting: Exporting) -> Json:
    """All of the incident in members; its words are opened here, once, after the commit. Raises Unavailable."""
    taken, opened = exporting.taken, door.give_out(exporting.taken)
    words = [each for each in opened if each.told.kind in KINDS]
    whole = msgspec.to_builtins(incident_telling.whole(taken, words, exporting.within, exporting.at))
    incident = {name: value for name, value in whole.items() if name not in _OF_NOW}
    return {
        "incident": incident,
        "reports": [_report(one) for one in exporting.reports],
        "authority_notices": incident_notices.authority(taken, opened),
        "people_notices": incident_notices.people(taken.case.fact, opened, exporting.letters),
        "evidence": [_evidence(each) for each, _ in exporting.evidence],
    }


def people(pages: Sequence[EvidencePage]) -> list[Json]:
    """The people of a piece of evidence: a record of each, and the entries by number and leaf hash."""
    return [
        {"record": write_id(bytes.fromhex(person.record)) if person.record else None, "entries": [list(row) for row in person.rows]}
        for page in pages
        for person in page.people
    ]


def events(incident: Json) -> list[Json]:
    """How it went, by time: each with the name of its words and what an officer wrote to it."""
    found = [{"at": incident["opened_at"], "what": "event_opened", "words": ""}]
    found += [
        {"at": each["at"], "what": "event_aware", "words": each.get("reason", ""), "to": each["to"]} for each in incident["awareness"]
    ]
    found += [{"at": each["at"], "what": f"state_{each['state']}", "words": each.get("note", "")} for each in incident["steps"]]
    found += [{"at": each["at"], "what": "event_weighed", "words": each.get("note", "")} for each in incident["weights"]]
    found += [{"at": each["at"], "what": "event_unlinked", "words": each["reason"]} for each in incident["unlinked"]]
    found += [{"at": each["proposed_at"], "what": "event_proposed", "words": each.get("reason", "")} for each in incident["proposals"]]
    for track, before in incident["settled_before"].items():
        for each in (*before, incident[track]):
            found += _settled(track, each)
    return sorted(found, key=lambda each: str(each["at"]))


def _settled(track: str, one: Json) -> list[Json]:
    if "settled_at" not in one:
        return []
    words = " ".join(filter(None, (one.get("reference"), one.get("reason"))))
    found = [{"at": one.get("filed_at", one["settled_at"]), "what": f"event_{track}_{one['state']}", "words": words}]
    if "reopened_at" in one:
        found.append({"at": one["reopened_at"], "what": "event_reopened", "words": one["reopened_reason"]})
    return found


def _report(fact: ReportFact) -> Json:
    """A report by what the association decided about it: nothing of who sent it, nor of what was written."""
    return {
        "reference": fact.reference,
        "category": fact.category,
        "channel": fact.channel,
        "state": fact.state,
        "finding": fact.finding or None,
        "received_at": write_time(fact.received_at),
        "acknowledged_at": None if fact.acknowledged_at is None else write_time(fact.acknowledged_at),
        "triaged_at": None if fact.triaged_at is None else write_time(fact.triaged_at),
        "files": [{"type": each.type, "size": each.size, "sealed_sha256": each.sha256} for each in fact.files],
    }


def _evidence(told_: Told) -> Json:
    fact = told_.fact
    return {
        "id": write_id(bytes.fromhex(fact.id)),
        "actor": fact.hand,
        "key": fact.key or None,
        "from": write_time(fact.since),
        "to": write_time(fact.until),
        "saved_by": fact.by,
        "saved_at": write_time(fact.at),
        "entries": told_.entries,
        "people": told_.people,
        "first_index": fact.first,
        "end_index": fact.end,
    }
