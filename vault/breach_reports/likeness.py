"""Which reports are alike: a keyed sketch of each text, made as it arrives, and the groups that sketches fall into (article 8).

Invariants: a sketch is some of the keyed hashes of the text's pieces, of one size for every text: without the association's key it is
random, and it is kept in the sealed fact only until somebody has looked; grouping opens nothing that anybody wrote. What was taken out of
a group stands alone.
"""

import re
import unicodedata
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import chain
from struct import pack, unpack
from typing import Final

from vault.breach_reports.shapes import ReportFact

KEPT: Final = 64
"""Hashes of a sketch: enough to tell four tenths in common from two tenths, which is what texts about one matter have at most."""
ALIKE: Final = 0.4
"""The share of pieces from which two texts are of one group; the same form with other names and numbers has six tenths and more."""
PIECE: Final = 4
LONGEST: Final = 10_000
"""Letters of a text that are looked at: all a report may have, and of a long mail the beginning."""
WAITING: Final = frozenset({"received", "quarantined"})
"""The states in which nobody has looked at a report yet."""
_KIND: Final = "report-likeness"
_SHAPE: Final = f">{KEPT}I"
_CROWDED: Final = 16
"""Groups that one hash leads to: a piece that more begin with tells nothing of any of them."""
_NEAREST: Final = 8
_MET: Final = 4
"""Hashes that lead to a group before it is looked at, where there are so many."""
_LETTERS: Final = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ـ": None})
_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\d+")

Hash = Callable[[str, str], bytes]


def sketch(text: str, hash_: Hash) -> str:
    """The sketch of a text, in base 64; `hash_` is the association's own, of a kind and a piece."""
    found = {int.from_bytes(hash_(_KIND, piece)[:4], "big") for piece in _pieces(text)} - {0}
    smallest = sorted(found)[:KEPT]
    return b64encode(pack(_SHAPE, *smallest, *[0] * (KEPT - len(smallest)))).decode()


def in_common(one: frozenset[int], other: frozenset[int]) -> float:
    """The share of pieces two texts have in common, by the smallest hashes of both together (Broder 1997, bottom-k)."""
    together = sorted(one | other)[:KEPT]
    return sum(each in one and each in other for each in together) / len(together) if together else 0.0


@dataclass(slots=True)
class Group:
    """Reports that are alike, the oldest first, which is the example."""

    members: list[ReportFact]

    @property
    def example(self) -> ReportFact:
        """The report the others are like."""
        return self.members[0]


def groups(known: Iterable[ReportFact]) -> list[Group]:
    """The reports that nobody has looked at, by likeness; the same reports make the same groups in every process."""
    sorting = _Sorting()
    for fact in sorted((each for each in known if each.state in WAITING), key=lambda each: (each.received_at, each.id)):
        sorting.put(fact)
    return sorting.groups


def stands_alone(fact: ReportFact) -> bool:
    """Whether a report is never put with others."""
    return fact.apart or not fact.likeness


@dataclass(slots=True)
class _Sorting:
    """The groups made so far, and which of them each hash of an example leads to."""

    groups: list[Group] = field(default_factory=list)
    _sketches: dict[int, frozenset[int]] = field(default_factory=dict)
    _leads: dict[int, list[int]] = field(default_factory=dict)

    def put(self, fact: ReportFact) -> None:
        """Put a report into the group it is most like, or into one of its own."""
        if stands_alone(fact):
            self.groups.append(Group([fact]))
            return
        own = frozenset(unpack(_SHAPE, b64decode(fact.likeness))) - {0}
        found = self._most_like(own)
        if found is not None:
            self.groups[found].members.append(fact)
            return
        number = len(self.groups)
        self.groups.append(Group([fact]))
        self._sketches[number] = own
        for each in own:
            led = self._leads.setdefault(each, [])
            if len(led) < _CROWDED:
                led.append(number)

    def _most_like(self, own: frozenset[int]) -> int | None:
        met = Counter(chain.from_iterable(self._leads.get(each, ()) for each in own))
        best, most = None, 0.0
        least = min(_MET, len(own))
        for number in nlargest(_NEAREST, (each for each, times in met.items() if times >= least), key=met.__getitem__):
            other = self._sketches[number]
            if len(own & other) < ALIKE * max(len(own), len(other)):
                continue  # no more than that can be in common, and it is not enough
            shared = in_common(own, other)
            if shared >= ALIKE and shared > most:
                best, most = number, shared
        return best


def _pieces(text: str) -> set[str]:
    """Every four letters in a row of the text, as it would be read aloud: without vowel signs, every number the same, small letters."""
    plain = unicodedata.normalize("NFKD", text[:LONGEST]).casefold()
    plain = unicodedata.normalize("NFC", "".join(each for each in plain if not unicodedata.combining(each))).translate(_LETTERS)
    # Cut again: a few signs are eighteen letters once they are written out.
    told = f" {' '.join(_WORD.findall(_NUMBER.sub('0', plain)))[:LONGEST]} "
    return {told[at : at + PIECE] for at in range(max(1, len(told) - PIECE + 1))}
