"""What officers do about a report: acknowledge, read, triage, answer; dismissing it and moving the moment of awareness takes two.

Invariants: a look at what somebody wrote is an entry first; every deed is one version of the report's fact and one entry that names it;
whom a report excludes sees nothing of it, and her tries are entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import msgspec

from keys.keyring import DataKey
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry, WrittenFact
from vault.breach_reports import case, clocks, door, incident_file, incident_lifecycle, kept_again, lifecycle
from vault.breach_reports.case import Case, Text
from vault.breach_reports.files import Bringing
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.shapes import ALL_KINDS, EXCLUSIONS, MAIL, NOTE, REPLY, ExclusionsFact, Finding, Reason, ReportFact, State
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy import pack as packs
from vault.policy.facts import NEVER
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF, accounts_of, same_person

STATES: Final[tuple[State, ...]] = ("received", "quarantined", "acknowledged", "triaged", "dismissed")
MOST_NOTE: Final = 5000
SCOPE: Final = "reports"


class Approval(Protocol):
    """What the entry of an approved deed must carry."""

    @property
    def facts(self) -> tuple[WrittenFact, ...]:
        """The one-time step that was used up, if one was."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of the approver's account."""


class SecondFactor(Protocol):
    """Lets a person's approval through; the roof hands in that of `identity`."""

    def approve(self, deed: Deed, caller: Any, code: str | None, *, kind: str, about: tuple[About, ...] = ()) -> Approval:  # noqa: ANN401  # identity's own Caller, which this floor does not know
        """Raise a refusal unless the code is the person's or her session is stepped up."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One report in a list: what is known of it without opening anything anybody wrote."""

    case: Case
    clock: lifecycle.Clock | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reports: in this state (None: all but those in quarantine), with unanswered messages or without (None: either).

    At most `limit`, behind the one with the id `after`; the newest first, or with `by_clock` those whose time to tell the authority is over
    first, and those without a clock last, by the time left to judge and to answer them.
    """

    state: State | None = None
    unanswered: bool | None = None
    after: bytes | None = None
    limit: int = 50
    by_clock: bool = False

    def matches(self, fact: ReportFact) -> bool:
        """Whether a report is one of these."""
        states = (self.state,) if self.state else tuple(each for each in STATES if each != "quarantined")
        return fact.state in states and self.unanswered in {None, bool(lifecycle.unanswered(fact))}

    def place(self, id_: bytes, fact: ReportFact) -> tuple[int, int, bytes]:
        """Where a report stands: the greatest comes first."""
        if not self.by_clock:
            return fact.received_at, 0, id_
        # Every clock runs equally long, so the one that began first ends first.
        clock = lifecycle.clock(fact, 0)
        work = min((each.due_at for each in clocks.of_report(fact)), default=NEVER)
        return -NEVER if clock is None else -clock.due_at, -work, id_


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the reports somebody may see, in the order wanted; the id the next page begins after; how many lie in quarantine.

    `withheld` counts all reports the reader is excluded from: one number whatever is asked for, so that no question tells what they are.
    """

    cases: list[Case]
    more: bytes | None
    quarantined: int
    withheld: int = 0


def page(known: Mapping[bytes, ReportFact], wanted: Wanted) -> Page:
    """The page that is wanted out of these reports. Raises NotFound for an `after` that is none."""
    places = sorted((wanted.place(id_, fact) for id_, fact in known.items() if wanted.matches(fact)), reverse=True)
    if wanted.after is not None:
        if wanted.after not in known:
            raise NotFound
        behind = wanted.place(wanted.after, known[wanted.after])
        places = [place for place in places if place < behind]
    here = [place[-1] for place in places[: wanted.limit]]
    quarantined = sum(fact.state == "quarantined" for fact in known.values())
    return Page([Case(id_, known[id_], 0) for id_ in here], here[-1] if len(places) > wanted.limit else None, quarantined)


def seen_by(errand: Errand, known: Mapping[bytes, ReportFact]) -> dict[bytes, ReportFact]:
    """The reports that do not exclude who asks: all that a list is made of, so that neither its order nor its pages tell of another."""
    return {id_: fact for id_, fact in known.items() if not is_excluded(errand, fact)}


