"""What waits for a second person in this room: dismissals, moves of awareness, and what was proposed about incidents; opens nothing.

Invariant: whom a report or incident excludes is told of none of it but how many are kept from her.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vault.access_log.deed import Deed
from vault.breach_reports import incident_file, incidents, service
from vault.breach_reports.incident_shapes import IncidentFact, Proposal
from vault.breach_reports.shapes import Dismissal, Move, ReportFact
from vault.rulebook.asker import Errand


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, each group with the oldest first; `withheld` counts what is kept from who asks."""

    dismissals: list[tuple[ReportFact, Dismissal]]
    moves: list[tuple[ReportFact, Move]]
    proposals: list[tuple[IncidentFact, Proposal]]
    withheld: int


def waiting(deed: Deed, errand: Errand, known: Mapping[bytes, ReportFact]) -> Waiting:
    """All that waits here, out of these reports and all incidents. Raises Unauthenticated, Unavailable `integrity`."""
    errand = errand.still(deed)
    dismissals = [(one, one.dismissal) for one in known.values() if one.dismissal is not None and one.dismissal.waits]
    moves = [(one, one.moves[-1]) for one in known.values() if one.moves and one.moves[-1].waits and _moves(one)]
    proposals = [(one, each) for one in incident_file.known(deed).values() for each in one.proposals if each.waits]
    seen = Waiting(
        sorted((each for each in dismissals if not service.is_excluded(errand, each[0])), key=lambda each: each[1].proposed_at),
        sorted((each for each in moves if not service.is_excluded(errand, each[0])), key=lambda each: each[1].proposed_at),
        sorted((each for each in proposals if not incidents.is_excluded(errand, each[0])), key=lambda each: each[1].at),
        0,
    )
    shown = len(seen.dismissals) + len(seen.moves) + len(seen.proposals)
    return Waiting(seen.dismissals, seen.moves, seen.proposals, len(dismissals) + len(moves) + len(proposals) - shown)


def _moves(report: ReportFact) -> bool:
    """Whether its moment of awareness can still be moved: a linked report's is its incident's."""
    return report.state != "dismissed" and not report.incident
