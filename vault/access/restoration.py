"""Two people confirm a restore whose journal was not whole: until then nothing is disclosed, sent or published (promises 4 and 9)."""

import msgspec

from vault.access.approving import Approver
from vault.access_log.deed import Deed
from vault.errors import Conflict
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.shapes import RESTORATION, RESTORATION_KEY, RestorationFact

CONFIRMED = "restore.confirmed"


def confirm(deed: Deed, approver: Approver) -> RestorationFact:
    """Add this person's confirmation; the second opens again what the articles allow.

    Raises Conflict `nothing-to-confirm`, TooMany, and refusals: `same-person` for who confirmed, or whose account one of the two made,
    `step-up-required`.
    """
    approver = approver.still(deed)
    book = approver.errand.book(deed)
    standing = book.restoration
    if standing is None or not standing.is_unconfirmed:
        raise Conflict("nothing-to-confirm")
    for one in standing.confirmed_by:
        require_two(book, one, approver.caller, CONFIRMED)
    approval = approver.factor.approve(deed, approver.caller, approver.code, kind=CONFIRMED)
    confirmed = msgspec.structs.replace(standing, confirmed_by=(*standing.confirmed_by, approver.caller.ref))
    written = facts.write(deed, RESTORATION, RESTORATION_KEY, confirmed)
    told = approver.errand.entry(
        kind=CONFIRMED,
        outcome="allow",
        article=f"{book.association.pack}:7",
        facts=(*approval.facts, written),
        flags=approval.flags,
        count=len(confirmed.confirmed_by),
    )
    deed.append(told, changes_law=True)
    return confirmed
