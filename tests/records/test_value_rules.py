"""The rules behind the tables, for dates and numbers no table holds: every spelling of one day, what is no date, coming of age."""

import datetime as dt
from calendar import monthrange

import pytest
from hijridate import Gregorian, Hijri
from hypothesis import assume, given
from hypothesis import strategies as st

from vault.records.values import PartialDate, ValueRefused, date, full_capacity, mobile

FIRST, LAST = dt.date(1924, 8, 1), dt.date(2077, 11, 16)
HIJRI = (
    *("محرم", "صفر", "ربيع الأول", "ربيع الآخر", "جمادى الأولى", "جمادى الآخرة"),
    *("رجب", "شعبان", "رمضان", "شوال", "ذو القعدة", "ذو الحجة"),
)
GREGORIAN = (
    *("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو"),
    *("يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
)
DIGITS = ("0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９")
APART = ("/", "-", ".", "\u060d", " ", " / ", " - ")
UNSEEN = ("", "\u200f", "\u200e", "\u2067", "\u2069", "\ufeff", "\u00ad", "\u061c")
MARKS = {"hijri": ("", "ه", " ه", "هـ", " هـ", "H", " AH"), "gregorian": ("", "م", " م", "AD", " AD")}
days = st.dates(FIRST, LAST)
calendars = st.sampled_from(["hijri", "gregorian"])
spellings = st.fixed_dictionaries(
    {
        "digits": st.sampled_from(DIGITS),
        "apart": st.sampled_from(APART),
        "year_first": st.booleans(),
        "padded": st.booleans(),
        "unseen": st.sampled_from(UNSEEN),
        "mark": st.integers(0, 6),
        "named": st.booleans(),
    }
)


def numbers_of(day: dt.date, calendar: str) -> tuple[int, int, int]:
    """Year, month and day in this calendar, by the table itself."""
    if calendar == "gregorian":
        return day.year, day.month, day.day
    hijri = Gregorian.fromdate(day).to_hijri()
    return hijri.year, hijri.month, hijri.day


def spelt(numbers: tuple[int, ...], calendar: str, how: dict) -> str:
    """One way to write it: year first or last, padded or not, in any digits, apart by any sign, the month by its name."""
    parts = [str(numbers[0]), *(f"{number:02d}" if how["padded"] else str(number) for number in numbers[1:])]
    apart = how["apart"]
    if how["named"] and len(parts) > 1:
        parts[1] = (HIJRI if calendar == "hijri" else GREGORIAN)[numbers[1] - 1]
        apart = " "
    text = apart.join(parts if how["year_first"] else parts[::-1])
    marks = MARKS[calendar]
    mark = marks[how["mark"] % len(marks)]
    # Behind a month's name a mark stands apart, else it would be a letter of the name.
    mark = f" {mark.strip()}" if mark and not text[-1].isdigit() else mark
    return how["unseen"] + (text + mark).translate(str.maketrans(DIGITS[0], how["digits"])) + how["unseen"]


def refused(text: str) -> str:
    with pytest.raises(ValueRefused) as found:
        date(text)
    return found.value.code


@given(days, calendars, spellings)
def test_however_a_day_is_written_it_is_the_same_day(day, calendar, how):
    numbers = numbers_of(day, calendar)
    found = date(spelt(numbers, calendar, how))
    assert (found.calendar, found.precision, found.first, found.last) == (calendar, "day", day, day)
    assert found.normal == "{:04d}-{:02d}-{:02d}".format(*numbers)
    assert found.hijri == "{:04d}-{:02d}-{:02d}".format(*numbers_of(day, "hijri"))
    assert PartialDate.of({"normal": found.normal}) == found, "what is stored reads back"


@given(st.dates(dt.date(1924, 9, 1), dt.date(2077, 10, 1)), calendars, spellings, st.integers(1, 2))
def test_a_part_of_a_date_covers_all_its_days_and_no_other(day, calendar, how, known):
    numbers = numbers_of(day, calendar)[:known]
    year = numbers[0]
    assume(known == 2 or (1343 <= year <= 1500 if calendar == "hijri" else 1925 <= year <= 2076))
    found = date(spelt(numbers, calendar, how | {"named": how["named"] and known == 2}))
    assert (found.calendar, found.precision, found.hijri) == (calendar, ("year", "month")[known - 1], None)
    assert found.first <= day <= found.last
    assert numbers_of(found.first, calendar) == (*numbers, *(1, 1)[: 3 - known])
    assert numbers_of(found.last + dt.timedelta(1), calendar)[:known] != numbers if found.last < LAST else True
    month = numbers[1] if known == 2 else 12
    length = Hijri(year, month, 1).month_length() if calendar == "hijri" else monthrange(year, month)[1]
    assert numbers_of(found.last, calendar) == (year, month, length)


@given(days, calendars, st.sampled_from(APART), st.sampled_from(DIGITS))
def test_what_the_rules_name_as_no_date_is_none(day, calendar, apart, digits):
    year, month, number = numbers_of(day, calendar)

    def wrong(*parts: str) -> str:
        return refused(apart.join(parts).translate(str.maketrans(DIGITS[0], digits)))

    assert wrong(str(year)[2:], f"{month:02d}", f"{number:02d}") == "not-a-date", "two digits of the year"
    assert wrong(f"{number:02d}", f"{month:02d}", str(year)[2:]) == "not-a-date"
    assert wrong(f"{month:02d}", str(year), f"{number:02d}") == "not-a-date", "the year in the middle"
    assert wrong(str(year), "00", f"{number:02d}") == "no-such-day", "zero for unknown"
    assert wrong(str(year), f"{month:02d}", "00") == "no-such-day"
    assert wrong(str(year), f"{month:02d}", "0") == "no-such-day"
    assert refused(f"{year}{month:02d}{number:02d}") == "not-a-date", "a run of digits"
    assert refused(f"{year}-{month:02d}-{number:02d}T00:00") == "not-a-date", "a time of day"
    assert wrong(str(year), "13", "01") == "no-such-day"
    if number > 12:
        # The month never stands before the day.
        assert wrong(f"{month}", f"{number}", str(year)) == "no-such-day"
        assert wrong(str(year), f"{number}", f"{month}") == "no-such-day"


@given(days, calendars)
def test_a_mark_or_a_month_of_the_other_calendar_is_refused(day, calendar):
    year, month, number = numbers_of(day, calendar)
    text, other = f"{year}-{month:02d}-{number:02d}", "gregorian" if calendar == "hijri" else "hijri"
    assert [refused(text + mark) for mark in MARKS[other] if mark] == ["calendar-mismatch"] * (len(MARKS[other]) - 1)
    foreign = (HIJRI if other == "hijri" else GREGORIAN)[month - 1]
    assert refused(f"{number} {foreign} {year}") == "calendar-mismatch"


@given(st.dates(dt.date(1000, 1, 1), dt.date(9999, 12, 30)))
def test_beyond_the_table_nothing_is_read(day):
    assume(not FIRST <= day <= LAST)
    assume(not 1343 <= day.year <= 1500)
    assert refused(day.isoformat()) == "out-of-range"


@given(st.integers(1343, 1482), st.integers(1, 12), st.integers(1, 30))
def test_coming_of_age_is_the_same_hijri_day_or_the_first_of_the_next_month(year, month, number):
    assume(number <= Hijri(year, month, 1).month_length())
    capacity = full_capacity(date(f"{year}-{month:02d}-{number:02d}"))
    there = Hijri(year + 18, month, 1)
    following = (year + 18 + month // 12, month % 12 + 1, 1)
    expected = Hijri(year + 18, month, number) if number <= there.month_length() else Hijri(*following)
    day = expected.to_gregorian()
    assert capacity.hijri == expected.isoformat()
    assert capacity.earliest == capacity.latest == dt.date(day.year, day.month, day.day)
    assert capacity.provisional == (expected.year >= 1451)
    # The same by the Gregorian day of that birth: it is first turned into Hijri.
    born = Hijri(year, month, number).to_gregorian()
    assert full_capacity(date(dt.date(born.year, born.month, born.day).isoformat())) == capacity


@given(st.dates(dt.date(1925, 1, 1), dt.date(2058, 12, 31)), calendars, st.integers(1, 2))
def test_of_a_part_of_a_birth_date_the_latest_day_holds_whatever_the_day_was(day, calendar, known):
    numbers = numbers_of(day, calendar)
    assume(calendar == "gregorian" or numbers[0] <= 1481)
    whole = full_capacity(date("{:04d}-{:02d}-{:02d}".format(*numbers)))
    part = full_capacity(date("-".join([f"{numbers[0]:04d}", *(f"{one:02d}" for one in numbers[1:known])])))
    assert part.earliest <= whole.earliest == whole.latest <= part.latest
    assert (part.hijri, part.earliest < part.latest) == (None, True)


@given(st.from_regex("5[0-9]{8}", fullmatch=True), st.sampled_from(["0", "+966", "00966"]), st.sampled_from(["", " ", "-", "."]))
def test_a_mobile_is_one_number_however_it_is_written_or_refused_in_every_way(number, before, apart):
    def read(text: str) -> str | None:
        try:
            return mobile(text)
        except ValueRefused:
            return None

    plain = read("+966" + number)
    assert plain in ("+966" + number, None)
    assert read(f"{before}{apart}{number[:2]}{apart}{number[2:5]}{apart}{number[5:]}") == plain
    assert read(f"{before}{number}"[:-1]) is None, "a digit short"
    assert read("+966" + "55" + number[2:]) == "+96655" + number[2:], "a prefix that is in use"
