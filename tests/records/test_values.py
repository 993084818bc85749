"""What no table shows: that every string has an answer, that a stored value stays what it is, and what clerks are told."""

import datetime as dt
import re
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.records import values
from vault.records.values import KINDS, Options, PartialDate, ValueRefused, name, normalise, same_loose, same_strict, search_key
from vault.records.values.loose_words import loose_name
from vault.records.values.name_slips import is_slip
from vault.records.values.name_tables import words

CODE = re.compile("[a-z]+(-[a-z]+)*")


def calls(deed: Callable[[], object]) -> int:
    """How many functions a deed calls: its work without a clock."""
    count = Counter[str]()
    before = sys.getprofile()
    sys.setprofile(lambda _frame, event, _what: count.update((event,)))
    try:
        deed()
    finally:
        sys.setprofile(before)
    return count["call"] + count["c_call"]


# Plain strings, and strings of the characters that the types look at.
ANY_TEXT = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(exclude_categories=())),
    st.text(alphabet="0123456789٠١٥٩۰ +-()./هـم\u060dSAIDsa@.أآإابويىةئء\u06cc\u0654\u064b\u200f\u202e\ud800\ufdf2\ufefb\u0000 نتدلمش"),
)


def answer(function, *arguments):
    """What the function returns, or its refusal."""
    try:
        return function(*arguments)
    except ValueRefused as refused:
        return refused


def code_of(kind: str, value: object, options: Options | tuple[str, ...] | None = None) -> str:
    with pytest.raises(ValueRefused) as refused:
        normalise(kind, value, options)
    return refused.value.code


@given(kind=st.sampled_from(sorted(KINDS)), text=ANY_TEXT)
@settings(max_examples=1500, deadline=None)
def test_any_string_is_stored_or_refused_with_a_code(kind, text):
    stored = answer(normalise, kind, text, Options(choices=("a", "b")))
    if isinstance(stored, ValueRefused):
        assert CODE.fullmatch(stored.code)
        assert stored.args == (stored.code,)
        return
    assert normalise(kind, stored, Options(choices=("a", "b"))) == stored
    key = search_key(kind, text, Options(choices=("a", "b")))
    assert key == search_key(kind, stored, Options(choices=("a", "b")))
    assert key.encode()


@given(a=ANY_TEXT, b=ANY_TEXT)
@settings(max_examples=1500, deadline=None)
def test_any_two_strings_are_compared_or_refused_and_strict_is_within_loose(a, b):
    strict, loose = answer(same_strict, a, b), answer(same_loose, a, b)
    if isinstance(strict, ValueRefused):
        assert CODE.fullmatch(strict.code)
        assert loose.code == strict.code
        return
    assert loose or not strict
    assert (strict, loose) == (same_strict(b, a), same_loose(b, a))


WORDS = sorted(words("given", "men") | words("given", "women"))
NAMES = st.lists(
    st.sampled_from([*WORDS, "بن", "بنت", "أبو", "أم", "آل", "ال", "عبد", "الله", "الدين", "الشيخ", "د"]), min_size=1, max_size=6
)


@given(parts=NAMES)
@settings(max_examples=800, deadline=None)
def test_a_name_is_the_same_as_itself_however_it_is_spaced_and_marked(parts):
    plain = " ".join(parts)
    typed = "\u200f  " + "\u00a0\u064e ".join(part[0] + "\u0640" + part[1:] for part in parts) + " ،"
    assert name(plain).display == plain
    assert name(plain).strict == name(typed).strict
    assert same_strict(plain, typed)
    assert same_loose(plain, typed)


@given(first=st.sampled_from(WORDS), second=st.sampled_from(WORDS))
@settings(max_examples=2000, deadline=None)
def test_two_names_of_the_tables_are_one_only_where_hamza_ha_or_ya_tell_them_apart(first, second):
    folded = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي"})
    if same_strict(first, second):
        assert first.translate(folded) == second.translate(folded)


def test_a_last_letter_that_says_whose_or_which_sex_is_no_slip():
    assert not is_slip(loose_name("عبدالهادا"), loose_name("عبدالهادي"))
    assert not is_slip(loose_name("عبداللطيفي"), loose_name("عبداللطيف"))
    assert is_slip(loose_name("عبدالهادط"), loose_name("عبدالهادي"))
    assert is_slip(loose_name("عبداللطيفف"), loose_name("عبداللطيف"))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("letter", ["1", "ا", " ", "\u200f", "ى", "@", "\u0654", "-", "بن ", "أبو "])
