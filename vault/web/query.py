"""The query string, parsed once at the door into what the route declared.

Invariants: an unknown, repeated or empty parameter is refused before any value is judged; a value that does not hold is named by its
declared parameter and a code, never repeated. Only pages that others link to pass over what they do not know.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from vault.errors import FieldError, Invalid, Malformed, NotFound
from vault.web.call import parse_id
from vault.web.route import Kind, Query
from vault.web.times import fold_digits, parse_time

MAX_BYTES = 16 * 1024
MAX_FIELDS = 200
MAX_NAME = 64
MAX_TEXT = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_MANY_DIGITS = re.compile(r"-?[0-9]+")


def parse_query(raw: bytes, declared: Mapping[str, Query], *, linked: bool = False) -> dict[str, Any]:
    """Return a value for every declared parameter; absent ones get their default, else None.

    With `linked` unknown, empty and further parameters and choices there are none of count as absent: services add to the links they show.
    Raises Malformed (`unknown-parameter`, `missing-parameter`, `malformed`) and Invalid with one error for each value that does not hold.
    """
    if not raw and not declared:
        return {}
    given = (_known(raw, declared) if linked else _split(raw, declared)) if raw else {}
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, query in declared.items():
        text = given.get(name)
        if text is None:
            if query.required:
                raise Malformed("missing-parameter")
            values[name] = query.default
            continue
        try:
            values[name] = _PARSERS[query.kind](text, query)
        except _Wrong as wrong:
            errors.append(FieldError(name, wrong.code))
    if errors:
        raise Invalid(errors)
    return values


class _Wrong(Exception):  # a signal inside this file, never seen outside
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _split(raw: bytes, declared: Mapping[str, Query]) -> dict[str, str]:
    if len(raw) > MAX_BYTES:
        raise Malformed
    # Nearly every query needs no decoding: it is looked at once as a whole, and what it says stands there.
    plain = b"%" not in raw and b"+" not in raw
    whole = _text(raw) if plain else raw.decode("latin-1")
    given: dict[str, str] = {}
    for part in whole.split("&"):
        key, _, value = part.partition("=")
        name = key if plain else _decoded(key)
        if name not in declared or name in given or not value:
            raise Malformed("unknown-parameter")
        given[name] = value if plain else _decoded(value)
    return given


def _known(raw: bytes, declared: Mapping[str, Query]) -> dict[str, str]:
    if len(raw) > MAX_BYTES:
        raise Malformed
    given: dict[str, str] = {}
    for part in raw.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name in declared and name not in given and value:
            text = _decoded(value)
            if declared[name].kind != "choice" or text in declared[name].choices:
                given[name] = text
    return given


def _decoded(text: str) -> str:
    return _text(unquote_to_bytes(text.replace("+", " ").encode("latin-1")))


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()  # strict: overlong forms and surrogates are refused
    except UnicodeDecodeError:
        raise Malformed from None
    if _CONTROL.search(text):
        raise Malformed
    return text


def _parse_text(text: str, query: Query) -> str:
    if not (query.low or 1) <= len(text) <= (query.high or MAX_TEXT):
        raise _Wrong("out-of-range")
    return text


def _parse_integer(text: str, query: Query) -> int:
    digits = fold_digits(text)
    if _INTEGER.fullmatch(digits) is None:
        raise _Wrong("out-of-range" if _MANY_DIGITS.fullmatch(digits) else "wrong-type")
    value = int(digits)
    if (query.low is not None and value < query.low) or (query.high is not None and value > query.high):
        raise _Wrong("out-of-range")
    return value


def _parse_id(text: str, _query: Query) -> bytes:
    try:
        return parse_id(text)
    except NotFound:
        raise _Wrong("wrong-type") from None


def _parse_time(text: str, _query: Query) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise _Wrong("wrong-type") from None


def _parse_choice(text: str, query: Query) -> str:
    if text not in query.choices:
        raise _Wrong("out-of-range")
    return text


def _parse_fields(text: str, query: Query) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if len(names) > (query.high or MAX_FIELDS):
        raise _Wrong("out-of-range")
    if len(set(names)) != len(names) or "" in names or len(max(names, key=len)) > MAX_NAME:
        raise _Wrong("wrong-type")
    return names


_PARSERS: Mapping[Kind, Callable[[str, Query], Any]] = {
    "text": _parse_text,
    "integer": _parse_integer,
    "id": _parse_id,
    "time": _parse_time,
    "choice": _parse_choice,
    "fields": _parse_fields,
}
