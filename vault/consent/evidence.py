"""What makes a consent written or electronic: the parts of its evidence, and which of them are missing.

Invariants: what is merely missing is recorded and makes the consent never enough; what contradicts the notice or cannot be true is refused
at the door; a click is never writing (002 6.2), a pre-ticked control never consent (implementing regulation 11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from vault.errors import FieldError, Invalid, NotFound
from vault.web.call import parse_id
from vault.web.times import parse_time, write_time

T = TypeVar("T")
FUTURE_TOLERANCE = 5 * 60 * 1_000_000
MOST_BYTES = 8192
"""Evidence is a note about a paper or an act, not a file."""
AFFIRMATIVE = frozenset({"checkbox", "button", "reply_code"})


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A form signed by hand: where the original lies, who checked whose identity, who took it down."""

    scan: str | None = None
    original_kept_at: str | None = None
    template: str | None = None
    signature: Literal["signature", "thumbprint"] | None = None
    witness: str | None = None
    identity_check: str | None = None
    signed_at: str | None = None
    place: str | None = None
    captured_by: str | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it was known who answered."""

    method: Literal["one_time_code", "session"]
    verified_at: str


class Electronic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An affirmative act after the notice was shown, and how it was known whose act it was."""

    act: str | None = None
    text_sha256: str | None = None
    served_at: str | None = None
    answered_at: str | None = None
    proof: Proof | None = None
    asserted_by: Literal["client"] | None = None


WRITTEN = ("original_kept_at", "template", "signature", "identity_check", "signed_at", "place", "captured_by")
ELECTRONIC = ("act", "text_sha256", "served_at", "answered_at", "proof", "asserted_by")


@dataclass(frozen=True, slots=True)
class Weighed:
    """Evidence as it counts: what is missing, who took it down, when it was signed (microseconds; none or one), its plain form to keep.

    `confirmed` where the answer itself proved that the number or mailbox is hers; `scan` the id of a scan it names.
    """

    missing: tuple[str, ...]
    captured_by: str | None
    signed_at: tuple[int, ...]
    detail: Mapping[str, Any]
    confirmed: bool = False
    scan: bytes | None = None


def weigh(form: str, given: Mapping[str, Any], *, notice_sha256: str, now: int) -> Weighed:
    """Weigh the evidence of one consent. Raises Invalid `evidence-malformed`, `not-affirmative`, `notice-hash-mismatch`, `future-dated`."""
    if len(msgspec.json.encode(given)) > MOST_BYTES:
        raise _malformed("evidence")
    if form == "written":
        return _written(_read(given, Written), now)
    if form == "electronic":
        return _electronic(_read(given, Electronic), notice_sha256, now)
    return Weighed((), None, (), _read(given, dict[str, str]))


def answered(act: str, *, text_sha256: str, served_at: int, answered_at: int) -> Weighed:
    """The evidence of an answer to the vault's own challenge: nothing of it is by somebody's word but which act it was."""
    at = write_time(answered_at)
    detail = {
        "act": act,
        "text_sha256": text_sha256,
        "served_at": write_time(served_at),
        "answered_at": at,
        "proof": {"method": "one_time_code", "verified_at": at},
        "asserted_by": "vault",
    }
    return Weighed((), None, (answered_at,), detail, confirmed=True)


def moment(text: str, place: str, now: int) -> int:
    """A time of the body in microseconds. Raises Invalid where it is none, or `future-dated` beyond five minutes from now."""
    try:
        at = parse_time(text)
    except ValueError as error:
        raise Invalid([FieldError(place, "wrong-type")]) from error
    if at > now + FUTURE_TOLERANCE:
        raise Invalid([FieldError(place, "future-dated")], "future-dated")
    return at


def _read(given: Mapping[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        raise _malformed("evidence") from error


def _malformed(member: str) -> Invalid:
    return Invalid([FieldError(member, "evidence-malformed")], "evidence-malformed")


def _written(evidence: Written, now: int) -> Weighed:
    missing = [name for name in WRITTEN if not getattr(evidence, name)]
    if evidence.signature == "thumbprint" and not evidence.witness:
        missing.append("witness")
    signed_at = _times(now, signed_at=evidence.signed_at)
    return Weighed(tuple(missing), evidence.captured_by, signed_at, _plain(evidence), scan=_scan(evidence.scan))


def _scan(text: str | None) -> bytes | None:
    try:
        return None if text is None else parse_id(text)
    except NotFound as error:
        raise Invalid([FieldError("evidence.scan", "unknown-evidence")], "evidence-malformed") from error


def _electronic(evidence: Electronic, notice_sha256: str, now: int) -> Weighed:
    if evidence.act is not None and evidence.act not in AFFIRMATIVE:
        raise Invalid([FieldError("evidence.act", "not-affirmative")], "not-affirmative")
    if evidence.text_sha256 is not None and evidence.text_sha256.lower() != notice_sha256:
        raise Invalid([FieldError("evidence.text_sha256", "notice-hash-mismatch")], "notice-hash-mismatch")
    missing = [name for name in ELECTRONIC if not getattr(evidence, name)]
    served, answered = _times(now, served_at=evidence.served_at), _times(now, answered_at=evidence.answered_at)
    if evidence.proof is not None:
        moment(evidence.proof.verified_at, "evidence.proof.verified_at", now)
    if answered < served[: len(answered)]:
        raise _malformed("evidence.answered_at")
    confirmed = evidence.proof is not None and evidence.proof.method == "one_time_code"
    return Weighed(tuple(missing), None, answered, _plain(evidence), confirmed)


def _times(now: int, **given: str | None) -> tuple[int, ...]:
    return tuple(moment(text, f"evidence.{name}", now) for name, text in given.items() if text)


def _plain(evidence: Written | Electronic) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(evidence).items() if value is not None}
