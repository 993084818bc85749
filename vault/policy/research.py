"""What a study may be declared to look at (article 6.3): which fields, in which bands, how many of them together.

Invariants: nothing leaves as it is stored: of a date comes a number of years between two declared steps, of a number the same, of a word or
a code the group it was declared to be of; what names somebody (a number, a name, a means of contact, an account, an address as a whole,
free text, a file) is looked at by no study; bands are part of the declaration, and nobody who asks for a release chooses one.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from vault.policy.pack_facts import Field

LEAST: Final = 10
"""So many people are told of together, or nothing is told of them."""
MOST_OF_A_TABLE: Final = 3
MOST_OF_AN_EXTRACT: Final = 8
MOST_CELLS: Final = 200
MOST_STEPS: Final = 10
MOST_GROUPS: Final = 10
MOST_WORDS: Final = 30
OLDEST: Final = 150
YEARS_APART: Final = 5
"""An age is told within so many years at least: a band of one year is a birth year."""
HIGHEST: Final = 10**12
UNKNOWN: Final = "unknown"
OTHER: Final = "other"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_BEGINS: Final[Mapping[str, re.Pattern[str]]] = {
    # The region, or the region and the branch; more of a short address is a street.
    "short_address": re.compile(r"[A-Z]{1,2}", re.ASCII),
    "postal_code": re.compile(r"[0-9]{1,2}", re.ASCII),
}
_IN_STEPS: Final = frozenset({"date", "integer"})
_IN_GROUPS: Final = frozenset({"choice", "text", *_BEGINS})
KINDS: Final = _IN_STEPS | _IN_GROUPS
"""The kinds of field a study may look at; all others name somebody, or may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One field as a study sees it: between which steps a date (in full Hijri years) or number lies, or to which group a word belongs.

    `groups` are words of a choice or a short text, or the beginnings of a code, by the name of the group.
    """

    name: str
    field: str
    steps: tuple[int, ...] = ()
    groups: Mapping[str, tuple[str, ...]]


def bands(dimension: Dimension) -> tuple[str, ...]:
    """Every band of a dimension by name, in order: `0-17`, `18-34`, `35+`, or the groups and `other`; `unknown` last."""
    if dimension.steps:
        lows = (0, *dimension.steps)
        named = [f"{low}-{high - 1}" for low, high in zip(lows, dimension.steps, strict=False)]
        return (*named, f"{lows[-1]}+", UNKNOWN)
    return (*dimension.groups, OTHER, UNKNOWN)


def unsound(fields: Mapping[str, Field], dimensions: Sequence[Dimension], *, linked: bool) -> list[tuple[int, str]]:
    """Each dimension that cannot stand, by its place, and why.

    The codes: `unknown-field`, `identifying-field`, `name-taken`, `too-many`, `out-of-range`. `linked` for an extract, whose rows bear
    pseudonyms.
    """
    names, looked_at = Counter(each.name for each in dimensions), Counter(each.field for each in dimensions)
    most = MOST_OF_AN_EXTRACT if linked else MOST_OF_A_TABLE
    wrong = []
    for number, each in enumerate(dimensions):
        field = fields.get(each.field)
        if field is None:
            wrong.append((number, "unknown-field"))
        elif field.kind not in KINDS:
            wrong.append((number, "identifying-field"))
        elif names[each.name] > 1 or looked_at[each.field] > 1:
            wrong.append((number, "name-taken"))
        elif number >= most:
            wrong.append((number, "too-many"))
        elif _NAME.fullmatch(each.name) is None or not _fits(each, field):
            wrong.append((number, "out-of-range"))
    if not wrong and not linked and prod(len(bands(each)) for each in dimensions) > MOST_CELLS:
        wrong.append((len(dimensions) - 1, "too-many"))
    return wrong


def _fits(each: Dimension, field: Field) -> bool:
    """Whether the bands are of the kind this field is told in, and are bands at all."""
    if field.kind in _IN_STEPS:
        return not each.groups and _ascend(
            each.steps, YEARS_APART if field.kind == "date" else 1, OLDEST if field.kind == "date" else HIGHEST
        )
    return not each.steps and _are_groups(each.groups, field)


def _ascend(steps: tuple[int, ...], apart: int, most: int) -> bool:
    """Whether there are steps, from `apart` to `most`, each at least `apart` above the one before."""
    return (
        0 < len(steps) <= MOST_STEPS
        and all(high - low >= apart for low, high in zip((0, *steps), steps, strict=False))
        and steps[-1] <= most
    )


def _are_groups(groups: Mapping[str, tuple[str, ...]], field: Field) -> bool:
    """Whether these are named groups of words of the field, no word in two of them and no code within another."""
    words = [word for group in groups.values() for word in group]
    if not 0 < len(groups) <= MOST_GROUPS or len(words) > MOST_WORDS or not all(groups.values()) or len(set(words)) != len(words):
        return False
    if any(_NAME.fullmatch(name) is None or name in {UNKNOWN, OTHER} for name in groups):
        return False
    if field.kind == "choice":
        return set(words) <= set(field.choices)
    if field.kind == "text":
        return all(word == word.strip() and word.isprintable() and word for word in words)
    within = any(one != other and other.startswith(one) for one in words for other in words)
    return not within and all(_BEGINS[field.kind].fullmatch(word) for word in words)
