"""What waits for a second person in this room: orders, disclosures and research that nobody approved yet; the look is an entry.

Invariant: nothing is shown but what the facts say, ids and names of fields; no cell is opened.
"""

from dataclasses import dataclass

from vault.access.paging import grants
from vault.access.research import month_of
from vault.access.shapes import DISCLOSURE, ORDER, DisclosureFact, OrderFact
from vault.access.studies import release_key
from vault.access.study_shapes import EXTRACT_REQUEST, RELEASE, STUDY, ExtractRequestFact, StudyFact
from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.asker import Errand


@dataclass(frozen=True, slots=True)
class Waiting:
    """Orders, disclosures, studies and extracts that wait, the oldest first; an extract with its study."""

    orders: list[OrderFact]
    disclosures: list[DisclosureFact]
    studies: list[StudyFact]
    extracts: list[tuple[StudyFact, ExtractRequestFact]]


def waiting(deed: Deed, errand: Errand) -> Waiting:
    """All that waits here and can still be approved. Raises Unavailable `integrity` where one of them does not hold."""
    errand = errand.still(deed)
    connection, cabinet = deed.transaction.connection, deed.cabinet
    orders = facts.read_known(connection, cabinet, deed.association, ORDER).values()
    disclosures = facts.read_known(connection, cabinet, deed.association, DISCLOSURE).values()
    found = Waiting(
        sorted((each for each in orders if _can_be(each, deed.now)), key=lambda each: (each.registered_at, each.id)),
        sorted(
            (each for each in disclosures if not each.approved_by and grants(each) and each.revoked_at is None),
            key=lambda each: (each.requested_at, each.id),
        ),
        *_of_research(deed),
    )
    count = len(found.orders) + len(found.disclosures) + len(found.studies) + len(found.extracts)
    deed.append(errand.entry(kind="approvals.read", outcome="allow", basis="law", count=count))
    return found


def _of_research(deed: Deed) -> tuple[list[StudyFact], list[tuple[StudyFact, ExtractRequestFact]]]:
    """The studies that wait, and the extracts of this month: one of a month that is over is made no more."""
    connection, cabinet, month = deed.transaction.connection, deed.cabinet, month_of(deed.now)
    studies = facts.read_known(connection, cabinet, deed.association, STUDY)
    requests = facts.read_known(connection, cabinet, deed.association, EXTRACT_REQUEST).values()
    asked = [(studies[each.study], each) for each in requests if each.waits and each.month == month]
    return (
        sorted((each for each in studies.values() if not each.approved_by and each.ended_at is None), key=lambda each: each.proposed_at),
        sorted(
            (each for each in asked if each[0].stands and facts.read(deed, RELEASE, release_key(each[0].code, month)) is None),
            key=lambda each: each[1].requested_at,
        ),
    )


def _can_be(order: OrderFact, now: int) -> bool:
    return not order.approved_by and order.revoked_at is None and now < order.valid_to
