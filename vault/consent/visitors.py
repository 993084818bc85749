"""Takes the word of a website's visitor, who has no account: consent by an act under the notice, the browser's signal, withdrawal.

Invariants: nothing is kept of a visitor but what she said; her browser's own id is hashed under a key and goes no further; the same word
said again is one consent; withdrawing asks no more than giving did, and is answered alike whether she was known or not (article 6.5).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import insert

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.consent.evidence import AFFIRMATIVE
from vault.consent.visitor_limits import Room
from vault.consent.within import SENSITIVE, Consent, notice_of
from vault.errors import FieldError, Invalid, TooMany
from vault.policy.events import Event, Given, Signal, Stopped
from vault.policy.facts import INTERNAL, SELF, Grant, Person, Standing, Stop, key
from vault.policy.standing import outlasts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, notice_key
from vault.rulebook.shapes import PurposeFact
from vault.storage.journal import Closing
from vault.subjects import people, visitors
from vault.subjects import tables as subject_tables
from vault.subjects.meant import Meant, by_subject
from vault.subjects.people import Known
from vault.subjects.sheet import Created, SheetEvent, happened

ACTOR: Final = "visitor"
MOST_CHANGES: Final = 50
"""Changes of one visitor's sheet in a day, beyond which she is asked to wait before she agrees anew."""
DAY: Final = 24 * 3600 * 1_000_000
HOUR: Final = 3600
ACTS: Final = AFFIRMATIVE - {"reply_code"}


@dataclass(frozen=True, slots=True)
class Word:
    """What a visitor says: by her browser's id, for which purpose, under which notice, by which act, and whether it sends the signal."""

    visitor: str
    purpose: str
    notice: str
    notice_version: int
    language: str
    sha256: str
    act: str
    gpc: bool


def by_visitor(visitor: str) -> Meant:
    """Whom a visitor's word is about, where she is known."""
    return lambda deed: by_subject(visitors.subject_of(deed, visitor, 0))(deed)


def consent(deed: Deed, errand: Errand, word: Word, room: Room) -> tuple[bytes, str]:
    """Record a visitor's consent: its id, and `given`, or `opted-out` where her browser's signal stands against it.

    Raises Invalid for what is no visitor's id, purpose, notice or act; Conflict `erasure-pending`; Unavailable `integrity` and
    `consents-paused`; TooMany where she changed her mind too often today and `visitors-full`: never for an opt-out of hers where she is
    known.
    """
    book = errand.book(deed)
    purpose = _purpose(book, word.purpose)
    grant = _grant(deed, book, purpose, word)
    if word.act not in ACTS:
        raise Invalid([FieldError("act", "not-affirmative")], "not-affirmative")
    found = visitors.known(deed, word.visitor)
    visitor, wrapped = (found, None) if isinstance(found, Known) else people.begin(deed, found)
    people.unlocked(visitor)
    person = visitor.sheet.person if visitor.sheet else Person()
    signals = _signals(person, deed.now, gpc=word.gpc)
    state = "opted-out" if word.gpc and purpose.honours_gpc else "given"
    same = _same(person, purpose, grant)
    if same is not None and not signals:
        return bytes.fromhex(same.id), state
    if visitor.sheet is None:
        room.for_somebody_new(deed)
    # The opt-out of somebody known is never turned away: it can be said again only after a word that is bounded here.
    if not (word.gpc and signals):
        _bounded(deed, visitor, room)
    given = Given(purpose.code, INTERNAL, grant)
    detail = {"evidence": {"act": word.act, "text_sha256": word.sha256, "gpc": word.gpc}, "language": word.language}
    events = [] if visitor.sheet else [Created(kind=visitors.KIND, at=deed.now, by=ACTOR)]
    said: list[SheetEvent] = [*events, *(_event(deed, signal) for signal in signals), _event(deed, given, detail)]
    told = _entry(errand, book, purpose, kind="consent.granted")
    told = replace(told, fields=tuple(sorted(grant.fields)), consents=(grant.id,))
    people.change(deed, visitor, said, told, wrapped=wrapped)
    id_ = bytes.fromhex(grant.id)
    # Given through no record: she may say it before anything of hers is stored.
    row = {"association_id": deed.association, "consent": id_, "subject": visitor.subject, "record": b""}
    deed.transaction.connection.execute(insert(subject_tables.consent).values(row))
    return id_, state


