"""What waits for a second person in this room: orders and disclosures that nobody approved yet; the look is an entry.

Invariant: nothing is shown but what the facts say, ids and names of fields; no cell is opened.
"""

from dataclasses import dataclass

from vault.access.paging import grants
from vault.access.shapes import DISCLOSURE, ORDER, DisclosureFact, OrderFact
from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.asker import Errand


@dataclass(frozen=True, slots=True)
class Waiting:
    """Orders and disclosures that wait, the oldest first."""

    orders: list[OrderFact]
    disclosures: list[DisclosureFact]


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
    )
    count = len(found.orders) + len(found.disclosures)
    deed.append(errand.entry(kind="approvals.read", outcome="allow", basis="law", count=count))
    return found


def _can_be(order: OrderFact, now: int) -> bool:
    return not order.approved_by and order.revoked_at is None and now < order.valid_to
