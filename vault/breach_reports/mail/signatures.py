"""The DKIM signatures of a message: whether each holds, and what keeps one that holds from counting (ADR 0072).

Invariants: the library says whether a signature holds, and everything that makes one count is judged here; it is given nothing that takes
it more than its length in time or memory (ADR 0099), and what is not given to it is said; a signature counts only if what is read of the
message is what it was checked over.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from vault.breach_reports.mail.letter import Letter, lines
from vault.breach_reports.mail.lookups import LONGEST_NAME, Lookups, Unanswered
from vault.breach_reports.mail.parts import SHAPES, is_settled
from vault.breach_reports.mail.words import ascii_domain, header_text

MOST_SIGNATURES: Final = 5
LEAST_KEY: Final = 1024
GOOD_KEY: Final = 2048
MOST_LINES: Final = 1_000_000
MOST_BLANKS: Final = 1_000_000
"""Blanks in a body: the library makes two objects of each gap between words, some ninety bytes."""
MOST_SIGNATURE: Final = 8_192
LONGEST_FOLD: Final = 100
"""Bytes of a signature's field, and of white space in a row in it, of which the library takes the square or more in time."""
LATEST: Final = 36_000 - 60
"""Seconds after a signature expired from which the library does not look at it any more, less a minute between our clock and its."""
_SINGLE: Final = ("from", "subject", "date", "mime-version", *SHAPES)
_SELECTOR: Final = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?")
_FOLD: Final = re.compile(rb"(?<!\s)\s{%d}" % LONGEST_FOLD)
_GAP: Final = re.compile(rb"[\t ]++")
_TIME: Final = re.compile(rb"[0-9]{1,12}")
_silent = logging.getLogger("vault.breach_reports.mail.dkim")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False  # the library would write what is in the message to the log


@dataclass(slots=True)
class Signature:
    """One signature: its domain, whether it holds (None: DNS did not answer), and what keeps one that holds from counting.

    `void` says why nothing follows from it, "" where it could be checked.
    """

    domain: str = ""
    holds: bool | None = False
    void: str = ""
    against: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Unfit(NamedTuple):
    """Why no signature of a message is checked; `is_ours` where a limit of ours is all that is against it."""

    code: str
    is_ours: bool = False


def unfit(letter: Letter) -> Unfit | None:
    """Return why no signature of a message is checked, None where they are."""
    if "head-too-large" in letter.marks:
        return Unfit("too-large")
    if not letter.is_sound:
        return Unfit("head")
    if not letter.count("dkim-signature"):
        return None
    if letter.is_cut:
        return Unfit("cut", is_ours=True)
    blanks = letter.raw.count(b" ", letter.body_at) + letter.raw.count(b"\t", letter.body_at)
    return Unfit("too-large", is_ours=True) if lines(letter.raw) > MOST_LINES or blanks > MOST_BLANKS else None


def checked(letter: Letter, lookups: Lookups, arrived_at: int | None = None) -> list[Signature]:
    """Check the signatures of a message that is not unfit, the topmost first, until one of the author's very domain counts."""
    found: list[Signature] = []
    if not letter.count("dkim-signature"):
        return found
    checker = dkim.DKIM(letter.raw, logger=_silent, minkey=0)
    given = _Given(checker, checker.body, relaxed(checker.body), arrived_at)
    fields = [value for name, value in checker.headers if name.lower() == b"dkim-signature"]
    for number, value in enumerate(fields[:MOST_SIGNATURES]):
        found.append(_checked(letter, given, number, value, lookups))
        if found[-1].holds and not found[-1].against and found[-1].domain == letter.domain:
            break
    return found


def relaxed(body: bytes) -> bytes:
    """A body with no more blanks than its relaxed form has (RFC 6376, 3.4.4): the library makes the same of it, in linear time."""
    return _GAP.sub(b" ", body).replace(b" \r\n", b"\r\n")


class _Given(NamedTuple):
    """A message as the library has it, its body as it came and with few blanks, and when it arrived."""

    checker: dkim.DKIM
    simple: bytes
    relaxed: bytes
    arrived_at: int | None


def _checked(letter: Letter, given: _Given, number: int, value: bytes, lookups: Lookups) -> Signature:
    if len(value) > MOST_SIGNATURE or _FOLD.search(value) is not None:
        return Signature(void="signature-too-long")
    try:
        tags = parse_tag_value(value)
    except InvalidTagValueList:
        return Signature()
    made = Signature(ascii_domain(header_text(tags.get(b"d", b"")[: LONGEST_NAME + 1], encoded=False)))
    if not made.domain or _SELECTOR.fullmatch(tags.get(b"s", b"")) is None:
        return made
    made.against = _against(letter, tags)
    try:
        records = lookups.txt(f"{tags[b's'].decode('ascii')}._domainkey.{made.domain}")
    except Unanswered:
        made.holds = None
        return made
    made.void = "expired" if _is_expired(tags, given.arrived_at) else "" if records else "no-key"
    if not made.void:
        made.against += _against_key(records[0], tags)
        given.checker.body = given.relaxed if tags.get(b"c", b"").endswith(b"/relaxed") else given.simple
        _ask(given.checker, number, made, records[0])
    return made


def _ask(checker: dkim.DKIM, number: int, made: Signature, record: str) -> None:
    """Ask the library whether a signature holds, by a key that was looked up."""
    try:
        made.holds = bool(checker.verify(number, dnsfunc=_knows(record)))
        size = getattr(checker, "keysize", 0) or 0
    except Exception:  # noqa: BLE001 - the library fails by many names on what is no signature, and every message becomes a report
        made.holds, size = False, 0
    if made.holds and size < LEAST_KEY:
        made.against.append("short-key")
    elif made.holds and size < GOOD_KEY:
        made.notes.append("key-under-2048")


def _knows(record: str) -> Callable[..., bytes]:
    def told(_name: object, **_how: object) -> bytes:
        return record.encode("ascii", "replace")

    return told


def _is_expired(tags: dict[bytes, bytes], arrived_at: int | None) -> bool:
    """Whether a signature had expired when its message arrived (RFC 6376, 3.5), or so long ago that the library calls it none."""
    until = tags.get(b"x", b"")
    if _TIME.fullmatch(until) is None:
        return False
    return int(until) < time.time() - LATEST or (arrived_at is not None and int(until) * 1_000_000 < arrived_at)


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
    if not is_settled(letter.fields, letter.body, signed):
        told.append("content-unsigned")
    return told


def _against_key(record: str, tags: dict[bytes, bytes]) -> list[str]:
    try:
        key = parse_tag_value(record.encode("ascii", "replace"))
    except InvalidTagValueList:
        return ["key"]
    flags = {each.strip() for each in key.get(b"t", b"").lower().split(b":")}
    told = ["key-in-test"] if b"y" in flags else []
    hashes = {each.strip() for each in key.get(b"h", b"sha256").lower().split(b":")}
    if b"sha256" not in hashes:
        told.append("algorithm")
    identity = tags.get(b"i", b"").rpartition(b"@")[2].strip().lower()
    if b"s" in flags and identity and identity != tags[b"d"].strip().lower():
        told.append("not-aligned")
    return told
