"""Plain field types: text within a limit, a whole number within bounds, one of a list."""

import re
from collections.abc import Collection

from vault.records.values.cleaning import ValueRefused, clean, clean_prose

LONGEST_TEXT = 100_000
_DIGITS = re.compile("[0-9]{1,18}")


def text(value: str, limit: int = 254, *, lines: bool = False) -> str:
    """The text as typed, without invisible marks and trimmed; line breaks only where `lines` is true.

    Refuses `too-long` beyond `limit` characters, `control-character`, `empty`.
    """
    return clean_prose(value, min(limit, LONGEST_TEXT), lines=lines)


def integer(value: object, low: int, high: int) -> int:
    """The whole number from an int or from digits, Arabic-Indic ones too; no sign, point or word.

    Refuses `wrong-type` (a bool, a float), `not-a-number`, `out-of-range` outside `low` to `high`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueRefused("wrong-type")
    number = value if isinstance(value, int) else _number(clean(value))
    if not low <= number <= high:
        raise ValueRefused("out-of-range")
    return number


def _number(cleaned: str) -> int:
    if not _DIGITS.fullmatch(cleaned):
        raise ValueRefused("not-a-number")
    return int(cleaned)


def choice(value: str, options: Collection[str]) -> str:
    """The one of `options` that was typed, letter for letter after clean-up. Refuses `not-an-option`."""
    cleaned = clean(value)
    if cleaned not in options:
        raise ValueRefused("not-an-option")
    return cleaned
