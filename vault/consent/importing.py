"""Takes in what people agreed to before there was a vault, with what evidence there is of it.

Invariants: what is brought in fills a gap and nothing else: where the vault knows any word of that person for that purpose and recipient,
it stays as it is; evidence is weighed as that of a consent given now, so a tick in somebody's table is recorded and never enough, and a
paper counts only once a second person has seen it.
"""

from dataclasses import dataclass, replace
from typing import Final

from vault.access_log.deed import Deed
from vault.consent import service
from vault.consent.within import Consent, Matter, checked
from vault.policy.facts import Standing, key
from vault.policy.standing import blank
from vault.rulebook.asker import Errand
from vault.subjects import people

NO_GAP: Final = "no-gap"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of one: the id of the consent it made, None where there was no gap to fill, and how it stands."""

    id: bytes | None
    state: str


def take_in(deed: Deed, errand: Errand, record: bytes, consent: Consent) -> TakenIn:
    """Record one consent of before. Raises as `service.grant`."""
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    people.unlocked(known)
    matter = Matter(errand, errand.book(deed), known, record)
    brought = replace(consent, kind="import_grant")
    purpose, notice = checked(deed, matter, brought)
    standings = known.sheet.person.standings if known.sheet else {}
    if not blank(standings.get(key(brought.purpose, brought.recipient), Standing())):
        return TakenIn(None, NO_GAP)
    made = service.take(deed, matter, brought, service.weighed_here(deed, brought, purpose, notice), None)
    return TakenIn(made.id, made.state)
