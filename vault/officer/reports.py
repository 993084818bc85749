"""Breach reports by the time that is left to tell the authority (article 8); nothing anybody wrote is opened here."""

from dataclasses import dataclass
from typing import Final

from vault.breach_reports import clocks
from vault.breach_reports.reports import Reports
from vault.breach_reports.retention import standing
from vault.breach_reports.service import Listed, Wanted
from vault.officer.frame import Frame, Speaker, looks, speaker_of
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.web.answer import Answer
from vault.web.call import Call
from vault.web.route import Route

MOST: Final = 500
HOUR: Final = 3_600_000_000
NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Line:
    """One report: its clock in words, None once no clock runs, how much of the time is used (of 100), how a mail's sender is known."""

    id: str
    reference: str
    state: str
    category: str
    received: str
    due: str | None
    left: str | None
    overdue: bool
    provisional: bool
    used: int
    grade: str = ""
    work: str = ""
    held: bool = False


def report_routes(frame: Frame, reports: Reports) -> list[Route]:
    """The page of this file."""
    pages = _Reports(frame, reports)
    return [looks("/officer/reports", "officer.reports", pages.look, "reports", "Breach reports by the time that is left.")]


@dataclass(frozen=True, slots=True)
class _Reports:
    """The handler."""

    frame: Frame
    reports: Reports

    async def look(self, call: Call) -> Answer:
        errand = Errand(call.caller, call.request_id)
        found, page = await heard(errand, lambda: self.reports.listed(errand, Wanted(limit=MOST, by_clock=True)))
        labels = {
            code: text.en if call.language == "en" else text.ar
            for code, text in (await self.reports.categories(errand.asker.association)).items()
        }
        speaker = speaker_of(call)
        lines = [line(each, labels, speaker, call.now) for each in by_time_left(found)]
        return await self.frame.page(
            "reports.html", call, lines=lines, quarantined=page.quarantined, is_cut=page.more is not None, now=speaker.time(call.now)
        )


def by_time_left(found: list[Listed]) -> list[Listed]:
    """The reports with the least time left first, those without a clock last, each group as it came."""
    return sorted(found, key=lambda each: each.clock.due_at if each.clock else NEVER)


def line(one: Listed, labels: dict[str, str], speaker: Speaker, now: int) -> Line:
    """A report in words."""
    fact, clock = one.case.fact, one.clock
    used = 0 if clock is None else (now - clock.aware_at) * 100 // (clock.due_at - clock.aware_at)
    return Line(
        id=speaker.id(fact.id),
        reference=fact.reference,
        state=speaker.word(f"state_{fact.state}"),
        category=labels.get(fact.category, fact.category),
        received=speaker.time(fact.received_at),
        due=None if clock is None else speaker.time(clock.due_at),
        left=None if clock is None else speaker.counted("hours", abs(clock.left(now)) // HOUR),
        overdue=clock is not None and clock.is_overdue(now),
        provisional=clock is not None and clock.provisional,
        used=max(0, min(100, used)),
        grade="" if fact.mail is None else speaker.word(f"mail_{fact.mail.grade}"),
        work=speaker.joined(work(each, speaker, now) for each in clocks.of_report(fact)),
        held=standing(fact.holds) is not None,
    )


def work(running: clocks.WorkClock, speaker: Speaker, now: int) -> str:
    """A clock of the work in words: what is to be done, and the hours left or over."""
    left = running.due_at - now
    words = f"work_{running.work}" if left >= 0 else f"work_{running.work}_over"
    return f"{speaker.word(words)} {speaker.counted('hours', abs(left) // HOUR)}"
