"""Names, for `amanah doctor`, closed cases that are past their retention, and whether a legal hold is what keeps them; opens nothing."""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.breach_reports.incident_shapes import INCIDENT
from vault.breach_reports.lifecycle import in_riyadh
from vault.breach_reports.retention import SOON, terms
from vault.breach_reports.shapes import BREACH_REPORT
from vault.rulebook.facts import holding

PATIENCE: Final = SOON
"""So long after it was due a case is named: two people find a day in a month."""


def overdue(connection: Connection, cabinet: Cabinet, association: bytes, months: Mapping[str, int], now: int) -> Iterator[str]:
    """Cases that were to be destroyed a month ago; what does not hold is named with the facts."""
    reports = {key: fact for key, fact in holding(connection, cabinet, association, BREACH_REPORT).items() if not fact.gone}
    incidents = {key: fact for key, fact in holding(connection, cabinet, association, INCIDENT).items() if not fact.gone}
    for term in terms(reports, incidents, months):
        if term.due_at + PATIENCE <= now:
            day = in_riyadh(term.due_at).date().isoformat()
            why = {"legal-hold": ", and a legal hold keeps it", "clock-open": ", and its reporter has no answer"}.get(term.stop, "")
            yield f"{term.what} {term.reference}: to be destroyed since {day}{why} (GET /v1/breach-retention)"
