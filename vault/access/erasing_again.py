"""Locks and erases again, at start, whom the journal says was locked or erased and the stored rows say was not.

Invariants: a request that only the journal knows comes back as it was asked for, by the same person and of the same classes, so that it
takes the same two people; what was called off after the line was written stays called off, and the alarm rings.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from vault.access import erasing
from vault.access.certificate import ERASURE, Certificate, ErasureFact
from vault.access.certifying import Matter, certify_person, sheet_of
from vault.access.erasure_words import Words
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.attachments import scans
from vault.errors import NotFound, Unavailable
from vault.identity.callers import Caller
from vault.identity.second_factor import Approval
from vault.policy.events import Locked
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.storage.journal import Line
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import happened

CALLED_OFF: Final = "ERASURE_CALLED_OFF"


def lock_again(deed: Deed, _association: Association, line: Line, told: Entry) -> int:
    """Lock a person the journal says was locked, where neither the person nor the request says otherwise; how many doors stood open.

    Raises NotFound for who is not here, Unavailable `integrity`.
    """
    words, subject = Words.read(line.closing.detail, line.time), bytes.fromhex(line.closing.reference)
    asked = facts.read(deed, ERASURE, words.erasure)
    if asked is not None and asked.state != "locked":
        return 0
    known = people.of_subject(deed, subject)
    if sheet_of(known).person.locked:
        return 0
    record = _record(known, words)
    # Who asked by a bare line is not known, and whoever settled it could be the same: somebody asks anew, and then it takes another.
    if asked is None and not words.is_bare:
        request = _hers(words.request(subject, record), known, people.others(deed, known))
        told = replace(told, facts=(facts.write(deed, ERASURE, words.erasure, request),))
    place = bytes.fromhex(record) or None
    event = happened(Locked(deed.now), at=deed.now, by=told.actor, record=place, detail={"erasure": words.erasure})
    people.change(deed, known, [event], told, record=place, closes=line.closing)
    return 1


def erase_again(deed: Deed, association: Association, line: Line, told: Entry) -> int:
    """Erase what the journal says was erased, the person or these classes of hers; how many doors stood open.

    A whole person goes whether her rows hold or not. Raises NotFound and Unavailable `integrity` for classes alone.
    """
    words, subject = Words.read(line.closing.detail, line.time), bytes.fromhex(line.closing.reference)
    asked = facts.read(deed, ERASURE, words.erasure)
    if asked is not None and asked.state == "cancelled" and (asked.settled_at or 0) >= line.time:
        deed.append(Entry(kind="alarm", outcome="error", actor=told.actor, reason=CALLED_OFF, flags=told.flags))
        return 0
    if words.classes:
        return _empty_again(deed, association, line, told, asked)
    if not people.has_rows(deed, subject):
        return 0
    certificate = _certified(deed, association, line, told, asked)
    gone = _settled(asked or words.request(subject, words.record), words, line, certificate)
    if gone != asked:
        told = replace(told, facts=(facts.write(deed, ERASURE, words.erasure, gone),))
    people.erase(deed, subject, people.records_of(deed, subject), told, closes=line.closing)
    return 1


def _empty_again(deed: Deed, association: Association, line: Line, told: Entry, asked: ErasureFact | None) -> int:
    if asked is not None and asked.state == "erased":
        return 0
    matter = _matter(deed, association, line, told, asked)
    certificate, events = erasing.empty_classes(matter)
    mine = events.pop(matter.known.subject)
    # Without a request of its own in the database the lock on her, if there is one, is another's.
    mine = [erasing.unlock(matter), *mine] if asked is not None else mine
    gone = _settled(matter.asked, Words.read(line.closing.detail, line.time), line, certificate)
    told = replace(told, facts=(facts.write(deed, ERASURE, gone.id, gone),))
    people.change(deed, matter.known, mine, told, record=bytes.fromhex(gone.record) or None, closes=line.closing, apart=events)
    return 1


def _certified(deed: Deed, association: Association, line: Line, told: Entry, asked: ErasureFact | None) -> Certificate | None:
    """Forget her scans, and certify what goes as far as her rows hold: None where they do not."""
    subject = bytes.fromhex(line.closing.reference)
    try:
        return certify_person(_matter(deed, association, line, told, asked))
    except (NotFound, Unavailable):
        scans.retire(deed, scans.named(deed, subject), replace(told, facts=()))
        return None


def _matter(deed: Deed, association: Association, line: Line, told: Entry, asked: ErasureFact | None) -> Matter:
    """The erasure of the line as it was settled then, by whom and when the line says."""
    words, subject = Words.read(line.closing.detail, line.time), bytes.fromhex(line.closing.reference)
    known = people.of_subject(deed, subject)
    errand = Errand(Caller(association=association, ref=told.actor, kind="client", id="", key=""), "")
    others = tuple(people.others(deed, known))
    request = asked or _hers(words.request(subject, _record(known, words)), known, others)
    return Matter(deed, errand, request, known, Approval(flags=told.flags), by=words.settled_by, at=line.time, others=others)


def _hers(request: ErasureFact, known: Known, others: Sequence[Known]) -> ErasureFact:
    """The request with the other sheets of the person and all her records, as far as this database knows them."""
    records = tuple(record for one in (known, *others) for record in sorted(sheet_of(one).records))
    return msgspec.structs.replace(request, others=tuple(one.subject.hex() for one in others), records=records)


def _settled(asked: ErasureFact, words: Words, line: Line, certificate: Certificate | None) -> ErasureFact:
    """The request as carried out; a further sheet of hers, whose line comes after, is added to what is certified."""
    if asked.state != "erased":
        return msgspec.structs.replace(asked, state="erased", settled_by=words.settled_by, settled_at=line.time, certificate=certificate)
    if asked.certificate is None or certificate is None:
        return asked
    return msgspec.structs.replace(asked, certificate=asked.certificate.with_more(certificate))


def _record(known: Known, words: Words) -> str:
    """The record the request named, another of hers where an older database does not have it, "" where there is none."""
    records = sheet_of(known).records
    return words.record if words.record in records else next(iter(records), "")
