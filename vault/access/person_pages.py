"""What a person finds on her own page: all she agreed to and in which words, a button to withdraw each, her referrals and requests (law 4).

Invariants: no value of a record is shown, and nothing is opened but her sheet and its events; every view is an entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vault.access import person_links, referrals, requests, withdrawals
from vault.access.person_links import PersonPageFact
from vault.access.referral_facts import ReferralFact
from vault.access.requests import Wanted
from vault.access.rights_words import OWN_PAGE
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.consent import history
from vault.consent.history import Told
from vault.errors import FieldError, Invalid, NotFound, TooMany
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.requests import REQUEST, RequestFact, RequestKind
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Noted

MOST: int = 100
"""So many of the newest consents, and of her requests and referrals, are shown."""
ASKED: Final[tuple[RequestKind, ...]] = ("copy", "correction", "destruction")
"""What is asked for here; whatever else the law gives her is asked of staff by any channel."""
MOST_OPEN: Final = 6
"""So many requests made here may wait for an answer at a time."""
HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Own:
    """What is shown: her newest consents, newest first, by whose word they may be withdrawn here, and how many there are in all."""

    book: Book
    given_to: str
    consents: list[Told]
    count: int
    requests: list[RequestFact]
    referrals: list[ReferralFact]


def view(deed: Deed, errand: Errand, token: str, session: str) -> Own | None:
    """What this session sees; None where it has ended. Raises NotFound for whatever is no link."""
    inside = person_links.entered(deed, errand, token, session)
    return None if inside is None else _shown(deed, errand, *inside)


def withdraw(deed: Deed, errand: Errand, token: str, session: str, *, consent: bytes) -> Own | None:
    """End what one of her consents was given for; where it had ended nothing changes. As `view`; NotFound for a consent not of hers."""
    inside = person_links.entered(deed, errand, token, session)
    if inside is None:
        return None
    found, known = inside
    told = next((one for one in _agreed(deed, errand, _sheets(deed, known)) if one.grant.id == consent.hex()), None)
    if told is None:
        raise NotFound
    if told.stopped_at is None:
        withdrawals.withdraw(deed, errand, consent, found.given_to, None)
    return view(deed, errand, token, session)


def ask(deed: Deed, errand: Errand, token: str, session: str, *, kind: str, says: str) -> Own | None:
    """Ask the association for a copy, a correction or the destruction of her data; what waits already is not asked for twice in an hour.

    As `view`; Invalid for another kind, TooMany where too many of hers wait.
    """
    inside = person_links.entered(deed, errand, token, session)
    if inside is None:
        return None
    wanted = next((one for one in ASKED if one == kind), None)
    if wanted is None:
        raise Invalid([FieldError("kind", "out-of-range")])
    found, known = inside
    waiting = [one for one in _requests(deed, _sheets(deed, known)) if not one.outcome and one.channel == OWN_PAGE]
    if not any(one.kind == wanted and one.opened_at > deed.now - HOUR * 1_000_000 for one in waiting):
        if len(waiting) >= MOST_OPEN:
            raise TooMany(HOUR)
        requests.ask(deed, errand, Wanted(bytes.fromhex(found.record), wanted, OWN_PAGE, found.given_to, says))
    return view(deed, errand, token, session)


def leave(deed: Deed, errand: Errand, token: str, session: str) -> None:
    """End the session, where it has not ended. Raises NotFound for whatever is no link."""
    inside = person_links.entered(deed, errand, token, session)
    if inside is not None:
        person_links.leave(deed, errand, inside[0])


def _shown(deed: Deed, errand: Errand, found: PersonPageFact, known: Known) -> Own:
    hers = _sheets(deed, known)
    told = _agreed(deed, errand, hers)[::-1]
    named = tuple(one.grant.id for one in told[:MOST])
    about = (About(known.subject, bytes.fromhex(found.record)), *(About(other.subject, None) for other in hers[1:]))
    deed.append(errand.entry(kind="consent.read", outcome="allow", about=about, basis="law", consents=named))
    referred = [one for each in hers for one in referrals.of_person(deed, each.subject)]
    referred.sort(key=lambda one: (one.offered_at, one.id), reverse=True)
    return Own(errand.book(deed), found.given_to, told[:MOST], len(told), _requests(deed, hers)[:MOST], referred[:MOST])


def _sheets(deed: Deed, known: Known) -> list[Known]:
    """The person by every sheet of hers: she is shown all, through whichever record she was let in."""
    return [known, *people.others(deed, known)]


def _agreed(deed: Deed, errand: Errand, hers: Sequence[Known]) -> list[Told]:
    """What she agreed to, oldest first, each once."""
    told = {one.grant.id: one for each in hers for one in history.heard(errand, history.happened_to(deed, each), deed.now)}
    return sorted(told.values(), key=lambda one: one.grant.recorded_at)


def _requests(deed: Deed, hers: Sequence[Known]) -> list[RequestFact]:
    """Her requests by whatever channel, newest first."""
    noted = {one.request for each in hers for events in people.history(deed, each) for one in events if isinstance(one, Noted)}
    return sorted(facts.read_several(deed, REQUEST, sorted(noted)).values(), key=lambda one: (one.opened_at, one.id), reverse=True)
