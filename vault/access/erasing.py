"""Erases a person: locked by one officer's word, carried out or called off by another's, and certified.

Invariants: from the request on nothing of hers opens, an order included; the journal has the line before the commit; carrying out deletes
every row of hers and her keys with them, in one transaction with its entry; what is kept is random references and named by rule; the reason
lies sealed in her own history and goes with it. An erasure is the person's, whichever of her records it was asked through, and where two of
them were said to be hers it takes all her sheets (ADR 0082).
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.access import holding
from vault.access.certificate import ERASURE, Certificate, ErasureFact, State
from vault.access.certifying import Matter, certify, certify_person, sheet_of
from vault.access.erasure_words import ASSOCIATION, ERASE, LOCK, closing
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry, WrittenFact
from vault.attachments import scans
from vault.errors import Conflict, FieldError, Gone, Invalid, NotFound, Unavailable
from vault.identity.callers import Caller, still
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.policy.events import Locked
from vault.policy.facts import SELF
from vault.policy.signers import guardian_of, may_speak
from vault.records import emptying
from vault.rulebook import facts, requests
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import FieldFact, RecordTypeFact
from vault.storage.idempotency import Once, made_before, remember
from vault.subjects import people, visitors
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, Sheet, SheetEvent, happened

ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True)
class Wanted:
    """An erasure as asked for: why, by whose word ("self", "association", or a guardian's id in hex), and of which classes (none: all).

    `request` is the request of hers that it answers, if any.
    """

    reason: str
    requested_by: str
    classes: tuple[str, ...] = ()
    request: bytes | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure's id and how it stands."""

    id: bytes
    state: State


@dataclass(frozen=True, slots=True)
class Officer:
    """Who settles an erasure: a signed-in person, with a one-time code or in a session stepped up by one."""

    caller: Caller
    factor: SecondFactor
    code: str | None = None


def ask(deed: Deed, errand: Errand, whom: bytes | str, wanted: Wanted, once: Once | None) -> Asked:
    """Lock a person: from this answer on nothing of hers opens. A repeat of the same request gives the one it made.

    `whom` is a record of hers, or of a website's visitor the random id her browser keeps. Where the journal locked her and nobody knows who
    asked, this is the request from now on.

    Raises NotFound, Conflict `erasure-pending`, `classes-in-use` and as `holding.require_free`, for the request it names as
    `require_answered_by`, Invalid, a refusal for a former guardian, Gone for a repeat after it was carried out, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _made(deed, made)
    known, record = _meant(deed, whom)
    id_ = _lost_request(deed, known) or os.urandom(16)
    hers = [known, *people.others(deed, known)]
    book, sheets = errand.book(deed), [sheet_of(one) for one in hers]
    _check_speaker(deed, errand, known, record, wanted.requested_by)
    fields = _check_classes(book, sheets, wanted.classes)
    for one in hers:
        holding.require_free(deed, one, fields, errand.asker.asker)
    if wanted.request is not None:
        requests.require_answered_by(deed, wanted.request, [one.subject for one in hers], "erasure")
    asked = ErasureFact(
        id=id_.hex(),
        subject=known.subject.hex(),
        record=record.hex() if record else "",
        requested_by=wanted.requested_by,
        asked_by=errand.asker.ref,
        asked_at=deed.now,
        classes=tuple(sorted(set(wanted.classes))),
        request=wanted.request.hex() if wanted.request is not None else "",
        others=tuple(one.subject.hex() for one in hers[1:]),
        records=tuple(each for sheet in sheets for each in sorted(sheet.records)),
    )
    told = errand.entry(
        kind="erasure.requested",
        outcome="allow",
        fields=fields,
        basis="law",
        article=f"{book.association.pack}:7",
        law=f"{book.association.law_pack}:18",
        facts=(facts.write(deed, ERASURE, asked.id, asked),),
        flags=errand.asker.flags,
    )
    event = happened(
        Locked(deed.now), at=deed.now, by=errand.asker.ref, record=record, detail={"erasure": asked.id, "reason": wanted.reason}
    )
    people.change(deed, known, [event], told, record=record, closes=closing(LOCK, asked))
    if once is not None:
        remember(deed.transaction, deed.association, once, id_, ACCEPTED)
    return Asked(id_, asked.state)


def approve(deed: Deed, errand: Errand, officer: Officer, erasure: bytes) -> Certificate:
    """Carry out what another person asked for, and certify it; a repeat by who approved gives the certificate again.

    Raises NotFound, refusals `same-person` and `step-up-required`, Conflict `erasure-settled` and as `holding.require_free`, Unavailable
    `integrity`, TooMany.
    """
    officer = replace(officer, caller=still(deed, officer.caller))
    asked = _stored(deed, erasure)
    if asked.certificate is not None and asked.settled_by == officer.caller.ref:
        return asked.certificate
    matter = _settled_by_two(deed, errand, officer, asked, "erasure.approved")
    if not asked.classes:
        return _erase_person(matter)
    # Asked again: an order may have come in since the request.
    fields = {one.name for one in _fields_of(errand.book(deed), [sheet for _, sheet in matter.sheets], asked.classes)}
    for one, _ in matter.sheets:
        holding.require_free(deed, one, fields, officer.caller.asker)
    return _erase_classes(matter)


def cancel(deed: Deed, errand: Errand, officer: Officer, erasure: bytes) -> None:
    """Call off what another person asked for: the lock is gone, and what was agreed to counts again. Raises as `approve`."""
    officer = replace(officer, caller=still(deed, officer.caller))
    matter = _settled_by_two(deed, errand, officer, _stored(deed, erasure), "erasure.cancelled")
    told = _told(matter, "erasure.cancelled", "cancelled")
    people.change(deed, matter.known, [unlock(matter)], told, record=bytes.fromhex(matter.asked.record) or None)


def _stored(deed: Deed, erasure: bytes) -> ErasureFact:
    found = facts.read(deed, ERASURE, erasure.hex())
    if found is None:
        raise NotFound
    return found


def _made(deed: Deed, erasure: bytes) -> Asked:
    found = _stored(deed, erasure)
    if found.state == "erased" and not found.classes:
        raise Gone
    return Asked(erasure, found.state)


def _meant(deed: Deed, whom: bytes | str) -> tuple[Known, bytes | None]:
    """The person, and the record she is named by, if any. Raises NotFound for who is not known, Invalid for what is no visitor's id."""
    if isinstance(whom, bytes):
        return people.of_record(deed, whom), whom
    if visitors.HANDLE.fullmatch(whom) is None:
        raise Invalid([FieldError("visitor", "wrong-type")])
    known = visitors.known(deed, whom)
    if not isinstance(known, Known):
        raise NotFound
    return known, None


def _lost_request(deed: Deed, known: Known) -> bytes | None:
    """The id of the request a person is locked by, where only a bare line of the journal knew of it; None for who is not locked.

    Raises Conflict `erasure-pending` where her lock has its request.
    """
    if not sheet_of(known).person.locked:
        return None
    locks = [one for events in people.history(deed, known) for one in events if isinstance(one, Happened) and one.name == Locked.__name__]
    erasure = str(locks[-1].detail.get("erasure", "")) if locks else ""
    if not erasure or facts.read(deed, ERASURE, erasure) is not None:
        raise Conflict("erasure-pending")
    return bytes.fromhex(erasure)


def _check_speaker(deed: Deed, errand: Errand, known: Known, record: bytes | None, by: str) -> None:
    """Raise Invalid for a guardian she never had, and a refusal with its entry for one who may no longer speak for her."""
    if by in {SELF, ASSOCIATION}:
        return
    person = sheet_of(known).person
    if guardian_of(person, by) is None:
        raise Invalid([FieldError("requested_by", "unknown-guardian")])
    if not may_speak(person, by, deed.now):
        own = errand.book(deed).association
        raise EntryRefusal(
            errand.entry(
                kind="erasure.requested",
                outcome="refuse",
                about=(About(known.subject, record),),
                reason="GUARDIAN_REMOVED",
                article=f"{own.pack}:7",
                law=f"{own.law_pack}:18",
            ),
        )


def _types_of(book: Book, sheets: Iterable[Sheet]) -> list[RecordTypeFact]:
    return [book.types[name] for name in sorted({state.type for sheet in sheets for state in sheet.records.values()})]


def _fields_of(book: Book, sheets: Iterable[Sheet], classes: Sequence[str]) -> list[FieldFact]:
    return [one for shape in _types_of(book, sheets) for one in shape.fields if one.field_class in classes]


def _check_classes(book: Book, sheets: Sequence[Sheet], classes: Sequence[str]) -> tuple[str, ...]:
    """The fields of these classes in her records, none where all is to go.

    Raises Invalid for a class she has no field of and for one without which a record is none, Conflict `classes-in-use` where a consent
    that stands covers a field of it: she withdraws that first.
    """
    types = _types_of(book, sheets)
    fields = _fields_of(book, sheets, classes)
    if set(classes) - {one.field_class for one in fields}:
        raise Invalid([FieldError("classes", "unknown-class")])
    names = {one.name for one in fields}
    needed = {name for shape in types for group in shape.one_of for name in group}
    if any(one.required for one in fields) or names & needed:
        raise Invalid([FieldError("classes", "required-class")])
    covered = {
        name
        for sheet in sheets
        for standing in sheet.person.standings.values()
        for each in (standing, *standing.twins)
        for grant in each.grants
        for name in grant.fields
    }
    if names & covered:
        raise Conflict("classes-in-use")
    return tuple(sorted(names))


def _settled_by_two(deed: Deed, errand: Errand, officer: Officer, asked: ErasureFact, kind: str) -> Matter:
    """What is settled, once a second person with a fresh code says so: asked last, for a refusal undoes the use of the code."""
    caller = officer.caller
    require_two(errand.book(deed), asked.asked_by, caller, kind)
    if asked.state != "locked":
        raise Conflict("erasure-settled")
    known = people.of_subject(deed, bytes.fromhex(asked.subject))
    if not sheet_of(known).person.locked:
        raise Unavailable("integrity")
    approval = officer.factor.approve(deed, caller, officer.code, kind=kind)
    others = tuple(people.others(deed, known))
    return Matter(deed, replace(errand, asker=caller), asked, known, approval, by=caller.ref, at=deed.now, others=others)


def unlock(matter: Matter) -> SheetEvent:
    """What happened to her as the lock was taken away."""
    record, deed = bytes.fromhex(matter.asked.record) or None, matter.deed
    return happened(Locked(deed.now, on=False), at=deed.now, by=matter.errand.asker.ref, record=record)


def _told(matter: Matter, kind: str, state: State, certificate: Certificate | None = None) -> Entry:
    """The entry that settles an erasure, with the fact of it."""
    deed, own = matter.deed, matter.errand.book(matter.deed).association
    settled = msgspec.structs.replace(matter.asked, state=state, settled_by=matter.by, settled_at=matter.at, certificate=certificate)
    return matter.errand.entry(
        kind=kind,
        outcome="allow",
        basis="law",
        article=f"{own.pack}:7",
        law=f"{own.law_pack}:18",
        facts=(*matter.approval.facts, facts.write(deed, ERASURE, settled.id, settled), *_answered(matter, state)),
        flags=matter.approval.flags,
    )


def _answered(matter: Matter, state: State) -> tuple[WrittenFact, ...]:
    """The request that is answered by what is carried out here, unless there is none or it was settled meanwhile."""
    if state != "erased" or not matter.asked.request:
        return ()
    found = requests.of(matter.deed, bytes.fromhex(matter.asked.request))
    return () if found.outcome else (requests.answering(matter.deed, found, "erasure", matter.asked.id, matter.by),)


def _erase_person(matter: Matter) -> Certificate:
    deed, asked = matter.deed, matter.asked
    certificate = certify_person(matter)
    told = _told(matter, "erasure.approved", "erased", certificate)
    for one, sheet in matter.sheets:
        records = [bytes.fromhex(record) for record in sorted(sheet.records, key=lambda each: each != asked.record)]
        # Each sheet has a line of its own: a copy may know one of them, or not know yet that they are one person's.
        gone = msgspec.structs.replace(asked, subject=one.subject.hex())
        people.erase(deed, one.subject, records, told, closes=closing(ERASE, gone, matter.by))
        told = replace(told, facts=())
    return certificate


def _erase_classes(matter: Matter) -> Certificate:
    certificate, events = empty_classes(matter)
    told, record = _told(matter, "erasure.approved", "erased", certificate), bytes.fromhex(matter.asked.record) or None
    mine = events.pop(matter.known.subject, [])
    closes = closing(ERASE, matter.asked, matter.by)
    people.change(matter.deed, matter.known, [unlock(matter), *mine], told, record=record, closes=closes, apart=events)
    return certificate


def empty_classes(matter: Matter) -> tuple[Certificate, dict[bytes, list[SheetEvent]]]:
    """Empty the classes that were asked for; their certificate, and what happened to each sheet. Raises Unavailable `integrity`."""
    deed, asked, book = matter.deed, matter.asked, matter.errand.book(matter.deed)
    keys: list[bytes] = []
    events: dict[bytes, list[SheetEvent]] = {}
    for one, sheet in matter.sheets:
        classes = emptying.class_ids(book, sheet, asked.classes)
        keys += [wrapped for class_id, _, wrapped in people.keys_of(deed, one.subject) if class_id in classes]
        keys += scans.keys_of(deed, one.subject, emptying.files(book, sheet, classes))
        # Before the certificate, which names the next entry: files that go have one of their own.
        events[one.subject] = [*emptying.empty(deed, matter.errand, one, classes)]
    return certify(matter, asked.classes, keys), events
