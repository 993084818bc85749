"""Grades who sent a message: by its DKIM signatures, their alignment with the author, and the DMARC record of her domain (ADR 0072).

Invariants: a grade says how well the sender is known and never whether there is a report; what DNS did not answer is no forgery; the
signatures themselves are judged in `signatures`, whose alignment and whose domain's record is judged here.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from authres import AuthenticationResultsHeader, AuthResError
from publicsuffixlist import PublicSuffixList

from vault.breach_reports.mail.letter import Letter
from vault.breach_reports.mail.lookups import Lookups, Resolver, Unanswered
from vault.breach_reports.mail.signatures import Signature, checked, unfit
from vault.breach_reports.mail.words import ascii_domain, header_text
from vault.breach_reports.shapes import Grade

MOST_RESULTS: Final = 8_192
_POLICIES: Final = frozenset({"none", "quarantine", "reject"})
_REPORTS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,;!]+(?:![0-9]+[kmgt]?)?")
_suffixes = PublicSuffixList()


@dataclass(frozen=True, slots=True)
class Graded:
    """How well the sender is known, why, and every look-up that was made for it."""

    grade: Grade
    reasons: tuple[str, ...]
    lookups: Lookups


@dataclass(frozen=True, slots=True)
class _Dmarc:
    """What the author's domain asks for: whether it publishes a record, and strict alignment."""

    published: bool
    strict: bool = False


def grade(letter: Letter, resolver: Resolver, provider: str = "", *, arrived_at: int | None = None, last: bool = False) -> Graded:
    """Grade a message. `provider` is the server that the mailbox's own Authentication-Results name; after the `last` try none follows.

    `arrived_at`, in microseconds UTC, is when signatures must not have expired; None where nobody knows.
    """
    lookups = Lookups(resolver)
    if not letter.author:
        return Graded("failed", ("from",), lookups)
    if (reason := unfit(letter)) is not None:
        is_asserted = reason.is_ours and provider and _asserted(letter, provider)
        return Graded("provider_asserted" if is_asserted else "unverified", (reason.code,), lookups)
    found = checked(letter, lookups, arrived_at)
    try:
        # Where nothing is signed nothing rests on it, and nobody is told that this domain wrote to the association.
        dmarc: _Dmarc | None = _dmarc(letter.domain, lookups) if any(each.domain for each in found) else _Dmarc(published=True)
    except Unanswered:
        dmarc = None
    near = [each for each in found if _aligned(each.domain, letter.domain, strict=dmarc is not None and dmarc.strict)]
    counts = [each for each in near if each.holds and not each.against]
    if counts and dmarc is not None and dmarc.published:
        return Graded("verified", tuple(dict.fromkeys(counts[0].notes)), lookups)
    return _lesser(letter, _Found(found, near, dmarc, lookups), provider, last=last)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of a message that is not verified: its signatures, those aligned with the author, the DMARC record (None: unknown)."""

    signatures: list[Signature]
    near: list[Signature]
    dmarc: _Dmarc | None
    lookups: Lookups

    @property
    def is_silent(self) -> bool:
        """Whether an answer that DNS did not give could have made it verified."""
        counts = any(each.holds and not each.against for each in self.near)
        return any(each.holds is None for each in self.near) or (counts and self.dmarc is None)

    @property
    def is_forged(self) -> bool:
        """Whether a signature that should hold does not, and none holds instead."""
        told = self.near or self.signatures
        return any(each.holds is False and not each.void for each in told) and not any(each.holds for each in told)


def _lesser(letter: Letter, found: _Found, provider: str, *, last: bool) -> Graded:
    told = _reasons(found.signatures, found.near, found.dmarc, silent=found.is_silent)
    if found.is_silent and not last:
        grade_: Grade = "temp_error"
    elif provider and _asserted(letter, provider):
        grade_ = "provider_asserted"
    elif found.is_silent:
        grade_ = "temp_error"
    else:
        grade_ = "failed" if found.is_forged else "unverified"
    return Graded(grade_, told, found.lookups)


def _reasons(found: list[Signature], near: list[Signature], dmarc: _Dmarc | None, *, silent: bool) -> tuple[str, ...]:
    told: list[str] = []
    if silent:
        told.append("dns")
    if not found:
        told.append("no-signature")
    elif not near:
        told.append("not-aligned")
    for each in near or found:
        if each.void:
            told.append(each.void)
        elif each.holds is False:
            told.append("signature")
        told.extend(each.against)
    if dmarc is not None and not dmarc.published:
        told.append("no-dmarc")
    return tuple(dict.fromkeys(told))


def _dmarc(domain: str, lookups: Lookups) -> _Dmarc:
    """The DMARC record of a domain, else of the one its owner registered (RFC 7489, 6.6.3). Raises Unanswered."""
    for name in dict.fromkeys((domain, _organisation(domain))):
        found = [each for each in lookups.txt(f"_dmarc.{name}") if re.match(r"[Vv]\s*=\s*DMARC1\s*(?:;|$)", each)]
        if len(found) == 1:
            return _policy(found[0])
        if found:
            return _Dmarc(published=False)  # two are none
    return _Dmarc(published=False)


def _policy(record: str) -> _Dmarc:
    """What a record asks for; one whose policy (`p`, or `sp` where it is there) is none counts only where it asks for reports."""
    pairs = (part.split("=", 1) for part in record.split(";") if "=" in part)
    tags = {key.strip().lower(): value.strip() for key, value in pairs}
    is_valid = "p" in tags and all(tags[name].lower() in _POLICIES for name in ("p", "sp") if name in tags)
    reports = any(_REPORTS.fullmatch(each.strip()) for each in tags.get("rua", "").split(","))
    return _Dmarc(published=is_valid or reports, strict=tags.get("adkim", "").lower() == "s")


def _organisation(domain: str) -> str:
    return str(_suffixes.privatesuffix(domain) or domain)


def _aligned(signer: str, author: str, *, strict: bool) -> bool:
    return bool(signer) and (signer == author or (not strict and _organisation(signer) == _organisation(author)))


def _asserted(letter: Letter, provider: str) -> bool:
    """Whether the mailbox's own server says, in the topmost of such fields, that the author's domain is proven."""
    values = letter.values("authentication-results")
    if not values or len(values[0]) > MOST_RESULTS:
        return False
    try:
        told = AuthenticationResultsHeader.parse_value(header_text(values[0], encoded=False))
    except (AuthResError, ValueError, IndexError, RecursionError):
        return False
    if str(told.authserv_id or "").lower() != provider.lower():
        return False
    return any(each.method == "dmarc" and each.result == "pass" and _names(each, letter.domain) for each in told.results)


def _names(result: object, domain: str) -> bool:
    """Whether a result is about this author's domain."""
    about: list[Literal[True]] = []
    for each in getattr(result, "properties", ()):
        if each.type == "header" and each.name.lower() == "from":
            about.extend([True] if ascii_domain(str(each.value).rpartition("@")[2]) == domain else [])
    return bool(about)
