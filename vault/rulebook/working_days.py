"""The official holidays an association declared: the list of its detection rules (`PUT /v1/detection`), which takes two people.

There is no other list. It is read here because working deadlines of lower rooms need the days and nothing else of that fact.
"""

from datetime import date
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.facts import Kind

DETECTION_NAME: Final = "detection"
OWN: Final = "own"


class _Days(msgspec.Struct, frozen=True):
    """The days among the declared rules, as ISO 8601 writes them."""

    holidays: tuple[str, ...] = ()


class _Declared(msgspec.Struct, frozen=True):
    """What is read of the fact; whatever else it holds is another room's."""

    rules: _Days


_DECLARED: Kind[_Declared] = Kind(DETECTION_NAME, _Declared, in_book=False)


def holidays(deed: Deed) -> frozenset[date]:
    """The official holidays declared, none where nobody declared any. Raises Unavailable `integrity`."""
    found = facts.read(deed, _DECLARED, OWN)
    return frozenset() if found is None else frozenset(map(date.fromisoformat, found.rules.holidays))
