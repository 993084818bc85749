"""What a record type may declare to be asked in the place of a value: which test fits which kind of field, and how many a field bears.

Invariants: a constant is part of the declaration and never of a question; a field bears at most three, since each of them tells about one
bit of it and a fourth would soon tell the value; what names somebody (a number, a name, an address as a whole, free text) bears none.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from vault.policy.pack_facts import Field, Predicate

MOST_PER_FIELD: Final = 3
MOST_WORDS: Final = 20
OLDEST: Final = 150
HIGHEST: Final = 10**12
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_BEGINS: Final[Mapping[str, re.Pattern[str]]] = {
    # The region, or the region and the branch; more of a short address is a street.
    "short_address": re.compile(r"[A-Z]{1,2}", re.ASCII),
    "postal_code": re.compile(r"[0-9]{1,2}", re.ASCII),
}


def unsound(fields: Mapping[str, Field], predicates: Sequence[Predicate]) -> list[tuple[int, str]]:
    """Each predicate that cannot stand, by its place, and why: `out-of-range`, `unknown-field`, `name-taken`, `too-many`."""
    names, borne = Counter(each.name for each in predicates), Counter(each.field for each in predicates)
    wrong = []
    for number, each in enumerate(predicates):
        field = fields.get(each.field)
        if field is None:
            wrong.append((number, "unknown-field"))
        elif names[each.name] > 1 or each.name in fields:
            wrong.append((number, "name-taken"))
        elif borne[each.field] > MOST_PER_FIELD:
            wrong.append((number, "too-many"))
        elif _NAME.fullmatch(each.name) is None or not _fits(each, field):
            wrong.append((number, "out-of-range"))
    return wrong


def _fits(each: Predicate, field: Field) -> bool:
    """Whether exactly one test is set, its constant is one there can be, and the field is of a kind it is for."""
    said = (each.younger_than is not None, each.below is not None, bool(each.one_of), bool(each.begins_with))
    if sum(said) != 1:
        return False
    if each.younger_than is not None:
        return field.kind == "date" and 1 <= each.younger_than <= OLDEST
    if each.below is not None:
        return field.kind == "integer" and 1 <= each.below <= HIGHEST
    if each.one_of:
        return _are_words(each.one_of, field)
    pattern = _BEGINS.get(field.kind)
    return pattern is not None and pattern.fullmatch(each.begins_with) is not None


def _are_words(words: tuple[str, ...], field: Field) -> bool:
    """Whether these are different words of the field's choices, or of a short text as a person would write it."""
    if len(set(words)) != len(words) or len(words) > MOST_WORDS:
        return False
    if field.kind == "choice":
        return set(words) < set(field.choices)
    return field.kind == "text" and all(word == word.strip() and word.isprintable() and word for word in words)
