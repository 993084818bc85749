"""Challenges: the vault says which words are to be shown and which code comes back, and takes the consent when it does.

Invariants: what is agreed to is what was asked, word for word, and not what the answer says; a code counts once, for a quarter of an hour
and five tries; a wrong try is an entry and stays counted; of the code nothing is kept but a keyed hash. The code is told to no key of a
public form: whoever took that from where strangers come by could answer for the person.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About, WrittenFact
from vault.consent import service
from vault.consent.evidence import AFFIRMATIVE, Weighed, answered
from vault.consent.service import Recorded
from vault.consent.within import Consent, Matter, checked
from vault.errors import FieldError, Invalid, NotFound, TooMany
from vault.policy.facts import key
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.facts import Kind
from vault.storage.idempotency import Once
from vault.subjects import people
from vault.web.times import fold_digits

DIGITS: Final = 6
TRIES: Final = 5
LIFE: Final = 15 * 60 * 1_000_000
HOUR: Final = 3600 * 1_000_000
MOST_AN_HOUR: Final = 10
"""Challenges for one record in an hour: with the tries of each, fifty guesses at a million codes."""
FORM: Final = "applications:write"
"""The scope of a public form's key."""
ISSUED: Final = "consent.challenged"
ANSWERED: Final = "consent.challenge-answered"


class Pending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One challenge: what was asked, in whose name, the keyed hash of its code (hexadecimal), when it was issued, tries left."""

    id: str
    code: str
    purpose: str
    recipient: str
    fields: tuple[str, ...]
    explicit: bool
    notice: str
    notice_version: int
    language: str
    sha256: str
    given_by: str
    issued_at: int
    tries: int = TRIES
    expires_at: int | None = None


class ChallengesFact(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The challenges of one record that can still be answered, and when those of the last hour were issued."""

    pending: tuple[Pending, ...] = ()
    issued: tuple[int, ...] = ()


CHALLENGES: Kind[ChallengesFact] = Kind("consent-challenges", ChallengesFact, in_book=False)
Draw = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Issued:
    """A challenge as it leaves: its id, the code for the person, the words to show her, and when it ends (microseconds UTC)."""

    id: bytes
    code: str
    text: str
    ends_at: int


