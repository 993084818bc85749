"""The auditor's ten questions to the log, each answered page by page, newest first, and complete to a checkpoint.

Invariants: an answer holds what stands below the size it is complete to and nothing newer; a question that must look at entries one by one
looks at no more than `MOST_LOOKED_AT` in one answer and says where the next begins; whoever asks is told of, by an entry that names the
question; what is about a case she is excluded from is withheld and counted. Source: reference on the access log, 2.9.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Row, and_, func, select

from vault.access.alert_facts import in_force
from vault.access.audit import Shown, Wanted, about_record, conditions, numbers, sheets_of, shown
from vault.access.detection import BREAK_GLASS, STUDIED, TOUCHES, DetectionFact, is_working_time
from vault.access.withholding import count, hidden_from, open_only
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, Stored
from vault.consent.history import Told, happened_to, tell
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.web.times import moment

ASKED: Final = "access_log.asked"
MOST_LOOKED_AT: Final = 2_000
AT_ONCE: Final = 500
CLIENT: Final = "client:"
GIVEN: Final = frozenset(
    {"record.read", "record.asked", "attachment.read", "evidence.read", "disclosure.decided", "disclose", "contact", "research"}
)
"""The kinds of entry under which something of a person was shown or given away."""
LOG_READ: Final = frozenset(
    {
        *("access_log.read", "access_log.asked", "access_report.read", "alerts.read", "detection.read"),
        *("assignments.read", "consent.proof"),
        # What an incident keeps of the log: whom a hand touched, and in its export the entries themselves.
        *("incident.evidence-saved", "incident.evidence-read", "incident.exported"),
    }
)
TO_RECIPIENTS: Final = frozenset(
    {"disclose", "disclosure.released", "disclosure.decided", "record.read", "record.asked", "attachment.read", "contact"}
)

Test = Callable[["Looking", Shown], str | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the kinds of entry it is about (None: any), what else an entry must be, and what must be said with it.

    `test` gives why an entry is in the answer, empty where that needs no word, None for one that is not.
    """

    kinds: frozenset[str] | None = None
    outcome: str | None = None
    needs: str = ""
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Entries, newest first, each with why it is there; where the next page begins; how many of the log are withheld; looked at."""

    items: list[tuple[Shown, str]]
    next: int | None
    withheld: int
    looked_at: int


@dataclass(slots=True)
class Looking:
    """What a test may look up while one answer is made."""

    deed: Deed
    recipient: str | None
    rules: DetectionFact
    hidden: tuple[bytes, ...] = ()
    told: dict[bytes, dict[str, Told] | None] = field(default_factory=dict)
    erased: dict[bytes, int | None] = field(default_factory=dict)

    def consents(self, subject: bytes) -> dict[str, Told] | None:
        """A person's consents by id, through whichever record, None for who is not here any more. Raises Unavailable `integrity`."""
        if subject not in self.told:
            try:
                known = people.of_subject(self.deed, subject)
            except NotFound:
                self.told[subject] = None
            else:
                # What was agreed to before two sheets were joined stands in the one it came by alone.
                sheets = (*people.others(self.deed, known), known)
                self.told[subject] = {one.grant.id: one for each in sheets for one in tell(happened_to(self.deed, each), self.deed.now)}
        return self.told[subject]

    def erased_at(self, subject: bytes) -> int | None:
        """The number of the entry of a person's erasure, None where she was not erased."""
        if subject not in self.erased:
            place = tables.subject
            gone = (place.c.version.is_not(None), place.c.sheet.is_(None))
            query = select(func.min(place.c.number)).where(
                place.c.association_id == self.deed.association, place.c.subject == subject, *gone
            )
            self.erased[subject] = self.deed.transaction.connection.execute(query).scalar()
        return self.erased[subject]


def ask(deed: Deed, errand: Errand, name: str, wanted: Wanted, *, recipient: str | None, below: int) -> Found:
    """The answer to a question about the entries below a size. Raises NotFound for no question, Invalid for what it needs."""
    question = QUESTIONS.get(name)
    if question is None:
        raise NotFound
    said = {"record": wanted.record, "actor": wanted.actor, "from": wanted.since, "recipient": recipient}
    if question.needs and said[question.needs] is None:
        raise Invalid([FieldError(question.needs, "missing")])
    errand = errand.still(deed)
    about, hidden = about_record(deed, wanted.record), hidden_from(deed, errand.asker)
    if about:
        # What is asked is asked of the person, whichever of her records was named.
        wanted = replace(wanted, record=None, subjects=sheets_of(people.of_subject(deed, about[0].subject)))
    looking = Looking(deed, recipient, in_force(deed), hidden)
    found, looked_at, more = _look(looking, question, wanted, below)
    deed.append(errand.entry(kind=ASKED, outcome="allow", about=about, basis="law", count=len(found), flags=(name,)))
    return Found(found, more, count(deed, hidden), looked_at)


