"""Dates as a person writes them, Hijri (Umm al-Qura as printed) or Gregorian, whole or without day or month.

Invariants: the calendar it was written in stays the truth; the Gregorian days it covers are derived and lie wholly between
1924-08-01 and 2077-11-16, which is 1343-01-01 to 1500-12-30. Source: `docs/spec/dates.md`.
"""

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hijridate import Gregorian, Hijri

from vault.records.values.cleaning import ValueRefused, clean
from vault.records.values.month_names import ANY_MONTH, GREGORIAN_MONTHS, HIJRI_MONTHS, folded

Calendar = Literal["hijri", "gregorian"]
Precision = Literal["day", "month", "year"]

# Which Umm al-Qura table the derived days come from: a stored date names it, so that it is derived again when the table changes.
TABLE = "umm-al-qura-printed-1500"

FIRST_HIJRI_YEAR, LAST_HIJRI_YEAR = 1343, 1500
FIRST_DAY, LAST_DAY = dt.date(1924, 8, 1), dt.date(2077, 11, 16)
MONTHS = 12

_SPACES = "[ \u00a0\u2000-\u200a\u202f\u205f]"
_APART = f"(?:{_SPACES}*[/.\u060d-]{_SPACES}*|{_SPACES}+)"
# A month's name may end in the letter of a mark: so the mark stands behind a digit or apart.
_MARK = re.compile(f"(?P<rest>.*(?:[0-9]|(?={_SPACES}))){_SPACES}*(?P<mark>ه|م|ah|ad|h)", re.IGNORECASE)
_CALENDAR_OF: dict[str, Calendar] = {"ه": "hijri", "ah": "hijri", "h": "hijri", "م": "gregorian", "ad": "gregorian"}
_NUMBERS = re.compile(f"[0-9]+(?:{_APART}[0-9]+){{0,2}}")
_NAMED = re.compile(f"([0-9]*){_APART}?({ANY_MONTH}){_APART}?([0-9]*)")
_RUN = re.compile("[0-9]+")
_YEAR, _SHORT = re.compile("[0-9]{4}"), re.compile("[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date as far as it is known.

    `normal` is in its own calendar (`1444-10-20`, `1444-10`, `1444`); `hijri` the Hijri day where the day is known;
    `first` and `last` the Gregorian days it covers.
    """

    calendar: Calendar
    precision: Precision
    normal: str
    hijri: str | None
    first: dt.date
    last: dt.date

    @classmethod
    def of(cls, stored: Mapping[str, object]) -> "PartialDate":
        """The date of a stored value, derived again from its normal form. Refuses as `date`."""
        return date(str(stored.get("normal", "")))


@dataclass(frozen=True, slots=True)
class _Written:
    """The numbers as they stand, and the calendar that a month's name belongs to."""

    year: int
    month: int | None = None
    day: int | None = None
    named: Calendar | None = None


def date(text: str) -> PartialDate:
    """The date that is written: year first or last, day before month, or a month's Arabic name; a mark of the calendar may stand behind.

    Refuses `not-a-date`, `calendar-mismatch` where mark or month name contradicts the year, `no-such-day`, `out-of-range`.
    """
    body, marked = _without_mark(folded(clean(text)))
    written = _read(body)
    calendar: Calendar = "hijri" if FIRST_HIJRI_YEAR <= written.year <= LAST_HIJRI_YEAR else "gregorian"
    if marked not in {None, calendar} or written.named not in {None, calendar}:
        raise ValueRefused("calendar-mismatch")
    return _covered(calendar, written)


def _without_mark(text: str) -> tuple[str, Calendar | None]:
    found = _MARK.fullmatch(text)
    if not found:
        return text, None
    return found["rest"], _CALENDAR_OF[found["mark"].lower()]


def _read(body: str) -> _Written:
    if _NUMBERS.fullmatch(body):
        return _in_order(_RUN.findall(body))
    found = _NAMED.fullmatch(re.sub(f"{_SPACES}+", " ", body))
    if not found:
        raise ValueRefused("not-a-date")
    before, name, behind = found.groups()
    named: Calendar = "hijri" if name in HIJRI_MONTHS else "gregorian"
    month = str(HIJRI_MONTHS.get(name) or GREGORIAN_MONTHS[name])
    written = _in_order([number for number in (before, month, behind) if number])
    return _Written(written.year, written.month, written.day, named)


def _in_order(numbers: list[str]) -> _Written:
    """Year, month, day or day, month, year: the year has four digits and stands at one end, the others have one or two."""
    if not _YEAR.fullmatch(numbers[0]):
        numbers.reverse()
    if not _YEAR.fullmatch(numbers[0]) or not all(_SHORT.fullmatch(number) for number in numbers[1:]):
        raise ValueRefused("not-a-date")
    month, day, *_ = (*map(int, numbers[1:]), None, None)
    return _Written(int(numbers[0]), month, day)


def _covered(calendar: Calendar, written: _Written) -> PartialDate:
    year, month, day = written.year, written.month, written.day
    try:
        first = _day(calendar, year, 1 if month is None else month, 1 if day is None else day)
        last = first if day else _last_day(calendar, year, month or MONTHS)
    except ValueError:
        raise ValueRefused("no-such-day") from None
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise ValueRefused("out-of-range")
    normal = "-".join([f"{year:04d}", *(f"{number:02d}" for number in (month, day) if number is not None)])
    precision: Precision = "day" if day else "month" if month else "year"
    return PartialDate(calendar, precision, normal, hijri_of(first) if day else None, first, last)


def _day(calendar: Calendar, year: int, month: int, day: int) -> dt.date:
    """The Gregorian day; raises ValueError where there is none."""
    if calendar == "hijri":
        return _plain(Hijri(year, month, day).to_gregorian())
    return dt.date(year, month, day)


def _last_day(calendar: Calendar, year: int, month: int) -> dt.date:
    length = Hijri(year, month, 1).month_length() if calendar == "hijri" else monthrange(year, month)[1]
    return _day(calendar, year, month, length)


def _plain(day: dt.date) -> dt.date:
    return dt.date(day.year, day.month, day.day)


def hijri_of(day: dt.date) -> str:
    """The Hijri day (`1444-10-20`) of a Gregorian day. Raises OverflowError outside the range."""
    return Gregorian.fromdate(day).to_hijri().isoformat()


def gregorian_of(hijri: str) -> dt.date:
    """The Gregorian day of a Hijri day (`1444-10-20`). Raises ValueError where there is none, OverflowError outside the range."""
    return _plain(Hijri.fromisoformat(hijri).to_gregorian())