def withdraw(deed: Deed, errand: Errand, visitor: str, purpose: str, room: Room) -> None:
    """End what this visitor agreed to for the purpose; nothing where she is not known or agreed to nothing.

    Raises Invalid, Unavailable, TooMany.
    """
    book = errand.book(deed)
    what = _purpose(book, purpose)
    found = visitors.known(deed, _handle(visitor))
    if not isinstance(found, Known) or found.sheet is None:
        return
    name = key(what.code, INTERNAL)
    standing = found.sheet.person.standings.get(name, Standing())
    if not any(one.grants for one in (standing, *standing.twins)):
        return
    room.for_a_withdrawal(deed)
    stopped = Stopped(what.code, INTERNAL, Stop("withdraw", deed.now, deed.now))
    told = replace(_entry(errand, book, what, kind="consent.withdrawn"), law=f"{book.association.law_pack}:5")
    closing = Closing("withdrawal", found.subject.hex(), name)
    people.change(deed, found, [_event(deed, stopped)], told, closes=closing)


def is_asked(purpose: PurposeFact) -> bool:
    """Whether visitors are asked about a purpose: one that heeds their browsers' signal."""
    return purpose.honours_gpc and purpose.action != "disclose" and "electronic" in purpose.forms


def _bounded(deed: Deed, visitor: Known, room: Room) -> None:
    """Let a word in that may wait. Raises TooMany, Unavailable `consents-paused`."""
    room.for_a_yes()
    if people.changed_at(deed, visitor, MOST_CHANGES) > deed.now - DAY:
        raise TooMany(HOUR)


def _handle(visitor: str) -> str:
    if visitors.HANDLE.fullmatch(visitor) is None:
        raise Invalid([FieldError("visitor", "wrong-type")])
    return visitor


def _purpose(book: Book, code: str) -> PurposeFact:
    """A purpose that visitors are asked about."""
    purpose = book.purposes.get(code)
    if purpose is None or not is_asked(purpose):
        raise Invalid([FieldError("purpose", "unknown-purpose")])
    return purpose


def _grant(deed: Deed, book: Book, purpose: PurposeFact, word: Word) -> Grant:
    """The consent: for every field of a visitor's record that the notice names and the purpose reaches, but none of a sensitive class."""
    _handle(word.visitor)
    brought = Consent(
        purpose=word.purpose,
        recipient=INTERNAL,
        fields=frozenset(),
        form="electronic",
        explicit=False,
        notice=word.notice,
        notice_version=word.notice_version,
        language=word.language,
        sha256=word.sha256,
        given_by=SELF,
        indicated_at=deed.now,
        expires_at=None,
        evidence={},
    )
    notice = notice_of(book, brought)
    shape = book.types.get(visitors.KIND)
    fields = frozenset(
        one.name
        for one in (shape.fields if shape else ())
        if one.name in notice.fields
        and one.field_class not in SENSITIVE
        and (purpose.classes is None or one.field_class in purpose.classes)
    )
    if not fields:
        raise Invalid([FieldError("notice.id", "exceeds-notice")], "exceeds-notice")
    return Grant(
        id=os.urandom(16).hex(),
        form="electronic",
        fields=fields,
        notice=notice_key(word.notice, word.notice_version),
        by=SELF,
        indicated_at=deed.now,
        recorded_at=deed.now,
        usable_from=deed.now,
        confirmed=not purpose.double_opt_in,
    )


def _signals(person: Person, now: int, *, gpc: bool) -> list[Signal]:
    """What the browser's signal changes: sent where it was not standing, or gone where it was."""
    sent, ended = person.opted_out_at, person.signal_ended_at
    stands = sent is not None and (ended is None or ended <= sent)
    if gpc:
        return [] if stands else [Signal(now)]
    # Gone before this word was said: what is said after it counts.
    return [Signal(max(now - 1, sent + 1), opted_out=False)] if stands and sent is not None else []


def _same(person: Person, purpose: PurposeFact, grant: Grant) -> Grant | None:
    """The standing consent that this one only says again."""
    standing = person.standings.get(key(purpose.code, INTERNAL), Standing())
    if standing.twins:
        return None
    return next((one for one in standing.grants if outlasts(replace(grant, id=one.id), one) and one.fields == grant.fields), None)


def _event(deed: Deed, event: Event, detail: Mapping[str, Any] | None = None) -> SheetEvent:
    return happened(event, at=deed.now, by=ACTOR, detail=detail)


def _entry(errand: Errand, book: Book, purpose: PurposeFact, *, kind: str) -> Entry:
    own = book.association
    return errand.entry(
        kind=kind,
        outcome="allow",
        purpose=purpose.code,
        recipient=INTERNAL,
        article=f"{own.pack}:{purpose.article}",
        law=f"{own.law_pack}:{purpose.law}" if purpose.law else None,
    )