def read(deed: Deed, errand: Errand, report: bytes) -> door.Taken:
    """All of a report, for an officer: its entry is appended, and it opens once that is committed. Raises NotFound, Unavailable."""
    errand = errand.still(deed)
    return door.take(deed, seen(deed, errand, report), entry_of(errand, deed, "breach_report.read"), ALL_KINDS)


def read_mail(deed: Deed, errand: Errand, report: bytes) -> door.Taken:
    """The bytes of the message a report came in, for an officer, as `read`. Raises NotFound for one that came otherwise, Unavailable."""
    errand = errand.still(deed)
    found = seen(deed, errand, report)
    if found.fact.mail is None:
        raise NotFound
    return door.take(deed, found, entry_of(errand, deed, "breach_report.read"), (MAIL,))


def acknowledge(deed: Deed, errand: Errand, report: bytes) -> ReportFact:
    """Say that somebody looks at it. Raises NotFound, ReportState."""
    errand, found = _of(deed, errand, report)
    return _changed(deed, errand, found, "breach_report.acknowledged", lifecycle.acknowledged(found.fact, errand.hand, deed.now))


def triage(deed: Deed, errand: Errand, report: bytes, finding: Finding, *, aware_at: int | None, note: str) -> ReportFact:
    """Judge whether it is or may be a breach of personal data. Raises NotFound, Invalid, ReportState, ClockRunning."""
    errand, found = _of(deed, errand, report)
    fact, beside = lifecycle.triaged(found.fact, finding, aware_at, errand.hand, deed.now), _overtaken(deed, errand, found.fact)
    return _changed(deed, errand, found, "breach_report.triaged", fact, *_notes(errand, note), law=finding == "breach", beside=beside)


def _overtaken(deed: Deed, errand: Errand, report: ReportFact) -> tuple[WrittenFact, ...]:
    """Write that nothing waits any more in the incident of a report that is judged: whoever proposed it did not know how."""
    if not report.incident:
        return ()
    found = incident_file.load(deed, bytes.fromhex(report.incident))
    fact = incident_lifecycle.overtaken(found.fact, errand.hand, deed.now)
    return () if fact == found.fact else (incident_file.change(deed, found, fact),)


def reply(deed: Deed, errand: Errand, report: bytes, text: str, brought: Bringing | None = None) -> ReportFact:
    """Answer the reporter, who reads it with her receipt, and the files that come with it. Raises NotFound, TooMany."""
    errand, found = _of(deed, errand, report)
    fact = case.with_files(deed, found.fact, brought, errand.hand, len(found.fact.parts))
    return _changed(deed, errand, found, "breach_report.replied", fact, Text(REPLY, errand.hand, msgspec.json.encode(text.strip())))


def opened_to(deed: Deed, errand: Errand, report: bytes) -> DataKey:
    """What seals files on their way into a report, for somebody who works on it. Raises NotFound, Unavailable, and refusals."""
    errand, found = _of(deed, errand, report)
    return case.key_of(deed, found.id)


def read_file(deed: Deed, errand: Errand, report: bytes, file: str) -> door.TakenFile:
    """One file of a report, for somebody who works on it: its entry is appended, and it opens once that is committed. Raises NotFound."""
    errand, found = _of(deed, errand, report)
    return door.take_file(deed, found, entry_of(errand, deed, door.FILE_READ), file)


def propose_dismissal(deed: Deed, errand: Errand, report: bytes, reason: Reason, note: str) -> ReportFact:
    """Propose to dismiss it; nothing changes before a second person says so too. Raises NotFound, ReportState."""
    errand, found = _of(deed, errand, report)
    fact = lifecycle.dismissal_proposed(found.fact, reason, errand.hand, deed.now)
    return _changed(deed, errand, found, "breach_report.dismissal-proposed", fact, *_notes(errand, note))


def propose_awareness(deed: Deed, errand: Errand, report: bytes, to: int, reason: str) -> ReportFact:
    """Propose another moment of awareness, with the reason. Raises NotFound, Invalid, ReportState."""
    errand, found = _of(deed, errand, report)
    if not len(reason.strip()) >= 1 or len(reason) > MOST_NOTE:
        raise Invalid([FieldError("reason", "out-of-range")])
    fact = lifecycle.move_proposed(found.fact, to, errand.hand, deed.now)
    texts = [replace(each, beyond=case.kept_for(found.fact.parts, errand.hand)) for each in _notes(errand, reason)]
    return _changed(deed, errand, found, "breach_report.awareness-proposed", fact, *texts)