def test_a_hundred_thousand_characters_are_refused_at_once(kind, letter):
    text = letter * 100_000
    assert code_of(kind, text, ("a",)) in {"too-long", "not-an-option"}
    assert calls(lambda: code_of(kind, text, ("a",))) < 1000


@pytest.mark.parametrize("letter", ["1", "ا", "ى", "\u0654", "-", "بن ", "أبو ", "م ", "آل ", "\ufdf2", "\ufdfa"])
def test_the_longest_text_that_is_read_is_compared_in_bounded_work(letter):
    longest = (letter * 254)[:250] + " سعد"
    assert same_strict(longest, longest)
    assert calls(lambda: (same_strict(longest, longest), same_loose(longest, longest[:-1] + "ن"))) < 200_000


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("national_id", "3000001232", "belongs-elsewhere"),
        ("national_id", "1000000116", "check-digit"),
        ("national_id", "100000011", "wrong-length"),
        ("national_id", "10000O0115", "not-a-digit"),
        ("national_id", "1\u041e00000115", "look-alike"),
        ("national_id", "1000000115\u0000", "control-character"),
        ("national_id", "+1000000115", "unexpected-character"),
        ("national_id", "", "empty"),
        ("national_id", 1000000115, "wrong-type"),
        ("iban", "KW64ZZZZ0000000000000000012345", "belongs-elsewhere"),
        ("iban", "SA28A500000000000000098765", "wrong-length"),
        ("iban", "SA28A5000000000000098765", "not-an-iban"),
        ("iban", "2855000000000000098765", "not-an-iban"),
        ("mobile", "+201000000123", "not-saudi"),
        ("mobile", "+20100000", "not-a-mobile"),
        ("mobile", "8001234567", "not-a-mobile"),
        ("mobile", "()", "not-a-mobile"),
        ("postal_code", "92345", "not-saudi"),
        ("unified_number", "1000000115", "belongs-elsewhere"),
        ("short_address", "AB12CD34", "not-a-short-address"),
        ("email", "a" * 65 + "@example.org", "too-long"),
        ("email", "us\u00e9r@example.org", "look-alike"),
        ("email", "user example@example.org", "not-an-email"),
        ("date", "1440/05/06 م", "calendar-mismatch"),
        ("date", "1440/05/31", "no-such-day"),
        ("date", "1501/01/01", "out-of-range"),
        ("date", {"calendar": "hijri"}, "wrong-type"),
        ("name", "123", "not-a-name"),
        ("name", "\u064b", "not-a-name"),
        ("name", "фахд", "look-alike"),
        ("name", "فهدa", "look-alike"),
        ("name", "فهد १", "look-alike"),
        ("name", "فهد \u2603", "unexpected-character"),
        ("name", "فهد\u202e", "control-character"),
        ("integer", True, "wrong-type"),
        ("integer", 3.0, "wrong-type"),
        ("integer", "3.0", "not-a-number"),
        ("integer", "-3", "not-a-number"),
        ("integer", -3, "out-of-range"),
        ("text", "a\nb", "control-character"),
        ("text", "a" * 255, "too-long"),
        ("long_text", "a\x1bb", "control-character"),
        ("no_such_kind", "a", "unknown-kind"),
    ],
)
def test_a_refusal_tells_the_clerk_which_rule(kind, value, code):
    assert code_of(kind, value) == code


def test_what_is_stored_of_each_kind():
    assert normalise("integer", "٣٢٠٠") == 3200
    assert normalise("integer", 7, Options(low=1, high=9)) == 7
    assert code_of("integer", 10, Options(low=1, high=9)) == "out-of-range"
    assert normalise("choice", " female", ("male", "female")) == "female"
    assert code_of("choice", "Female", ("male", "female")) == "not-an-option"
    assert normalise("name", "  سارة\u00a0 بنت عبدالله ") == "سارة بنت عبدالله"
    assert normalise("text", "ربو ١٢ \u200f") == "ربو ١٢"
    assert normalise("long_text", "سطر\r\nسطر\rسطر") == "سطر\nسطر\nسطر"
    assert normalise("text", "ab", Options(limit=2)) == "ab"
    assert code_of("text", "abc", Options(limit=2)) == "too-long"


