"""Referrals to a partner: that somebody is referred for a service, by a reference that is nobody's, and with data only on a disclosure.

Invariants: a partner is told of a referral under an agreement in force and of none but its own; it is told no field, no record and no id
of anybody; a referral with data rests on a disclosure that two people made on written consent naming the partner, decided again in the deed
that offers it, and ends when that consent does; every step is an entry about the person. Sources: 004 5-10; articles 4, 6.2; ADR 0077.
"""

import os
from dataclasses import dataclass, replace
from typing import Final, cast

import msgspec

from vault.access import disclosures
from vault.access.recall_facts import Cause
from vault.access.referral_facts import REFERRAL, Note, ReferralFact, Reply, Result, Service, State, Way
from vault.access.told_about import keys_of
from vault.access.verdicts import Asked, Judged, judge, weigh
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.articles import article_7_contested, article_7_kept
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import HOME, AgreementFact
from vault.storage.idempotency import Once, made_before, remember
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Sheet

DECIDED: Final = "referral.decided"
OFFERED: Final = "referral.offered"
ANSWERED: Final = "referral.answered"
ANSWER_NOTED: Final = "referral.answer-noted"
OUTCOME: Final = "referral.outcome"
OUTCOME_NOTED: Final = "referral.outcome-noted"
ENDED: Final = "referral.ended"
READ: Final = "referrals.read"
SYSTEM: Final = "system"
CREATED: Final = 201
ARTICLE: Final = "6.2"
MINUTE: Final = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A referral as it is asked for; ids of 16 bytes, `disclosure` None where nothing but the referral is told."""

    record: bytes
    recipient: str
    purpose: str
    service: Service
    disclosure: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which referrals are listed: the oldest first, in this state (None: any), of one party alone where `party` is given."""

    state: State | None = None
    party: str | None = None
    after: bytes | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Heard:
    """That an officer was told the partner's word, how, and when it was said."""

    way: Way
    said_at: int


@dataclass(frozen=True, slots=True)
class _Matter:
    """A referral in the deed it is dealt with: for whom, about whom, and under which agreement."""

    deed: Deed
    errand: Errand
    known: Known
    agreement: AgreementFact

    def tell(self, kind: str, referral: ReferralFact, *flags: str) -> None:
        """Write the referral as it stands now, with the entry of the step."""
        deed, errand = self.deed, self.errand
        written = facts.write(deed, REFERRAL, referral.id, referral)
        entry = errand.entry(
            kind=kind,
            outcome="allow",
            about=(About(self.known.subject, bytes.fromhex(referral.record)),),
            purpose=referral.purpose,
            recipient=referral.recipient,
            basis="agreement",
            agreement=self.agreement.id,
            article=f"{errand.book(deed).association.pack}:{ARTICLE}",
            facts=(written,),
            flags=(*flags, *errand.asker.flags),
        )
        deed.append(entry)