def drawn() -> str:
    """A fresh code: six digits, each as likely as any other."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def issue(deed: Deed, errand: Errand, record: bytes, consent: Consent, draw: Draw = drawn) -> Issued:
    """Ask somebody for an electronic consent: the code is told here and never again.

    Raises as `service.grant` does for what may not be asked, the refusal `out-of-scope` for the key of a public form; TooMany where this
    record was asked for too often.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    people.unlocked(known)
    matter = Matter(errand, errand.book(deed), known, record)
    purpose, notice = checked(deed, matter, consent)
    if FORM in errand.asker.scopes:
        told = errand.entry(kind="consent.refused", outcome="refuse", purpose=purpose.code, article=f"{matter.book.association.pack}:1")
        raise matter.refusal(told, "OUT_OF_SCOPE")
    stands = _stands(deed, record)
    if len(stands.issued) >= MOST_AN_HOUR:
        raise TooMany(max(1, (stands.issued[0] + HOUR - deed.now) // 1_000_000 + 1))
    id_, code = os.urandom(16), draw()
    asked = Pending(
        id=id_.hex(),
        code=_hashed(deed, id_, code),
        purpose=consent.purpose,
        recipient=consent.recipient,
        fields=tuple(sorted(consent.fields)),
        explicit=consent.explicit,
        notice=consent.notice,
        notice_version=consent.notice_version,
        language=consent.language,
        sha256=notice.sha256[consent.language],
        given_by=consent.given_by,
        expires_at=consent.expires_at,
        issued_at=deed.now,
    )
    written = _write(deed, record, ChallengesFact((*stands.pending, asked), (*stands.issued, deed.now)))
    told = errand.entry(
        kind=ISSUED,
        outcome="allow",
        purpose=asked.purpose,
        recipient=asked.recipient,
        fields=asked.fields,
        article=matter.article(purpose),
        about=(About(known.subject, record),),
        facts=(written,),
    )
    deed.append(told)
    return Issued(id_, code, notice.texts[consent.language], deed.now + LIFE)


def answer(deed: Deed, errand: Errand, record: bytes, challenge: bytes, *, code: str, act: str, once: Once | None) -> Recorded | None:
    """Take the answer to a challenge: the consent it makes, or None where the code is not the one, which is counted and an entry.

    Raises NotFound for a challenge that is not there, was answered, ended, was tried too often or was issued before she said no; Invalid
    `not-affirmative`; and as `service.grant` does, since what was allowed to be asked may be so no more.
    """
    errand = errand.still(deed)
    if (made := service.made_by(deed, once)) is not None:
        return made
    known = people.of_record(deed, record)
    people.unlocked(known)
    stands = _stands(deed, record)
    asked = next((one for one in stands.pending if one.id == challenge.hex()), None)
    if asked is None or _said_no_since(known, asked):
        raise NotFound
    if act not in AFFIRMATIVE:
        raise Invalid([FieldError("act", "not-affirmative")], "not-affirmative")
    matter = Matter(errand, errand.book(deed), known, record)
    others = tuple(one for one in stands.pending if one is not asked)
    if not deed.cabinet.pepper.matches("challenge", _secret(challenge, code), bytes.fromhex(asked.code)):
        left = (_tried(asked),) if asked.tries > 1 else ()
        _wrong(deed, matter, asked, _write(deed, record, ChallengesFact((*others, *left), stands.issued)))
        return None
    consent = _consent(asked, deed.now)
    checked(deed, matter, consent)
    written = _write(deed, record, ChallengesFact(others, stands.issued))
    return service.take(deed, matter, consent, _weighed(asked, act, deed.now), once, told=(written,))


def _said_no_since(known: people.Known, asked: Pending) -> bool:
    """Whether what is asked was ended or refused since it was asked: a restore may bring back a challenge that was answered before that."""
    standing = known.sheet.person.standings.get(key(asked.purpose, asked.recipient)) if known.sheet is not None else None
    stop = standing.newest_stop if standing is not None else None
    return stop is not None and stop.recorded_at >= asked.issued_at


def _tried(asked: Pending) -> Pending:
    """The same challenge with one try less."""
    return msgspec.structs.replace(asked, tries=asked.tries - 1)


def _weighed(asked: Pending, act: str, now: int) -> Weighed:
    return answered(act, text_sha256=asked.sha256, served_at=asked.issued_at, answered_at=now)


def _consent(asked: Pending, now: int) -> Consent:
    return Consent(
        purpose=asked.purpose,
        recipient=asked.recipient,
        fields=frozenset(asked.fields),
        form="electronic",
        explicit=asked.explicit,
        notice=asked.notice,
        notice_version=asked.notice_version,
        language=asked.language,
        sha256=asked.sha256,
        given_by=asked.given_by,
        indicated_at=now,
        expires_at=asked.expires_at,
        evidence={},
    )


def _wrong(deed: Deed, matter: Matter, asked: Pending, written: WrittenFact) -> None:
    """Tell the log of a wrong code: an entry of this deed, not of a refusal, for what it counts has to stay."""
    told = matter.errand.entry(
        kind=ANSWERED,
        outcome="refuse",
        reason="CODE_WRONG",
        purpose=asked.purpose,
        recipient=asked.recipient,
        article=matter.article(matter.book.purposes[asked.purpose]),
        about=(About(matter.known.subject, matter.record),),
    )
    deed.append(replace(told, facts=(written,)))


def _stands(deed: Deed, record: bytes) -> ChallengesFact:
    """The challenges of a record that still count. Raises Unavailable `integrity`."""
    found = facts.read(deed, CHALLENGES, record.hex()) or ChallengesFact()
    pending = tuple(one for one in found.pending if deed.now < one.issued_at + LIFE)
    return ChallengesFact(pending, tuple(at for at in found.issued if deed.now < at + HOUR))


def _write(deed: Deed, record: bytes, stands: ChallengesFact) -> WrittenFact:
    return facts.write(deed, CHALLENGES, record.hex(), stands)


def _secret(challenge: bytes, code: str) -> str:
    return f"{challenge.hex()} {fold_digits(code.strip())}"


def _hashed(deed: Deed, challenge: bytes, code: str) -> str:
    return deed.cabinet.pepper.hash("challenge", _secret(challenge, code)).hex()
