"""The day on which a governing body approved a document, in the calendar it was written in.

Invariant: what was written stays the truth; the Gregorian day is derived from the printed Umm al-Qura table (docs/spec/dates.md).
"""

import datetime as dt
import re
from typing import Final, Literal

import msgspec
from hijridate import Hijri

from vault.errors import FieldError, Invalid
from vault.web.times import RIYADH, fold_digits

Calendar = Literal["hijri", "gregorian"]

_DAY = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
# The years of the printed table; every other year is Gregorian.
_HIJRI_YEARS: Final = range(1343, 1501)
_MICROSECONDS: Final = 1_000_000


class ApprovalDay(msgspec.Struct, frozen=True):
    """A day: as written (`1445-06-18`), the calendar it was written in, and the Gregorian day it is."""

    written: str
    calendar: Calendar
    day: str


def approval_day(text: str, now: int) -> ApprovalDay:
    """Return the day that YYYY-MM-DD says, Hijri from 1343 to 1500, digits of either kind; `now` in microseconds UTC.

    Raises Invalid for what is no day and for one that is still to come in Riyadh.
    """
    written = fold_digits(text.strip())
    found = _DAY.fullmatch(written)
    if found is None:
        raise Invalid([FieldError("approved_on", "wrong-type")])
    year, month, day = (int(part) for part in found.groups())
    calendar: Calendar = "hijri" if year in _HIJRI_YEARS else "gregorian"
    try:
        gregorian = dt.date(*Hijri(year, month, day).to_gregorian().datetuple()) if calendar == "hijri" else dt.date(year, month, day)
    except (ValueError, OverflowError):
        raise Invalid([FieldError("approved_on", "out-of-range")]) from None
    if gregorian > dt.datetime.fromtimestamp(now // _MICROSECONDS, RIYADH).date():
        raise Invalid([FieldError("approved_on", "out-of-range")])
    return ApprovalDay(written, calendar, gregorian.isoformat())
