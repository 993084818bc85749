"""What a notice must say before it may be shown to anybody: both languages, and the regulation's eleven parts (law 12 and 13).

Invariants: nothing is added to or taken from a text, since its SHA-256 is what people agree to; what could not be seen or would turn the
reading around is refused; an Arabic text without an Arabic letter is none.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from vault.errors import FieldError, Invalid
from vault.policy.pack_file import PARTS

INCOMPLETE: Final = "notice-incomplete"
LONGEST_TEXT: Final = 10_000
LONGEST_PART: Final = 2_000
LANGUAGES: Final = ("ar", "en")
_ARABIC: Final = re.compile("[\u0621-\u064a\u0671-\u06d3]")
_LATIN: Final = re.compile("[A-Za-z]")
_LETTERS: Final = {"ar": (_ARABIC, "no-arabic"), "en": (_LATIN, "no-english")}
# Controls but tab and line feed; what hides, turns or is half a character.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a notice: its text by language, and each of the eleven parts in Arabic, and in English where that was said."""

    texts: Mapping[str, str]
    parts: Mapping[str, str]
    parts_en: Mapping[str, str]

    @property
    def sha256(self) -> dict[str, str]:
        """The SHA-256 (hexadecimal) of each text."""
        return {language: hashlib.sha256(text.encode()).hexdigest() for language, text in self.texts.items()}

    @property
    def outside(self) -> tuple[str, ...]:
        """The parts whose Arabic words do not stand in the Arabic text as they are: whoever approves looks for them herself."""
        text = _run_together(self.texts["ar"])
        return tuple(part for part in PARTS if _run_together(self.parts[part]) not in text)


def require(wording: Wording) -> None:
    """Raise Invalid, `notice-incomplete` where a part is empty, Arabic or English is missing, or something in it could not be read."""
    wrong = [*_wrong_texts(wording), *_wrong_parts(wording)]
    if wrong:
        raise Invalid(wrong, INCOMPLETE)


def _wrong_texts(wording: Wording) -> Iterator[FieldError]:
    for language in LANGUAGES:
        yield from _wrong(f"texts.{language}", wording.texts.get(language, ""), language, LONGEST_TEXT)
    yield from (FieldError("texts", "unknown-language") for language in wording.texts if language not in LANGUAGES)


def _wrong_parts(wording: Wording) -> Iterator[FieldError]:
    for part in PARTS:
        yield from _wrong(f"parts.{part}", wording.parts.get(part, ""), "ar", LONGEST_PART)
        if part in wording.parts_en:
            yield from _wrong(f"parts.{part}.en", wording.parts_en[part], "en", LONGEST_PART)
    if not wording.parts.keys() <= set(PARTS):
        yield FieldError("parts", "unknown-part")


def _wrong(member: str, text: str, language: str, longest: int) -> Iterator[FieldError]:
    letters, code = _LETTERS[language]
    if not text.strip():
        yield FieldError(member, "missing")
    elif len(text) > longest:
        yield FieldError(member, "too-long")
    elif _UNSEEN.search(text):
        yield FieldError(member, "control-character")
    elif not letters.search(text):
        yield FieldError(member, code)


def _run_together(text: str) -> str:
    """The text with every run of space as one, so that a line may break elsewhere."""
    return " ".join(text.split())
