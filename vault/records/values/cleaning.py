"""What is done to every typed value before its type looks at it: invisible marks drop out, digits fold, control characters are refused.

Invariants: any Python string is either cleaned or refused with a code; nothing beyond the limit is read; no refusal carries the input.
"""

import re

from vault.errors import VaultError

LIMIT = 254

# Unicode's White_Space without the information separators, which are control characters and no space anybody types.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

INVISIBLE = "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u2060\u2066\u2067\u2068\u2069\ufeff"

_DROPPED: dict[int, str | None] = dict.fromkeys(map(ord, INVISIBLE))
_FOLDED: dict[int, str | None] = (
    _DROPPED
    | {0x0660 + d: str(d) for d in range(10)}
    | {0x06F0 + d: str(d) for d in range(10)}
    | {0xFF01 + i: chr(0x21 + i) for i in range(0x5E)}
    | {0x3000: " "}
)

# U+202E turns what follows around, so that a reader sees another value than the one stored; a lone surrogate is half a character.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202e\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")
_BLANKS = re.compile(f"[{SPACES}]+")


class ValueRefused(VaultError):
    """The typed value is not one of its type: a stable code, never the value."""

    code = "value-refused"


def text_of(value: object) -> str:
    """The value itself where it is a string; refuses `wrong-type`."""
    if not isinstance(value, str):
        raise ValueRefused("wrong-type")
    return value


def _bounded(text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueRefused("too-long")
    return text


def clean(text: str, limit: int = LIMIT) -> str:
    """The text without invisible marks, its Arabic-Indic, extended Arabic-Indic and full-width forms folded, trimmed.

    Refuses `too-long` beyond `limit` characters as typed, `control-character`, and `empty` where nothing is left.
    """
    folded = _bounded(text, limit)
    if not folded.isascii():
        folded = folded.translate(_FOLDED)
    return _checked(folded.strip(SPACES))


def _checked(text: str, control: re.Pattern[str] = _CONTROL) -> str:
    if not text:
        raise ValueRefused("empty")
    if control.search(text):
        raise ValueRefused("control-character")
    return text


def clean_line(text: str, limit: int = LIMIT) -> str:
    """The text as `clean` leaves it, all space in it, line breaks too, made single spaces. Refusals as `clean`."""
    folded = _BLANKS.sub(" ", _bounded(text, limit).translate(_FOLDED)).strip(" ")
    return _checked(folded)


def clean_prose(text: str, limit: int, *, lines: bool) -> str:
    """The text without invisible marks, trimmed, its digits as typed; line ends become one line feed where `lines` allows any.

    Refusals as `clean`.
    """
    kept = _bounded(text, limit).translate(_DROPPED).strip(SPACES)
    if lines:
        return _checked(_LINE_END.sub("\n", kept), _CONTROL_BUT_LINES)
    return _checked(kept)
