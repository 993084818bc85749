"""Recalls as people and recipients see them: the queue of what is not confirmed, and confirming what became of the data (law 18, 25)."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access import outbox
from vault.access.recall_facts import RECALL, Outcome, RecallFact
from vault.access_log.deed import Deed
from vault.errors import NotFound
from vault.rulebook import facts
from vault.rulebook.asker import Errand

CONFIRMED: Final = "recall.confirmed"
READ: Final = "recalls.read"
State = Literal["open", "confirmed", "all"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of the queue: the oldest first, of one party alone where `party` is given, after the recall of this id."""

    state: State = "open"
    party: str | None = None
    after: bytes | None = None
    limit: int = 50


def listed(deed: Deed, errand: Errand, wanted: Wanted) -> tuple[list[RecallFact], bool]:
    """The recalls of a page and whether there are more; the look is an entry. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, RECALL).values()
    found = sorted((one for one in every if _meant(one, wanted)), key=_place)
    if wanted.after is not None:
        last = facts.read(deed, RECALL, wanted.after.hex())
        if last is None or wanted.party not in {None, last.recipient}:
            raise NotFound
        found = [one for one in found if _place(one) > _place(last)]
    page = found[: wanted.limit]
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=len(page), recipient=wanted.party))
    return page, len(found) > wanted.limit


def confirm(deed: Deed, errand: Errand, recall: bytes, outcome: Outcome, party: str | None = None) -> RecallFact:
    """Note what became of the data, by the recipient's own system (`party`) or by who has its letter; the first word counts.

    Raises NotFound for a recall that is none, or another party's; Unavailable `integrity`.
    """
    errand = errand.still(deed)
    found = facts.read(deed, RECALL, recall.hex())
    if found is None or party not in {None, found.recipient}:
        raise NotFound
    if not found.is_open:
        return found
    confirmed = msgspec.structs.replace(found, outcome=outcome, confirmed_at=deed.now, confirmed_by=errand.asker.ref)
    written = facts.write(deed, RECALL, found.id, confirmed)
    outbox.settled(deed, found)
    told = errand.entry(kind=CONFIRMED, outcome="allow", recipient=found.recipient, facts=(written,), flags=(outcome, *errand.asker.flags))
    deed.append(told)
    return confirmed


def _meant(recall: RecallFact, wanted: Wanted) -> bool:
    state = wanted.state == "all" or recall.is_open == (wanted.state == "open")
    return state and wanted.party in {None, recall.recipient}


def _place(recall: RecallFact) -> tuple[int, str]:
    return recall.cause, recall.id