def offer(deed: Deed, errand: Errand, wanted: Wanted, once: Once | None) -> ReferralFact | Judged:
    """Refer somebody to a partner, or give the verdict that says no to the data she is referred with; its entry stands either way.

    A repeat of the same request gives the one it made. Raises NotFound, Invalid for a disclosure that is not of this, Conflict
    `not-approved`, `disclosure-revoked`, `idempotency-mismatch`, and refusals: what stands against purpose, recipient, agreement or person.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _of(deed, made)
    known = people.of_record(deed, wanted.record)
    matter = _Matter(deed, errand, known, _allowed(deed, errand, wanted, known))
    if wanted.disclosure is not None:
        asked = Asked(wanted.record, "disclose", wanted.purpose, _disclosed(deed, wanted, wanted.disclosure), wanted.recipient, DECIDED)
        judged = judge(deed, errand, asked, known)
        if not judged.verdict.allowed:
            return judged
    new = os.urandom(16)
    referral = ReferralFact(
        id=new.hex(),
        record=wanted.record.hex(),
        recipient=wanted.recipient,
        purpose=wanted.purpose,
        service=wanted.service,
        offered_by=errand.hand,
        offered_at=deed.now,
        disclosure=wanted.disclosure.hex() if wanted.disclosure is not None else "",
    )
    matter.tell(OFFERED, referral)
    if once is not None:
        remember(deed.transaction, deed.association, once, new, CREATED)
    return referral


def listed(deed: Deed, errand: Errand, page: Page) -> tuple[list[ReferralFact], bool]:
    """The referrals of a page and whether there are more; the look is an entry.

    A party is listed what its agreements in force and its key are for. Raises NotFound for a place that is none, or another party's; a
    refusal `no-agreement` to a party without one in force; Unavailable `integrity`.
    """
    errand = errand.still(deed)
    book = errand.book(deed)
    purposes: frozenset[str] | None = None
    if page.party is not None:
        agreements = _in_force(book, page.party, deed.now)
        if not agreements:
            raise _refusal(errand, book, READ, "NO_AGREEMENT", ARTICLE, recipient=page.party)
        purposes = frozenset(purpose for one in agreements for purpose in one.purposes if _may(errand, purpose))
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, REFERRAL)
    found = sorted((one for one in every.values() if page.party in {None, one.recipient}), key=_place)
    if page.after is not None:
        last = every.get(page.after.hex())
        if last is None or page.party not in {None, last.recipient}:
            raise NotFound
        found = [one for one in found if _place(one) > _place(last)]
    found = [one for one in found if page.state in {None, one.state} and (purposes is None or one.purpose in purposes)]
    found = _of_types(deed, errand, found)
    some = found[: page.limit]
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=len(some), recipient=page.party))
    return some, len(found) > page.limit


def answer(deed: Deed, errand: Errand, referral: bytes, reply: Reply, heard: Heard | None = None) -> ReferralFact:
    """Take the partner's own word on whether it accepts, or what an officer heard of it; a repeat of the same word gives what was noted.

    Raises NotFound for a referral that is none or another party's, Invalid for a moment before the referral or to come, Conflict
    `referral-settled` for another word or `referral-ended`, and a refusal: `no-agreement`, or `out-of-scope` where the key is not for its
    purpose or its type of record.
    """
    kind = ANSWERED if heard is None else ANSWER_NOTED
    matter, found = _partners(deed, errand.still(deed), referral, kind, heard)
    if found.reply is not None:
        return _same(found, holds=found.reply == reply)
    notes = _notes(matter, found, reply, heard)
    answered = msgspec.structs.replace(found, reply=reply, answered_by=matter.errand.asker.ref, answered_at=deed.now, notes=notes)
    matter.tell(kind, answered, reply, *_how(heard))
    return answered


def conclude(deed: Deed, errand: Errand, referral: bytes, outcome: Result, heard: Heard | None = None) -> ReferralFact:
    """Take the partner's word on what came of a referral it accepted, as `answer` does. Raises `referral-settled` where it did not."""
    kind = OUTCOME if heard is None else OUTCOME_NOTED
    matter, found = _partners(deed, errand.still(deed), referral, kind, heard)
    if found.outcome is not None or found.reply != "accepted":
        return _same(found, holds=found.outcome == outcome)
    notes = _notes(matter, found, outcome, heard)
    concluded = msgspec.structs.replace(found, outcome=outcome, outcome_at=deed.now, notes=notes)
    matter.tell(kind, concluded, outcome, *_how(heard))
    return concluded


