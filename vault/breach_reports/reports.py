"""The room as one object: the associations it serves, its limits, and what the roof lends it from the room of identity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import door, intake
from vault.breach_reports.alarm import heard, ring
from vault.breach_reports.channels import Channels
from vault.breach_reports.intake import Received, Told
from vault.breach_reports.limits import Intake
from vault.breach_reports.service import SecondFactor, SecondPerson
from vault.breach_reports.shapes import REPORTER, Doubt
from vault.errors import Invalid, NotFound, Unavailable
from vault.policy import pack as packs
from vault.policy.pack import Text
from vault.rulebook.association import Association
from vault.storage.idempotency import Once, once

T = TypeVar("T")


class Refusals(Protocol):
    """Bounds how many entries of refusals one caller may leave; the roof hands in that of `identity`."""

    def bounded(self, work: Callable[[Deed], T]) -> Callable[[Deed], T]:
        """The same unit of work with its refusals bounded."""


@dataclass(frozen=True, slots=True)
class Follow:
    """What the holder of a receipt is shown: the report and its messages, opened."""

    taken: door.Taken
    messages: list[door.Opened]


@dataclass(frozen=True, slots=True)
class Knock:
    """How a report came: from which network, when, what made it doubtful, and its idempotency key."""

    network: str
    now: int
    seen: Doubt = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """Breach reports of every association that is open in this process; the mappings may grow."""

    associations: Mapping[str, Association]
    channels: Mapping[str, Channels]
    limits: Intake
    refusals: Refusals
    factor: SecondFactor

    @property
    def second(self) -> SecondPerson:
        """The deeds of the second person."""
        return SecondPerson(self.factor)

    def association(self, code: str) -> Association:
        """The association of this code. Raises NotFound."""
        found = self.associations.get(code)
        if found is None:
            raise NotFound
        return found

    def channels_of(self, code: str) -> Channels:
        """How the association is reached besides."""
        return self.channels.get(code, Channels())

    async def categories(self, association: Association) -> Mapping[str, Text]:
        """The categories of the association's pack, by code."""
        return packs.load((await association.book()).association.pack).report_categories

    async def receive(self, association: Association, told: Told, knock: "Knock") -> Received:
        """Take a report from the public; the answer may leave once this returns.

        Raises Invalid, Conflict `idempotency-mismatch`, IntakeFull, IntakePaused, Unavailable.
        """
        categories = await self.categories(association)
        wrong = intake.errors_in(told, categories, knock.now)
        if wrong:
            raise Invalid(wrong)
        doubt = self.limits.doubt(association.code, association.folder, knock.network, knock.seen)
        once = _once(association, told, knock.key)
        return await association.run(lambda deed: intake.receive(deed, association.books.at(deed), told, doubt, once))

    async def follow(self, association: Association, receipt: str, network: str) -> Follow:
        """The report a receipt is for, with its messages. Raises one NotFound for every wrong receipt, TooMany, Unavailable."""
        report = await self._report(association, receipt, network)
        self.limits.follows(report)
        taken = await heard(association, REPORTER, report, lambda deed: intake.follow(deed, association.books.at(deed), report))
        return Follow(taken, await self.opened(association, REPORTER, taken))

    async def write(self, association: Association, receipt: str, text: str, network: str) -> None:
        """Add a message of the reporter's. Raises Invalid, and as `follow`."""
        intake.require_message(text)
        report = await self._report(association, receipt, network)
        self.limits.writes(report)
        await heard(association, REPORTER, report, lambda deed: intake.write(deed, association.books.at(deed), report, text))

    async def opened(self, association: Association, actor: str, taken: door.Taken) -> list[door.Opened]:
        """What was written, after the commit of its entry. Raises Unavailable `integrity`, and the alarm has rung."""
        try:
            return door.give_out(taken)
        except Unavailable as error:
            await ring(association, actor, taken.case.id, error)
            raise

    async def _report(self, association: Association, receipt: str, network: str) -> bytes:
        self.limits.looks_up(network)
        found = await heard(association, REPORTER, None, lambda deed: intake.of_receipt(deed, receipt))
        return found.id


def _once(association: Association, told: Told, key: str | None) -> Once | None:
    """The idempotency of one report, hashed under the association's key; None where the sender gave none."""
    if key is None:
        return None
    seal = association.cabinet.idempotency.seal
    return once(
        lambda what, content: seal(f"idempotency.{what}", association.id, content),
        caller=REPORTER,
        route="breach_reports.receive",
        key=key,
        body=msgspec.json.encode(told),
    )
