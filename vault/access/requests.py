"""Requests of a person about her own data: taken down however they came, checked, extended once, and answered, refused or taken back.

Invariants: the clock runs from when she said it (law 4, implementing regulation 3), and is moved once, before it ran out, for a reason of
the law's list; nothing is answered before somebody checked who asks, and no deed is said to have been done that the log does not tell of;
what she and the association said lies sealed in her own history and goes with it, and the request itself stays.
"""

import os
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec

from vault.access.request_deeds import require_done, withdrawn
from vault.access.rights_words import LISTS, OWN_PAGE, channels
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.consent.within import require_case
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.facts import SELF, Person
from vault.policy.signers import guardian_of, may_speak
from vault.policy.standing import lacks_capacity
from vault.rulebook import facts, requests
from vault.rulebook.asker import Errand
from vault.rulebook.requests import NEEDS, OPENED, REQUEST, CheckFact, ExtensionFact, Outcome, RequestFact, RequestKind
from vault.storage.idempotency import Once, made_before, remember
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Noted

CHECKED: Final = "request.checked"
EXTENDED: Final = "request.extended"
ANSWERED: Final = "request.answered"
REFUSED: Final = "request.refused"
TAKEN_BACK: Final = "request.taken-back"
DAY: Final = 24 * 3_600_000_000
OLDEST: Final = 366 * DAY
"""How long ago a request may have been made that is taken down only now."""
CREATED: Final = 201
CODE: Final = "one_time_code"
DEED: Final = "deed_sighted"
What = Literal["asked", "identity", "extension", "answer", "refusal", "taken-back"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as she made it: through which record of hers, what, by which channel, by whose word, in which words, when (None: now).

    `given_by` is "self" or a guardian's id in hexadecimal.
    """

    record: bytes

    kind: RequestKind
    channel: str
    given_by: str
    says: str
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What somebody found who looked into who asks, how, and what there is to note of it."""

    result: Literal["verified", "failed"]
    method: str
    note: str = ""


def take_down(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> RequestFact:
    """Take down what a person asked of staff, aloud or in writing; a repeat of the same call gives the request it made.

    Raises NotFound, Invalid by member, a refusal for a type the key is not for, a case a caseworker does not have, a former guardian.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return requests.of(deed, made)
    known = people.of_record(deed, wanted.record)
    require_case(deed, errand, known, wanted.record, OPENED)
    if wanted.channel == OWN_PAGE:
        raise Invalid([FieldError("channel", "unknown-channel")])
    found = _opened(deed, errand, known, wanted, None)
    if once is not None:
        remember(deed.transaction, deed.association, once, bytes.fromhex(found.id), CREATED)
    return found


def ask(deed: Deed, errand: Errand, wanted: Wanted) -> RequestFact:
    """Open what a person, or who speaks for her, asks on her own page, whose code has shown who it is; no member of staff is needed.

    A ward who asks for herself, and a guardian nobody verified, are still to be looked into by staff. Raises as `take_down`.
    """
    known = people.of_record(deed, wanted.record)
    person = known.sheet.person if known.sheet is not None else Person()
    shown = _who(person, wanted.given_by, CODE, deed.now) is None
    check = CheckFact(result="verified", method=CODE, by=errand.hand, at=deed.now) if shown else None
    return _opened(deed, errand, known, replace(wanted, channel=OWN_PAGE, received_at=None), check)


def check(deed: Deed, errand: Errand, request: bytes, found_out: Check) -> RequestFact:
    """Note how it was found out whether it is she who asks, or who may speak for her, by the member of staff who did.

    Raises NotFound, Invalid `unknown-method`, Conflict `request-settled`, and refusals: `no-capacity` for a ward who asks for herself,
    `guardianship-unverified` for a guardian nobody verified and whose deed was not seen, `guardian-removed`.
    """
    errand = errand.still(deed)
    found = requests.of(deed, request)
    requests.require_open(found)
    if found_out.method not in LISTS.checks:
        raise Invalid([FieldError("method", "unknown-method")])
    matter = _Matter(deed, errand, found)
    if found_out.result == "verified":
        against = _who(matter.person, found.given_by, found_out.method, deed.now)
        if against is not None:
            raise matter.refusal(CHECKED, against)
    told = CheckFact(result=found_out.result, method=found_out.method, by=errand.hand, at=deed.now)
    return matter.tell(CHECKED, "identity", found_out.note, identity=told)


def extend(deed: Deed, errand: Errand, request: bytes, reason: str, says: str) -> RequestFact:
    """Move the day on which the answer is due, once and before it is past, for a reason of the law's list that she is told.

    Raises NotFound, Invalid, Conflict `request-settled`, `request-extended`, `request-overdue`.
    """
    errand = errand.still(deed)
    found = requests.of(deed, request)
    requests.require_open(found)
    if reason not in LISTS.extensions:
        raise Invalid([FieldError("reason", "unknown-reason")])
    if found.extension is not None:
        raise Conflict("request-extended")
    if found.is_overdue(deed.now):
        raise Conflict("request-overdue")
    due_at = found.due_at + _days(errand, deed, "rights_extension_days") * DAY
    told = ExtensionFact(reason=reason, by=errand.hand, at=deed.now, due_before=found.due_at)
    return _Matter(deed, errand, found).tell(EXTENDED, "extension", says, extension=told, due_at=due_at)


def refuse(deed: Deed, errand: Errand, request: bytes, reason: str, says: str) -> RequestFact:
    """Refuse it for a reason of the law's list that holds for its kind, which she is told with its article.

    Raises NotFound, Invalid `unknown-reason` and `request-kind`, Conflict `request-settled`.
    """
    errand = errand.still(deed)
    found = requests.of(deed, request)
    requests.require_open(found)
    ground = LISTS.refusals.get(reason)
    if ground is None:
        raise Invalid([FieldError("reason", "unknown-reason")])
    if not ground.holds_for(found.kind):
        raise Invalid([FieldError("reason", "request-kind")])
    cites = ground.cited(errand.book(deed).association.law_pack)
    return _Matter(deed, errand, found).settle("refused", REFUSED, says, law=cites, reason=reason)


def answer(deed: Deed, errand: Errand, request: bytes, says: str, consent: bytes | None = None) -> RequestFact:
    """Answer it: with the deed that was done for it, which the log must tell of, or in words where no deed is asked for.

    `consent` is the one that was withdrawn, where that was asked. Raises NotFound, Invalid, Conflict `request-settled`,
    `identity-unchecked`, `deed-missing`, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    found = requests.of(deed, request)
    requests.require_verified(found)
    needs = NEEDS.get(found.kind)
    if (consent is not None) != (needs == "withdrawal"):
        raise Invalid([FieldError("consent", "missing" if consent is None else "request-kind")])
    if consent is not None:
        withdrawn(deed, found, consent)
        done = requests.done(deed, found, "withdrawal", consent.hex(), errand.hand)
        found = msgspec.structs.replace(found, deeds=(*found.deeds, done))
    elif needs is None and not says:
        raise Invalid([FieldError("says", "missing")])
    elif needs is not None and not found.deeds:
        raise Conflict("deed-missing")
    require_done(deed, found)
    return _Matter(deed, errand, found).settle("answered", ANSWERED, says)


def take_back(deed: Deed, errand: Errand, request: bytes, says: str) -> RequestFact:
    """Note that she took her request back. Raises NotFound, Conflict `request-settled`, Invalid."""
    errand = errand.still(deed)
    found = requests.of(deed, request)
    requests.require_open(found)
    return _Matter(deed, errand, found).settle("taken-back", TAKEN_BACK, says)


def _opened(deed: Deed, errand: Errand, known: Known, wanted: Wanted, identity: CheckFact | None) -> RequestFact:
    """Write the request down. Raises Invalid by member, and the refusal `guardian-removed`."""
    if wanted.channel not in channels(errand.book(deed).pack):
        raise Invalid([FieldError("channel", "unknown-channel")])
    received = deed.now if wanted.received_at is None else wanted.received_at
    if received > deed.now:
        raise Invalid([FieldError("received_at", "future-dated")], "future-dated")
    if received < deed.now - OLDEST:
        raise Invalid([FieldError("received_at", "out-of-range")])
    person = known.sheet.person if known.sheet is not None else Person()
    if wanted.given_by != SELF and guardian_of(person, wanted.given_by) is None:
        raise Invalid([FieldError("given_by", "unknown-guardian")])
    found = RequestFact(
        id=os.urandom(16).hex(),
        subject=known.subject.hex(),
        record=wanted.record.hex(),
        kind=wanted.kind,
        channel=wanted.channel,
        given_by=wanted.given_by,
        received_at=received,
        opened_at=deed.now,
        opened_by=errand.hand,
        due_at=received + _days(errand, deed, "rights_request_days") * DAY,
        identity=identity,
    )
    matter = _Matter(deed, errand, found)
    if not may_speak(person, wanted.given_by, deed.now):
        raise matter.refusal(OPENED, "GUARDIAN_REMOVED")
    return matter.tell(OPENED, "asked", wanted.says)


def _days(errand: Errand, deed: Deed, which: str) -> int:
    return errand.book(deed).pack.reply[which]


def _who(person: Person, by: str, method: str, now: int) -> str | None:
    """Why who asks may not, None where she may: herself of full capacity, or a guardian in office, verified or whose deed was seen."""
    if by == SELF:
        return "NO_CAPACITY" if lacks_capacity(person, now) else None
    guardian = guardian_of(person, by)
    if guardian is None or not may_speak(person, by, now) or guardian.removed_for_cause_at is not None:
        return "GUARDIAN_REMOVED"
    return None if guardian.verified or method == DEED else "GUARDIANSHIP_UNVERIFIED"


@dataclass(frozen=True, slots=True)
class _Matter:
    """A request in the deed it is dealt with."""

    deed: Deed
    errand: Errand
    found: RequestFact

    @property
    def person(self) -> Person:
        """What is known of her; nothing where she was erased."""
        known = self._known()
        return known.sheet.person if known is not None and known.sheet is not None else Person()

    def settle(self, outcome: Outcome, kind: str, says: str, *, law: str = "", reason: str = "") -> RequestFact:
        """End the request."""
        what: What = "answer" if outcome == "answered" else "refusal" if outcome == "refused" else "taken-back"
        ended = {"outcome": outcome, "reason": reason, "settled_by": self.errand.hand, "settled_at": self.deed.now}
        return self.tell(kind, what, says, law=law, **ended)

    def tell(self, kind: str, what: What, text: str, *, law: str = "", **changes: Any) -> RequestFact:  # noqa: ANN401 - members of the fact
        """Write the request with these changes, and what was said in her history, in one entry.

        Raises Invalid `person-erased` for words about somebody in whose history nothing can lie any more.
        """
        deed, errand = self.deed, self.errand
        told = msgspec.structs.replace(self.found, **changes)
        known = self._known()
        if known is None and text:
            raise Invalid([FieldError("says", "person-erased")])
        entry = self._entry(kind, law, outcome="allow", facts=(facts.write(deed, REQUEST, told.id, told),), flags=errand.asker.flags)
        if known is None:
            deed.append(replace(entry, about=(self._about,)))
        else:
            noted = Noted(request=told.id, what=what, text=text, at=deed.now, by=errand.hand)
            people.change(deed, known, [noted], entry, record=bytes.fromhex(told.record))
        return told

    def refusal(self, kind: str, reason: str) -> EntryRefusal:
        """The refusal of a deed about this request."""
        return EntryRefusal(self._entry(kind, "", outcome="refuse", reason=reason, about=(self._about,)))

    @property
    def _about(self) -> About:
        return About(bytes.fromhex(self.found.subject), bytes.fromhex(self.found.record))

    def _entry(self, kind: str, law: str, **said: Any) -> Entry:  # noqa: ANN401 - members of the entry
        own = self.errand.book(self.deed).association
        law = law or f"{own.law_pack}:{LISTS.kinds[self.found.kind].law}"
        return self.errand.entry(kind=kind, basis="law", article=f"{own.pack}:1", law=law, **said)

    def _known(self) -> Known | None:
        try:
            return people.of_subject(self.deed, bytes.fromhex(self.found.subject))
        except NotFound:
            return None
