"""The kinds of field a record type may declare: what is stored of a typed value, and what it is found by.

Invariant: for any value the answer is a stored value or `ValueRefused`; a stored value given again is stored the same.
"""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from vault.records.values.addresses import national_address
from vault.records.values.cleaning import ValueRefused, clean_line, text_of
from vault.records.values.contact import email, mobile
from vault.records.values.dates import TABLE, date
from vault.records.values.files import attachment
from vault.records.values.identifiers import iban, national_id, postal_code, short_address, unified_number
from vault.records.values.names import name
from vault.records.values.plain import choice, integer, text

Stored = str | int | dict[str, str] | dict[str, str | int]

SHORT_TEXT, LONG_TEXT = 254, 10_000
LOWEST_INTEGER, HIGHEST_INTEGER = 0, 10**12


@dataclass(frozen=True, slots=True)
class Options:
    """What a record type says of one field: choices, a number's bounds, the longest text in characters (None: the kind's own)."""

    choices: tuple[str, ...] = ()
    low: int = LOWEST_INTEGER
    high: int = HIGHEST_INTEGER
    limit: int | None = None


_NONE = Options()


def _stored_date(value: object, _: Options) -> Stored:
    typed = value.get("text") if isinstance(value, Mapping) else value
    found = date(text_of(typed))
    stored = {"text": clean_line(text_of(typed)), "calendar": found.calendar, "precision": found.precision, "normal": found.normal}
    if found.hijri:
        stored["hijri"] = found.hijri
    return stored | {"from": found.first.isoformat(), "to": found.last.isoformat(), "table": TABLE}


def _typed(read: Callable[[str], str]) -> Callable[[object, Options], Stored]:
    return lambda value, _: read(text_of(value))


_STORED: dict[str, Callable[[object, Options], Stored]] = {
    "national_id": _typed(national_id),
    "iban": _typed(iban),
    "mobile": _typed(mobile),
    "unified_number": _typed(unified_number),
    "postal_code": _typed(postal_code),
    "short_address": _typed(short_address),
    "email": _typed(email),
    "name": lambda value, _: name(text_of(value)).display,
    "national_address": lambda value, _: national_address(value),
    "date": _stored_date,
    "text": lambda value, options: text(text_of(value), options.limit or SHORT_TEXT),
    "long_text": lambda value, options: text(text_of(value), options.limit or LONG_TEXT, lines=True),
    "integer": lambda value, options: integer(value, options.low, options.high),
    "choice": lambda value, options: choice(text_of(value), options.choices),
    "attachment": lambda value, _: attachment(value),
}

KINDS = frozenset(_STORED)


def normalise(kind: str, value: object, options: Options | Collection[str] | None = None) -> Stored:
    """What is stored of a typed value of one of `KINDS`; a plain collection of options means the choices.

    A name is stored as typed with single spaces; a date as a mapping of `text`, `calendar`, `precision`, `normal`, `hijri` where the day is
    known, `from`, `to` and `table`; the rest in its normal form. Refuses as the kind does, and `unknown-kind`.
    """
    if kind not in _STORED:
        raise ValueRefused("unknown-kind")
    given = options if isinstance(options, Options) else Options(choices=tuple(options)) if options else _NONE
    return _STORED[kind](value, given)


def search_key(kind: str, value: object, options: Options | Collection[str] | None = None) -> str:
    """The one string under which a value of this kind is indexed and sought, whichever way it was typed. Refuses as `normalise`.

    The strict key of a name, the Gregorian days of a date (`2023-05-10/2023-05-10`), text in one case with digits and space folded.
    """
    return stored_key(kind, normalise(kind, value, options))


def stored_key(kind: str, stored: Stored) -> str:
    """The `search_key` of a value as it is stored, which is not checked again."""
    if kind == "name":
        return name(str(stored)).strict
    if kind == "date" and isinstance(stored, dict):
        return f"{stored['from']}/{stored['to']}"
    if isinstance(stored, dict):
        return "\n".join(f"{member}={_one_case(str(typed))}" for member, typed in stored.items())
    if kind in {"text", "long_text", "national_address"}:
        return _one_case(str(stored))
    return str(stored)


def _one_case(stored: str) -> str:
    return unicodedata.normalize("NFC", clean_line(stored, LONG_TEXT)).casefold()
