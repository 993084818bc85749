"""What a letter about a breach says: the four parts of regulation 24(5) as two people approved them, in one language or in both.

Invariant: nothing of whom it is about stands in it but the name of a ward, in the letter to the guardian.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vault.breach_reports.authority_notice_telling import PAGES
from vault.breach_reports.people_notices import PARTS, Wording

_LINE: Final = "\n\n----\n\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter is written from: the words, who writes (names by language, else a code), the incident's number, a ward's name or ""."""

    wording: Wording
    names: Mapping[str, str]
    reference: str
    ward: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """Arabic, and English where every part was written in it too."""
        return ("ar", "en") if all(getattr(self.wording, name).en for name in PARTS) else ("ar",)

    @property
    def subject(self) -> str:
        """The subject line: what it is, and from whom."""
        titles = " · ".join(str(PAGES.words(language).letter_subject) for language in self.languages)
        return f"{titles} ({self.names['ar']})"

    @property
    def text(self) -> str:
        """The letter as plain text."""
        return _LINE.join(self._in(language) for language in self.languages) + "\n"

    def sections(self, language: str) -> list[tuple[str, str]]:
        """Each part's heading and words."""
        words = PAGES.words(language)
        return [(str(getattr(words, f"letter_{name}")), str(getattr(getattr(self.wording, name), language))) for name in PARTS]

    def opening(self, language: str) -> str:
        """The first line: to herself, or to who is responsible for whom it is about."""
        words = PAGES.words(language)
        return str(words.letter_to_guardian.format(name=self.ward) if self.ward else words.letter_to_self)

    def _in(self, language: str) -> str:
        words = PAGES.words(language)
        parts = [f"{heading}\n{said}" for heading, said in self.sections(language)]
        closing = [words.letter_complaint, words.letter_number.format(number=self.reference), self.names.get(language, self.names["ar"])]
        return "\n\n".join([words.letter_greeting, self.opening(language), *parts, *map(str, closing)])
