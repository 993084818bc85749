"""One word of a name as loose comparison sees it: article off, hamza seats and near letters folded, the last weak letter apart."""

import re
from dataclasses import dataclass

from vault.records.values.arabic_letters import FARSI_YA, MAQSURA, plain
from vault.records.values.name_parts import ARTICLE, GLUE, HOUSE, KUNYAS, SERVANT, folded, unglued
from vault.records.values.name_tables import pairs, words

_NO_ARTICLE = words("loose", "no_article")
_SPELLINGS = pairs("loose", "spellings")

_NEAR = str.maketrans({"ؤ": "و", "ئ": "ي", "ض": "ظ"})
# Hamza at the end after alef: it may be left out, and what is left is alef and no other letter (Nida' is not Nada).
_ALEF_HAMZA = "اء"
_TWICE = re.compile("(و)و|(ي)[يى]")
_LAST = "اىيهة" + FARSI_YA
_SHORTEST_WITH_ARTICLE = 4

# Which last letters may stand for one another.
_SAME_LAST = {
    frozenset(pair)
    for pair in ("اء", "ا" + MAQSURA, "اه", "ه" + MAQSURA, MAQSURA + "ي", FARSI_YA + "ي", FARSI_YA + MAQSURA, FARSI_YA + "ا", "ةه", "اة")
}

# A letter Arabic does not have, and the Arabic letters it is written with.
_FOREIGN = {
    "گ": "كقجغ", "ڭ": "كقج", "ڨ": "قك", "ݣ": "كقج", "چ": "جشك", "پ": "ب", "ڤ": "ف", "ڥ": "ف", "ۋ": "وف", "ژ": "جز", "ۆ": "و",
    "ٹ": "ت", "ڈ": "د", "ڑ": "ر", "ێ": "ي", "ڵ": "ل", "ڕ": "ر",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LooseWord:
    """A word without its article, in the short spelling: `stem` and `last`, its last letter where that is weak, else empty.

    `flat` is the word with its article, `bare` without it in the spelling that was typed; `article` whether there was one.
    """

    stem: str
    last: str
    flat: str
    bare: str
    article: bool

    @property
    def coarse(self) -> str:
        """Stem and kind of last letter: ya is one kind, the letters that alef stands for the other."""
        return _coarse(self.stem, self.last)


def loose_word(spelt: str) -> LooseWord:
    """The loose form of a word of `Parts.spelt`."""
    whole = _whole(spelt)
    bare, article = _without_article(whole)
    folded_bare, hamza = near(bare), bare.endswith(_ALEF_HAMZA)
    stem, last = _parted(_respelt(folded_bare), hamza=hamza)
    typed = _coarse(*_parted(folded_bare, hamza=hamza))
    return LooseWord(stem, last, near(whole.replace(HOUSE, ARTICLE, 1)), typed, article)


def _coarse(stem: str, last: str) -> str:
    return stem + (last and ("ي" if last == "ي" else "ا"))


def loose_name(word: str) -> LooseWord:
    """The loose form of a single name as a table writes it."""
    return loose_word(folded(plain(word)))


def _whole(spelt: str) -> str:
    whole = unglued(spelt)
    return whole.replace(GLUE, "") if whole.startswith("با") else whole


def near(word: str) -> str:
    """The word with hamza seats, dad and doubled weak letters folded; a lone hamza is left out."""
    return _TWICE.sub(lambda found: found[0][-1], word.translate(_NEAR)).replace("ء", "") or word


def _without_article(word: str) -> tuple[str, bool]:
    if word.startswith(HOUSE):
        return word[2:].removeprefix(ARTICLE) or word, True
    if word.startswith(ARTICLE) and len(word) >= _SHORTEST_WITH_ARTICLE:
        return (word, False) if word.translate({0x649: "ي"}) in _NO_ARTICLE else (word[2:], True)
    for former in (SERVANT, *KUNYAS[:3]):
        rest = word.removeprefix(former).removeprefix(GLUE)
        # What follows "servant of" in Abdullah is no article and a word.
        if word.startswith(former) and rest.startswith(ARTICLE) and len(rest) > _SHORTEST_WITH_ARTICLE and rest != "الله":
            return former + rest[2:], False
    return word, False


def _respelt(word: str) -> str:
    """The short spelling of a name that has two, also as the servant, father or son of."""
    if word in _SPELLINGS:
        return _SPELLINGS[word]
    for former in (SERVANT, *KUNYAS):
        if word.startswith(former) and word[len(former) :] in _SPELLINGS:
            return former + _SPELLINGS[word[len(former) :]]
    return word


def _parted(word: str, *, hamza: bool) -> tuple[str, str]:
    """The word without its last weak letter, and that letter; for alef with hamza the hamza stands."""
    if len(word) == 1 or word[-1] not in _LAST:
        return word, ""
    return word[:-1], "ء" if hamza and word[-1] == "ا" else word[-1]


def same_word(a: LooseWord, b: LooseWord) -> bool:
    """Whether the two may be one name: stems letter for letter, foreign letters for near Arabic ones, last letters of one kind."""
    if a.last != b.last and frozenset((a.last, b.last)) not in _SAME_LAST:
        return False
    return a.stem == b.stem or (len(a.stem) == len(b.stem) and all(map(_same_letter, a.stem, b.stem)))


def _same_letter(x: str, y: str) -> bool:
    return x == y or y in _FOREIGN.get(x, "") or x in _FOREIGN.get(y, "")
