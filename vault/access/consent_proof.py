"""Gathers the proof of consents: the very words that were shown, what happened, the log's entries of it, and receipts.

Invariants: it shows states, times, hashes and random references, never a value nor what was written into an evidence; the gathering is an
entry that names the person, so that she sees who took a proof away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, select

from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About, EntryRefused, parse
from vault.consent import history, receipts
from vault.consent.history import Told
from vault.consent.within import require_case
from vault.errors import Unavailable
from vault.policy.events import Given, Stopped, Verified
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import Happened, policy_event
from vault.web.times import write_time

Json = dict[str, Any]
KIND: Final = "consent.proof"
MOST: Final = 200
"""Consents of one person in one bundle: the newest, where there are more."""
_OF_EVIDENCE: Final = ("act", "text_sha256", "signature", "served_at", "answered_at", "signed_at")
"""What of an evidence is no text that somebody wrote."""


@dataclass(frozen=True, slots=True)
class ConsentProof:
    """One consent: its id, its receipt, the words that were shown and their language, and what happened, oldest first."""

    id: bytes
    receipt: Json
    language: str
    words: str
    events: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What goes into a bundle: the consents, and the log's entries about them, their bytes by number."""

    consents: tuple[ConsentProof, ...]
    entries: Mapping[int, bytes]


def of_consent(deed: Deed, errand: Errand, consent: bytes, names: Mapping[str, str]) -> Gathered:
    """The proof of one consent; `names` are the association's by language. Raises NotFound, Unavailable `integrity`."""
    errand = errand.still(deed)
    known, record = people.of_consent(deed, consent)
    require_case(deed, errand, known, record, KIND)
    happened = history.happened_to(deed, known)
    return _Gathering(deed, errand, known, record, names).of([history.one(errand, happened, consent, deed.now)], happened)


def of_record(deed: Deed, errand: Errand, record: bytes, names: Mapping[str, str]) -> Gathered:
    """The proof of every consent given through this record's sheet, the newest 200; one joined to it is asked for by its own record.

    Raises NotFound, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    require_case(deed, errand, known, record, KIND)
    happened = history.happened_to(deed, known)
    told = [history.one(errand, happened, bytes.fromhex(id_), deed.now) for id_ in _given(happened)[-MOST:]]
    return _Gathering(deed, errand, known, record, names).of(told, happened)


@dataclass(frozen=True, slots=True)
class _Gathering:
    deed: Deed
    errand: Errand
    known: Known
    record: bytes
    names: Mapping[str, str]

    def of(self, told: list[Told], happened: list[Happened]) -> Gathered:
        entries = dict(_entries(self.deed, self.known, {one.grant.id for one in told}))
        proofs = tuple(self._one(one, happened) for one in told)
        about, named = (About(self.known.subject, self.record),), tuple(one.grant.id for one in told) if len(told) == 1 else ()
        made = self.errand.entry(kind=KIND, outcome="allow", about=about, basis="law", consents=named, count=len(told))
        self.deed.append(made)
        return Gathered(proofs, entries)

    def _one(self, told: Told, happened: list[Happened]) -> ConsentProof:
        made = receipts.of(self.deed, self.errand, self.known, self.record, told=told, happened=happened, names=self.names)
        events = tuple(_shown(one) for one in happened if _concerns(one, told))
        notice = self.errand.book(self.deed).notices[told.grant.notice]
        return ConsentProof(bytes.fromhex(told.grant.id), made, told.language, notice.texts[told.language], events)


def _given(happened: list[Happened]) -> list[str]:
    events = [policy_event(one) for one in happened]
    return [event.grant.id for event in events if isinstance(event, Given)]


def _concerns(one: Happened, told: Told) -> bool:
    """Whether an event is of this consent: how it was given, what others found, and what ended consent for its purpose and recipient."""
    event = policy_event(one)
    if isinstance(event, Given):
        return event.grant.id == told.grant.id
    if isinstance(event, Stopped):
        return (event.purpose, event.recipient) == (told.purpose, told.recipient) and event.stop.recorded_at >= told.grant.recorded_at
    return str(one.detail.get("consent", "")) == told.grant.id


def _shown(one: Happened) -> Json:
    """An event in words and hashes: who recorded it by reference, when, and what the evidence was, without what was written into it."""
    event = policy_event(one)
    evidence = one.detail.get("evidence", {})
    shown: Json = {"event": _word(event, one), "recorded_at": write_time(one.at), "recorded_by": one.by}
    if isinstance(event, Given):
        shown |= {"form": event.grant.form, "indicated_at": write_time(event.grant.indicated_at), "given_by": event.grant.by}
        shown |= {name: evidence[name] for name in _OF_EVIDENCE if evidence.get(name)}
        shown |= {name: one.detail[name] for name in ("captured_by", "missing") if one.detail.get(name)}
        scan = one.detail.get("scan", {})
        shown |= {f"scan_{name}": scan[name] for name in ("id", "sha256") if scan.get(name)}
    if isinstance(event, Stopped):
        shown |= {"indicated_at": write_time(event.stop.indicated_at), "given_by": event.by}
    return shown


def _word(event: object, one: Happened) -> str:
    if isinstance(event, Given):
        return event.kind
    if isinstance(event, Stopped):
        return event.stop.kind
    return "verified" if isinstance(event, Verified) else str(one.detail.get("result", one.name)).lower()


def _entries(deed: Deed, known: Known, consents: set[str]) -> Iterator[tuple[int, bytes]]:
    """The entries that changed what stands of these consents, by number. Raises Unavailable `integrity`."""
    place, subject = tables.entry, tables.subject
    same = and_(subject.c.association_id == place.c.association_id, subject.c.number == place.c.number)
    query = (
        select(place.c.number, place.c.body)
        .join(subject, same)
        .where(subject.c.association_id == deed.association, subject.c.subject == known.subject, place.c.kind.like("consent.%"))
        .where(subject.c.version.is_not(None))
        .order_by(place.c.number)
    )
    for number, body in deed.transaction.connection.execute(query).all():
        try:
            named = parse(bytes(body)).entry.consents
        except (EntryRefused, TypeError) as error:
            raise Unavailable("integrity") from error
        if consents.intersection(named):
            yield int(number), bytes(body)
