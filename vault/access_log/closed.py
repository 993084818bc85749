"""Holds every deed that was allowed against the doors that earlier entries closed, from the bodies alone (promise 4).

Invariants: a falsification that was there for a moment and is gone leaves its trace here, since what was allowed under it stands after
what closed the door; memory grows with what was closed and with the sessions of one day, never with the log; no stored value is repeated.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vault.access_log.entry import SHOWINGS, Entry, Stored
from vault.access_log.findings import Findings

STOPS: Final = frozenset({"withdrawal", "refusal", "invalidation"})
"""The journal's words for the end of what a person agreed to."""


def of_consent(purpose: str, recipient: str, silent: str = "") -> str:
    """The journal's words for which consent ended, and sealed what a no to being contacted silences beside it."""
    return "|".join((purpose, recipient, silent) if silent else (purpose, recipient))


def ended_consent(detail: str) -> tuple[str, str, str]:
    """Purpose, recipient and sealed silence ("" for none) of these words."""
    purpose, _, rest = detail.partition("|")
    recipient, _, silent = rest.partition("|")
    return purpose, recipient, silent


CONTACTS: Final = frozenset({"contact", "contact.asked"})
"""The kinds of entry about contacting somebody."""
OF_PERSONS: Final = frozenset(
    {
        *("record.read", "record.asked", "record.search", "record.stored", "record.updated", "evidence.read", "attachment.read"),
        *("decision", "disclosure.decided", "disclose", "consent.granted", "publication.decided", "research", *CONTACTS),
    }
)
"""The kinds of entry that open, release or add something of a person: none of them is allowed once her erasure was asked for."""
OF_CASES: Final = frozenset({"breach_report.read", "breach_report.file-read", "incident.read"})
"""The kinds of entry under which something of a report or an incident is shown: of none that was destroyed."""
CASES: Final = frozenset({"breach_report", "incident"})
"""The kinds of fact that are a report or an incident, its id the key: an exclusion writes one for each case it reaches."""
PACKAGES: Final = frozenset({"disclosure.approved", "disclosure.released", "disclose"})
"""The kinds of entry that need a confirmed key of a recipient that stands."""
DAY: Final = 86_400_000_000
_ON_NOTHING: Final = frozenset({None, "", "none", "law"})
_MANY: Final = 1024
_CONFIRMED: Final = "recipient.key-confirmed"
_CLOSES_THREE: Final = 3

Door = tuple[str, str]


