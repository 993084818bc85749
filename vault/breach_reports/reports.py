"""The room as one object: the associations it serves, its limits, and the second factor that the roof lends it from identity."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import msgspec

from keys.case_file import new_case_key
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.breach_reports import case, door, entering, intake
from vault.breach_reports.entering import Came
from vault.breach_reports.exclusion import Office, offices_of
from vault.breach_reports.files import Bringing
from vault.breach_reports.index import Index
from vault.breach_reports.intake import Arriving, Received, Told
from vault.breach_reports.lifecycle import HOUR, clock
from vault.breach_reports.likeness import sketch
from vault.breach_reports.limits import Intake, IntakeFull, IntakeSealed
from vault.breach_reports.reporter import about
from vault.breach_reports.service import Listed, Page, SecondFactor, SecondPerson, Wanted, hours, page, seen_by
from vault.breach_reports.shapes import REPORTER, Doubt, ReportFact
from vault.errors import Invalid, NotFound, Unavailable
from vault.policy.pack import Text
from vault.rulebook.alarm import INTEGRITY, Seldom, heard, integrity, nobody, ring
from vault.rulebook.asker import Errand, Stranger, once_for
from vault.rulebook.association import Association, open_here
from vault.rulebook.channels import Channels
from vault.storage.idempotency import Once
from vault.web.form import Upload

T = TypeVar("T")
Uploads = AsyncIterator[Upload]
SILENCE: Final = 600_000_000
"""Microseconds between two alarms that the public rings about one thing."""
ASIDE: Final = "REPORTS_ASIDE"
FULL: Final = "INTAKE_FULL"
WAITS: Final = "EXCLUSION_WAITS"
SEALED: Final = "sealed"


@dataclass(frozen=True, slots=True)
class Follow:
    """What the holder of a receipt is shown: the report and its messages, opened."""

    taken: door.Taken
    messages: list[door.Opened]


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file as it leaves: media type and bytes."""

    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Knock:
    """How the public came: from which network, when, in which request; what made a report doubtful, and its idempotency key."""

    network: str
    now: int
    request: str
    seen: Doubt = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """Breach reports of every association that is open in this process; the mappings may grow."""

    associations: Mapping[str, Association]
    channels: Mapping[str, Channels]
    limits: Intake
    factor: SecondFactor
    index: Index = field(default_factory=Index)
    seldom: Seldom = field(default_factory=Seldom)

    @property
    def second(self) -> SecondPerson:
        """The deeds of the second person."""
        return SecondPerson(self.factor)

    def association(self, code: str) -> Association:
        """The association of this code. Raises NotFound, IntakeSealed."""
        try:
            return open_here(self.associations, code)
        except Unavailable as error:
            raise IntakeSealed if error.code == SEALED else error from None

    def channels_of(self, code: str) -> Channels:
        """How the association is reached besides."""
        return self.channels.get(code, Channels())

    async def categories(self, association: Association) -> Mapping[str, Text]:
        """The categories of the association's pack, by code."""
        return (await association.book()).pack.report_categories

    async def offices(self, association: Association) -> tuple[Office, ...]:
        """The offices a reporter may exclude here."""
        return offices_of(await association.book())

    async def receive(self, association: Association, told: Told, knock: Knock) -> Received:
        """Take a report from the public; the answer may leave once this returns.

        Raises Invalid, IntakeFull, IntakePaused, Unavailable.
        """
        return await self._take_in(association, told, knock, None)

    async def receive_with(self, association: Association, tell: Callable[[], Told], uploads: Uploads, knock: Knock) -> Received:
        """Take a report with the files that come with it; what `tell` says is asked for once they were read. Raises as `receive`."""
        report = os.urandom(16)
        key, _ = new_case_key(association.cabinet.keys, report)
        brought = self._bringing(association, report, key, knock)
        async with brought:
            await brought.take(uploads)
            return await self._take_in(association, tell(), knock, brought)

    def _bringing(self, association: Association, report: bytes, key: DataKey, knock: Knock) -> Bringing:
        return Bringing(association, report, key, lambda: self.limits.carries(association.code, association.folder, knock.network))

    async def _take_in(self, association: Association, told: Told, knock: Knock, brought: Bringing | None) -> Received:
        wrong = intake.errors_in(told, await self.categories(association), knock.now)
        if brought is not None and brought.wrong is not None:
            wrong += brought.wrong.errors
        if wrong:
            raise Invalid(wrong)
        errand = _errand(association, knock)
        try:
            return await self._receive(errand, told, knock, brought)
        except IntakeFull as full:
            if full.is_of_all:
                await self._tell(errand, FULL)
            raise

    async def _receive(self, errand: Errand, told: Told, knock: Knock, brought: Bringing | None) -> Received:
        association = errand.asker.association
        doubt = self.limits.doubt(association.code, association.folder, knock.network, knock.seen)
        once = _once(errand, knock.key, told)
        likeness = await asyncio.to_thread(sketch, told.narrative, association.cabinet.pepper.hash)
        arriving = Arriving(doubt, likeness, brought)
        taken = await association.run(lambda deed: intake.receive(deed, errand, told, arriving, once))
        if taken.doubt == "association":
            await self._tell(errand, ASIDE)
        if taken.waits:
            await self._tell(errand, WAITS)
        return taken

    async def listed(self, errand: Errand, wanted: Wanted) -> tuple[list[Listed], Page]:
        """A page of reports for an officer, in the order wanted. Raises NotFound for an `after` that is none, Unavailable `integrity`.

        Where index and log disagree about any report there is no list, so that none can be taken out of it unseen.
        """
        association = errand.asker.association
        known = await self.index.known(association)
        seen = seen_by(await association.run(errand.still), known)
        found = await asyncio.to_thread(page, seen, wanted)
        within = hours(await association.book())
        shown = [Listed(one, clock(one.fact, within)) for one in found.cases]
        return shown, replace(found, withheld=len(known) - len(seen))

    async def waiting(self, errand: Errand) -> tuple[Errand, Mapping[bytes, ReportFact]]:
        """Every report, for an officer who still is one, and the errand as it stands. Raises Unauthenticated, Unavailable `integrity`."""
        association = errand.asker.association
        known = await heard(errand, lambda: self.index.known(association))
        return await heard(errand, lambda: association.run(errand.still)), known

    async def take_down(
        self, errand: Errand, entry: tuple[Came, Told], once: Once | None, now: int, brought: Bringing | None = None
    ) -> tuple[case.Case, bool]:
        """Take down a report that came by another way; with it whether the same request did before. Raises Invalid, IntakePaused."""
        association, (came, told) = errand.asker.association, entry
        self.limits.require_room(association.folder)
        wrong = entering.errors_in(came, told, await errand.newest_book(), now)
        if brought is not None and brought.wrong is not None:
            wrong += brought.wrong.errors
        if wrong:
            raise Invalid(wrong)
        found, already = await heard(
            errand, lambda: association.run(lambda deed: entering.take_down(deed, errand, entry, once, brought), weight=2)
        )
        if found.fact.held and not already:
            await self._tell(errand, WAITS)
        return found, already

    async def take_down_with(
        self, errand: Errand, tell: Callable[[], tuple[tuple[Came, Told], Once | None]], uploads: Uploads, now: int
    ) -> tuple[case.Case, bool]:
        """Take it down with the files that come with it; what `tell` says is asked for once they were read. Raises as `take_down`."""
        report, association = os.urandom(16), errand.asker.association
        key, _ = new_case_key(association.cabinet.keys, report)
        brought = Bringing(association, report, key, lambda: None, errand.still)
        async with brought:
            await brought.take(uploads)
            found, already = await self.take_down(errand, *tell(), now, brought)
            if already:
                await brought.drop()
            return found, already

    async def add_to_entry(self, errand: Errand, report: bytes, uploads: Uploads) -> ReportFact:
        """Add files to a report for who took it down and has not confirmed it. Raises NotFound, Refused, Wrong, TooMany."""
        association = errand.asker.association

        def key(deed: Deed) -> DataKey:
            entering.own(deed, errand, report)
            return case.key_of(deed, report)

        found = await heard(errand, lambda: association.run(key), about(report))
        brought = Bringing(association, report, found, lambda: None, errand.still)
        async with brought:
            await brought.take(uploads)
            brought.require_sound()
            return await heard(
                errand, lambda: association.run(lambda deed: entering.add_files(deed, errand, report, brought)), about(report)
            )

    async def confirm_entry(self, errand: Errand, report: bytes, correction: str) -> tuple[ReportFact, str | None]:
        """Confirm what was taken down: the report and its receipt, which may leave now. Raises Invalid, NotFound, Refused."""
        entering.require_correction(correction)
        association = errand.asker.association
        return await heard(errand, lambda: association.run(lambda deed: entering.confirm(deed, errand, report, correction)), about(report))

    async def follow(self, association: Association, receipt: str, knock: Knock) -> Follow:
        """The report a receipt is for, with its messages. Raises one NotFound for every wrong receipt, TooMany, Unavailable."""
        report = await self._report(association, receipt, knock)
        self.limits.follows(report)
        errand = _errand(association, knock)
        return await self._shown(errand, report, lambda deed: intake.follow(deed, errand, report))

    async def write(self, association: Association, receipt: str, text: str, knock: Knock) -> Follow:
        """Add a message of the reporter's and show it with the others, in one transaction. Raises Invalid, and as `follow`."""
        intake.require_message(text)
        report = await self._report(association, receipt, knock)
        self.limits.writes(report)
        errand = _errand(association, knock)

        def unit(deed: Deed) -> door.Taken:
            intake.write(deed, errand, report, text)
            return intake.follow(deed, errand, report)

        return await self._shown(errand, report, unit)

    async def write_with(self, association: Association, receipt: str, tell: Callable[[], str], uploads: Uploads, knock: Knock) -> Follow:
        """Add a message with the files that come with it and show it with the others. Raises as `write`; the receipt is looked at first."""
        report = await self._report(association, receipt, knock)
        self.limits.writes(report)
        errand = _errand(association, knock)
        key = await self._alarmed(errand, report, lambda: association.run(lambda deed: case.key_of(deed, report)))
        brought = self._bringing(association, report, key, knock)

        def unit(deed: Deed) -> door.Taken:
            intake.write(deed, errand, report, tell(), brought)
            return intake.follow(deed, errand, report)

        async with brought:
            await brought.take(uploads)
            brought.require_sound()
            intake.require_message(tell(), files=bool(brought.arrived))
            return await self._shown(errand, report, unit)

    async def file(self, association: Association, receipt: str, file: str, knock: Knock) -> GivenFile:
        """A file the association sent with a reply, for the holder of the receipt. Raises one NotFound, TooMany, Unavailable."""
        report = await self._report(association, receipt, knock)
        self.limits.follows(report)
        errand = _errand(association, knock)

        async def shown() -> GivenFile:
            taken = await association.run(lambda deed: intake.file(deed, errand, report, file))
            return GivenFile(taken.told.type, await asyncio.to_thread(door.give_out_file, taken))

        return await self._alarmed(errand, report, shown)

    async def _report(self, association: Association, receipt: str, knock: Knock) -> bytes:
        self.limits.looks_up(knock.network)
        errand = _errand(association, knock)

        async def found() -> case.Case | None:
            found = await association.run(lambda deed: intake.of_receipt(deed, receipt))
            if found is None:
                await self.index.require(association)
            return found

        report = await self._alarmed(errand, None, found)
        if report is None:
            raise NotFound
        return report.id

    async def _shown(self, errand: Errand, report: bytes, unit: Callable[[Deed], door.Taken]) -> Follow:
        async def shown() -> Follow:
            taken = await errand.asker.association.run(unit)
            return Follow(taken, door.give_out(taken))

        return await self._alarmed(errand, report, shown)

    async def _alarmed(self, errand: Errand, report: bytes | None, work: Callable[[], Awaitable[T]]) -> T:
        """What work for the public gives; where it meets what does not hold, the alarm rings before the answer, once in `SILENCE`."""
        try:
            return await work()
        except Unavailable as error:
            if error.code == INTEGRITY:
                meant, name = (nobody, "index") if report is None else (about(report), "report")
                await self.seldom.ring(errand.asker.association, name, SILENCE, lambda deed: integrity(errand, deed, meant))
            raise

    async def _tell(self, errand: Errand, reason: str) -> None:
        """Tell what nobody may overlook, once an hour: honest reports may lie in quarantine, or be turned away; an exclusion waits."""
        article = f"{errand.asker.association.pack}:8"
        entry = errand.entry(kind="alarm", outcome="error", reason=reason, article=article)
        await self.seldom.ring(errand.asker.association, reason, HOUR, lambda _deed: entry)


async def opened(errand: Errand, taken: door.Taken) -> list[door.Opened]:
    """What was written, after the commit of its entry. Raises Unavailable `integrity`, and the alarm has rung."""
    try:
        return door.give_out(taken)
    except Unavailable as error:
        await ring(errand, error, about(taken.case.id))
        raise


async def given(errand: Errand, taken: door.TakenFile) -> GivenFile:
    """A file, after the commit of its entry. Raises Unavailable `integrity`, and the alarm has rung."""
    try:
        return GivenFile(taken.told.type, await asyncio.to_thread(door.give_out_file, taken))
    except Unavailable as error:
        await ring(errand, error, about(taken.case.id))
        raise


def _once(errand: Errand, key: str | None, told: Told) -> Once | None:
    """The idempotency of a report: all reporters are one asker, so the body is part of the key, and two who hit on one key do not meet."""
    body = msgspec.to_builtins(told)
    once = once_for(errand.asker, route="breach_reports.receive", key=key, body=body)
    if once is None:
        return None
    return replace(once, key_mac=once.mac("key", once.key_mac + once.body_mac))


def _errand(association: Association, knock: Knock) -> Errand:
    return Errand(Stranger(association, REPORTER), knock.request)
