"""Seven rules that look at the log's entries and say which of them somebody should look into: entries in, findings out, no I/O.

Invariants: a finding rests on what the entries say and on the declared thresholds, and on nothing else, so that whoever reads the same
entries finds the same; nothing is blocked, an alert only asks for a look; every rule tells of one thing once in its window, so that nobody
is buried under repetitions; whom a client names at its screen is its own word, so that what it does for many is counted for it as well.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from vault.access_log.entry import Entry, Stored
from vault.rulebook.shapes import Fact
from vault.web.times import RIYADH, moment

Rule = Literal["bulk", "enumeration", "off_hours", "after_withdrawal", "break_glass", "canary", "questions", "breach_clock", "report_clock"]
Day = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

TOUCHES: Final = frozenset(
    {
        *("record.read", "record.asked", "record.search", "decision", "disclosure.decided", "disclose", "evidence.read", "attachment.read"),
        *("contact", "contact.asked", "publication.decided", "consent.read", "consent.receipt", "consent.proof"),
    }
)
"""The kinds of entry by which somebody asks about a person, whatever she is answered."""
STUDIED: Final = "research"
"""The kind of entry by which a study looks at a person: it asks about everybody there is, so it counts for those it looked at alone."""
WITHDRAWN: Final = "consent.withdrawn"
QUESTION: Final = "record.asked"
QUESTIONS_A_DAY: Final = 10
"""So many questions in the place of values are asked about one person in a day of Riyadh, whoever asks them, before somebody looks."""
BREAK_GLASS: Final = frozenset({"access.break_glass", "break-glass", "BREAK_GLASS"})
"""What an entry of opening without the usual way says, as its kind, its reason or a flag."""
CLOCKS: Final[dict[str, Rule]] = {"incident.clock": "breach_clock", "breach_report.clock": "report_clock"}
"""The kinds of entry by which a clock rings, of an incident (implementing regulation 24) or of work on a report, and the rule of each."""
AUTHORITY: Final = "AUTHORITY_"
"""How the reason of a report's clock begins that is the authority's as well: the report is a breach and in no incident."""
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
RIYADH_AHEAD: Final = 3 * HOUR
"""The clock of Riyadh is three hours ahead of UTC the year round."""
MISSES_WINDOW: Final = 10 * MINUTE
MOST_INDEXES: Final = 20
"""So many entries an alert names: the newest of those it rests on."""
WEEK: Final[tuple[Day, ...]] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DetectionFact(Fact, frozen=True):
    """The thresholds as declared; without a declaration these. `canaries` are pairs of record and person in hexadecimal.

    A person is a member of staff, by herself or at the screen of a client; a system is a client with nobody at its screen. Hours are those
    of Riyadh, `closes` exclusive; holidays are days as ISO 8601 writes them.
    """

    people_an_hour: int = 50
    people_an_hour_systems: int = 2000
    misses: int = 20
    misses_systems: int = 100
    days: tuple[Day, ...] = ("sunday", "monday", "tuesday", "wednesday", "thursday")
    opens: int = 7
    closes: int = 18
    holidays: tuple[str, ...] = ()
    hours_after_withdrawal: int = 24
    canaries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: by whom (as the log names her), the entries it rests on, the last of them the one that made it fire.

    `limit` is the threshold that was passed, 0 where the rule has none.
    """

    rule: Rule
    hand: str
    indexes: tuple[int, ...]
    limit: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """One entry of a hand, in the log at `number`."""

    number: int
    time: int
    hand: str
    entry: Entry

    @property
    def is_system(self) -> bool:
        return self.hand.startswith("client:")

    @property
    def hands(self) -> tuple["_Seen", ...]:
        """The same entry as that of the person at the screen and as that of the client, which alone says who she is."""
        client = self.entry.actor
        return (self,) if client == self.hand else (self, replace(self, hand=client))

    @property
    def subjects(self) -> tuple[bytes, ...]:
        return tuple(about.subject for about in self.entry.about)


@dataclass(slots=True)
class _Window:
    """What one hand did in one window of time; a window of the clock, so that where it begins needs no memory."""

    number: int
    people: set[bytes] = field(default_factory=set)
    count: int = 0
    indexes: list[int] = field(default_factory=list)
    answered: str | None = None

    def take(self, index: int) -> tuple[int, ...]:
        """Add an entry; the newest of those added."""
        self.indexes = [*self.indexes[1 - MOST_INDEXES :], index]
        return tuple(self.indexes)


@dataclass(slots=True)
class _Withdrawal:
    number: int
    time: int
    told: set[str] = field(default_factory=set)


