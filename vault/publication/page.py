"""The privacy page: the association's own document laid out as it is, and how data is processed, in the frame's language.

Invariant: the template is given finished words; what is the association's stands in it as text and nothing else.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from babel.dates import format_date
from hijridate import Hijri

from vault.policy.pack import Text
from vault.publication.document import Page, pages
from vault.publication.summary import Cited, Named, Processing, ProcessingPurpose
from vault.publication.versions import PolicyFact, Published
from vault.publication.words import WORDS
from vault.rulebook.approval_day import ApprovalDay
from vault.rulebook.channels import Channels
from vault.web.answer import Answer
from vault.web.paper import Pages
from vault.web.times import RIYADH

PAGES: Final = Pages("vault.publication")
_MICROSECONDS: Final = 1_000_000
_LOCALES: Final = {"ar": "ar_SA", "en": "en_GB"}
_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version in words."""

    number: int
    is_in_force: bool
    approved_by: str
    approved_on: str
    published_on: str
    sha256: str
    size: str


@dataclass(frozen=True, slots=True)
class PurposeView:
    """A purpose in words."""

    title: str
    action: str
    basis: str
    classes: str
    articles: str


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Puts the summary's words together in one language."""

    language: Literal["ar", "en"]

    def text(self, text: Text) -> str:
        """The words of this language."""
        return text.en if self.language == "en" else text.ar

    def word(self, name: str) -> str:
        """A word of the frame."""
        return str(getattr(PAGES.words(self.language), name))

    def joined(self, parts: Iterable[str]) -> str:
        """The parts in one line."""
        return self.word("comma").join(parts)

    def texts(self, named: Iterable[Named]) -> list[str]:
        """The words of each."""
        return [self.text(each.text) for each in named]

    def version(self, policy: PolicyFact, newest: int) -> VersionView:
        """A version in words, its times as in Riyadh."""
        published = dt.datetime.fromtimestamp(policy.published_at // _MICROSECONDS, RIYADH).date()
        return VersionView(
            number=policy.version,
            is_in_force=policy.version == newest,
            approved_by=policy.approved_by,
            approved_on=self.day(policy.approved_on),
            published_on=self.date(published),
            sha256=policy.sha256,
            size=self.word("bytes").format(size=policy.size),
        )

    def date(self, day: dt.date) -> str:
        """A Gregorian day in words."""
        return format_date(day, "long", locale=_LOCALES[self.language])

    def day(self, day: ApprovalDay) -> str:
        """A day in the calendar it was written in, a Hijri one with the Gregorian day beside it."""
        gregorian = self.date(dt.date.fromisoformat(day.day))
        if day.calendar == "gregorian":
            return gregorian
        hijri = Hijri(*(int(part) for part in day.written.split("-")))
        return self.word("hijri").format(day=hijri.day, month=hijri.month_name(self.language), year=hijri.year, gregorian=gregorian)

    def purpose(self, purpose: ProcessingPurpose) -> PurposeView:
        """A purpose in words."""
        forms = self.texts(purpose.forms)
        action = [self.text(purpose.action.text)] + ([self.word("internal_only")] if purpose.internal_only else [])
        cited = [("article_of_policy", purpose.article), ("article_of_law", purpose.law)]
        return PurposeView(
            title=self.text(purpose.title),
            action=self.joined(action),
            basis=self.text(purpose.basis_text) if purpose.basis_text is not None else self.word("either").join(forms),
            classes=self.joined(self.texts(purpose.classes)),
            articles=self.joined(self.word(name).format(number=each.number) for name, each in cited if each is not None),
        )

    def cited(self, told: Processing) -> Iterator[tuple[str, str]]:
        """Every article the summary cites, once: its number in words, and what it says."""
        every = (*told.purposes, *told.duties)
        of_policy = {each.article.number: each.article for each in every if each.article is not None}
        of_law = {each.number: each for each in (*(each.law for each in every), *(each.law for each in told.rights))}
        for name, found in (("article_of_policy", of_policy), ("article_of_law", of_law)):
            for each in sorted(found.values(), key=_number):
                yield self.word(name).format(number=each.number), self.text(each.text)


@lru_cache(maxsize=_KEPT)
def privacy(code: str, told: Processing, found: Published | None, language: str, channels: Channels) -> Answer:
    """Return the page of an association: the version found, or that there is none yet, and the summary of its pack, `told`.

    The pages last asked for are kept: a long one takes seconds to lay out, and the same words make the same page.
    """
    speaker = _Speaker("en" if language == "en" else "ar")
    newest = found.history[0].version if found else 0
    text: tuple[Page, ...] = pages(found.content.decode()) if found else ()
    return PAGES.answer(
        "privacy.html",
        language,
        code=code,
        name=channels.named(code, language),
        demonstration=channels.demonstration,
        policy=speaker.version(found.policy, newest) if found else None,
        text=text,
        has_numbers=any(piece.is_number for page in text for block in page for line in block for piece in line.pieces),
        history=[speaker.version(each, newest) for each in found.history] if found else [],
        purposes=[speaker.purpose(each) for each in told.purposes],
        duties=[speaker.purpose(each) for each in told.duties],
        recipients=speaker.texts(told.recipients),
        promises=speaker.texts(told.promises),
        explicit=f"{speaker.text(WORDS.promises['explicit'])} {speaker.joined(speaker.texts(told.explicit_classes))}",
        kept=[(speaker.text(each.title), speaker.text(each.period)) for each in told.kept],
        rights=[(speaker.text(each.text), speaker.word("article_of_law").format(number=each.law.number)) for each in told.rights],
        reply=speaker.texts(told.reply),
        channels=speaker.joined(speaker.texts(told.channels)),
        complaint=speaker.texts(told.complaint),
        cited=list(speaker.cited(told)),
    )


def _number(article: Cited) -> tuple[int, ...]:
    """An article's number for sorting; what is no number comes first."""
    return tuple(int(part) if part.isdecimal() else 0 for part in article.number.split("."))