def end(deed: Deed, cause: Cause) -> int:
    """End the open referrals of a person that the cause ends: with data on a withdrawn consent, all once she is erased; how many."""
    count = 0
    for key in keys_of(deed, cause.subject, OFFERED, cause.below):
        found = _of(deed, bytes.fromhex(key))
        if found.state in {"offered", "accepted"} and _ends(cause, found):
            written = facts.write(deed, REFERRAL, found.id, msgspec.structs.replace(found, ended_at=deed.now, cause=cause.number))
            about = (About(cause.subject, bytes.fromhex(found.record)),)
            told = Entry(kind=ENDED, outcome="allow", actor=SYSTEM, about=about, purpose=found.purpose, basis="law", facts=(written,))
            deed.append(replace(told, recipient=found.recipient))
            count += 1
    return count


def of_person(deed: Deed, subject: bytes) -> list[ReferralFact]:
    """Where this person was referred, the newest first. Raises Unavailable `integrity`."""
    return [_of(deed, bytes.fromhex(key)) for key in reversed(keys_of(deed, subject, OFFERED))]


def _ends(cause: Cause, found: ReferralFact) -> bool:
    if cause.what == "withdrawal":
        return bool(found.disclosure) and (cause.purpose, cause.recipient) == (found.purpose, found.recipient)
    # An erasure of some classes takes the data along and leaves the referral that has none.
    return cause.what == "erasure" and (bool(found.disclosure) or not cause.fields)


def _allowed(deed: Deed, errand: Errand, wanted: Wanted, known: Known) -> AgreementFact:
    """The agreement in force that a referral of this person to this party is made under; else the refusal that says why not."""
    book = errand.book(deed)
    sheet = cast(Sheet, known.sheet)  # who has a record has a sheet
    type_ = sheet.records[wanted.record.hex()].type
    purpose, recipient = book.rules[type_].purposes.get(wanted.purpose), book.recipients.get(wanted.recipient)
    agreements = [one for one in _in_force(book, wanted.recipient, deed.now) if wanted.purpose in one.purposes and type_ in one.types]
    reason, article = "", ARTICLE
    if purpose is None:
        reason, article = "UNKNOWN_PURPOSE", "1"
    elif purpose.action != "disclose" or purpose.basis != "consent":
        reason = "ACTION_MISMATCH"
    elif recipient is None or recipient.revoked_at is not None or recipient.kind != "partner":
        reason, article = "UNKNOWN_RECIPIENT", "1"
    elif recipient.country != HOME:
        reason = "RECIPIENT_ABROAD"
    elif not agreements:
        reason = "NO_AGREEMENT"
    else:
        reason = article_7_kept(sheet.person) or article_7_contested(sheet.person, purpose, deed.now) or ""
    if reason:
        told = wanted.recipient if recipient is not None else None
        about = (About(known.subject, wanted.record),)
        raise _refusal(errand, book, OFFERED, reason, article, recipient=told, about=about)
    return agreements[0]


def _in_force(book: Book, party: str, now: int) -> list[AgreementFact]:
    """The agreements in force with a party, the one that lasts longest first."""
    found = [one for one in book.agreements.values() if one.recipient == party and one.counts and one.valid_from <= now < one.valid_to]
    return sorted(found, key=lambda one: (one.valid_to, one.id), reverse=True)


def _disclosed(deed: Deed, wanted: Wanted, disclosure: bytes) -> tuple[str, ...]:
    """The fields that a disclosure gives of this record to this party for this purpose, on her consent and as two people made it."""
    found = disclosures.of(deed, disclosure)
    fields = tuple(sorted({name for part in found.granted if part.record == wanted.record.hex() for name in part.fields}))
    if (found.basis, found.recipient, found.purpose) != ("consent", wanted.recipient, wanted.purpose) or not fields:
        raise Invalid([FieldError("disclosure", "out-of-range")])
    if found.revoked_at is not None:
        raise Conflict("disclosure-revoked")
    if found.approved_at is None:
        raise Conflict("not-approved")
    return fields