def _look(looking: Looking, question: Question, wanted: Wanted, below: int) -> tuple[list[tuple[Shown, str]], int, int | None]:
    """The entries of a page, how many were looked at, and where the next page begins."""
    found: list[tuple[Shown, str]] = []
    after, looked_at = min(wanted.after, below) if wanted.after is not None else below, 0
    while True:
        rows = _rows(looking, question, wanted, after)
        for row in rows:
            looked_at, after = looked_at + 1, row.number
            one = shown(row.number, row.leaf, row.body)
            why = "" if question.test is None else question.test(looking, one)
            if why is not None:
                found.append((one, why))
            if len(found) == wanted.limit or looked_at == MOST_LOOKED_AT:
                return found, looked_at, after
        if len(rows) < AT_ONCE:
            return found, looked_at, None


def _rows(looking: Looking, question: Question, wanted: Wanted, after: int) -> list[Row[Any]]:
    """The newest entries before a number that a question may be about: by one index for each kind, since one for all would sort the log."""
    deed, place = looking.deed, tables.entry
    within = [place.c.association_id == deed.association, *conditions(wanted), *numbers(deed, wanted), place.c.number < after]
    within += open_only(looking.hidden)
    if question.outcome is not None:
        within += [place.c.outcome == question.outcome, *([tables.NOT_ALLOWED] if question.outcome != "allow" else [])]
    by_hand = [None] if wanted.actor is None else [place.c.actor == wanted.actor, place.c.on_behalf == wanted.actor]
    # Who asks about one hand or one record has few entries before her: there the kinds are held against each.
    narrow = wanted.actor is not None or wanted.record is not None or bool(wanted.subjects)
    kinds: Sequence[Any] = [None] if question.kinds is None else sorted(question.kinds)
    by_kind = [None if kind is None else place.c.kind == kind for kind in kinds]
    if narrow and question.kinds is not None:
        by_kind = [place.c.kind.in_(sorted(question.kinds))]
    rows: dict[int, Row[Any]] = {}
    for hand in by_hand:
        for kind in by_kind:
            extra = [each for each in (hand, kind) if each is not None]
            query = select(place.c.number, place.c.leaf, place.c.body).where(and_(*within, *extra))
            found = deed.transaction.connection.execute(query.order_by(place.c.number.desc()).limit(AT_ONCE)).all()
            rows |= {row.number: row for row in found}
    return [rows[number] for number in sorted(rows, reverse=True)[:AT_ONCE]]


def _off_hours(looking: Looking, one: Shown) -> str | None:
    """Somebody, and no system, asked about people outside the working hours in Riyadh."""
    entry = one.stored.entry
    is_system = (entry.on_behalf or entry.actor).startswith(CLIENT)
    if entry.kind == STUDIED and entry.outcome != "allow":
        return None
    return None if is_system or is_working_time(looking.rules, moment(one.stored.time)) else "off-hours"


def _without_basis(looking: Looking, one: Shown) -> str | None:
    """Something was given without a basis, or on a consent that had ended, run out, or was never hers."""
    entry = one.stored.entry
    if entry.basis in {None, "", "none"}:
        return "basis-none"
    for about in entry.about:
        told = looking.consents(about.subject) if entry.consents else None
        for id_ in entry.consents if told is not None else ():
            why = _unsound(told.get(id_) if told else None, one.stored)
            # An entry about several persons names consents of each: only where it is one person's is a missing one wrong.
            if why is not None and not (why == "consent-unknown" and len(entry.about) > 1):
                return why
    return None


def _unsound(told: Told | None, stored: Stored) -> str | None:
    if told is None or told.grant.recorded_at > stored.time:
        return "consent-unknown"
    if told.stopped_at is not None and told.stopped_at < stored.time:
        return "consent-ended"
    return "consent-expired" if told.grant.expires_at is not None and told.grant.expires_at <= stored.time else None


def _to_recipient(looking: Looking, one: Shown) -> str | None:
    return "" if one.stored.entry.recipient == looking.recipient else None


def _after_erasure(looking: Looking, one: Shown) -> str | None:
    """Somebody who was erased before is named by what was allowed."""
    numbers_ = [looking.erased_at(about.subject) for about in one.stored.entry.about]
    return "after-erasure" if any(number is not None and number < one.number for number in numbers_) else None


def _broken(_looking: Looking, one: Shown) -> str | None:
    entry: Entry = one.stored.entry
    return "" if {entry.kind, entry.reason, *entry.flags} & BREAK_GLASS else None


QUESTIONS: Final[dict[str, Question]] = {
    "who-saw": Question(GIVEN, "allow", needs="record"),
    "what-was-seen-by": Question(GIVEN, "allow", needs="actor"),
    "without-basis": Question(GIVEN, "allow", test=_without_basis),
    "off-hours": Question(TOUCHES | {STUDIED}, test=_off_hours),
    "given-to": Question(TO_RECIPIENTS, "allow", needs="recipient", test=_to_recipient),
    "between": Question(needs="from"),
    "refused": Question(outcome="refuse"),
    "break-glass": Question(frozenset({"access.break_glass"}), test=_broken),
    "who-read-the-log": Question(LOG_READ),
    "after-erasure": Question(GIVEN | {"record.search", "decision"}, "allow", test=_after_erasure),
}
"""The ten questions by name, in the order of the reference (Q1 to Q10)."""
