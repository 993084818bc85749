"""Where messages are handed in: graded before anything is written, kept as a report, acknowledged where the sender is verified.

Invariants: the answer says `done` only once nothing is left to do, so that whoever holds the message may put it away; until then the same
message handed in again goes on where it stopped; whoever sends an acknowledgement said so before, so that none leaves twice at once. No
more than two messages are taken apart at a time.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from vault.breach_reports.case import Case
from vault.breach_reports.likeness import sketch
from vault.breach_reports.limits import LEAST_FREE, IntakePaused
from vault.breach_reports.mail import taking
from vault.breach_reports.mail.answer import Postbox, Postboxes, Refused, acknowledgement
from vault.breach_reports.mail.grading import Graded, grade
from vault.breach_reports.mail.letter import Letter, read_letter
from vault.breach_reports.mail.lookups import Resolver
from vault.breach_reports.mail.taking import Brought
from vault.breach_reports.shapes import Doubt
from vault.errors import TooMany
from vault.rulebook.asker import Errand
from vault.web.limits import Limits

ALL: Final = ("report-mail", 100, 100)
"""Mails of an association at once, and an hour after that; what comes beyond goes into quarantine."""
ANSWERS: Final = ("report-mail-answers", 5, 5)
"""Acknowledgements one author gets at once, and a day after that: two machines that answer each other come to an end."""
LATER: Final = 600_000_000
_DAY: Final = 86_400.0
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a message; `again_at` is when it should be handed in again, None where nothing is left to do."""

    reference: str
    grade: str
    already: bool
    answered: str
    again_at: int | None


@dataclass(frozen=True, slots=True)
class MailRoom:
    """The mail of every association that is open in this process."""

    resolver: Resolver
    limits: Limits
    postboxes: Postboxes = field(default_factory=Postboxes)
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def take(self, errand: Errand, brought: Brought) -> Kept:
        """Keep a message as a report, and answer a verified sender. Raises IntakeFull, IntakePaused, Unavailable."""
        async with self.turns:
            return await self._take(errand, brought)

    async def _take(self, errand: Errand, brought: Brought) -> Kept:
        association = errand.asker.association
        if self.free(association.folder) < LEAST_FREE:
            raise IntakePaused
        box = self.postboxes.of(association.code)
        before = await association.run(lambda deed: taking.known(deed, errand, brought.sha256))
        letter = await asyncio.to_thread(read_letter, brought.raw)
        if letter.author and letter.author == box.sender:
            letter.automatic = letter.automatic or "own"
        if before is None:
            found, beaten = await self._keep(errand, brought, letter, box)
        else:
            found, beaten = await self._grade_again(errand, before, letter, box)
        is_ours = not beaten
        if beaten and box.send is not None:
            found, is_ours = await self._take_on(errand, found)
        return await self._answered(errand, found, letter, box, already=beaten or before is not None, is_ours=is_ours)

    async def _take_on(self, errand: Errand, found: Case) -> tuple[Case, bool]:
        """Whether the acknowledgement is sent by this call: where it is due, and nobody else may be at it."""
        if found.fact.mail is None or found.fact.mail.answered != "due":
            return found, False
        return await errand.asker.association.run(partial(taking.sending, errand=errand, report=found.id))

    async def _keep(self, errand: Errand, brought: Brought, letter: Letter, box: Postbox) -> tuple[Case, bool]:
        association, answers = errand.asker.association, box.send is not None
        now = self.limits.now()
        graded = await self._grade(letter, box, min(brought.arrived_at or now, now), last=False)
        doubt = self._doubt(errand.asker.association.code, brought, letter)
        likeness = await asyncio.to_thread(sketch, taking.narrative_of(letter), association.cabinet.pepper.hash)
        message = taking.Message(brought, letter, graded, likeness)
        return await association.run(lambda deed: taking.keep(deed, errand, message, doubt, answers=answers))

    async def _grade_again(self, errand: Errand, before: Case, letter: Letter, box: Postbox) -> tuple[Case, bool]:
        """The report as it stands, its sender checked again where the time for that has come; whether nothing of it was done now."""
        mail, answers = before.fact.mail, box.send is not None
        if mail is None or mail.again_at is None or mail.again_at > self.limits.now():
            return before, True
        graded = await self._grade(letter, box, mail.arrived_at, last=taking.is_last(mail))
        return await errand.asker.association.run(lambda deed: taking.grade_again(deed, errand, before.id, letter, graded, answers=answers))

    async def _grade(self, letter: Letter, box: Postbox, arrived_at: int, *, last: bool) -> Graded:
        return await asyncio.to_thread(grade, letter, self.resolver, box.provider, arrived_at=arrived_at, last=last)

    def _doubt(self, code: str, brought: Brought, letter: Letter) -> Doubt:
        if brought.junk:
            return "junk"
        if letter.automatic:
            return "automatic"
        return "" if self._may(ALL, code, _HOUR) else "association"

    def _may(self, bucket: tuple[str, int, int], key: str, within: float) -> bool:
        name, burst, most = bucket
        try:
            self.limits.take(name, key, burst, most / within)
        except TooMany:
            return False
        return True

    async def _answered(self, errand: Errand, found: Case, letter: Letter, box: Postbox, *, already: bool, is_ours: bool) -> Kept:
        """Acknowledge where that is due; one that cannot leave now is due still, and the message should be handed in again."""
        mail, now = found.fact.mail, self.limits.now()
        if mail is not None and mail.answered == "due" and box.send is not None:
            refused = await self._sent(errand, found, letter, box) if is_ours else None
            if refused is None:
                return Kept(found.fact.reference, mail.grade, already, mail.answered, now + LATER)
            noted = partial(taking.answered, errand=errand, report=found.id, refused=refused)
            found = await errand.asker.association.run(noted)
            mail = found.fact.mail
        if mail is None:
            return Kept(found.fact.reference, "", already, "", None)
        return Kept(found.fact.reference, mail.grade, already, mail.answered, mail.again_at)

    async def _sent(self, errand: Errand, found: Case, letter: Letter, box: Postbox) -> bool | None:
        """Send the acknowledgement: False once it left, True where it never will, None where it did not now."""
        send = box.send
        author = errand.asker.association.cabinet.pepper.hash("mail-author", letter.author.lower()).hex()
        if send is None or not self._may(ANSWERS, author, _DAY):
            return True
        made = acknowledgement(found.fact.reference, letter, box.sender, self.limits.now())
        try:
            await asyncio.to_thread(send, made, letter.author)
        except Refused:
            return True
        except OSError:
            return None
        return False
