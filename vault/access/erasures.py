"""Shows the erasures that were asked for to who settles them: who asked, when, for whom, of which classes, and how each stands.

Invariants: the look is an entry; nothing is shown but what the fact of the request says, and the reason to who may settle it as the second
person, while it waits and after an entry that names it; pages go by the number of the entry that asked, newest first.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from vault.access.certificate import ERASURE, ErasureFact
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.errors import NotFound
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import same_person
from vault.subjects import people
from vault.subjects.sheet import Happened

REASON: Final = "reason"
MOST_LOOKED_AT: Final = 500
"""Requests that one page opens: where few of them stand as asked, the page is short and `next` goes on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which erasures: in this state (None: in any), asked for before entry number `after`, at most `limit`."""

    state: str | None
    after: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One erasure as it stands; `reason` as it was written, None where it is not for who asks or there is none (any more)."""

    fact: ErasureFact
    reason: str | None


def shown(deed: Deed, errand: Errand, erasure: bytes) -> Shown:
    """One erasure as it stands: what is returned may be shown once the deed is committed. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    found = facts.read(deed, ERASURE, erasure.hex())
    if found is None:
        raise NotFound
    about = About(bytes.fromhex(found.subject), bytes.fromhex(found.record) or None)
    reason = _reason(deed, found) if _is_second(deed, errand, found) else None
    fields = () if reason is None else (REASON,)
    deed.append(errand.entry(kind="erasure.read", outcome="allow", about=(about,), fields=fields, basis="law"))
    return Shown(found, reason)


def _is_second(deed: Deed, errand: Errand, asked: ErasureFact) -> bool:
    """Whether it waits for a second person, and she who looks would be one."""
    return asked.state == "locked" and not same_person(errand.book(deed), asked.asked_by, errand.asker.ref)


def _reason(deed: Deed, asked: ErasureFact) -> str | None:
    """Why it is asked for, out of the person's own history; None where the request came back from the journal, which has no reasons."""
    try:
        known = people.of_subject(deed, bytes.fromhex(asked.subject))
    except NotFound:
        return None
    told = [one.detail for events in people.history(deed, known) for one in events if isinstance(one, Happened)]
    reasons = [str(one["reason"]) for one in told if one.get("erasure") == asked.id and "reason" in one]
    return reasons[-1] if reasons else None


def page(deed: Deed, errand: Errand, wanted: Wanted) -> tuple[list[ErasureFact], int | None]:
    """A page of erasures, newest first, and the number the next page begins after. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    numbers = _asked_for(deed, wanted.after)
    stored = facts.read_several(deed, ERASURE, list(numbers))
    meant = [key for key in numbers if wanted.state in {None, stored[key].state}]
    here = meant[: wanted.limit]
    deed.append(errand.entry(kind="erasures.read", outcome="allow", basis="law", count=len(here)))
    more = None
    if len(meant) > wanted.limit:
        more = numbers[here[-1]]
    elif len(numbers) == MOST_LOOKED_AT:
        more = min(numbers.values())
    return [stored[key] for key in here], more


def _asked_for(deed: Deed, after: int | None) -> dict[str, int]:
    """The ids of the next erasures with the number of the entry that told of each first, newest first."""
    told = log_tables.fact
    query = select(told.c.fact_key, told.c.number).where(
        told.c.association_id == deed.association, told.c.fact_kind == ERASURE.name, told.c.version == 1
    )
    if after is not None:
        query = query.where(told.c.number < after)
    rows = deed.transaction.connection.execute(query.order_by(told.c.number.desc()).limit(MOST_LOOKED_AT)).all()
    return {row.fact_key: row.number for row in rows}
