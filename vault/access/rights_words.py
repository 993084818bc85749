"""The closed lists a request of a person moves in, and their words in both languages: kinds, checks of who asks, extensions, refusals."""

import tomllib
from importlib.resources import files
from typing import Final

import msgspec

from vault.policy.pack import Pack
from vault.rulebook.requests import RequestKind
from vault.web.problems import Sentence

OWN_PAGE: Final = "own_page"
"""The channel of what a person asks on her own page, where a code to a number on record has shown who she is."""
EMAIL: Final = "email"
ELSEWHERE: Final = {
    OWN_PAGE: Sentence("صفحة صاحب البيانات الشخصية", "the data subject's own page"),
    EMAIL: Sentence("البريد الإلكتروني", "e-mail"),
}


class Ground(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason or right with the article it stands in: of the law, or of its implementing regulation."""

    ar: str
    en: str
    law: str = ""
    regulation: str = ""
    kinds: tuple[RequestKind, ...] = ()
    short: Sentence = Sentence("", "")

    def in_language(self, language: str) -> str:
        """The words."""
        return self.en if language == "en" else self.ar

    def cited(self, law_pack: str) -> str:
        """The article, as entries and problems cite it."""
        return f"{law_pack}:{self.law}" if self.law else f"{law_pack}-regulation:{self.regulation}"

    def holds_for(self, kind: RequestKind) -> bool:
        """Whether a request of this kind may be refused for it."""
        return not self.kinds or kind in self.kinds


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The four lists, by code."""

    kinds: dict[RequestKind, Ground]
    checks: dict[str, Sentence]
    extensions: dict[str, Sentence]
    refusals: dict[str, Ground]


LISTS: Final = msgspec.convert(tomllib.loads(files("vault.access").joinpath("rights.toml").read_text(encoding="utf-8")), Lists)


def channels(pack: Pack) -> dict[str, Sentence]:
    """The channels by which a request may come: those of the pack, e-mail, and her own page."""
    return {**{code: Sentence(one.label.ar, one.label.en) for code, one in pack.channels.items()}, **ELSEWHERE}