def test_a_stored_date_keeps_what_was_typed_and_its_calendar():
    assert normalise("date", "٩ محرم ١٤٤٥ هـ") == {
        "text": "9 محرم 1445 هـ",
        "calendar": "hijri",
        "precision": "day",
        "normal": "1445-01-09",
        "hijri": "1445-01-09",
        "from": "2023-07-27",
        "to": "2023-07-27",
        "table": "umm-al-qura-printed-1500",
    }


def test_a_value_is_found_however_it_was_typed():
    assert search_key("national_id", "١٠٠٠-٠٠٠١١٥") == "1000000115"
    assert search_key("name", "أحمد بن عبد الله") == search_key("name", "احمد عبدالله")
    assert search_key("date", "9/1/1445") == search_key("date", "2023-07-27") == "2023-07-27/2023-07-27"
    assert search_key("text", "Abc  ١٢") == search_key("text", "aBC 12")
    assert search_key("integer", "٧") == "7"
    assert search_key("national_address", {"city": "Example  City", "building": "١٢٣٤"}) == "building=1234\ncity=example city"


def test_a_national_address_is_lines_or_members_that_fit_together():
    given_members = {"postal_code": "١٢٣٤٥", "building": "6789", "short_address": "zzra 6789", "city": "مدينة  ما", "unit": None}
    assert normalise("national_address", given_members) == {
        "building": "6789",
        "city": "مدينة ما",
        "postal_code": "12345",
        "short_address": "ZZRA6789",
    }
    assert normalise("national_address", "شارع ما\nحي ما") == "شارع ما\nحي ما"
    assert code_of("national_address", {"building": "6788", "short_address": "ZZRA6789"}) == "building-differs"
    assert code_of("national_address", {"building": "678"}) == "not-four-digits"
    assert code_of("national_address", {"planet": "earth"}) == "unknown-member"
    assert code_of("national_address", {"city": 7}) == "wrong-type"
    assert code_of("national_address", {}) == "empty"
    assert code_of("national_address", ["a"]) == "wrong-type"
    assert answer(values.national_address, 7).code == "wrong-type"


@given(nine=st.from_regex("[12][0-9]{8}", fullmatch=True), wrong=st.integers(1, 9))
def test_a_number_made_with_its_check_digit_is_accepted_and_no_other_digit_is(nine, wrong):
    check = values.check_digit(nine)
    assert values.national_id(nine + check) == nine + check
    assert code_of("national_id", nine + str((int(check) + wrong) % 10)) == "check-digit"


@given(bban=st.from_regex("[0-9]{2}[0-9A-Z]{18}", fullmatch=True), place=st.integers(4, 23), other=st.sampled_from("0123456789"))
def test_an_iban_made_with_its_check_digits_is_accepted_and_one_digit_altered_is_not(bban, place, other):
    made = f"SA{values.iban_check(bban)}{bban}"
    assert values.iban(made) == made
    altered = made[:place] + other + made[place + 1 :]
    if altered != made and made[place].isdigit():
        assert code_of("iban", altered) == "check-digit"


@given(born=st.dates(dt.date(1924, 8, 1), dt.date(2059, 5, 1)))
@settings(max_examples=500, deadline=None)
def test_nobody_is_of_age_before_eighteen_full_years_and_who_is_born_later_never_earlier(born):
    capacity = values.full_capacity(values.date(born.isoformat()))
    next_day = values.full_capacity(values.date((born + dt.timedelta(days=1)).isoformat()))
    assert capacity.earliest == capacity.latest <= next_day.latest
    # Eighteen Hijri years have 6378 to 6380 days, one more where a month has no 30th.
    assert 6377 <= (capacity.latest - born).days <= 6381


def test_full_capacity_beyond_the_table_is_refused_and_the_day_begins_in_riyadh():
    capacity = values.full_capacity(values.date("1429-04-12"))
    midnight = dt.datetime(2025, 10, 4, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    assert capacity.latest_at == capacity.earliest_at == int(midnight.timestamp()) * 1_000_000
    for beyond in ("1483", "1482-12-30", "1490-01-01"):
        if beyond == "1482-12-30":
            assert values.full_capacity(values.date(beyond)).hijri == "1500-12-30"
            continue
        with pytest.raises(ValueRefused, match="out-of-range"):
            values.full_capacity(values.date(beyond))
    with pytest.raises(ValueRefused, match="not-a-date"):
        PartialDate.of({"normal": 7})
