"""The guard on request bodies: what passes is UTF-8 JSON that every parser reads the same way, of the declared type and no other.

Invariants: nothing is parsed before its size and depth are known; what is refused leaves no trace of itself in the error, which names
declared members only. I-JSON (RFC 7493): no duplicate members, no lone surrogates, no integer beyond 2^53 - 1, no float beyond a double;
NUL is refused besides, because databases and files end strings there.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import msgspec

from vault.errors import FieldError, Invalid, Malformed
from vault.web.call import Headers
from vault.web.route import structs_of

MAX_DEPTH = 32
MAX_DIGITS = 4300
MAX_INTEGER = 2**53 - 1
MAX_INDEX_DIGITS = 4

_CONTENT_TYPE = re.compile(rb'\s*application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
_HIGH_HALVES, _LOW_HALVES = range(0xD800, 0xDC00), range(0xDC00, 0xE000)  # surrogates, Unicode 3.8
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_DOUBTFUL = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_AT = re.compile(r" - at `(?:key in )?(\$[^`]*)`\Z")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_NO_SUCH_TEXT = ("Invalid RFC3339", "Invalid UUID", "Invalid base64")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[([0-9]+|\.\.\.)\]")

InWords = Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[\s\S]*\S\s+\S[\s\S]*\Z")]
"""What a person found and why, where it ends what somebody is given and is not undone: two words at least, not a slip of the finger."""


def require_json(headers: Headers) -> None:
    """Check that the body says it is application/json, in UTF-8, uncompressed. Raises Malformed `content-type` (415)."""
    types = [value for key, value in headers if key == b"content-type"]
    codings = [value for key, value in headers if key == b"content-encoding" and value.strip().lower() not in (b"", b"identity")]
    if codings or len(types) != 1 or _CONTENT_TYPE.fullmatch(types[0]) is None:
        raise Malformed("content-type")


def require_sound(raw: bytes) -> None:
    """Check that the bytes are I-JSON within the limits of this module. Raises Malformed, or Invalid `out-of-range` for a number."""
    if _depth(raw) > MAX_DEPTH:
        raise Malformed
    try:
        text = raw.decode()
        if "\\u" in text and _DOUBTFUL.search(text):
            _require_characters(text)
        json.loads(text, object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise Malformed from None


class BodyReader:
    """Reads bodies of one declared type."""

    __slots__ = ("_declared", "_decode")

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        """Prepare the decoder and the member names that an error may repeat."""
        self._decode: Callable[[bytes], msgspec.Struct] = msgspec.json.Decoder(struct, strict=True).decode
        self._declared = frozenset(name for found in structs_of(struct) for name in found.__struct_encode_fields__)

    def read(self, raw: bytes) -> msgspec.Struct:
        """Return the Struct. Raises Malformed (400) for what is no sound JSON and Invalid (422) for what is not of the type."""
        require_sound(raw)
        try:
            return self._decode(raw)
        except msgspec.ValidationError as error:
            raise Invalid([field_error(str(error), self._declared)]) from None
        except msgspec.DecodeError:
            raise Malformed from None


def field_error(message: str, declared: frozenset[str]) -> FieldError:
    """Return where and what of msgspec's message, with every step that is no declared member as "?".

    The message quotes input (an unknown member, a bad enum value), so nothing of it is passed on that `declared` does not hold.
    """
    at = _AT.search(message)
    steps = [_step(found[1], found[2], declared) for found in _STEP.finditer(at[1])] if at else []
    if message.startswith("Object missing"):
        missing = _MISSING.match(message)
        steps.append(_step(missing[1] if missing else "", "", declared))
        return FieldError(".".join(steps), "missing")
    if message.startswith("Object contains unknown"):
        return FieldError(".".join([*steps, "?"]), "unknown-member")
    wrong_type = (message.startswith("Expected") and ", got " in message) or message.startswith(
        ("Invalid RFC3339", "Invalid UUID", "Invalid base64")
    )
    return FieldError(".".join(steps), "wrong-type" if wrong_type else "out-of-range")


def _step(member: str | None, index: str | None, declared: frozenset[str]) -> str:
    if index:
        return index if index.isdigit() and len(index) <= MAX_INDEX_DIGITS else "?"
    return member if member is not None and member in declared else "?"


def _depth(raw: bytes) -> int:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return 0  # cannot be deeper than it has brackets: most bodies are settled here
    depth = deepest = 0
    for mark in _STRING.sub(b"", raw).translate(None, _NO_BRACKET):
        depth += 1 if mark in b"[{" else -1
        if depth > deepest:
            deepest = depth
            if deepest > MAX_DEPTH:
                break
    return deepest


def _require_characters(text: str) -> None:
    """Raise ValueError for an escaped NUL or a surrogate without its other half."""
    awaiting = -1  # where the low half must begin
    for found in _ESCAPE.finditer(text):
        unit = int(found[1], 16) if found[1] else -1
        low = unit in _LOW_HALVES
        if low != (found.start() == awaiting) or (awaiting >= 0 and not low) or unit == 0:
            raise ValueError("characters")
        awaiting = found.end() if unit in _HIGH_HALVES else -1
    if awaiting >= 0:
        raise ValueError("characters")


def _members(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("members")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS or abs(value := int(digits)) > MAX_INTEGER:
        raise Invalid([FieldError("", "out-of-range")])
    return value


def _float(digits: str) -> float:
    if len(digits) > MAX_DIGITS or not math.isfinite(value := float(digits)):
        raise Invalid([FieldError("", "out-of-range")])
    return value


def _constant(_word: str) -> NoReturn:
    raise ValueError("no JSON")
