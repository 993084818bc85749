"""Saudi numbers and codes: national ID, IBAN, unified number, postal code and short address, each accepted only in its one normal form.

Source: `docs/spec/values.md`. A check digit proves the typing, never the person.
"""

import re

from vault.records.values.cleaning import ValueRefused, clean

_SPACE_OR_HYPHEN = "[ \u00a0\u2000-\u200a\u202f\u205f\u2010\u2011-]"
_APART = re.compile(_SPACE_OR_HYPHEN)
_LETTERS_AND_DIGITS = re.compile(f"[0-9A-Za-z](?:{_SPACE_OR_HYPHEN}?[0-9A-Za-z])*+")

_IBAN = re.compile("SA[0-9]{4}[0-9A-Z]{18}")
_FOREIGN_IBAN = re.compile("[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_SHORT_ADDRESS = re.compile("[A-Z]{4}[0-9]{4}")

ID_LENGTH = 10
IBAN_LENGTH = 24
SHORT_ADDRESS_LENGTH = 8
POSTAL_LENGTH = 5
LOWEST_CHECK, HIGHEST_CHECK = 2, 98

# A digit in an odd place counts double, and the two digits of the double are added.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _compact(text: str) -> str:
    """The cleaned characters without the single spaces or hyphens between them; only ASCII letters and digits are left."""
    cleaned = clean(text)
    if cleaned.isascii() and cleaned.isalnum():
        return cleaned
    if not _LETTERS_AND_DIGITS.fullmatch(cleaned):
        strange = any(ch.isalnum() and not ch.isascii() for ch in cleaned)
        raise ValueRefused("look-alike" if strange else "unexpected-character")
    return _APART.sub("", cleaned)


def _digits(text: str, length: int) -> str:
    compact = _compact(text)
    if not compact.isdigit():
        raise ValueRefused("not-a-digit")
    if len(compact) != length:
        raise ValueRefused("wrong-length")
    return compact


def check_digit(nine_digits: str) -> str:
    """The tenth digit of a national ID or residence number whose first nine are given."""
    total = sum(_DOUBLED[int(d)] for d in nine_digits[::2]) + sum(map(int, nine_digits[1::2]))
    return str(-total % 10)


def national_id(text: str) -> str:
    """The ten digits of a citizen's (1…) or resident's (2…) number.

    Refuses `belongs-elsewhere` for border, GCC and organisation numbers, `check-digit`, `wrong-length`, `not-a-digit`, `look-alike`.
    """
    digits = _digits(text, ID_LENGTH)
    if digits[0] not in "12":
        raise ValueRefused("belongs-elsewhere")
    if check_digit(digits[:9]) != digits[9]:
        raise ValueRefused("check-digit")
    return digits


def unified_number(text: str) -> str:
    """The ten digits, first 7, of an organisation. No check digit is published. Refuses `belongs-elsewhere` and as `national_id`."""
    digits = _digits(text, ID_LENGTH)
    if digits[0] != "7":
        raise ValueRefused("belongs-elsewhere")
    return digits


def postal_code(text: str) -> str:
    """The five digits of a Saudi postal code, first 1 to 8. Refuses `not-saudi` and as `national_id`."""
    digits = _digits(text, POSTAL_LENGTH)
    if digits[0] not in "12345678":
        raise ValueRefused("not-saudi")
    return digits


def _remainder(iban_text: str) -> int:
    """The remainder by 97 of an IBAN written as ISO 13616 reads it: the first four behind, letters as 10 to 35."""
    return int("".join(str(int(ch, 36)) for ch in iban_text[4:] + iban_text[:4])) % 97


def iban_check(bban: str) -> str:
    """The two check digits, 02 to 98, of the Saudi IBAN whose twenty characters behind them are given in capitals."""
    return f"{98 - _remainder('SA00' + bban):02d}"


def iban(text: str) -> str:
    """The 24 characters of a Saudi IBAN in capitals (ISO 13616, remainder 1 of 97).

    Refuses `belongs-elsewhere` for another country's, `wrong-length`, `not-an-iban`, `check-digit`, `look-alike`.
    """
    compact = _compact(text).upper()
    if not compact.startswith("SA"):
        raise ValueRefused("belongs-elsewhere" if _FOREIGN_IBAN.fullmatch(compact) else "not-an-iban")
    if len(compact) != IBAN_LENGTH:
        raise ValueRefused("wrong-length")
    if not _IBAN.fullmatch(compact):
        raise ValueRefused("not-an-iban")
    if not LOWEST_CHECK <= int(compact[2:4]) <= HIGHEST_CHECK or _remainder(compact) != 1:
        raise ValueRefused("check-digit")
    return compact


def short_address(text: str) -> str:
    """Four Latin letters in capitals and four digits, the building's number.

    Refuses `wrong-length`, `not-a-short-address`, `look-alike`.
    """
    compact = _compact(text).upper()
    if len(compact) != SHORT_ADDRESS_LENGTH:
        raise ValueRefused("wrong-length")
    if not _SHORT_ADDRESS.fullmatch(compact):
        raise ValueRefused("not-a-short-address")
    return compact
