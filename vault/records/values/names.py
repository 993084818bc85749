"""Personal names: shown as typed, found by a strict key, suggested by a loose one.

Invariants: names that are strictly the same are beyond doubt one name typed in two ways; a loose likeness is only ever shown to a clerk
and never a ground for disclosure or for merging. Source: `docs/spec/names.md`.
"""

from dataclasses import dataclass

from vault.records.values.cleaning import clean_line
from vault.records.values.name_likeness import alike, loose_key
from vault.records.values.name_parts import Parts, parts

# Raised whenever one of the keys of any name changes: stored tokens are then made again.
NAME_KEYS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Name:
    """`display` as typed with single spaces; `strict` equal for one name typed differently; `loose` coarse, to find candidates by."""

    display: str
    strict: str
    loose: str


def name(text: str) -> Name:
    """The name in Arabic or Latin letters, at most 254 characters.

    Refuses `look-alike` for letters of other scripts and words of two scripts, `unexpected-character`, `not-a-name` and as `clean`.
    """
    display = clean_line(text)
    taken = parts(display)
    return Name(display, " ".join(taken.words), loose_key(taken))


def same_strict(a: str, b: str) -> bool:
    """Whether the two are beyond doubt the same name, merely typed differently. Refuses as `name`."""
    return _same(parts(clean_line(a)), parts(clean_line(b)))


def same_loose(a: str, b: str) -> bool:
    """Whether the two are worth showing a clerk as a possible duplicate. Refuses as `name`."""
    first, second = parts(clean_line(a)), parts(clean_line(b))
    return _same(first, second) or alike(first, second)


def _same(a: Parts, b: Parts) -> bool:
    # The key does not hold son or daughter, since the word may be left out; where both say it, it counts.
    return a.words == b.words and not any(x and y and x != y for x, y in zip(a.links, b.links, strict=True))
