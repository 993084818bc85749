"""Grades who sent a message: by its DKIM signatures, their alignment with the author, and the DMARC record of her domain (ADR 0072).

Invariants: a grade says how well the sender is known and never whether there is a report; what DNS did not answer is no forgery; the
library says whether a signature holds, and everything that makes one count is judged here.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import dkim
from authres import AuthenticationResultsHeader, AuthResError
from dkim.util import InvalidTagValueList, parse_tag_value
from publicsuffixlist import PublicSuffixList

from vault.breach_reports.mail.letter import Letter, lines
from vault.breach_reports.mail.lookups import Lookups, Resolver, Unanswered
from vault.breach_reports.mail.words import ascii_domain, header_text
from vault.breach_reports.shapes import Grade

MOST_SIGNATURES: Final = 5
LEAST_KEY: Final = 1024
GOOD_KEY: Final = 2048
MOST_RESULTS: Final = 8_192
MOST_LINES: Final = 1_000_000
_SINGLE: Final = ("from", "subject", "date")
_SELECTOR: Final = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?")
_suffixes = PublicSuffixList()
_silent = logging.getLogger("vault.breach_reports.mail.dkim")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False  # the library would write what is in the message to the log


@dataclass(frozen=True, slots=True)
class Graded:
    """How well the sender is known, why, and every look-up that was made for it."""

    grade: Grade
    reasons: tuple[str, ...]
    lookups: Lookups


@dataclass(slots=True)
class _Signature:
    """One signature: its domain, whether it holds (None: DNS did not answer), and what keeps one that holds from counting."""

    domain: str
    holds: bool | None = False
    missing: bool = False
    against: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Dmarc:
    """What the author's domain asks for: whether it publishes a record, and strict alignment."""

    published: bool
    strict: bool = False


def grade(letter: Letter, resolver: Resolver, provider: str = "", *, last: bool = False) -> Graded:
    """Grade a message. `provider` is the server that the mailbox's own Authentication-Results name; after the `last` try none follows."""
    lookups = Lookups(resolver)
    if not letter.author:
        return Graded("failed", ("from",), lookups)
    if "head-too-large" in letter.marks or lines(letter.raw) > MOST_LINES:
        return Graded("unverified", ("too-large",), lookups)
    found = [_checked(letter, number, lookups) for number in range(min(letter.count("dkim-signature"), MOST_SIGNATURES))]
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

    signatures: list[_Signature]
    near: list[_Signature]
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
        return any(each.holds is False and not each.missing for each in told) and not any(each.holds for each in told)


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


def _reasons(found: list[_Signature], near: list[_Signature], dmarc: _Dmarc | None, *, silent: bool) -> tuple[str, ...]:
    told: list[str] = []
    if silent:
        told.append("dns")
    if not found:
        told.append("no-signature")
    elif not near:
        told.append("not-aligned")
    for each in near or found:
        if each.missing:
            told.append("no-key")
        elif each.holds is False:
            told.append("signature")
        told.extend(each.against)
    if dmarc is not None and not dmarc.published:
        told.append("no-dmarc")
    return tuple(dict.fromkeys(told))


def _checked(letter: Letter, number: int, lookups: Lookups) -> _Signature:
    """Check one signature, the topmost first."""
    try:
        tags = parse_tag_value(letter.values("dkim-signature")[number])
    except InvalidTagValueList:
        return _Signature("")
    made = _Signature(ascii_domain(header_text(tags.get(b"d", b""), encoded=False)))
    if not made.domain or _SELECTOR.fullmatch(tags.get(b"s", b"")) is None:
        return made
    made.against = _against(letter, tags)
    name = f"{tags[b's'].decode('ascii')}._domainkey.{made.domain}"
    try:
        records = lookups.txt(name)
    except Unanswered:
        made.holds = None
        return made
    made.missing = not records
    if made.missing:
        return made
    made.against += _against_key(records[0], tags)
    try:
        checker = dkim.DKIM(letter.raw, logger=_silent, minkey=0)
        made.holds = bool(checker.verify(number, dnsfunc=_knows(records[0])))
        size = getattr(checker, "keysize", 0) or 0
    except Exception:  # noqa: BLE001 - the library fails by many names on what is no signature, and every message becomes a report
        made.holds, size = False, 0
    if made.holds and size < LEAST_KEY:
        made.against.append("short-key")
    elif made.holds and size < GOOD_KEY:
        made.notes.append("key-under-2048")
    return made


def _knows(record: str) -> Callable[..., bytes]:
    def told(_name: object, **_how: object) -> bytes:
        return record.encode("ascii", "replace")

    return told


def _against(letter: Letter, tags: dict[bytes, bytes]) -> list[str]:
    """What keeps a signature from counting, by its own tags and the header it covers."""
    told: list[str] = []
    signed = {each.strip().lower() for each in tags.get(b"h", b"").decode("ascii", "replace").split(":")}
    if b"l" in tags:
        told.append("part-of-body")  # whatever is added behind it is signed by nobody
    if tags.get(b"a", b"").strip() != b"rsa-sha256":
        told.append("algorithm")
    if any(letter.count(name) > 1 for name in _SINGLE):
        told.append("header-twice")
    if not {"from", "date"} <= signed or ("subject" not in signed and letter.count("subject")):
        told.append("header-unsigned")
    return told


def _against_key(record: str, tags: dict[bytes, bytes]) -> list[str]:
    try:
        key = parse_tag_value(record.encode("ascii", "replace"))
    except InvalidTagValueList:
        return ["key"]
    flags = {each.strip() for each in key.get(b"t", b"").lower().split(b":")}
    told = ["key-in-test"] if b"y" in flags else []
    identity = tags.get(b"i", b"").rpartition(b"@")[2].strip().lower()
    if b"s" in flags and identity and identity != tags[b"d"].strip().lower():
        told.append("not-aligned")
    return told


def _dmarc(domain: str, lookups: Lookups) -> _Dmarc:
    """The DMARC record of a domain, else of the one its owner registered (RFC 7489, 6.6.3). Raises Unanswered."""
    for name in dict.fromkeys((domain, _organisation(domain))):
        found = [each for each in lookups.txt(f"_dmarc.{name}") if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", each)]
        if len(found) == 1:
            tags = dict(part.strip().split("=", 1) for part in found[0].split(";") if "=" in part)
            return _Dmarc(published=True, strict={key.strip(): value.strip() for key, value in tags.items()}.get("adkim") == "s")
        if found:
            return _Dmarc(published=False)  # two are none
    return _Dmarc(published=False)


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
