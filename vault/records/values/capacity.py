"""The day of full capacity: eighteen full Hijri years after birth (Civil Transactions Law 12).

Invariants: nobody is of age before eighteen full years; of a birth date known in part only the latest day is certain.
"""

import datetime as dt
from dataclasses import dataclass

from hijridate import Hijri

from vault.records.values.cleaning import ValueRefused
from vault.records.values.dates import LAST_HIJRI_YEAR, MONTHS, PartialDate, gregorian_of, hijri_of

FULL_CAPACITY_YEARS = 18

# From this Hijri year on the calendar is not printed yet, and the table may still change.
FIRST_UNPRINTED_YEAR = 1451

RIYADH_OFFSET = 3 * 3600 * 1_000_000
_EPOCH = dt.date(1970, 1, 1)
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Capacity:
    """From which Gregorian day the law sees an adult: certain from `latest`, not before `earliest`.

    The two are one day where the day of birth is known, and `hijri` is then that day's Hijri date.
    `provisional` where the table may still change.
    """

    hijri: str | None
    earliest: dt.date
    latest: dt.date
    provisional: bool

    @property
    def earliest_at(self) -> int:
        """The instant at which `earliest` begins in Riyadh, microseconds UTC."""
        return begins(self.earliest)

    @property
    def latest_at(self) -> int:
        """The instant at which `latest` begins in Riyadh, microseconds UTC."""
        return begins(self.latest)


def full_capacity(birth: PartialDate) -> Capacity:
    """The day or days on which a person born then reaches 18 Hijri years. Refuses `out-of-range` beyond the table."""
    earliest = _years_on(hijri_of(birth.first), FULL_CAPACITY_YEARS)
    latest = earliest if birth.last == birth.first else _years_on(hijri_of(birth.last), FULL_CAPACITY_YEARS)
    return Capacity(
        hijri=latest if birth.precision == "day" else None,
        earliest=gregorian_of(earliest),
        latest=gregorian_of(latest),
        provisional=int(latest[:4]) >= FIRST_UNPRINTED_YEAR,
    )


def completed(birth: PartialDate, years: int) -> tuple[dt.date, dt.date]:
    """The first and the last day on which a person born then completes so many Hijri years. Refuses `out-of-range` beyond the table."""
    return gregorian_of(_years_on(hijri_of(birth.first), years)), gregorian_of(_years_on(hijri_of(birth.last), years))


def _years_on(born: str, years: int) -> str:
    """The same Hijri day and month so many years later, or the first of the next month where that month has no such day."""
    year, month, day = map(int, born.split("-"))
    year += years
    if year > LAST_HIJRI_YEAR:
        raise ValueRefused("out-of-range")
    if day > Hijri(year, month, 1).month_length():
        # The last month of the table has thirty days, so that this never leads beyond it.
        year, month, day = (year + 1, 1, 1) if month == MONTHS else (year, month + 1, 1)
    return Hijri(year, month, day).isoformat()


def begins(day: dt.date) -> int:
    """The instant at which the day begins in Riyadh: microseconds UTC."""
    return (day - _EPOCH).days * _DAY - RIYADH_OFFSET
