"""One-time codes inside a deed: each 30-second step once, and an approval only with a code or in a session stepped up by one.

Invariants: a step is used up by the deed that is allowed with it, in the same transaction; guesses are limited for each person, whichever
call they come through, but those at sign-in apart from those in her sessions: who only has her password keeps her from approving nothing.
"""

import re
from dataclasses import dataclass
from hmac import compare_digest
from threading import Lock
from typing import Final

from keys.cabinet import Cabinet
from keys.one_time_codes import accept
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry, WrittenFact
from vault.errors import TooMany
from vault.identity.callers import Caller
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import STEP, Fact, StaffFact, StepFact
from vault.web.limits import Limits
from vault.web.times import fold_digits

GUESSES: Final = 10
GUESSES_PER_SECOND: Final = 0.1
WRONG_AN_HOUR: Final = 9
"""Wrong codes behind a right password that may be her own mistyping; the next one rings."""
_HOUR: Final = 3600
_RECOVERY: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{24}", re.ASCII)
_READ_FOR: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


class RecoveryFact(Fact, frozen=True):
    """The keyed hashes of the recovery codes a member of staff has left, and when they were made."""

    hashes: tuple[str, ...] = ()
    made_at: int = 0


RECOVERY: Kind[RecoveryFact] = Kind("recovery_codes", RecoveryFact, in_book=False)


def recovery_hash(cabinet: Cabinet, staff: str, code: str) -> str:
    """The keyed hash of a recovery code, as it is written or read aloud: 120 random bits need no slow hash (ASVS 5, 6.5.2)."""
    return cabinet.pepper.hash("recovery", f"{staff} {_plain(code)}").hex()


def _plain(code: str) -> str:
    return fold_digits(code).upper().translate(_READ_FOR)


class Guesses:
    """How often a person's one-time code may be tried: ten at once, then one every ten seconds, at sign-in and in her sessions.

    Safe from any thread.
    """

    __slots__ = ("_limits", "_lock")

    def __init__(self, limits: Limits) -> None:
        """Count in these limits."""
        self._limits = limits
        self._lock = Lock()

    def take(self, person: str, *, signing_in: bool = False) -> None:
        """Count one try of this person's code ("staff:<hex id>"). Raises TooMany."""
        bucket = "one-time-codes-at-sign-in" if signing_in else "one-time-codes"
        with self._lock:
            self._limits.take(bucket, person, GUESSES, GUESSES_PER_SECOND)

    def is_alarming(self, person: str) -> bool:
        """Count one wrong code behind this person's right password; whether the alarm is to ring: beyond nine an hour, once an hour."""
        with self._lock:
            return not self._takes("wrong-codes", person, WRONG_AN_HOUR) and self._takes("wrong-code-alarms", person, 1)

    def _takes(self, bucket: str, person: str, an_hour: int) -> bool:
        try:
            self._limits.take(bucket, person, an_hour, an_hour / _HOUR)
        except TooMany:
            return False
        return True


def shut_codes(deed: Deed, staff: str) -> tuple[WrittenFact, ...]:
    """Let the recovery codes of a member of staff (hex id) open nothing any more; what was written, for the entry of the deed."""
    kept = facts.read(deed, RECOVERY, staff)
    return () if kept is None or not kept.hashes else (facts.write(deed, RECOVERY, staff, RecoveryFact(made_at=deed.now)),)


@dataclass(frozen=True, slots=True)
class Approval:
    """What the entry of an approved deed must carry: the step a code used up, and the flag of a ceremony account."""

    facts: tuple[WrittenFact, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Checks one-time codes of the members of staff of every association in this process."""

    guesses: Guesses

    def step(self, deed: Deed, member: StaffFact, code: str, *, signing_in: bool = False) -> int | None:
        """The step this code belongs to, None where it is not the person's, not of this moment, or used. Raises TooMany."""
        self.guesses.take(f"staff:{member.id}", signing_in=signing_in)
        used = facts.read(deed, STEP, member.id)
        return accept(member.totp_secret, code, deed.now, used.step if used else 0)

    def use(self, deed: Deed, member: StaffFact, code: str, *, signing_in: bool = False) -> WrittenFact | None:
        """Use a code up and return the fact of it for the entry of the deed, None where `step` finds none. Raises TooMany."""
        step = self.step(deed, member, code, signing_in=signing_in)
        return None if step is None else facts.write(deed, STEP, member.id, StepFact(step=step))

    def after_recovery(self, deed: Deed, member: StaffFact, code: str, *, signing_in: bool = False) -> RecoveryFact | None:
        """What is left of her recovery codes once this one is used, None for what is none of hers; writes nothing. Raises TooMany."""
        if _RECOVERY.fullmatch(_plain(code)) is None:
            return None
        self.guesses.take(f"staff:{member.id}", signing_in=signing_in)
        kept = facts.read(deed, RECOVERY, member.id) or RecoveryFact()
        shown = recovery_hash(deed.cabinet, member.id, code)
        left = tuple(each for each in kept.hashes if not compare_digest(each, shown))
        return None if len(left) == len(kept.hashes) else RecoveryFact(hashes=left, made_at=kept.made_at)

    def use_recovery(self, deed: Deed, member: StaffFact, code: str, *, signing_in: bool = False) -> WrittenFact | None:
        """Use a recovery code up and return the fact of it, None for what is none of hers. Raises TooMany."""
        left = self.after_recovery(deed, member, code, signing_in=signing_in)
        return None if left is None else facts.write(deed, RECOVERY, member.id, left)

    def approve(self, deed: Deed, caller: Caller, code: str | None, *, kind: str, about: tuple[About, ...] = ()) -> Approval:
        """Let this person's approval through: by its own code, or in a session stepped up by one.

        Call it last, after all else that may refuse: a refusal is rolled back, and the code with it. `kind` is that of the entry a refusal
        leaves, `about` the case it names, so that it is kept from whom that is kept from. Raises a refusal `step-up-required` (a wrong or
        used code likewise), `out-of-scope` for who is no person, and TooMany.
        """
        book = caller.association.books.at(deed)
        if not caller.is_person:
            raise EntryRefusal(_refusal(kind, caller, "OUT_OF_SCOPE", f"{book.association.pack}:1", about))
        used: tuple[WrittenFact, ...] | None
        if code is None:
            used = () if deed.now < caller.stepped_up_until else None
        else:
            fact = self.use(deed, book.staff[caller.id], code)
            used = None if fact is None else (fact,)
        if used is None:
            raise EntryRefusal(_refusal(kind, caller, "STEP_UP_REQUIRED", f"{book.association.pack}:7", about))
        return Approval(used, caller.flags)


def _refusal(kind: str, caller: Caller, reason: str, article: str, about: tuple[About, ...]) -> Entry:
    return Entry(kind=kind, outcome="refuse", actor=caller.ref, about=about, reason=reason, article=article, flags=caller.flags)
