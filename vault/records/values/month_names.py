"""The Arabic names of the months, Hijri and Gregorian as used in the Kingdom, in every spelling that leaves no doubt."""

import re
import unicodedata

_LETTERS: dict[int, str | None] = {
    ord(written): read
    for letters, read in (
        ("أإآٱ", "ا"),
        ("ةہھە", "ه"),
        ("ىی", "ي"),
        ("ک", "ك"),
        ("\u0640\u0670\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652", None),
    )
    for written in letters
}
# Only these blocks: the same normal form would turn superscript and circled digits into digits.
_PRESENTATION = re.compile("[\ufb50-\ufdf9\ufe70-\ufefc]+")

_HIJRI = (
    "محرم المحرم",
    "صفر",
    "ربيع-الاول ربيع-اول",
    "ربيع-الاخر ربيع-الثاني ربيع-اخر ربيع-ثاني",
    "جمادي-الاولي جمادي-الاول جمادي-اولي جماد-الاول جماد-اول",
    "جمادي-الاخره جمادي-الثانيه جمادي-الاخر جمادي-الثاني جمادي-اخره جمادي-ثانيه جماد-الاخر جماد-الثاني جماد-اخر جماد-ثاني",
    "رجب",
    "شعبان",
    "رمضان",
    "شوال",
    "ذو-القعده ذي-القعده ذوالقعده ذيالقعده",
    "ذو-الحجه ذي-الحجه ذوالحجه ذيالحجه",
)
_GREGORIAN = (
    "يناير",
    "فبراير",
    "مارس",
    "ابريل",
    "مايو",
    "يونيو يونيه",
    "يوليو يوليه",
    "اغسطس",
    "سبتمبر",
    "اكتوبر",
    "نوفمبر",
    "ديسمبر",
)


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {spelling.replace("-", " "): number for number, spellings in enumerate(names, 1) for spelling in spellings.split()}


HIJRI_MONTHS = _numbered(_HIJRI)
GREGORIAN_MONTHS = _numbered(_GREGORIAN)
ANY_MONTH = "|".join(sorted(HIJRI_MONTHS | GREGORIAN_MONTHS, key=len, reverse=True))


def folded(text: str) -> str:
    """The text with presentation and Persian forms, hamza on alef, ta marbuta, alef maqsura, vowel marks and tatweel folded away."""
    if text.isascii():
        return text
    return _PRESENTATION.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text).translate(_LETTERS)
