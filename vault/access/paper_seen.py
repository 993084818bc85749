"""Who was shown the paper of an order: noted in the deed of the look, asked for in the deed of the approval.

Invariant: whoever approves an order whose paper is kept saw the whole of it herself, or tells its SHA-256 (promise 9, article 4).
"""

from typing import Final

from vault.access.shapes import PAPER_SEEN, OrderFact, PaperSeen
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Conflict, FieldError, Invalid
from vault.rulebook import facts

MISMATCH: Final = "evidence-mismatch"


def note(deed: Deed, order: OrderFact, by: str) -> WrittenFact:
    """Write that this person is shown the whole paper of the order; the caller puts what is returned into the entry of the same deed."""
    return facts.write(deed, PAPER_SEEN, _place(order, by), PaperSeen(order=order.id, scan=order.scan, by=by, at=deed.now))


def require(deed: Deed, order: OrderFact, by: str, sha256: str | None) -> None:
    """Return if this person saw the order's paper or tells its SHA-256; where none was handed in there is nothing to see.

    Raises Conflict `paper-unseen`, Invalid `evidence-mismatch` for the digest of something else.
    """
    if sha256 is not None and sha256.lower() != order.document_sha256:
        raise Invalid([FieldError("scan_sha256", MISMATCH)], MISMATCH)
    if not order.scan or sha256 is not None:
        return
    seen = facts.read(deed, PAPER_SEEN, _place(order, by))
    if seen is None or seen.scan != order.scan:
        raise Conflict("paper-unseen")


def _place(order: OrderFact, by: str) -> str:
    return f"{order.id}:{by}"
