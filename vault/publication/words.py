"""The words of the summary of processing that stand in no pack, in Arabic and English, read once."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

import msgspec
from babel import Locale

from vault.policy.pack import Text

Unit = Literal["hours", "days", "months", "years"]

_MONTHS_IN_YEAR = 12
_LOCALES = {"ar": Locale("ar"), "en": Locale("en")}


class RightText(msgspec.Struct, frozen=True):
    """A right in words, and the article of the law that gives it."""

    law: str
    ar: str
    en: str


class UnitWords(msgspec.Struct, frozen=True):
    """A unit of time in both languages, by CLDR plural category."""

    ar: Mapping[str, str]
    en: Mapping[str, str]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in summary_words.toml."""

    actions: Mapping[str, Text]
    forms: Mapping[str, Text]
    bases: Mapping[str, Text]
    classes: Mapping[str, Text]
    recipients: Mapping[str, Text]
    reply: Mapping[str, Text]
    rights: Mapping[str, RightText]
    promises: Mapping[str, Text]
    complaint: Mapping[str, Text]
    remarks: Mapping[str, Text]
    units: Mapping[Unit, UnitWords]


WORDS = msgspec.convert(tomllib.loads(files("vault.publication").joinpath("summary_words.toml").read_text(encoding="utf-8")), Words)


def period(number: int, unit: Unit) -> Text:
    """Return a length of time in words, whole years where months make them."""
    if unit == "months" and number and number % _MONTHS_IN_YEAR == 0:
        number, unit = number // _MONTHS_IN_YEAR, "years"
    said = WORDS.units[unit]
    return Text(_counted(number, "ar", said.ar), _counted(number, "en", said.en))


def _counted(number: int, language: str, words: Mapping[str, str]) -> str:
    category = _LOCALES[language].plural_form(number)
    return words.get(category, words["other"]).format(n=number)
