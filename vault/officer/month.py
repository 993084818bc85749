"""The month as a board reads it: how often data was seen and for what, what was refused and why, what else happened; for print.

Invariant: numbers only; no id of a person, a record or a member of staff stands on the page.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vault.access.tallies import DAY, Tally, note, tallies
from vault.access_log.entry import RELEASES, SHOWINGS
from vault.breach_reports import incidents
from vault.breach_reports.reports import Reports
from vault.breach_reports.service import Wanted
from vault.errors import FieldError, Invalid
from vault.identity.callers import Caller
from vault.officer.charts import bars, columns
from vault.officer.frame import RIYADH, Frame, Speaker, link, looks, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Query, Route
from vault.web.times import fold_digits, moment, month_in_words

PATH: Final = "/officer/month"
SEEN: Final = RELEASES | SHOWINGS
MOST_CLOCKS: Final = 100_000
"""Clocks that are counted: more than ever run at once."""
_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
# What a board is told of beside accesses and refusals: kinds of allowed entries, by the name of their words.
_DEEDS: Final = {
    "consents": ("consent.granted",),
    "withdrawals": ("consent.withdrawn",),
    "disclosures": ("disclosure.released",),
    "erasures": ("erasure.approved",),
    "reports": ("breach_report.received",),
}


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month as the clocks in Riyadh have it."""

    first: dt.date

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read `2026-01`. Raises Invalid."""
        found = _MONTH.fullmatch(fold_digits(text).strip())
        if found is None:
            raise Invalid([FieldError("month", "wrong-type")])
        return cls(dt.date(int(found[1]), int(found[2]), 1))

    @property
    def next(self) -> "Month":
        """The month after."""
        return Month((self.first + dt.timedelta(days=32)).replace(day=1))

    @property
    def previous(self) -> "Month":
        """The month before."""
        return Month((self.first - dt.timedelta(days=1)).replace(day=1))

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.next.first - self.first).days

    @property
    def begins(self) -> int:
        """Its first moment, in microseconds UTC."""
        return int(dt.datetime(self.first.year, self.first.month, 1, tzinfo=RIYADH).timestamp()) * 1_000_000

    def __str__(self) -> str:
        """Tell it as it is asked for."""
        return self.first.strftime("%Y-%m")


def month_routes(frame: Frame, reports: Reports) -> list[Route]:
    """The page of this file."""
    pages = _Months(frame, reports)
    month = Query(kind="text", high=20)
    return [looks(PATH, "officer.month", pages.look, "log:read", "The month in numbers and charts, for the board.", month=month)]


@dataclass(frozen=True, slots=True)
class _Months:
    """The handler."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        caller: Caller = call.caller
        association, errand = caller.association, Errand(caller, call.request_id)
        now = Month(moment(call.now).astimezone(RIYADH).date().replace(day=1))
        month = Month.parse(call.query["month"]) if call.query["month"] else now
        noted = await heard(errand, lambda: association.run(lambda deed: note(deed, errand)))
        since, until = month.begins, month.begins + month.days * DAY
        found = await association.look(lambda transaction: tallies(transaction, association.id, since, until, noted.hidden))
        speaker, leftwards = speaker_of(call, await association.book()), call.language != "en"
        seen, refused = _by_day_and_purpose(found, speaker), _by_day(found, speaker)
        return await self.frame.page(
            "month.html",
            call,
            month=month_in_words(month.first, call.language),
            withheld=noted.withheld,
            facts=[*_facts(found), *await self._clocks(call)],
            seen=columns(month.days, seen, speaker.word("others"), leftwards=leftwards) if seen else None,
            seen_table=sorted((day + 1, name, count) for (day, name), count in seen.items()),
            refused=columns(month.days, refused, "", leftwards=leftwards) if refused else None,
            purposes=bars(list(_totals(seen).items()), leftwards=leftwards),
            reasons=bars(list(_reasons(found, speaker).items()), leftwards=leftwards),
            before=link(PATH, call.language, month=str(month.previous)),
            after=link(PATH, call.language, month=str(month.next)) if month.first < now.first else None,
            made=speaker.time(call.now),
        )

    async def _clocks(self, call: Call) -> list[tuple[str, int]]:
        """How many clocks to the authority run now, and how many ran out, where the caller may know."""
        caller: Caller = call.caller
        if "reports" not in caller.scopes:
            return []
        errand = Errand(caller, call.request_id)
        found, _ = await heard(errand, lambda: self.reports.listed(errand, Wanted(limit=MOST_CLOCKS, by_clock=True)))
        every = await caller.association.run(lambda deed: incidents.listed(deed, errand, "open", None, MOST_CLOCKS))
        clocks = [*(each.clock for each in found), *(each.clock for each in every.items)]
        running = [each for each in clocks if each is not None]
        return [("open_clocks", len(running)), ("overdue_clocks", sum(each.is_overdue(call.now) for each in running))]


def _facts(found: Sequence[Tally]) -> list[tuple[str, int]]:
    allowed: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for each in found:
        outcomes[each.outcome] += each.count
        if each.outcome == "allow":
            allowed[each.kind] += each.count
    deeds = [(name, sum(allowed[kind] for kind in kinds)) for name, kinds in _DEEDS.items()]
    seen = sum(allowed[kind] for kind in SEEN)
    return [("accesses", seen), ("refusals", outcomes["refuse"]), *deeds, ("alarms", outcomes["error"])]


def _by_day_and_purpose(found: Sequence[Tally], speaker: Speaker) -> Counter[tuple[int, str]]:
    counts: Counter[tuple[int, str]] = Counter()
    for each in found:
        if each.outcome == "allow" and each.kind in SEEN:
            counts[each.day, speaker.purpose(each.purpose)] += each.count
    return counts


def _by_day(found: Sequence[Tally], speaker: Speaker) -> Counter[tuple[int, str]]:
    counts: Counter[tuple[int, str]] = Counter()
    for each in found:
        if each.outcome == "refuse":
            counts[each.day, speaker.word("fact_refusals")] += each.count
    return counts


def _totals(counts: Counter[tuple[int, str]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_, name), count in counts.items():
        totals[name] += count
    return totals


def _reasons(found: Sequence[Tally], speaker: Speaker) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in found:
        if each.outcome == "refuse":
            counts[speaker.reason(each.reason or "")] += each.count
    return counts