def _notes(matter: _Matter, found: ReferralFact, word: Reply | Result, heard: Heard | None) -> tuple[Note, ...]:
    """The notes with this one; a telephone call is noted to the minute. Raises Invalid for a moment before the referral or to come."""
    if heard is None:
        return found.notes
    now = matter.deed.now
    if heard.said_at > now:
        raise Invalid([FieldError("said_at", "future-dated")], "future-dated")
    if heard.said_at < found.offered_at - MINUTE:
        raise Invalid([FieldError("said_at", "out-of-range")])
    return (*found.notes, Note(word=word, way=heard.way, said_at=heard.said_at, by=matter.errand.hand, at=now))


def _how(heard: Heard | None) -> tuple[str, ...]:
    return () if heard is None else (heard.way,)


def _partners(deed: Deed, errand: Errand, referral: bytes, kind: str, heard: Heard | None) -> tuple["_Matter", ReferralFact]:
    """A referral in the deed in which its party's word is taken, while an agreement and, with data, her consent stand.

    The party itself says it, of its own alone; what an officer `heard` is any party's.
    """
    book, found = errand.book(deed), _of(deed, referral)
    party = found.recipient
    if heard is None and party != errand.asker.asker.party:
        raise NotFound
    record = bytes.fromhex(found.record)
    known = people.of_record(deed, record)
    about = (About(known.subject, record),)
    if not _may(errand, found.purpose):
        raise _refusal(errand, book, kind, "OUT_OF_SCOPE", "1", recipient=party, about=about)
    errand.require_type(deed, cast(Sheet, known.sheet).records[found.record].type, kind, about)
    agreements = [one for one in _in_force(book, party, deed.now) if found.purpose in one.purposes]
    if not agreements:
        raise _refusal(errand, book, kind, "NO_AGREEMENT", ARTICLE, recipient=party, about=about)
    if found.ended_at is not None or not _stands(deed, errand, found, known):
        raise Conflict("referral-ended")
    return _Matter(deed, errand, known, agreements[0]), found


def _may(errand: Errand, purpose: str) -> bool:
    """Whether the asker's key is for this purpose (article 1)."""
    purposes = errand.asker.asker.purposes
    return purposes is None or purpose in purposes


def _of_types(deed: Deed, errand: Errand, found: list[ReferralFact]) -> list[ReferralFact]:
    """Those of records of a type the asker's key is for."""
    types = errand.asker.asker.types
    if types is None:
        return found
    known = people.of_records(deed, [bytes.fromhex(one.record) for one in found]) if found else {}
    sheets = {one.record: here.sheet for one in found if isinstance(here := known[bytes.fromhex(one.record)], Known)}
    return [one for one in found if (sheet := sheets.get(one.record)) is not None and sheet.records[one.record].type in types]


def _stands(deed: Deed, errand: Errand, found: ReferralFact, known: Known) -> bool:
    """Whether what the data left on holds at this moment; nothing opens on it, so that no entry tells of it."""
    if not found.disclosure:
        return True
    disclosure = disclosures.of(deed, bytes.fromhex(found.disclosure))
    fields = tuple(sorted({name for part in disclosure.granted if part.record == found.record for name in part.fields}))
    asked = Asked(bytes.fromhex(found.record), "disclose", found.purpose, fields, found.recipient, DECIDED)
    return disclosure.revoked_at is None and weigh(deed, errand, asked, known).verdict.allowed


def _same(found: ReferralFact, *, holds: bool) -> ReferralFact:
    if not holds:
        raise Conflict("referral-settled")
    return found


def _refusal(errand: Errand, book: Book, kind: str, reason: str, article: str, **members: object) -> EntryRefusal:
    cited = f"{book.association.pack}:{article}"
    return EntryRefusal(errand.entry(kind=kind, outcome="refuse", reason=reason, article=cited, basis="none", **members))


def _of(deed: Deed, referral: bytes) -> ReferralFact:
    found = facts.read(deed, REFERRAL, referral.hex())
    if found is None:
        raise NotFound
    return found


def _place(referral: ReferralFact) -> tuple[int, str]:
    return referral.offered_at, referral.id
