"""Bounds how many refusals one caller may leave in the log through this room: a refusal is an entry, and nobody may fill the log with them.

Invariants: what is counted is the log itself, so every process counts alike and a restart forgets nothing; beyond the limit the answer is
429 and no entry. A caller's newest `LOOKED_AT` entries are looked at: who asks for much else in between is refused seldom for it.
"""

from typing import Final, NoReturn

from sqlalchemy import select

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.tables import entry
from vault.errors import TooMany

MOST: Final = 60
WINDOW: Final = 600_000_000
LOOKED_AT: Final = 400
_SECOND: Final = 1_000_000


def refuse(deed: Deed, refusal: EntryRefusal) -> NoReturn:
    """Raise the refusal, or TooMany where this caller was refused `MOST` times in `WINDOW` microseconds."""
    newest = (
        select(entry.c.kind, entry.c.outcome, entry.c.time)
        .where(entry.c.association_id == deed.association, entry.c.actor == refusal.entry.actor)
        .order_by(entry.c.number.desc())
        .limit(LOOKED_AT)
    )
    since = deed.now - WINDOW
    rows = deed.transaction.connection.execute(newest)
    lately = [row.time for row in rows if row.outcome == "refuse" and row.kind.startswith("consent.") and row.time > since]
    if len(lately) >= MOST:
        # Heard again as soon as the oldest that fills the window has left it.
        raise TooMany(-(-(lately[MOST - 1] - since) // _SECOND))
    raise refusal