def turn_down_dismissal(deed: Deed, errand: Errand, report: bytes, reason: Reason) -> ReportFact:
    """Turn the dismissal down that waits for this reason: the clock runs on, so one person is enough. Raises NotFound, ReportState."""
    errand, found = _of(deed, errand, report)
    waiting = lifecycle.waiting_dismissal(found.fact, reason)
    fact = lifecycle.dismissal_turned_down(found.fact, waiting, errand.hand, deed.now)
    return _changed(deed, errand, found, "breach_report.dismissal-turned-down", fact)


def turn_down_awareness(deed: Deed, errand: Errand, report: bytes, to: int) -> ReportFact:
    """Turn the move of awareness down that waits; the moment stays where it is. Raises NotFound, ReportState."""
    errand, found = _of(deed, errand, report)
    fact = lifecycle.move_turned_down(found.fact, lifecycle.waiting_move(found.fact, to), errand.hand, deed.now)
    return _changed(deed, errand, found, "breach_report.awareness-turned-down", fact)


def exclude(deed: Deed, errand: Errand, report: bytes, staff: bytes) -> ReportFact:
    """Exclude somebody from a report that may be about her: from this answer on she sees nothing of it. There is no way back.

    Nobody excludes two others, so that whom it is about does not empty the desk. Raises NotFound, Invalid for nobody here, Conflict
    `last-officer` where nobody would be left who works on reports, and the refusal `same-person` for a second one.
    """
    errand, found = _of(deed, errand, report)
    book, who = errand.book(deed), staff.hex()
    if who not in book.staff:
        raise Invalid([FieldError("staff", "unknown-staff")])
    excluded = tuple(sorted({*found.fact.excluded, f"{STAFF}{who}"}))
    kept = accounts_of(book, excluded)
    left = [each for key, each in book.staff.items() if SCOPE in each.scopes and each.active and f"{STAFF}{key}" not in kept]
    if all(each.valid_to is not None and each.valid_to <= deed.now for each in left):
        raise Conflict("last-officer")
    if excluded == found.fact.excluded:
        return found.fact
    own = errand.asker.ref
    others = () if own == f"{STAFF}{who}" else (own,)
    if others and any(same_person(book, own, by) for by in found.fact.excluded_by):
        raise _as_one(deed, errand, found, "breach_report.excluded")
    known = facts.read(deed, EXCLUSIONS, who) or ExclusionsFact()
    circle = incident_file.circle_of(deed, found.fact)
    hidden = facts.write(deed, EXCLUSIONS, who, ExclusionsFact(cases=tuple(sorted({*known.cases, found.fact.id, *circle.ids}))))
    fact = msgspec.structs.replace(found.fact, excluded=excluded, excluded_by=(*found.fact.excluded_by, *others))
    told = entry_of(
        errand,
        deed,
        "breach_report.excluded",
        about=found.about,
        facts=(hidden, case.change(deed, found, fact), *circle.exclude(deed, fact.excluded, fact.excluded_by)),
        flags=errand.asker.flags,
    )
    incidents = () if circle.incident is None else (circle.incident.fact.id,)
    reports = (found.fact.id, *(each.fact.id for each in circle.reports))
    first, *more = kept_again.exclusions((f"{STAFF}{who}",), others, reports=reports, incidents=incidents)
    deed.append(told, closes=first)
    for closing in more:
        deed.closes_too(closing)
    return fact


