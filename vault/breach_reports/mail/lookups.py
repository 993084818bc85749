"""The look-ups in DNS that one message is graded by: few, none of them long, and each kept as it was answered, since keys rotate."""

from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

MOST_LOOKUPS: Final = 8
LONGEST_RECORD: Final = 1024
"""Bytes of a record that is read: a key of 4,096 bits takes 750, and a longer one only takes time."""
LONGEST_NAME: Final = 253


class Unanswered(Exception):
    """DNS did not answer, or not now: nothing is known, and nothing follows from it."""


class Resolver(Protocol):
    """Tells the TXT records of a name; the roof hands in one that asks DNS, tests one that knows."""

    def txt(self, name: str) -> list[bytes]:
        """Return the records, none where there is no such name. Raises Unanswered."""


class Answered(msgspec.Struct, frozen=True):
    """One look-up as it was answered: the name, the records as text, and whether there was no answer."""

    name: str
    records: list[str]
    failed: bool = False


@dataclass(slots=True)
class Lookups:
    """The look-ups for one message."""

    resolver: Resolver
    told: dict[str, Answered] = field(default_factory=dict)

    def txt(self, name: str) -> list[str]:
        """Return the records of a name, asked once. Raises Unanswered, beyond the most look-ups too."""
        name = name.rstrip(".").lower()
        if len(name) > LONGEST_NAME:
            return []
        if name not in self.told:
            if len(self.told) >= MOST_LOOKUPS:
                raise Unanswered
            self.told[name] = self._ask(name)
        if self.told[name].failed:
            raise Unanswered
        return self.told[name].records

    def _ask(self, name: str) -> Answered:
        try:
            found = self.resolver.txt(name)
        except Unanswered:
            return Answered(name, [], failed=True)
        return Answered(name, [each.decode("ascii", "replace") for each in found[:10] if len(each) <= LONGEST_RECORD])
