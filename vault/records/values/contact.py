"""Ways to reach a person: a Saudi mobile number in E.164 and an e-mail address in lower case, checked without asking the network."""

import re

import email_validator
import phonenumbers

from vault.records.values.cleaning import ValueRefused, clean

_DIALLED = re.compile("\\+?[0-9 \u00a0\u2000-\u200a\u202f\u205f\u2010\u2011().-]+")
_ARABIC = "\u0600-\u06ff\u0750-\u077f\u0870-\u089f\u08a0-\u08ff"
_ASCII_OR_ARABIC = re.compile(f"[\x21-\x7e{_ARABIC}]+")
_TO_ASCII = {0x2010: "-", 0x2011: "-", 0xA0: " ", 0x202F: " ", 0x205F: " "} | dict.fromkeys(range(0x2000, 0x200B), " ")

SAUDI = 966
LOCAL_OCTETS = 64


def mobile(text: str) -> str:
    """The mobile number as E.164 (`+9665…`), read as dialled in Saudi Arabia.

    Refuses `not-saudi` for a valid number of another country, `not-a-mobile`, `unexpected-character`.
    """
    cleaned = clean(text)
    if not _DIALLED.fullmatch(cleaned):
        raise ValueRefused("unexpected-character")
    try:
        number = phonenumbers.parse(cleaned.translate(_TO_ASCII), "SA")
    except phonenumbers.NumberParseException:
        raise ValueRefused("not-a-mobile") from None
    if number.country_code != SAUDI:
        raise ValueRefused("not-saudi" if phonenumbers.is_valid_number(number) else "not-a-mobile")
    # The type is unknown where the number is not valid, so this one question asks for both.
    if phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.MOBILE:
        raise ValueRefused("not-a-mobile")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(text: str) -> str:
    """The address in its normal form, lower case; its local part has at most 64 octets.

    Refuses `look-alike` for letters neither ASCII nor Arabic, in the address or in what its domain stands for, and `not-an-email`.
    """
    cleaned = _ascii_or_arabic(clean(text))
    try:
        found = email_validator.validate_email(cleaned, check_deliverability=False)
    except (email_validator.EmailNotValidError, UnicodeError):
        raise ValueRefused("not-an-email") from None
    if len(found.local_part.encode()) > LOCAL_OCTETS:
        raise ValueRefused("too-long")
    return _ascii_or_arabic(found.normalized.lower())


def _ascii_or_arabic(text: str) -> str:
    if not _ASCII_OR_ARABIC.fullmatch(text):
        raise ValueRefused("look-alike" if any(ch.isalpha() and not ch.isascii() for ch in text) else "not-an-email")
    return text
