"""One slip of the finger: a neighbouring key, a letter lost, doubled or exchanged with the next, where no other known name results.

Invariant: of two words that are both names, or could both be, neither is a slip of the other.
"""

import re
from collections.abc import Iterable
from itertools import chain

from vault.records.values.loose_words import LooseWord, loose_name, near
from vault.records.values.name_parts import ARTICLE, GLUE, KUNYAS, SERVANT
from vault.records.values.name_tables import words

# The rows of the Arabic keyboard; each stands a little to the right of the one above.
_ROWS = (("ضصثقفغعهخحجد", 0.0), ("شسيبلاتنمكط", 0.25), ("ئءؤر\u0000ىةوزظ", 0.75))
_PLACES = {letter: (column + shift, row) for row, (letters, shift) in enumerate(_ROWS) for column, letter in enumerate(letters)}
# Letters that differ in their dots alone.
_SAME_STROKE = ("بتثني", "جحخ", "دذ", "رز", "سش", "صظ", "طظ", "عغ", "فق")
_WEAK = "اوي"
# At the end these say whose or which sex.
_ENDINGS = "اي"

# Letters without article that both words need, so that a slip is likelier than another name.
_FOR_NEIGHBOUR, _FOR_ANY_LETTER, _FOR_EXCHANGE, _FOR_LOST = 3, 5, 4, 4

# Shapes in which Arabic builds names from three root letters, which stand as dots.
_SHAPES = (
    "...", ".ا..", "..ي.", "..و.", "..ا.", ".وي..", "..ي.ان", "...ان", "...ون", "..ا.ي", "م...", "م..و.", "م..ا.", "م.ا..", "م..ي.", "ا...",
    "ا..ا.", "ت..ي.", ".ي..", ".و..", ".و.ي.", "مت...", "من...", "م.ت..", "ا.ت.ا.", ".ا.و.", ".اي.", "..يو.", ".ي.ان", ".وا.", "...ا",
)  # fmt: skip


def _neighbours(x: str, y: str) -> bool:
    """Whether a finger or an eye takes one for the other."""
    if any(x in stroke and y in stroke for stroke in _SAME_STROKE):
        return True
    if x not in _PLACES or y not in _PLACES:
        return False
    (left, upper), (right, lower) = _PLACES[x], _PLACES[y]
    return abs(upper - lower) <= 1 and abs(left - right) <= 1


def _spellings(name: str) -> set[str]:
    """The loose forms of a name in the tables; one that ends in alef maqsura is typed with ya as well."""
    typed = [name, name[:-1] + "ي"] if name.endswith("ى") else [name]
    return {form for word in map(loose_name, typed) for form in (word.coarse, word.bare)}


_GIVEN = frozenset(
    chain.from_iterable(map(_spellings, words("given", "men") | words("given", "women") | words("loose", "both") | words("more", "given")))
)
_FAMILIES = frozenset(chain.from_iterable(map(_spellings, words("family", "names"))))
_DIVINE = frozenset(chain.from_iterable(map(_spellings, words("divine", "names"))))
_NAMES = _GIVEN | _FAMILIES


def _patterns(shapes: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(shape.replace(".", "([^ا])") + "(?:ا|ي|ان|ين|ون)?") for shape in shapes)


_NAME_SHAPES, _DIVINE_SHAPES = _patterns(_SHAPES), _patterns((".ا..", "..ي.", "..و.", "..ا.", "م..."))


def _roots(coarse: str, shapes: Iterable[re.Pattern[str]] = _NAME_SHAPES) -> set[str]:
    """The root letters of which the word may be built."""
    return {"".join(found.groups()) for shape in shapes if (found := shape.fullmatch(coarse))}


_ROOTS = frozenset(near(root) for root in words("more", "roots"))


def is_name(coarse: str) -> bool:
    """Whether the word stands in the tables, or is a compound, a family name or a feminine made from what stands there."""
    if coarse in _NAMES:
        return True
    if coarse.startswith(SERVANT):
        return coarse.removeprefix(SERVANT) in _DIVINE or _served(coarse) in _DIVINE
    if any(coarse.startswith(kunya) and coarse[len(kunya) :] in _GIVEN for kunya in KUNYAS):
        return True
    former = coarse.removesuffix("اللا").removesuffix("الدين")
    if former != coarse:
        return former in _NAMES
    stem, last = coarse[:-1], coarse[-1:]
    return (last == "ي" and (stem in _NAMES or stem + "ا" in _NAMES)) or (last == "ا" and stem in _NAMES)


def _served(coarse: str) -> str:
    """What the servant is the servant of, without article."""
    return coarse.removeprefix(SERVANT).removeprefix(ARTICLE)


def may_be_name(coarse: str) -> bool:
    """Whether the word is a name or is built like one from a root that names are built from."""
    if coarse.startswith(SERVANT):
        served = _served(coarse)
        return is_name(coarse) or served in _NAMES or not _ROOTS.isdisjoint(_roots(served, _DIVINE_SHAPES))
    return is_name(coarse) or not _ROOTS.isdisjoint(_roots(coarse))


def is_slip(a: LooseWord, b: LooseWord) -> bool:
    """Whether one of the two is a name and the other that name with one slip, itself no name."""
    if is_name(a.bare) == is_name(b.bare):
        return False
    known, other = (a, b) if is_name(a.bare) else (b, a)
    if GLUE in other.bare or may_be_name(other.bare):
        return False
    # With their articles where the slip may have been made on one of these.
    on_article = known.article != other.article or known.bare.startswith(SERVANT)
    return _one_slip(known.bare, other.bare) or (on_article and _one_slip(known.flat, other.flat))


def _size(coarse: str) -> int:
    """The letters by which names are told apart: a last weak one only says whose or which sex."""
    return len(coarse) - (coarse[-1] in _ENDINGS)


def _one_slip(x: str, y: str) -> bool:
    if len(x) < len(y):
        x, y = y, x
    if x == y or len(x) - len(y) > 1:
        return x == y
    at = next((i for i, letter in enumerate(y) if x[i] != letter), len(y))
    if len(x) > len(y):
        return x[at + 1 :] == y[at:] and _lost(x, at)
    if x[at + 1 :] == y[at + 1 :]:
        return _mistaken(x, y, at)
    return _size(x) >= _FOR_EXCHANGE and x[at : at + 2] == y[at : at + 2][::-1] and x[at + 2 :] == y[at + 2 :]


def _mistaken(x: str, y: str, at: int) -> bool:
    """Another letter in one place; a weak one at the end makes another name and is no slip."""
    if at == len(x) - 1 and x[at] in _ENDINGS and y[at] in _ENDINGS:
        return False
    size = max(_size(x), _size(y))
    # Of families there are more than any table holds.
    enough = _FOR_NEIGHBOUR + (x.endswith("ي") or y.endswith("ي"))
    return size >= _FOR_ANY_LETTER or (size >= enough and _neighbours(x[at], y[at]))


def _lost(longer: str, at: int) -> bool:
    """The letter at this place is missing from the shorter word."""
    letter, size = longer[at], _size(longer)
    if at == len(longer) - 1 and letter in _ENDINGS:
        return False
    if letter in longer[max(at - 1, 0) : at] + longer[at + 1 : at + 2]:
        return size >= _FOR_NEIGHBOUR
    # The first letter is seldom lost, and a weak one often makes another name.
    return size >= _FOR_LOST + (letter in _WEAK or at == 0)
