"""In which declared band a stored value lies."""

import datetime as dt
from typing import Any

import pytest

from vault.policy.research import Dimension, bands
from vault.records.values.bands import band_of

TODAY = dt.date(2026, 11, 27)
AGE = Dimension(name="age", field="birth_date", steps=(18, 35), groups={})
INCOME = Dimension(name="income", field="monthly_income", steps=(2000, 5000), groups={})
REGION = Dimension(name="region", field="short_address", groups={"riyadh": ("R",), "north": ("NA", "NB")})
HOUSING = Dimension(name="housing", field="housing", groups={"rented": ("إيجار", "Rented flat"), "owned": ("ملك",)})


def stored(text: str) -> Any:
    return {"normal": text}


@pytest.mark.parametrize(
    ("dimension", "kind", "value", "band"),
    [
        (AGE, "date", stored("2020-01-01"), "0-17"),
        # Eighteen full Hijri years are some 196 days less than eighteen Gregorian ones.
        (AGE, "date", stored("2009-06-20"), "0-17"),
        (AGE, "date", stored("2009-05-01"), "18-34"),
        (AGE, "date", stored("1950-01-01"), "35+"),
        (AGE, "date", stored("2009"), "unknown"),
        (AGE, "date", stored("1400"), "35+"),
        (AGE, "date", "1950", "unknown"),
        (AGE, "date", None, "unknown"),
        (INCOME, "integer", 0, "0-1999"),
        (INCOME, "integer", 1999, "0-1999"),
        (INCOME, "integer", 2000, "2000-4999"),
        (INCOME, "integer", 5000, "5000+"),
        (INCOME, "integer", "5000", "unknown"),
        (INCOME, "integer", None, "unknown"),
        (REGION, "short_address", "RRRD2929", "riyadh"),
        (REGION, "short_address", "NBRD2929", "north"),
        (REGION, "short_address", "NCRD2929", "other"),
        (REGION, "short_address", None, "unknown"),
        (HOUSING, "text", "إيجار", "rented"),
        (HOUSING, "text", "rented  FLAT", "rented"),
        (HOUSING, "text", "خيمة", "other"),
    ],
)
def test_a_value_lies_in_its_band(dimension: Dimension, kind: str, value: Any, band: str):
    assert bands(dimension)[band_of(dimension, kind, value, TODAY)] == band
