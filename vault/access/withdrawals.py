"""Withdraws and refuses: by whoever may record consents, and by whoever holds the link of one; with all that follows, in the same deed.

Invariant: what somebody says no to being contacted at is silent through every record that holds the same number or address (article 6.4).
"""

from dataclasses import replace

from vault.access import silences
from vault.access_log.deed import Deed
from vault.consent import links, service
from vault.consent.links import Shown
from vault.consent.service import Refusal
from vault.rulebook.asker import Errand


def withdraw(deed: Deed, errand: Errand, consent: bytes, given_by: str, reason: str | None) -> None:
    """End every consent of this person for the purpose and recipient of that one. Raises as `service.withdraw`."""
    service.withdraw(deed, errand, consent, given_by, reason, silence=silences.written)


def refuse(deed: Deed, errand: Errand, record: bytes, said: Refusal) -> None:
    """Record a no of who was asked. Raises as `service.refuse`."""
    service.refuse(deed, errand, record, said, silence=silences.written)


def by_link(deed: Deed, errand: Errand, token: str) -> Shown:
    """End what a link's consent was given for, by whoever gave it; where it had ended nothing changes. Raises as `links.look`."""
    shown = links.look(deed, errand, token)
    if shown.stands:
        withdraw(deed, errand, bytes.fromhex(shown.told.grant.id), shown.told.grant.by, None)
    return replace(shown, stands=False)