class Watch:
    """The rules over entries in their order; holds no more than its windows need."""

    def __init__(self, rules: DetectionFact) -> None:
        """Begin with nothing seen."""
        self.rules = rules
        self._canaries = frozenset(bytes.fromhex(subject) for _, subject in rules.canaries)
        self._bulk: dict[str, _Window] = {}
        self._misses: dict[str, _Window] = {}
        self._off_hours: dict[str, int] = {}
        self._tried: dict[str, int] = {}
        self._touched: dict[tuple[str, bytes], int] = {}
        self._withdrawn: dict[bytes, _Withdrawal] = {}
        self._asked: dict[bytes, _Window] = {}

    def see(self, number: int, stored: Stored) -> list[Finding]:
        """What the entry at this number makes fire, given those seen before it."""
        entry = stored.entry
        one = _Seen(number, stored.time, entry.on_behalf or entry.actor, entry)
        if entry.kind == WITHDRAWN and entry.outcome == "allow":
            self._note_withdrawal(one)
        found = [self._by_glass(one), self._by_clock(one)]
        if entry.kind == QUESTION:
            found += [self._by_questions(one, subject) for subject in one.subjects]
        if entry.kind in TOUCHES:
            for each in one.hands:
                found += [self._by_bulk(each), self._by_enumeration(each)]
            found += [rule(one) for rule in (self._by_hours, self._by_withdrawal, self._by_canary)]
        if entry.kind == STUDIED and entry.outcome == "allow":
            # Nobody chose whom it meets, so that it meets her soon after she withdrew something says nothing.
            found += [*map(self._by_bulk, one.hands), self._by_hours(one), self._by_canary(one)]
        return [each for each in found if each is not None]

    def _by_glass(self, one: _Seen) -> Finding | None:
        """Each time a case was opened, and once an hour where somebody only tried: wrong codes bury nobody under alerts."""
        if not {one.entry.kind, one.entry.reason, *one.entry.flags} & BREAK_GLASS:
            return None
        if one.entry.outcome == "refuse":
            hour = one.time // HOUR
            if self._tried.get(one.hand) == hour:
                return None
            self._tried[one.hand] = hour
        return Finding("break_glass", one.hand, (one.number,))

    @staticmethod
    def _by_clock(one: _Seen) -> Finding | None:
        """Each time a clock rang, which each does once; the threshold that was passed is its hours."""
        rule = CLOCKS.get(one.entry.kind)
        if rule is None:
            return None
        meant: Rule = "breach_clock" if (one.entry.reason or "").startswith(AUTHORITY) else rule
        return Finding(meant, one.hand, (one.number,), one.entry.count or 0)

    def _by_bulk(self, one: _Seen) -> Finding | None:
        window = _window(self._bulk, one, HOUR)
        new = set(one.subjects) - window.people
        if not new:
            return None
        limit = self.rules.people_an_hour_systems if one.is_system else self.rules.people_an_hour
        before = len(window.people)
        window.people |= new
        indexes = window.take(one.number)
        return Finding("bulk", one.hand, indexes, limit) if before <= limit < len(window.people) else None

    def _by_enumeration(self, one: _Seen) -> Finding | None:
        if one.entry.kind != "record.search" or "suggested" in one.entry.flags:
            return None
        window = _window(self._misses, one, MISSES_WINDOW)
        tells = one.entry.outcome == "allow" and bool(one.entry.about)
        again = one.entry.request is not None and one.entry.request == window.answered
        window.answered = one.entry.request
        if tells or again:
            # One search leaves several entries where some of those who have the value may be told of and some not.
            return None
        limit = self.rules.misses_systems if one.is_system else self.rules.misses
        window.count += 1
        indexes = window.take(one.number)
        return Finding("enumeration", one.hand, indexes, limit) if window.count == limit + 1 else None

    def _by_questions(self, one: _Seen, subject: bytes) -> Finding | None:
        """More questions about one person in a day than tell her values: each tells a little, and together they tell the rest."""
        day = day_of(one.time)
        window = self._asked.get(subject)
        if window is None or window.number != day:
            # Of a day that is over nothing is remembered.
            self._asked = {each: kept for each, kept in self._asked.items() if kept.number == day}
            window = self._asked[subject] = _Window(day)
        window.count += 1
        indexes = window.take(one.number)
        return Finding("questions", one.hand, indexes, QUESTIONS_A_DAY) if window.count == QUESTIONS_A_DAY + 1 else None

    def _by_hours(self, one: _Seen) -> Finding | None:
        hour = one.time // HOUR
        if one.is_system or self._off_hours.get(one.hand) == hour or is_working_time(self.rules, moment(one.time)):
            return None
        self._off_hours[one.hand] = hour
        return Finding("off_hours", one.hand, (one.number,))

    def _by_withdrawal(self, one: _Seen) -> Finding | None:
        hours = self.rules.hours_after_withdrawal
        for subject in one.subjects:
            known = self._withdrawn.get(subject)
            if known is not None and one.time < known.time + hours * HOUR and one.hand not in known.told:
                known.told.add(one.hand)
                return Finding("after_withdrawal", one.hand, (known.number, one.number), hours)
        return None

    def _by_canary(self, one: _Seen) -> Finding | None:
        hour = one.time // HOUR
        met = [subject for subject in one.subjects if subject in self._canaries and self._touched.get((one.hand, subject)) != hour]
        self._touched |= {(one.hand, subject): hour for subject in met}
        return Finding("canary", one.hand, (one.number,)) if met else None

    def _note_withdrawal(self, one: _Seen) -> None:
        since = one.time - self.rules.hours_after_withdrawal * HOUR
        self._withdrawn = {subject: known for subject, known in self._withdrawn.items() if known.time > since}
        self._withdrawn |= {subject: _Withdrawal(one.number, one.time) for subject in one.subjects}


def _window(windows: dict[str, _Window], one: _Seen, length: int) -> _Window:
    """The window of this hand that the entry falls into, a new one where the last is over."""
    number = one.time // length
    found = windows.get(one.hand)
    if found is None or found.number != number:
        found = windows[one.hand] = _Window(number)
    return found


def day_of(time: int) -> int:
    """The number of the day of Riyadh a moment falls into, counted from 1970."""
    return (time + RIYADH_AHEAD) // DAY


def is_working_time(rules: DetectionFact, at: datetime) -> bool:
    """Whether somebody at work is expected at this moment: a declared day of the week and hour in Riyadh, and no holiday."""
    here = at.astimezone(RIYADH)
    return WEEK[here.weekday()] in rules.days and rules.opens <= here.hour < rules.closes and here.date().isoformat() not in rules.holidays
