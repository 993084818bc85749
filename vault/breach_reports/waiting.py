"""What waits for a second person in this room: dismissals, moves of awareness, liftings of holds, what was proposed about incidents.

Nothing anybody wrote is opened for it.

Invariant: whom a report or incident excludes is told of none of it but how many are kept from her.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vault.access_log.deed import Deed
from vault.breach_reports import incident_file, incidents, service
from vault.breach_reports.incident_shapes import IncidentFact, Proposal
from vault.breach_reports.retention import What, standing
from vault.breach_reports.shapes import Dismissal, Hold, Move, ReportFact
from vault.rulebook.asker import Errand


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, each group with the oldest first; `withheld` counts the reports and incidents kept from who asks, waiting or not."""

    dismissals: list[tuple[ReportFact, Dismissal]]
    moves: list[tuple[ReportFact, Move]]
    proposals: list[tuple[IncidentFact, Proposal]]
    liftings: list[tuple[What, ReportFact | IncidentFact, Hold]]
    withheld: int


def waiting(deed: Deed, errand: Errand, known: Mapping[bytes, ReportFact]) -> Waiting:
    """All that waits here, out of these reports and all incidents. Raises Unauthenticated, Unavailable `integrity`."""
    errand = errand.still(deed)
    reports, every = service.seen_by(errand, known).values(), incident_file.known(deed).values()
    seen = [one for one in every if not incidents.is_excluded(errand, one)]
    dismissals = [(one, one.dismissal) for one in reports if one.dismissal is not None and one.dismissal.waits]
    moves = [(one, one.moves[-1]) for one in reports if one.moves and one.moves[-1].waits and _moves(one)]
    proposals = [(one, each) for one in seen for each in one.proposals if each.waits]
    liftings = [*_liftings("report", reports), *_liftings("incident", seen)]
    return Waiting(
        sorted(dismissals, key=lambda each: each[1].proposed_at),
        sorted(moves, key=lambda each: each[1].proposed_at),
        sorted(proposals, key=lambda each: each[1].at),
        sorted(liftings, key=lambda each: each[2].lifting_at or 0),
        len(known) - len(reports) + len(every) - len(seen),
    )


def _liftings(what: What, known: Iterable[ReportFact | IncidentFact]) -> list[tuple[What, ReportFact | IncidentFact, Hold]]:
    """The legal holds that somebody proposed to lift."""
    held = ((one, standing(one.holds)) for one in known)
    return [(what, one, hold) for one, hold in held if hold is not None and hold.lifting_reason is not None]


def _moves(report: ReportFact) -> bool:
    """Whether its moment of awareness can still be moved: a linked report's is its incident's."""
    return report.state != "dismissed" and not report.incident
