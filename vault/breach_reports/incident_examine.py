"""Holds every row of incidents against their facts, for `amanah doctor`, and names whose clock ran out or did not ring, a report's too.

The facts themselves are held against the log with all others (`vault/rulebook/facts.py`).
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from keys.case_file import case_key
from keys.errors import Unopenable
from vault.breach_reports import clocks, index, lifecycle
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.incident_tables import incident_key, incident_part
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.shapes import BREACH_REPORT, ReportFact
from vault.rulebook.facts import holding

_WORK: Final[dict[clocks.Work, str]] = {"triage": "it was to be judged", "answer": "its reporter was to be answered"}
PATIENCE: Final = 600_000_000
"""Microseconds after which a clock that was due and did not ring is named: a service that runs rings it within seconds."""


def examine_incidents(connection: Connection, cabinet: Cabinet, association: bytes) -> Iterator[str]:
    """What does not hold, row by row in words."""
    known = {bytes.fromhex(key): fact for key, fact in holding(connection, cabinet, association, INCIDENT).items() if not fact.gone}
    yield from _keys(connection, association, cabinet, known)
    yield from _parts(connection, association, known)
    reports = holding(connection, cabinet, association, BREACH_REPORT)
    yield from _links(known, {key: fact for key, fact in reports.items() if not fact.gone})


def late(connection: Connection, cabinet: Cabinet, association: bytes, within: int, now: int) -> Iterator[str]:
    """Incidents whose authority was to be told by now, and clocks that were due and did not ring (implementing regulation 24(1))."""
    for _, fact in sorted(holding(connection, cabinet, association, INCIDENT).items()):
        running = clocks.clock(fact, within)
        if running is not None and running.is_overdue(now):
            hours = -running.left(now) // 3_600_000_000
            yield f"incident {fact.reference}: the authority was to be told, {hours} hours ago (GET /v1/incidents)"
        if any(each.at + PATIENCE <= now for each in clocks.due(fact, within, now)):
            yield f"incident {fact.reference}: a clock was due and did not ring; it rings when the service runs"


def late_reports(connection: Connection, cabinet: Cabinet, association: bytes, within: int, now: int) -> Iterator[str]:
    """Reports whose time to be judged, answered or told to the authority is over, and clocks of theirs that were due and did not ring."""
    reports = holding(connection, cabinet, association, BREACH_REPORT).values()
    for fact in sorted((each for each in reports if not each.gone), key=lambda each: each.reference):
        for each in clocks.of_report(fact):
            if each.due_at < now:
                yield f"report {fact.reference}: {_WORK[each.work]}, {(now - each.due_at) // HOUR} hours ago (GET /v1/breach-reports)"
        running = lifecycle.clock(fact, within)
        if running is not None and not running.provisional and running.is_overdue(now):
            hours = -running.left(now) // HOUR
            yield f"report {fact.reference}: a breach in no incident, the authority was to be told, {hours} hours ago (POST /v1/incidents)"
        unrung = (*(each.due_at for each in clocks.work_due(fact, now)), *(each.at for each in clocks.authority_due(fact, within, now)))
        if any(each + PATIENCE <= now for each in unrung):
            yield f"report {fact.reference}: a clock was due and did not ring; it rings when the service runs"


def _keys(connection: Connection, association: bytes, cabinet: Cabinet, known: Mapping[bytes, IncidentFact]) -> Iterator[str]:
    missing = set(known)
    for id_, wrapped in index.rows(connection, association, incident_key.c.incident, incident_key.c.wrapped):
        missing.discard(id_)
        if id_ not in known:
            yield f"incident_key {index.name(id_)}: no incident the log knows"
            continue
        try:
            case_key(cabinet.keys, id_, wrapped)
        except Unopenable:
            yield f"incident_key {index.name(id_)}: does not open for its incident"
    yield from (f"incident_key {index.name(id_)}: missing, so the incident cannot be read" for id_ in sorted(missing))


def _parts(connection: Connection, association: bytes, known: Mapping[bytes, IncidentFact]) -> Iterator[str]:
    missing = {(id_, number): told.sha256 for id_, fact in known.items() for number, told in enumerate(fact.parts)}
    columns = (incident_part.c.incident, incident_part.c.number, incident_part.c.sealed)
    for id_, number, sealed in index.rows(connection, association, *columns):
        wanted = missing.pop((id_, number), None)
        if wanted is None:
            yield f"incident_part {index.name(id_)} {number}: no part its incident knows"
        elif not isinstance(sealed, bytes) or hashlib.sha256(sealed).hexdigest() != wanted:
            yield f"incident_part {index.name(id_)} {number}: not what was written"
    yield from (f"incident_part {index.name(id_)} {number}: missing" for id_, number in sorted(missing))


def _links(known: Mapping[bytes, IncidentFact], reports: Mapping[str, ReportFact]) -> Iterator[str]:
    """Links that only one side tells of; where one side does not hold, that is named with the facts."""
    told = {(fact.id, report) for fact in known.values() for report in fact.reports if report in reports}
    meant = {(fact.incident, key) for key, fact in reports.items() if fact.incident and bytes.fromhex(fact.incident) in known}
    yield from (f"incident {incident}: linked to report {report} by one of the two only" for incident, report in sorted(told ^ meant))
