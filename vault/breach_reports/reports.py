"""The room as one object: the associations it serves, its limits, and the second factor that the roof lends it from identity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import door, intake
from vault.breach_reports.index import Lately
from vault.breach_reports.intake import Received, Told
from vault.breach_reports.limits import Intake
from vault.breach_reports.reporter import Reporter, about
from vault.breach_reports.service import SecondFactor, SecondPerson
from vault.breach_reports.shapes import Doubt
from vault.errors import Invalid, Unavailable
from vault.policy import pack as packs
from vault.policy.pack import Text
from vault.rulebook.alarm import nobody, ring
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.association import Association, open_here
from vault.rulebook.channels import Channels
from vault.storage.idempotency import Once

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Follow:
    """What the holder of a receipt is shown: the report and its messages, opened."""

    taken: door.Taken
    messages: list[door.Opened]


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
    lately: Lately = field(default_factory=Lately)

    @property
    def second(self) -> SecondPerson:
        """The deeds of the second person."""
        return SecondPerson(self.factor)

    def association(self, code: str) -> Association:
        """The association of this code. Raises NotFound."""
        return open_here(self.associations, code)

    def channels_of(self, code: str) -> Channels:
        """How the association is reached besides."""
        return self.channels.get(code, Channels())

    async def categories(self, association: Association) -> Mapping[str, Text]:
        """The categories of the association's pack, by code."""
        return packs.load((await association.book()).association.pack).report_categories

    async def receive(self, association: Association, told: Told, knock: Knock) -> Received:
        """Take a report from the public; the answer may leave once this returns.

        Raises Invalid, IntakeFull, IntakePaused, Unavailable.
        """
        wrong = intake.errors_in(told, await self.categories(association), knock.now)
        if wrong:
            raise Invalid(wrong)
        doubt = self.limits.doubt(association.code, association.folder, knock.network, knock.seen)
        errand = _errand(association, knock)
        once = _once(errand, knock.key, told)
        return await association.run(lambda deed: intake.receive(deed, errand, told, doubt, once))

    async def follow(self, association: Association, receipt: str, knock: Knock) -> Follow:
        """The report a receipt is for, with its messages. Raises one NotFound for every wrong receipt, TooMany, Unavailable."""
        report = await self._report(association, receipt, knock)
        self.limits.follows(report)
        errand = _errand(association, knock)
        return await _shown(errand, report, lambda deed: intake.follow(deed, errand, report))

    async def write(self, association: Association, receipt: str, text: str, knock: Knock) -> Follow:
        """Add a message of the reporter's and show it with the others, in one transaction. Raises Invalid, and as `follow`."""
        intake.require_message(text)
        report = await self._report(association, receipt, knock)
        self.limits.writes(report)
        errand = _errand(association, knock)

        def unit(deed: Deed) -> door.Taken:
            intake.write(deed, errand, report, text)
            return intake.follow(deed, errand, report)

        return await _shown(errand, report, unit)

    async def _report(self, association: Association, receipt: str, knock: Knock) -> bytes:
        self.limits.looks_up(knock.network)
        return (await _alarmed(_errand(association, knock), None, lambda deed: intake.of_receipt(deed, receipt, self.lately))).id


async def opened(errand: Errand, taken: door.Taken) -> list[door.Opened]:
    """What was written, after the commit of its entry. Raises Unavailable `integrity`, and the alarm has rung."""
    try:
        return door.give_out(taken)
    except Unavailable as error:
        await ring(errand, error, about(taken.case.id))
        raise


async def _shown(errand: Errand, report: bytes, unit: Callable[[Deed], door.Taken]) -> Follow:
    taken = await _alarmed(errand, report, unit)
    return Follow(taken, await opened(errand, taken))


async def _alarmed(errand: Errand, report: bytes | None, unit: Callable[[Deed], T]) -> T:
    """What a unit of work for the public gives; where it meets what does not hold, the alarm rings before anybody is answered."""
    try:
        return await errand.asker.association.run(unit)
    except Unavailable as error:
        await ring(errand, error, nobody if report is None else about(report))
        raise


def _once(errand: Errand, key: str | None, told: Told) -> Once | None:
    """The idempotency of a report: all reporters are one asker, so the body is part of the key, and two who hit on one key do not meet."""
    body = msgspec.to_builtins(told)
    once = once_for(errand.asker, route="breach_reports.receive", key=key, body=body)
    if once is None:
        return None
    return replace(once, key_mac=once.mac("key", once.key_mac + once.body_mac))


def _errand(association: Association, knock: Knock) -> Errand:
    return Errand(Reporter(association), knock.request)
