"""The national address: building, street, district, city, postal code, additional number and unit, each checked as far as it is given."""

from collections.abc import Mapping

from vault.records.values.cleaning import ValueRefused, clean, clean_line, text_of
from vault.records.values.identifiers import postal_code, short_address
from vault.records.values.plain import text

FOUR = 4
LONGEST_LINE = 120
LONGEST_LINES = 500
MEMBERS = ("building", "street", "district", "city", "postal_code", "additional", "unit", "short_address")


def national_address(value: object) -> str | dict[str, str]:
    """The address as lines of text (at most 500 characters), or as a mapping of `MEMBERS` in that order, absent ones left out.

    Building and additional number have four digits; the short address ends in the building's. Refuses `unknown-member`,
    `not-four-digits`, `building-differs`, `empty` and as each member's type does.
    """
    if isinstance(value, str):
        return text(value, LONGEST_LINES, lines=True)
    if not isinstance(value, Mapping):
        raise ValueRefused("wrong-type")
    if not set(value) <= set(MEMBERS):
        raise ValueRefused("unknown-member")
    found = {member: _member(member, text_of(value[member])) for member in MEMBERS if value.get(member) is not None}
    if not found:
        raise ValueRefused("empty")
    if "short_address" in found and found.get("building", found["short_address"][-FOUR:]) != found["short_address"][-FOUR:]:
        raise ValueRefused("building-differs")
    return found


def _member(member: str, typed: str) -> str:
    if member == "postal_code":
        return postal_code(typed)
    if member == "short_address":
        return short_address(typed)
    if member in {"building", "additional"}:
        return _four_digits(clean(typed))
    return clean_line(typed, LONGEST_LINE)


def _four_digits(cleaned: str) -> str:
    if len(cleaned) != FOUR or not (cleaned.isascii() and cleaned.isdigit()):
        raise ValueRefused("not-four-digits")
    return cleaned
