"""In which declared band a stored value lies; what is missing, or does not settle it, lies in `unknown`."""

import datetime as dt

from vault.policy.research import OTHER, UNKNOWN, Dimension, bands
from vault.records.values.kinds import Stored, stored_key
from vault.records.values.predicates import is_younger_than


def band_of(dimension: Dimension, kind: str, stored: Stored | None, today: dt.date) -> int:
    """The place of the value's band among `bands`, on this day of Riyadh."""
    named = bands(dimension)
    if stored is None:
        return named.index(UNKNOWN)
    if kind == "date":
        return _by_age(dimension, stored, today)
    if kind == "integer":
        return sum(stored >= step for step in dimension.steps) if isinstance(stored, int) else named.index(UNKNOWN)
    return named.index(_group_of(dimension, kind, stored))


def _by_age(dimension: Dimension, stored: Stored, today: dt.date) -> int:
    """The first step that was not reached; a date of which only the year is known may leave that open."""
    for place, step in enumerate(dimension.steps):
        answered = is_younger_than(stored, step, today)
        if answered != "no":
            return place if answered == "yes" else len(dimension.steps) + 1
    return len(dimension.steps)


def _group_of(dimension: Dimension, kind: str, stored: Stored) -> str:
    if kind in {"choice", "text"}:
        key = stored_key(kind, stored)
        return next((name for name, words in dimension.groups.items() if key in {stored_key(kind, word) for word in words}), OTHER)
    code = str(stored)
    return next((name for name, words in dimension.groups.items() if code.startswith(words)), OTHER)