@dataclass(slots=True)
class _Ended:
    """What a person agreed to for one purpose and recipient: the entry that ended it last, and the consents given since."""

    number: int
    since: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Closed:
    """Walks along the entries in order; each is held against what the ones before it closed."""

    findings: Findings
    _doors: dict[Door, int] = field(default_factory=dict)
    _agreed: dict[Door, _Ended] = field(default_factory=dict)
    _sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    _signed_in: Counter[str] = field(default_factory=Counter)
    _tidy_at: int = _MANY

    def hold(self, number: int, stored: Stored) -> None:
        """Note which closed doors this entry went through, and keep in mind what it closes and opens anew.

        Raises TypeError for members of other types than an entry has.
        """
        entry = stored.entry
        if entry.outcome == "allow":
            for closed_at, what in self._gone_through(entry):
                self.findings.note(number, f"it was allowed {what} that entry {closed_at} closed")
            self._open(entry, stored.time)
        if len(stored.closes) == _CLOSES_THREE:
            if not all(isinstance(word, str) for word in stored.closes):
                raise TypeError
            self._close(number, entry, *stored.closes)

    def _gone_through(self, entry: Entry) -> Iterator[tuple[int, str]]:
        if self._doors:
            for door, what in _doors(entry):
                closed_at = self._doors.get(door)
                if closed_at is not None:
                    yield closed_at, what
        if self._agreed and (entry.kind in SHOWINGS or entry.basis not in _ON_NOTHING):
            yield from self._without_consent(entry)

    def _without_consent(self, entry: Entry) -> Iterator[tuple[int, str]]:
        """What rests on consents that were given before their end; an entry about several persons names one of each at least."""
        rests = frozenset(entry.consents)
        for about in entry.about:
            ended = self._agreed.get((about.subject.hex(), f"{entry.purpose}|{entry.recipient}"))
            if ended is None or not rests:
                continue
            if not (rests <= ended.since if len(entry.about) == 1 else rests & ended.since):
                yield ended.number, "on a consent"

    def _open(self, entry: Entry, now: int) -> None:
        """What an allowed deed opens anew: a consent, a person whose erasure was called off, a recipient's key, a session."""
        if entry.kind == "consent.granted" and self._agreed:
            for about in entry.about:
                ended = self._agreed.get((about.subject.hex(), f"{entry.purpose}|{entry.recipient}"))
                if ended is not None:
                    ended.since.update(entry.consents)
        elif entry.kind == "erasure.cancelled":
            for about in entry.about:
                self._doors.pop(("lock", about.subject.hex()), None)
        elif entry.kind == _CONFIRMED:
            self._doors.pop(("recipient-key", f"{entry.recipient}"), None)
        elif entry.kind == "session.opened":
            self._begin(entry, now)

    def _begin(self, entry: Entry, now: int) -> None:
        """A person's session begins; those that were opened a day ago are forgotten once there are many: none lasts that long."""
        self._doors.pop(("session", entry.actor), None)
        for fact in entry.facts:
            if fact.kind == "session":
                self._sessions[fact.key] = (entry.actor, now)
                self._signed_in[entry.actor] += 1
        if len(self._sessions) > self._tidy_at:
            self._sessions = {key: held for key, held in self._sessions.items() if held[1] > now - DAY}
            self._signed_in = Counter(who for who, _ in self._sessions.values())
            self._tidy_at = max(_MANY, 2 * len(self._sessions))

    def _close(self, number: int, entry: Entry, kind: str, reference: str, detail: str) -> None:
        if kind in STOPS:
            purpose, recipient, _ = ended_consent(detail)
            self._agreed[reference, of_consent(purpose, recipient)] = _Ended(number)
        elif kind == "session":
            self._end(number, reference)
        elif kind == "erasure" and detail.rpartition("|")[2]:
            # Of some classes: those are empty, and the lock is gone.
            for subject in _of(entry, reference):
                self._doors.pop(("lock", subject), None)
        elif kind == "lock":
            self._doors.update(dict.fromkeys(((kind, subject) for subject in _of(entry, reference)), number))
        elif kind == "case-exclusion":
            whom = detail.partition("|")[2].partition("|")[0].split(",")
            cases = {reference, *(fact.key for fact in entry.facts if fact.kind in CASES)}
            self._doors.update(dict.fromkeys(((kind, f"{case}|{who}") for case in cases for who in whom), number))
        elif kind in {"client", "staff"}:
            self._doors[kind, f"{kind}:{reference}"] = number
        else:
            self._doors[kind, reference] = number

    def _end(self, number: int, session: str) -> None:
        """An entry names the person and no session: the door that closes is hers, once she has no other session that is open."""
        who, _ = self._sessions.pop(session, ("", 0))
        self._signed_in[who] -= 1
        if who and self._signed_in[who] <= 0:
            del self._signed_in[who]
            self._doors["session", who] = number


def _of(entry: Entry, reference: str) -> set[str]:
    """The ids of the person a closing is about: where she has several sheets its entry names them."""
    return {reference, *(about.subject.hex() for about in entry.about)}


def _doors(entry: Entry) -> Iterator[tuple[Door, str]]:
    """The doors an allowed deed goes through, and what to call each."""
    yield ("client", entry.actor), "to a client"
    yield ("staff", entry.actor), "to a member of staff"
    if entry.kind != "session.opened":
        yield ("session", entry.actor), "in a session"
    if entry.on_behalf:
        yield ("staff", entry.on_behalf), "on behalf of a member of staff"
    yield from _of_subjects(entry)
    if entry.order and entry.basis not in _ON_NOTHING:
        yield ("order", entry.order), "on an order"
    if entry.agreement and entry.basis not in _ON_NOTHING:
        yield ("agreement", entry.agreement), "under an agreement"
    if entry.recipient and (entry.kind in PACKAGES or entry.basis not in _ON_NOTHING):
        yield ("recipient", entry.recipient), "to a recipient"
    if entry.kind in PACKAGES:
        yield from ((("disclosure", fact.key), "on a disclosure") for fact in entry.facts if fact.kind == "disclosure")
    if entry.recipient and entry.kind in PACKAGES:
        yield ("recipient-key", entry.recipient), "under a recipient's key"


def _of_subjects(entry: Entry) -> Iterator[tuple[Door, str]]:
    """The doors of the persons or the cases an allowed deed is about."""
    for about in entry.about:
        if entry.kind in OF_PERSONS:
            yield ("lock", about.subject.hex()), "about a person"
            yield ("erasure", about.subject.hex()), "about a person"
        elif entry.kind in OF_CASES:
            case = about.subject.hex()
            yield ("breach-case", case), "about a case"
            yield from ((("case-exclusion", f"{case}|{who}"), "to whom a case is kept from") for who in (entry.actor, entry.on_behalf))
