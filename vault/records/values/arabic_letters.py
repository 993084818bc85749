"""One letter, one code: whatever keyboard or old document a name comes from, the same letters come out.

Invariants: only ways of writing the same letter are folded; two different letters never become one here.
"""

import re
import unicodedata

# Marks that stand alone in the presentation block decompose to a space and the mark: the space would cut the word.
_LONE_MARK = re.compile("[\ufc5e-\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e]")
# Only these blocks: compatibility forms of other scripts are look-alikes, not spellings.
_PRESENTATION = re.compile("[\ufb50-\ufdfb\ufe70-\ufefc]+")

_TATWEEL = "\u0640"
_MARKS = "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0897-\u089f\u08ca-\u08ff\u0300-\u036f"
_ARABIC_MARK = re.compile(f"[{_MARKS}]+")
FARSI_YA = "\u06cc"
MAQSURA = "\u0649"
_YA_WITH_HAMZA = re.compile("[\u06cc\u0649\u064a\u06d2]([\u064b-\u0653\u0656-\u065f\u0670]*)\u0654")
_INNER_FARSI_YA = re.compile("[\u06cc\u0649](?=[\u0621-\u06d3])")
_NEEDS_MORE = re.compile("[^\u0621-\u063a\u0641-\u064a ]")

_CODES = str.maketrans(
    {
        _TATWEEL: None,
        "\u06aa": "ك",
        "\u06a9": "ك",
        "\u06ac": "ك",
        "\u06c1": "ه",
        "\u06be": "ه",
        "\u06d5": "ه",
        "\u06c0": "ه",
        "\u06c2": "ه",
        "\u06c3": "ة",
        "\u06d2": "ي",
        "\u06cd": "ي",
        "\u06d0": "ي",
        "\u0620": "ي",
        "\u06d3": "ئ",
        "\u0676": "ؤ",
        "\u0678": "ئ",
        "\u0671": "ا",
        "\u0672": "أ",
        "\u0673": "إ",
        "\u0675": "أ",
        "\u0674": "\u0654",
        "\u06ba": "ن",
    }
)


def plain(text: str) -> str:
    """The text in standard letters without vowel marks and tatweel; hamza stays on its seat, ta marbuta and alef maqsura stay.

    A Farsi ya at the end of a word stays too: without dots it may stand for ya or for alef maqsura.
    """
    if not _NEEDS_MORE.search(text):
        return _INNER_FARSI_YA.sub("ي", text) if MAQSURA in text else text
    text = _LONE_MARK.sub(lambda found: unicodedata.normalize("NFKC", found[0])[1:], text)
    text = _PRESENTATION.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _YA_WITH_HAMZA.sub("ئ\\1", text.translate(_CODES))
    text = unicodedata.normalize("NFC", text)
    # A hamza still apart had no seat it could join: it is a letter of its own.
    text = text.replace("ه\u0654", "ه").replace("\u0654", "ء").replace("\u0655", "ء")
    return _INNER_FARSI_YA.sub("ي", _ARABIC_MARK.sub("", text))
