"""Links by which whoever gave a consent withdraws it: made for who may record consents, looked at by whoever holds one (regulation 12).

Invariants: a link is for one consent, and for ending it only; a look changes nothing and shows names of fields, never a value; whoever may
no longer speak for the person is answered as a wrong link is.
"""

from dataclasses import dataclass
from typing import Final

from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.consent import history, link_token
from vault.consent.history import Told
from vault.consent.within import require_case
from vault.errors import NotFound
from vault.policy.signers import may_speak
from vault.rulebook.alarm import Meant
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.meant import by_consent

ACTOR: Final = "link"
MADE: Final = "consent.link-made"
LASTS: Final = 5 * 365 * 24 * 3_600_000_000
"""A paper lies in a drawer for years, and withdrawing is to be as easy then."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was made: its token, and until when it opens (microseconds UTC)."""

    token: str
    until: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a link shows: the consent as it stands, and whether the button would end anything."""

    told: Told
    stands: bool


def make(deed: Deed, errand: Errand, consent: bytes) -> Link:
    """Make the link of a consent. Raises NotFound, a refusal where the asker does not reach the record."""
    errand = errand.still(deed)
    known, record = people.of_consent(deed, consent)
    require_case(deed, errand, known, record, MADE)
    about = (About(known.subject, record or None),)
    deed.append(errand.entry(kind=MADE, outcome="allow", about=about, basis="law", consents=(consent.hex(),)))
    return link_of(deed, consent)


def link_of(deed: Deed, consent: bytes) -> Link:
    """The link of a consent that an entry of the same deed names."""
    until = (deed.now + LASTS) // link_token.SECOND * link_token.SECOND
    return Link(link_token.write(deed.cabinet, deed.association, "withdrawal", consent, until), until)


def path_of(code: str, link: Link) -> str:
    """Where the link of an association with this code opens on this service."""
    return f"/{code}/withdrawal/{link.token}"


def consent_of(deed: Deed, token: str) -> bytes:
    """The consent a link is for. Raises NotFound."""
    return link_token.read(deed.cabinet, deed.association, "withdrawal", token, deed.now)


def by_link(token: str) -> Meant:
    """Whom a link is about, where it is one."""
    return lambda deed: by_consent(consent_of(deed, token))(deed)


def look(deed: Deed, errand: Errand, token: str) -> Shown:
    """What a link shows; the look is an entry. Raises one NotFound for whatever is no link, and where nothing may be withdrawn by it."""
    consent = consent_of(deed, token)
    known, record = people.of_consent(deed, consent)
    told = history.one(errand, history.happened_to(deed, known), consent, deed.now)
    if known.sheet is None or not may_speak(known.sheet.person, told.grant.by, deed.now):
        raise NotFound
    about, named = (About(known.subject, record or None),), (consent.hex(),)
    deed.append(errand.entry(kind="consent.read", outcome="allow", about=about, purpose=told.purpose, basis="law", consents=named))
    return Shown(told, told.stopped_at is None)
