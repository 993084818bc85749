"""Whether two names are worth showing a clerk as a possible duplicate: the loose level.

Invariant: what is alike here is a suggestion to a human and nothing else. Source: `docs/spec/names.md`, loose level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vault.records.values.arabic_letters import FARSI_YA, MAQSURA
from vault.records.values.loose_words import LooseWord, loose_name, loose_word, same_word
from vault.records.values.name_parts import GLUE, KUNYAS, Parts
from vault.records.values.name_slips import is_name, is_slip
from vault.records.values.name_tables import words

_TITLES = words("loose", "titles")
_SAID_ABOUT = words("loose", "said_about")
_GIVEN_KUNYAS = words("loose", "given_kunyas")
_GIVEN_WITH_ARTICLE = frozenset(loose_name(word) for word in words("loose", "given_with_article"))
_BOTH = frozenset(loose_name(word).coarse for word in words("loose", "both"))

_AT_LEAST = 2


@dataclass(frozen=True, slots=True)
class _Loose:
    """A name without what was added to it: its words, the kunya that stood in front, son or daughter of its bearer."""

    words: tuple[LooseWord, ...]
    kunya: LooseWord | None
    bearer: str


def loose_key(taken: Parts) -> str:
    """A coarse key to find candidates by: equal for most names that are alike, and for some that are not."""
    return " ".join(word.coarse for word in _stripped(taken).words)


def alike(a: Parts, b: Parts) -> bool:
    """Whether the two may be one person's name by one of the rules of the loose level."""
    first, second = _stripped(a), _stripped(b)
    if first.kunya and second.kunya and not same_word(first.kunya, second.kunya):
        return False
    if first.bearer and second.bearer and first.bearer != second.bearer and not _serves_both(first.words[0]):
        return False
    # What looks like a title may be the family's name.
    return _may_match(first.words, second.words) or _may_match(_all(a), _all(b))


def _all(taken: Parts) -> tuple[LooseWord, ...]:
    return tuple(loose_word(word) for word in taken.spelt)


def _may_match(a: tuple[LooseWord, ...], b: tuple[LooseWord, ...]) -> bool:
    return any(_match(x, b) for x in _orders(a, b)) or any(_match(a, y) for y in _orders(b, a)[1:])


def _serves_both(given: LooseWord) -> bool:
    return given.coarse in _BOTH or not is_name(given.coarse)


def _stripped(taken: Parts) -> _Loose:
    """The words without digits, titles, a kunya in front and what is said about the dead, as long as a name is left."""
    kept = [(word, key, link) for word, key, link in zip(taken.spelt, taken.words, taken.links, strict=True) if not _is_added(key)]
    if not kept:
        kept = list(zip(taken.spelt, taken.words, taken.links, strict=True))
    kunya: LooseWord | None = None
    while len(kept) > 1:
        if kept[0][1] in _TITLES:
            del kept[0]
        elif kunya is None and len(kept) > _AT_LEAST and _is_kunya(*kept[0][:2]):
            kunya = loose_word(kept.pop(0)[0])
        else:
            break
    return _Loose(tuple(loose_word(word) for word, _, _ in kept), kunya, kept[1][2] if len(kept) > 1 else "")


def _is_added(key: str) -> bool:
    return key.isdigit() or key in _SAID_ABOUT


def _is_kunya(spelt: str, key: str) -> bool:
    if key in _GIVEN_KUNYAS:
        return False
    if GLUE in spelt:
        return spelt.startswith(KUNYAS)
    return key.startswith(KUNYAS[0]) and is_name(loose_word(key[len(KUNYAS[0]) :]).coarse)


def _orders(own: tuple[LooseWord, ...], other: tuple[LooseWord, ...]) -> list[tuple[LooseWord, ...]]:
    """The words as they stand and, where the first may be the family name of the other, with it moved to the end."""
    if len(own) < _AT_LEAST or not other:
        return [own]
    family = own[0]
    moves = (family.article or other[-1].article) and family not in _GIVEN_WITH_ARTICLE and same_word(family, other[-1])
    return [own, (*own[1:], family)] if moves else [own]


def _match(a: Sequence[LooseWord], b: Sequence[LooseWord]) -> bool:
    if len(a) == len(b):
        return _all_but_one_slip(a, b)
    shorter, longer = (a, b) if len(a) < len(b) else (b, a)
    if len(longer) - len(shorter) == 1 and _flat(shorter) == _flat(longer):
        return True
    return len(shorter) >= _AT_LEAST and same_word(shorter[0], longer[0]) and _follows(shorter[1:], longer[1:])


def _all_but_one_slip(a: Sequence[LooseWord], b: Sequence[LooseWord]) -> bool:
    differing = [(x, y) for x, y in zip(a, b, strict=True) if not same_word(x, y)]
    return not differing or (len(differing) == 1 and is_slip(*differing[0]))


def _flat(name: Sequence[LooseWord]) -> str:
    """The letters without the spaces, as they stand when a space is lost: alef maqsura inside a word is ya."""
    return "".join(word.flat for word in name).replace(MAQSURA, "ي").replace(FARSI_YA, "ي")


def _follows(shorter: Sequence[LooseWord], longer: Sequence[LooseWord]) -> bool:
    """Whether the words of the shorter stand in the longer in the same order."""
    rest = iter(longer)
    return all(any(same_word(word, other) for other in rest) for word in shorter)
