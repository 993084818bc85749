"""Times as they travel: RFC 3339 in UTC outside, integer microseconds since 1970 inside.

Invariant: what `write_time` writes `parse_time` reads back to the same microsecond.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from babel.dates import format_date, format_datetime

RIYADH: Final = timezone(timedelta(hours=3))
"""The Kingdom's clock: three hours before UTC all the year."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?(?:[Zz]|\+00:00)")
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


def fold_digits(text: str) -> str:
    """Return the text with Arabic-Indic and extended Arabic-Indic digits as ASCII digits."""
    return text if text.isascii() else text.translate(_DIGITS)


def parse_time(text: str) -> int:
    """Return microseconds for an RFC 3339 time in UTC ("Z" or "+00:00", six decimals, no leap second). Raises ValueError otherwise."""
    found = _TIME.fullmatch(fold_digits(text))
    if found is None:
        raise ValueError("no RFC 3339 time in UTC")
    day, clock, fraction = found.groups()
    try:
        second = datetime.fromisoformat(f"{day}T{clock}+00:00")
    except ValueError:
        raise ValueError("no such day or hour") from None  # the library's text quotes the input
    return (second - _EPOCH) // _MICROSECOND + int((fraction or "").ljust(6, "0"))


def write_time(microseconds: int) -> str:
    """Return the RFC 3339 text in UTC with "Z"; decimals only where there are any."""
    found = moment(microseconds)
    return found.isoformat(timespec="microseconds" if found.microsecond else "seconds").replace("+00:00", "Z")


def moment(microseconds: int) -> datetime:
    """Return the moment; msgspec writes it as `write_time` does."""
    return _EPOCH + timedelta(microseconds=microseconds)


def month_in_words(day: date, language: str) -> str:
    """The month of a day as a reader says it."""
    return format_date(day, "MMMM y", locale="en_GB" if language == "en" else "ar_SA")


def in_words(at: datetime, language: str) -> str:
    """The day and hour of a moment as the clock in Riyadh shows them and a reader says them, without saying whose clock it is."""
    locale, pattern = ("en_GB", "d MMMM y, HH:mm") if language == "en" else ("ar_SA", "d MMMM y، HH:mm")
    return format_datetime(at.astimezone(RIYADH), pattern, locale=locale)