@dataclass(frozen=True, slots=True)
class SecondPerson:
    """The deeds that take two people, done by the second one."""

    factor: SecondFactor

    def dismiss(self, deed: Deed, errand: Errand, report: bytes, reason: Reason, code: str | None) -> ReportFact:
        """Dismiss it for the reason another person proposed. Raises NotFound, ReportState, and refusals with their entries."""
        (errand, found), kind = _of(deed, errand, report), "breach_report.dismissed"
        waiting = lifecycle.waiting_dismissal(found.fact, reason)
        approval = self._approval(deed, errand, found, waiting.proposed_by, code=code, kind=kind)
        return _changed(deed, errand, found, kind, lifecycle.dismissed(found.fact, waiting, errand.hand, deed.now), approval=approval)

    def move_awareness(self, deed: Deed, errand: Errand, report: bytes, to: int, code: str | None) -> ReportFact:
        """Move the moment of awareness as another person proposed. Raises NotFound, ReportState, and refusals with their entries."""
        (errand, found), kind = _of(deed, errand, report), "breach_report.awareness-moved"
        waiting = lifecycle.waiting_move(found.fact, to)
        approval = self._approval(deed, errand, found, waiting.proposed_by, code=code, kind=kind)
        return _changed(deed, errand, found, kind, lifecycle.moved(found.fact, waiting, errand.hand, deed.now), approval=approval, law=True)

    def _approval(self, deed: Deed, errand: Errand, found: Case, proposed_by: str, *, code: str | None, kind: str) -> Approval:
        if same_person(errand.book(deed), proposed_by, errand.asker.ref):
            raise _as_one(deed, errand, found, kind)
        return self.factor.approve(deed, errand.asker, code, kind=kind, about=found.about)


def _as_one(deed: Deed, errand: Errand, found: Case, kind: str) -> EntryRefusal:
    """The refusal of a deed that takes another person than the one who did its first half."""
    article = f"{errand.book(deed).association.pack}:7"
    told = {"about": found.about, "flags": errand.asker.flags}
    return EntryRefusal(errand.entry(kind=kind, outcome="refuse", reason="SAME_PERSON", article=article, **told))


def require_text(text: str) -> None:
    """Raise Invalid unless the text is one an answer can be."""
    if not len(text.strip()) >= 1 or len(text) > MOST_NOTE:
        raise Invalid([FieldError("text", "out-of-range")])


def is_excluded(errand: Errand, fact: ReportFact) -> bool:
    """Whether the report excludes who asks, or the person at the screen, or may mean her."""
    return not errand.accounts.isdisjoint((*fact.excluded, *fact.held))


def _of(deed: Deed, errand: Errand, report: bytes) -> tuple[Errand, Case]:
    errand = errand.still(deed)
    return errand, seen(deed, errand, report)


def seen(deed: Deed, errand: Errand, report: bytes) -> Case:
    """The report, for whom it does not exclude. Raises NotFound, Unavailable `integrity`, the refusal `excluded` with its entry."""
    found = case.load(deed, report)
    if is_excluded(errand, found.fact):
        article = f"{errand.book(deed).association.pack}:8"
        raise EntryRefusal(
            errand.entry(kind="breach_report.refused", outcome="refuse", reason="EXCLUDED", article=article, about=found.about)
        )
    return found


def hours(book: Book) -> int:
    """The hours within which the authority is told of a breach (law, regulation 24(1)); the stricter of law and pack."""
    pack = book.pack
    told = [one.reply["breach_to_authority_hours"] for one in (pack, packs.load(pack.law)) if "breach_to_authority_hours" in one.reply]
    return min(told, default=72)


def _changed(
    deed: Deed,
    errand: Errand,
    found: Case,
    kind: str,
    fact: ReportFact,
    *texts: Text,
    approval: Approval | None = None,
    law: bool = False,
    beside: tuple[WrittenFact, ...] = (),
) -> ReportFact:
    written = case.change(deed, found, fact, *texts)
    used, flags = (approval.facts, approval.flags) if approval else ((), errand.asker.flags)
    told = entry_of(errand, deed, kind, law=law, about=found.about, facts=(*used, written, *beside), flags=flags)
    deed.append(told)
    return fact


def entry_of(errand: Errand, deed: Deed, kind: str, *, law: bool = False, **members: object) -> Entry:
    """The entry of a deed of somebody of the house on a report."""
    own = errand.book(deed).association
    cites = {"article": f"{own.pack}:8", "law": f"{own.law_pack}:20" if law else None}
    return errand.entry(kind=kind, outcome="allow", purpose=PURPOSE, **cites, **members)


def _notes(errand: Errand, note: str) -> list[Text]:
    if len(note) > MOST_NOTE:
        raise Invalid([FieldError("note", "out-of-range")])
    return [Text(NOTE, errand.hand, msgspec.json.encode(note.strip()))] if note.strip() else []
