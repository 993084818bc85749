"""Rings the clocks of incidents and of reports: every few seconds each process looks at what is due, and the log decides who rang.

Invariants: that a clock rang is a new version of the fact of its case and an entry in one deed, which looks at the fact again behind the
lock of the log's head, so that each clock rings once, however many processes look and whichever dies; what was due while nobody looked
rings at the first round, with the moment it was due; a fact that does not hold keeps no other case's clock from ringing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot
from vault.breach_reports import case, clock_mail, clocks, held_mail, incident_file, service
from vault.breach_reports.case import Case
from vault.breach_reports.clock_mail import Telling
from vault.breach_reports.incident_lifecycle import open_tracks
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.letters import WORD
from vault.breach_reports.shapes import BREACH_REPORT, ReportFact, WorkFired
from vault.errors import NotFound, Unavailable
from vault.rulebook import facts
from vault.rulebook.alarm import INTEGRITY, Seldom
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.storage.group_commit import DATABASE_ERRORS

T = TypeVar("T")
SYSTEM: Final = "system"
RANG: Final = "incident.clock"
REPORT_RANG: Final = "breach_report.clock"
MINUTE: Final = 60_000_000
"""Microseconds between two looks at the clocks of reports, of which there are many and whose hours are long."""
SILENCE: Final = 3_600_000_000
"""Microseconds between two alarms about incidents that do not hold."""


@dataclass(slots=True)
class Ringer:
    """The clocks of one association's incidents and reports, for this process.

    `telling` says whom a mail is written to when an incident's rings, or where a report waits for her to say whom its reporter meant.
    """

    association: Association
    telling: Telling = field(default_factory=Telling)
    seldom: Seldom = field(default_factory=Seldom)
    _incidents: dict[str, facts.Seen[IncidentFact]] = field(default_factory=dict)
    _reports: dict[str, facts.Seen[ReportFact]] = field(default_factory=dict)
    _work_next: int = 0

    async def round(self) -> int:
        """Ring what is due; how many clocks rang by this process. Raises Unavailable, and rings them the next time."""
        association = self.association
        within = service.hours(await association.book())
        found = await self._known(INCIDENT, self._incidents)
        now = association.log.clock()
        rang = 0
        for one in found:
            if clocks.due(one, within, now):
                rang += await association.run(partial(_ring, association, bytes.fromhex(one.id), self.telling))
        if now >= self._work_next:
            self._work_next = now + MINUTE
            reports = await self._known(BREACH_REPORT, self._reports)
            for report in reports:
                if not report.gone and (clocks.work_due(report, now) or clocks.authority_due(report, within, now)):
                    rang += await association.run(partial(_ring_report, association, bytes.fromhex(report.id)))
            await self._tell_of_held([each for each in reports if each.held and not each.gone])
        return rang

    async def _tell_of_held(self, held: Sequence[ReportFact]) -> None:
        """Write down the mails about reports that wait for who says whom they mean; one that does not hold keeps no other back."""
        association = self.association
        book = await association.book()
        for staff in sorted(self.telling.staff):
            beside = self.telling.beside(staff)
            report = held_mail.newest(book, held, staff, beside, association.log.clock())
            if report is None:
                continue
            unit = partial(_write_of_held, association, bytes.fromhex(report.id), staff, beside)
            try:
                await association.run(unit)
            except Unavailable as error:
                if error.code != INTEGRITY:
                    raise
                await self._alarm(WORD.name)

    async def _known(self, kind: facts.Kind[T], seen: dict[str, facts.Seen[T]]) -> list[T]:
        """Every case that holds; where one does not, the alarm rings for it, at most once an hour."""
        try:
            return await asyncio.to_thread(self._look, kind, seen)
        except Unavailable as error:
            if error.code != INTEGRITY:
                raise
        await self._alarm(kind.name)
        return await asyncio.to_thread(self._look_at_what_holds, kind)

    async def _alarm(self, what: str) -> None:
        entry = Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", article=f"{self.association.pack}:7")
        await self.seldom.ring(self.association, what, SILENCE, lambda _deed: entry)

    def _look(self, kind: facts.Kind[T], seen: dict[str, facts.Seen[T]]) -> list[T]:
        association = self.association
        try:
            with snapshot(association.database, association.id) as connection:
                found = facts.read_again(connection, association.cabinet, association.id, kind, seen)
        except DATABASE_ERRORS as error:
            raise Unavailable("log-unavailable") from error
        seen.clear()
        seen |= found
        return [each.value for each in found.values()]

    def _look_at_what_holds(self, kind: facts.Kind[T]) -> list[T]:
        association = self.association
        try:
            with snapshot(association.database, association.id) as connection:
                return list(facts.holding(connection, association.cabinet, association.id, kind).values())
        except DATABASE_ERRORS as error:
            raise Unavailable("log-unavailable") from error


def _write_of_held(association: Association, report: bytes, staff: str, beside: frozenset[str], deed: Deed) -> None:
    held_mail.write(deed, association.books.at(deed), report, staff, beside)


def _ring(association: Association, incident: bytes, telling: Telling, deed: Deed) -> int:
    """Ring the clocks of one incident that are due and that no other process rang, each in an entry of its own; how many."""
    book = association.books.at(deed)
    within = service.hours(book)
    try:
        found = incident_file.load(deed, incident)
    except NotFound:
        return 0
    due = clocks.due(found.fact, within, deed.now)
    fact = found.fact
    for each in due:
        fact = msgspec.structs.replace(fact, fired=(*fact.fired, clocks.rung(each, deed.now)))
        written = facts.write(deed, INCIDENT, fact.id, fact)
        mails = clock_mail.written(deed, book, fact, each.hours, telling)
        told = Entry(
            kind=RANG,
            outcome="error",
            actor=SYSTEM,
            about=found.about,
            fields=open_tracks(fact),
            purpose=PURPOSE,
            article=f"{book.association.pack}:8",
            law=f"{book.association.law_pack}:20",
            reason=f"HOURS_{each.hours}",
            count=each.hours,
            facts=(written, *mails),
        )
        deed.append(told)
    return len(due)


def _ring_report(association: Association, report: bytes, deed: Deed) -> int:
    """Ring the clocks of one report that are due and that no other process rang, each in an entry of its own; how many."""
    book = association.books.at(deed)
    try:
        found = case.load(deed, report)
    except NotFound:
        return 0
    within, fact = service.hours(book), found.fact
    work, authority = clocks.work_due(fact, deed.now), clocks.authority_due(fact, within, deed.now)
    for each in work:
        rung = WorkFired(work=each.work, due_at=each.due_at, fired_at=deed.now)
        fact = msgspec.structs.replace(fact, fired=(*fact.fired, rung))
        _tell_of_report(deed, book, found, fact, f"{each.work.upper()}_{each.hours}", hours=each.hours)
    for one in authority:
        fact = msgspec.structs.replace(fact, authority_fired=(*fact.authority_fired, clocks.rung(one, deed.now)))
        _tell_of_report(deed, book, found, fact, f"AUTHORITY_{one.hours}", hours=one.hours, law=f"{book.association.law_pack}:20")
    return len(work) + len(authority)


def _tell_of_report(deed: Deed, book: Book, found: Case, fact: ReportFact, reason: str, *, hours: int, law: str | None = None) -> None:
    """Write that a clock of this report rang, with its entry."""
    written = facts.write(deed, BREACH_REPORT, fact.id, fact)
    told = Entry(
        kind=REPORT_RANG,
        outcome="error",
        actor=SYSTEM,
        about=found.about,
        purpose=PURPOSE,
        article=f"{book.association.pack}:8",
        law=law,
        reason=reason,
        count=hours,
        facts=(written,),
    )
    deed.append(told)
