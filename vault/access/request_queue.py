"""Shows people's requests to who works on them: the queue by the time that is left, and one with all that was said about it.

Invariants: every look is an entry; the queue is made of facts that hold, all of them, so that no row taken out of a table hides a request
that is due; what was said is read from her own history, after an entry that says so.
"""

from dataclasses import dataclass
from typing import Final

from vault.access.request_deeds import entry_of
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.errors import NotFound
from vault.rulebook import facts, requests
from vault.rulebook.asker import Errand
from vault.rulebook.requests import REQUEST, DoneFact, RequestFact
from vault.subjects import people
from vault.subjects.sheet import Noted

OPEN: Final = "open"
OVERDUE: Final = "overdue"
STATES: Final = (OPEN, OVERDUE, "received", "verified", "answered", "refused", "taken-back")
LISTED: Final = "requests.read"
SHOWN: Final = "request.read"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests: in this state (one of STATES), due after that one, at most `limit`."""

    state: str = OPEN
    after: bytes | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A request, what was said about it oldest first (nothing once she was erased), and each deed with the number of its entry."""

    fact: RequestFact
    said: tuple[Noted, ...]
    deeds: tuple[tuple[DoneFact, int], ...]


def queue(deed: Deed, errand: Errand, wanted: Wanted) -> tuple[list[RequestFact], bytes | None]:
    """A page of requests, the least time left first, and the one the next page begins after; of settled ones the newest due last.

    Raises NotFound for an `after` that is no request, Unavailable `integrity` where one of them does not hold.
    """
    errand = errand.still(deed)
    stored = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, REQUEST)
    behind = ""
    if wanted.after is not None:
        if wanted.after.hex() not in stored:
            raise NotFound
        behind = wanted.after.hex()
    meant = sorted(_due(one) for one in stored.values() if _is(one, wanted.state, deed.now))
    if behind:
        meant = [each for each in meant if each > _due(stored[behind])]
    here = [stored[id_] for _, id_ in meant[: wanted.limit]]
    deed.append(errand.entry(kind=LISTED, outcome="allow", basis="law", count=len(here)))
    return here, bytes.fromhex(here[-1].id) if len(meant) > wanted.limit else None


def shown(deed: Deed, errand: Errand, request: bytes) -> Shown:
    """One request with what was said about it: may be shown once the deed is committed. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    found = requests.of(deed, request)
    said = said_of(deed, found)
    about = About(bytes.fromhex(found.subject), bytes.fromhex(found.record))
    deed.append(errand.entry(kind=SHOWN, outcome="allow", about=(about,), fields=tuple(sorted({one.what for one in said})), basis="law"))
    return Shown(found, said, tuple((one, entry_of(deed, found, one)[0]) for one in found.deeds))


def said_of(deed: Deed, found: RequestFact) -> tuple[Noted, ...]:
    """The words about a request in her own history, oldest first; none where she was erased. Raises Unavailable `integrity`."""
    try:
        known = people.of_subject(deed, bytes.fromhex(found.subject))
    except NotFound:
        return ()
    every = (one for events in people.history(deed, known) for one in events)
    return tuple(one for one in every if isinstance(one, Noted) and one.request == found.id and one.text)


def _due(found: RequestFact) -> tuple[int, str]:
    return found.due_at, found.id


def _is(found: RequestFact, state: str, now: int) -> bool:
    if state == OPEN:
        return not found.outcome
    return found.is_overdue(now) if state == OVERDUE else found.state == state
