"""A typed name taken apart into its words: compounds in one piece, the words for son and daughter as links between them.

Invariants: ways of typing that are beyond doubt one name give the same words, two names never do. Source: `docs/spec/names.md`.
"""

import re
import unicodedata
from dataclasses import dataclass

from vault.records.values.arabic_letters import FARSI_YA, MAQSURA, plain
from vault.records.values.cleaning import ValueRefused
from vault.records.values.name_tables import words

_ARABIC = (
    "\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8\u06ea-\u06ef\u06fa-\u06ff\u0750-\u077f\u0870-\u0887\u0889-\u08ff"
    "\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdfb\ufe70-\ufefc"
)
_LATIN = "A-Za-zªºÀ-ÖØ-öø-ɏḀ-ỿ\u0300-\u036f"
_WORD = re.compile(f"(?P<arabic>[{_ARABIC}]+)|(?P<latin>[{_LATIN}]+(?:['’ʼ][{_LATIN}]+)*)|(?P<number>[0-9]+)")
_APOSTROPHES = re.compile("['’ʼ]")

_ALEFS = str.maketrans("أإآٱ", "اااا")
_MAQSURAS = str.maketrans({MAQSURA: "ي", FARSI_YA: "ي"})

SON, DAUGHTER = "s", "d"
_LINKS = {
    "بن": SON, "ابن": SON, "bin": SON, "ibn": SON,
    "بنت": DAUGHTER, "ابنه": DAUGHTER, "ابنت": DAUGHTER, "bint": DAUGHTER, "ibnat": DAUGHTER,
}  # fmt: skip

HOUSE, ARTICLE, SERVANT, GLUE = "آل", "ال", "عبد", "+"
_HOUSES = {HOUSE, ARTICLE}
_SERVANTS = {SERVANT, ARTICLE + SERVANT}
KUNYAS = ("ابو", "ابا", "ابي", "ام")
_GLUED = {*KUNYAS, "ذو", "با"}
_TAKES_FORMER = {"الله", "الدين"}

_TWO_NAMES = words("strict", "two_names_by_last_letter")
_TWO_NAMES_BY_HA = words("strict", "two_names_by_ha")
_NOT_A_HOUSE = words("strict", "not_a_house")
_ONE_WORD = words("strict", "one_word")


@dataclass(frozen=True, slots=True)
class Parts:
    """The words of a name in their order, and before each word whether son or daughter stands there (empty where nothing does).

    `words` are those of the strict key; `spelt` the same with the last letter as typed and `GLUE` where a kunya was joined.
    """

    words: tuple[str, ...]
    spelt: tuple[str, ...]
    links: tuple[str, ...]


def parts(cleaned: str) -> Parts:
    """The parts of a cleaned name in Arabic or Latin letters.

    Refuses `look-alike` for letters and digits of other scripts and for a word of two scripts, `unexpected-character`, `not-a-name`.
    """
    return _linked(_compounds(_words(cleaned)))


def _words(cleaned: str) -> list[str]:
    found, at, end_of_former = [], 0, -1
    for word in _WORD.finditer(cleaned):
        _only_punctuation(cleaned[at : word.start()])
        if word.start() == end_of_former and word.lastgroup != "number":
            raise ValueRefused("look-alike")
        at = word.end()
        end_of_former = at if word.lastgroup != "number" else -1
        found.extend(_spelt(word[0], word.lastgroup or ""))
    _only_punctuation(cleaned[at:])
    if all(word.isdigit() for word in found):
        raise ValueRefused("not-a-name")
    return found


def _only_punctuation(between: str) -> None:
    for ch in between:
        if ch not in " -.،" and unicodedata.category(ch)[0] not in "PZ" and ch not in "`´^~|+=<>$":
            raise ValueRefused("look-alike" if ch.isalnum() else "unexpected-character")


def _spelt(word: str, script: str) -> list[str]:
    """The word in folded letters; a ligature of several words gives several, marks alone give none."""
    if script == "arabic":
        return [folded(part) for part in plain(word).split()]
    if script == "latin":
        return [unicodedata.normalize("NFC", _APOSTROPHES.sub("", word).casefold())]
    return [word]


def folded(word: str) -> str:
    """A word in plain letters without hamza on alef and with ha for ta marbuta, a house marked by its madda, the last letter as typed."""
    house = word.startswith(HOUSE) and word not in _NOT_A_HOUSE
    bare = word.translate(_ALEFS)
    if not (bare.endswith("ة") and bare[:-1] in _TWO_NAMES_BY_HA):
        bare = bare.replace("ة", "ه")
    return HOUSE + bare[2:] if house else bare


def unglued(spelt: str) -> str:
    """The word in one piece. The glue stays where without it another name would stand: "mother of Jad" is not Amjad."""
    whole = spelt.replace(GLUE, "")
    return spelt if whole in _ONE_WORD else whole


def _key_word(spelt: str) -> str:
    whole = unglued(spelt)
    if whole[-1] not in (MAQSURA, FARSI_YA):
        return whole
    stem = spelt.rpartition(GLUE)[2].removeprefix(HOUSE).removeprefix("ابو")[:-1]
    return whole if stem in _TWO_NAMES else whole[:-1] + "ي"


def _compounds(typed: list[str]) -> list[str]:
    """The words with compounds joined, worked out from the end so that "mother of the servant of God" is one word."""
    out: list[str] = []  # the last word first
    for word in reversed(typed):
        if not out:
            out.append(word)
        elif word in _HOUSES and out[-1] in _LINKS and len(out) > 1:
            # In "house of the son of Ali" the son is part of the family's name.
            out.append(HOUSE + out.pop() + out.pop())
        elif out[-1] in _LINKS or word in _LINKS:
            out.append(word)
        else:
            out.extend(_joined(word, out.pop()))
    return out[::-1]


def _joined(word: str, following: str) -> tuple[str, ...]:
    """The two as one word if the first takes what follows or the second what comes before, else both, the second first."""
    bare = word.translate(_MAQSURAS)
    if bare in _SERVANTS and following.startswith(HOUSE):
        return (bare + ARTICLE + following[2:],)
    if bare in _HOUSES:
        return (HOUSE + following,)
    if bare in _GLUED:
        return (bare + GLUE + following,)
    if bare in _SERVANTS or following in _TAKES_FORMER:
        return (bare + following,)
    return following, word


def _linked(joined: list[str]) -> Parts:
    """The links taken out from between the words; at the end a link is a word, at the start it makes one with the word it stands before."""
    if len(joined) > 1 and joined[0] in _LINKS:
        # "Daughter of Ali" is not Ali.
        joined = [f"{_LINKS[joined[0]]}:{joined[1]}", *joined[2:]]
    found: list[str] = []
    links: list[str] = []
    link = ""
    for place, word in enumerate(joined):
        if word in _LINKS and found and place < len(joined) - 1:
            link = _LINKS[word]
        else:
            found.append(word)
            links.append(link)
            link = ""
    return Parts(tuple(_key_word(word) for word in found), tuple(found), tuple(links))
