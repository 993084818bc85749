"""Errors of the rooms as RFC 9457 problem documents, in the caller's language.

Invariants: the only place where an error gets an HTTP number; nothing goes out but codes, declared names and our own sentences; whatever is
not of the family is 500 `internal` and empty inside.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec

from vault.errors import (
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    RangeNotSatisfiable,
    Refused,
    Stale,
    TooMany,
    Unauthenticated,
    Unavailable,
    VaultError,
)

TYPE_PREFIX = "urn:amanah:problem:"
BUSY_RETRY_SECONDS = 2

# By class, from the most special; the code decides first where it is listed below.
_STATUS_OF_CLASS: tuple[tuple[type[VaultError], int], ...] = (
    (Refused, 403),
    (NotFound, 404),
    (Unauthenticated, 401),
    (Conflict, 409),
    (Unavailable, 503),
    (Malformed, 400),
    (Invalid, 422),
    (TooMany, 429),
    (VaultError, 400),
)
_STATUS_OF_CODE: Mapping[str, int] = {
    "too-slow": 408,
    "too-large": 413,
    "content-type": 415,
    "range-not-satisfiable": 416,
    "method-not-allowed": 405,
    "gone": 410,
    "revision-mismatch": 412,
    "revision-required": 428,
    "same-person": 403,
    "step-up-required": 403,
    "not-acknowledged": 403,
    "engagement-ended": 403,
    "not-assigned": 403,
    "excluded": 403,
    "restored-unconfirmed": 403,
    "internal": 500,
}


class Sentence(msgspec.Struct, frozen=True):
    """One text in both languages."""

    ar: str
    en: str

    def in_language(self, language: str) -> str:
        """Return the English text for "en", else the Arabic one."""
        return self.en if language == "en" else self.ar


class Words(msgspec.Struct, frozen=True):
    """What is told of one code."""

    title: Sentence
    say: Sentence


class ProblemEntry(msgspec.Struct, frozen=True):
    """Where in the access log the verdict stands: the leaf hash in hexadecimal."""

    leaf_hash: str


class ProblemField(msgspec.Struct, frozen=True):
    """One member that does not hold."""

    field: str
    code: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document (RFC 9457) with the members of CONTRACT 2."""

    type: str
    title: str
    status: int
    code: str
    request_id: str
    say: str
    article: str | None = None
    law: str | None = None
    fields_covered: tuple[str, ...] | None = None
    missing: tuple[str, ...] | None = None
    entry: ProblemEntry | None = None
    errors: tuple[ProblemField, ...] | None = None


def read_sentences(text: str) -> dict[str, Words]:
    """Return the words of each code from a sentences file. Raises msgspec.ValidationError where one is missing."""
    return msgspec.convert(tomllib.loads(text), dict[str, Words])


SENTENCES = read_sentences(files("vault.web").joinpath("sentences.toml").read_text(encoding="utf-8"))


def status_of(error: VaultError) -> int:
    """Return the HTTP status: 403 for every verdict, else by code, else by class."""
    if not isinstance(error, Refused) and error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next(status for family, status in _STATUS_OF_CLASS if isinstance(error, family))


def problem_of(error: VaultError, request_id: str, language: str) -> Problem:
    """Return the document for an error of the family. A code without sentences of its own gets those of its class."""
    words = SENTENCES.get(error.code) or SENTENCES[_class_code(error)]
    details: dict[str, Any] = {}
    if isinstance(error, Refused):
        details = _verdict(error)
    elif isinstance(error, Stale):
        details = {"entry": ProblemEntry(error.leaf_hash.hex())}
    elif isinstance(error, Invalid):
        details = {"errors": tuple(ProblemField(each.field, each.code) for each in error.errors)}
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=words.title.in_language(language),
        status=status_of(error),
        code=error.code,
        request_id=request_id,
        say=words.say.in_language(language),
        **details,
    )


def internal_problem(request_id: str, language: str) -> Problem:
    """Return the document for what nobody foresaw: a reference number and nothing else."""
    return problem_of(VaultError("internal"), request_id, language)


def problem_headers(error: VaultError) -> dict[str, str]:
    """Return the headers an error adds: Retry-After on 429 and 503, the challenge on 401 (RFC 6750, section 3), the size on 416."""
    if isinstance(error, TooMany):
        return {"Retry-After": str(max(1, error.retry_after))}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(BUSY_RETRY_SECONDS)}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RangeNotSatisfiable):
        return {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{error.size}"}
    return {}


def _class_code(error: VaultError) -> str:
    if isinstance(error, Refused):
        return "not-permitted"
    return next(family.code for family, _ in _STATUS_OF_CLASS if isinstance(error, family))


def _verdict(error: Refused) -> dict[str, Any]:
    return {
        "article": error.article or None,
        "law": error.law or None,
        "fields_covered": error.fields_covered if error.fields_covered or error.code == "fields-not-covered" else None,
        "missing": error.missing or None,
        "entry": ProblemEntry(error.leaf_hash.hex()) if error.leaf_hash else None,
    }
