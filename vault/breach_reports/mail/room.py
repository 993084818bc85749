"""Where messages are handed in: graded before anything is written, kept as a report, acknowledged where the sender is verified.

Invariants: the answer says `done` only once nothing is left to do, so that whoever holds the message may put it away; until then the same
message handed in again goes on where it stopped. No more than two messages are taken apart at a time. Whatever an author's address is, her
message is taken; what is doubtful is answered by no machine, and one report by one caller at a time.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from vault.breach_reports import limits
from vault.breach_reports.case import Case
from vault.breach_reports.likeness import sketch
from vault.breach_reports.mail import taking
from vault.breach_reports.mail.answer import Doubtful, Postbox, Postboxes, Refused, Unwritable, acknowledgement
from vault.breach_reports.mail.grading import Graded, grade
from vault.breach_reports.mail.letter import Letter, read_letter
from vault.breach_reports.mail.lookups import Resolver
from vault.breach_reports.mail.taking import Brought, Outcome
from vault.breach_reports.shapes import Doubt
from vault.errors import TooMany
from vault.rulebook.asker import Errand
from vault.web.limits import Limits

ALL: Final = ("report-mail", 100, 100)
"""Mails of an association at once, and an hour after that; what comes beyond goes into quarantine."""
ANSWERS: Final = ("report-mail-answers", 5, 5)
"""Acknowledgements one author gets at once, and a day after that: two machines that answer each other come to an end."""
ANSWER: Final = ("report-mail-answer", 1, 0)
"""Acknowledgements of one message of an author, by the number it bears: what nobody signed can be laid around it ever anew."""
_ENDS: Final[dict[type[Exception], Outcome]] = {Unwritable: "unsent", Refused: "refused", Doubtful: "doubtful"}
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
class _Answer:
    """What an acknowledgement is made of: the message, and how letters leave.

    `junk` where the message lies there now, `is_ours` where the deed that made it due was this call's, so that nobody else is at it.
    """

    letter: Letter
    box: Postbox
    junk: bool
    is_ours: bool


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
        box = self.postboxes.of(errand.asker.association.code)
        async with self.turns:
            found, answer, already = await self._take(errand, brought, box)
        return await self._answered(errand, found, answer, already=already)

    async def _take(self, errand: Errand, brought: Brought, box: Postbox) -> tuple[Case, _Answer, bool]:
        association = errand.asker.association
        limits.require_room_for_mail(self.free(association.folder), len(brought.raw))
        before = await association.run(lambda deed: taking.known(deed, errand, brought.sha256))
        letter = await asyncio.to_thread(read_letter, brought.raw)
        letter.is_cut = brought.cut
        if letter.author and letter.author == box.sender:
            letter.automatic = letter.automatic or "own"
        if before is None:
            found, beaten = await self._keep(errand, brought, letter, box)
        else:
            found, beaten = await self._grade_again(errand, before, letter, box)
        return found, _Answer(letter, box, brought.junk, is_ours=not beaten), beaten or before is not None

    async def _keep(self, errand: Errand, brought: Brought, letter: Letter, box: Postbox) -> tuple[Case, bool]:
        association, answers = errand.asker.association, box.send is not None
        graded = await self._grade(letter, box, brought.believed(self.limits.now()), last=False)
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

    async def _answered(self, errand: Errand, found: Case, answer: _Answer, *, already: bool) -> Kept:
        """Acknowledge where that is due; one that cannot leave now is due still, and the message should be handed in again."""
        association, mail = errand.asker.association, found.fact.mail
        if mail is None or mail.answered != "due" or answer.box.send is None:
            return _kept(found, already=already, waits=answer.box.send is not None)
        became: Outcome | None = "unsent"
        if not answer.junk:
            found, is_ours = (found, True) if answer.is_ours else await association.run(lambda deed: taking.sending(deed, errand, found.id))
            if not is_ours:
                return _kept(found, already=already)
            became = await self._sent(errand, found, answer)
        if became is not None:
            noted = partial(taking.answered, errand=errand, report=found.id, became=became)
            found = await association.run(noted)
        return _kept(found, already=already)

    def _may_answer(self, errand: Errand, letter: Letter) -> bool:
        """Whether the author is to hear of this message: it is none she heard of before, and one of her first of the day."""
        pepper = errand.asker.association.cabinet.pepper
        author = pepper.hash("mail-author", letter.author.lower()).hex()
        message = pepper.hash("mail-answer", f"{author} {letter.message_id}").hex()
        return (not letter.message_id or self._may(ANSWER, message, _DAY)) and self._may(ANSWERS, author, _DAY)

    async def _sent(self, errand: Errand, found: Case, answer: _Answer) -> Outcome | None:
        """Send it and say what became of it, None where it did not leave now; the first attempt alone counts for the author."""
        mail, letter, send = found.fact.mail, answer.letter, answer.box.send
        if mail is None or send is None:
            return None
        try:
            made = acknowledgement(found.fact.reference, letter, answer.box.sender, self.limits.now())
            if mail.tries == 1 and not self._may_answer(errand, letter):
                return "unsent"
            await asyncio.to_thread(send, made, letter.author)
        except (Unwritable, Refused, Doubtful) as error:
            return _ENDS[type(error)]
        except OSError:
            return "unsent" if mail.tries >= taking.MOST_TRIES else None
        return "sent"


def _kept(found: Case, *, already: bool, waits: bool = True) -> Kept:
    """What became of a message; without `waits` nobody is acknowledged any more."""
    mail = found.fact.mail
    if mail is None:
        return Kept(found.fact.reference, "", already, "", None)
    return Kept(
        found.fact.reference, mail.grade, already, mail.answered, mail.sending_until if waits and mail.answered == "due" else mail.again_at
    )
