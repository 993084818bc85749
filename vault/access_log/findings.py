"""What a verification of the log found, in words a compliance officer can read.

Invariant: no finding repeats a stored value; it names the entry, the column or the checkpoint that does not hold, and why.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: the number of the entry where it is known, and what is wrong with it."""

    number: int | None
    what: str

    def __str__(self) -> str:
        """One line: the entry first, where one is named."""
        return self.what if self.number is None else f"entry {self.number}: {self.what}"


@dataclass(slots=True)
class Findings:
    """All that does not hold, the first bad entry first; `size` and `root` are those of the entries that were read."""

    size: int = 0
    root: bytes = b""
    count: int = 0
    _kept: list[Finding] = field(default_factory=list)

    def note(self, number: object, what: str) -> None:
        """Add a finding; a number that is none is left out. Beyond 10,000 they are counted only."""
        self.count += 1
        if len(self._kept) < MOST_KEPT:
            self._kept.append(Finding(number if isinstance(number, int) and number >= 0 else None, what))

    def __iter__(self) -> Iterator[Finding]:
        """Findings by entry number; those that name none come last."""
        return iter(sorted(self._kept, key=lambda found: (found.number is None, found.number or 0)))

    def __len__(self) -> int:
        """How many things do not hold."""
        return self.count

    def lines(self) -> list[str]:
        """What to print, in the same order: one line for each thing, with how often where it was found more than once."""
        return [each if often == 1 else f"{each} ({often} times)" for each, often in Counter(map(str, self)).items()]

    @property
    def first(self) -> Finding | None:
        """The first bad entry, or what else is wrong; None where all holds."""
        return next(iter(self), None)
