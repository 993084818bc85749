"""The answer to a question about a stored value: yes, no, or unknown where the value does not settle it."""

import datetime as dt
from collections.abc import Collection
from typing import Literal

from vault.records.values.capacity import completed
from vault.records.values.cleaning import ValueRefused
from vault.records.values.dates import PartialDate
from vault.records.values.kinds import Stored, stored_key

Answered = Literal["yes", "no", "unknown"]


def is_younger_than(stored: Stored, years: int, today: dt.date) -> Answered:
    """Whether somebody born on this stored date has not completed so many Hijri years on this day of Riyadh."""
    try:
        first, last = completed(PartialDate.of(stored if isinstance(stored, dict) else {}), years)
    except ValueRefused:
        return "unknown"
    if today < first:
        return "yes"
    return "no" if today >= last else "unknown"


def is_below(stored: Stored, limit: int) -> Answered:
    """Whether a stored whole number is less than the limit."""
    return said(stored < limit) if isinstance(stored, int) else "unknown"


def is_one_of(kind: str, stored: Stored, words: Collection[str]) -> Answered:
    """Whether a stored text or choice is one of these words, letter case and the width of spaces aside."""
    return said(stored_key(kind, stored) in {stored_key(kind, word) for word in words})


def begins_with(stored: Stored, code: str) -> Answered:
    """Whether a stored code begins with this one."""
    return said(str(stored).startswith(code))


def said(holds: bool) -> Answered:  # noqa: FBT001  # a yes or no is what it is about
    """Yes or no."""
    return "yes" if holds else "no"
