"""Sends what is to be told about breaches: letters to the people touched, and the short mail to officers when a clock rang.

Invariants: one letter is in this process's hand at a time, committed as such before a mail server hears of it; an address lives no longer
than the letter it is for; what the server did not take, or could not be written, is tried again, what it refused for good has failed, and
where no word came back nobody claims to know; what became of a letter and could not be noted is noted before the next one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any, Final, Literal

from vault.access import breach_letters
from vault.access.breach_letters import NAME, NO_EMAIL, Taken
from vault.access_log.deed import Deed
from vault.breach_reports import clock_mail, door, letters, people_notices
from vault.breach_reports.clock_mail import Word
from vault.breach_reports.letter_text import Letter
from vault.breach_reports.letters import DoesNotHold, LetterFact, WordState
from vault.breach_reports.people_notices import Wording
from vault.errors import Unavailable
from vault.notice_mail import NoticeMail
from vault.rulebook.alarm import INTEGRITY
from vault.rulebook.association import Association
from vault.smtp import Declined, Uncarried, Unsure, is_address, send

MOST_AT_ONCE: Final = 500
"""Letters of one round; the words of a notice are opened once in it."""
REFUSED: Final = "REFUSED"
UNCARRIED: Final = "UNCARRIED"
UNWRITTEN: Final = "UNWRITTEN"
"""Why a letter failed: its mailbox refused it, the server takes no address like its, or it could not be put into words."""
Came = Literal["sent", "refused", "uncarried", "unsure", "not_taken"]
_WORD: Final[Mapping[Came, WordState]] = {
    "sent": "sent",
    "unsure": "doubtful",
    "refused": "failed",
    "uncarried": "failed",
    "not_taken": "waiting",
}


@dataclass(slots=True)
class Notifier:
    """The letters of one association, for this process; `names` are what it calls itself, by language."""

    association: Association
    mail: NoticeMail
    names: Mapping[str, str]
    _under_way: asyncio.Task[bool] | None = None
    _words: dict[tuple[str, int], tuple[Wording, str]] = field(default_factory=dict)
    _owed: deque[Callable[[Deed], None]] = field(default_factory=deque)

    async def round(self) -> int:
        """Send what is due, the officers' mail first; how many letters left this process's hand. Raises Unavailable.

        It ends with the first that no server took: what is down now is down for the next one too.
        """
        count = 0
        try:
            await self._note()
            for one in (self._officers_mail, self._letter):
                while count < MOST_AT_ONCE and await self._undisturbed(one()):
                    count += 1
        finally:
            self._words.clear()
        return count

    async def close(self) -> None:
        """Wait for the letter that is on its way, which a mail server may keep for a minute; nothing new is begun."""
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def _undisturbed(self, letter: Coroutine[Any, Any, bool]) -> bool:
        """Send one letter to its end, whoever ends the round meanwhile: broken off between server and fact it would be doubtful."""
        self._under_way = asyncio.create_task(letter)
        return await asyncio.shield(self._under_way)

    async def _officers_mail(self) -> bool:
        association = self.association
        try:
            word: Word | None = await association.run(partial(clock_mail.claim, association=association, telling=self.mail.telling))
        except DoesNotHold as error:
            await self._note(partial(clock_mail.set_aside, mail=error.letter, pack=association.pack))
            return True
        if word is None:
            return False
        address = self.mail.address(word.fact.staff)
        if not address:
            await self._note(partial(clock_mail.settle, fact=word.fact, state="dropped"))
            return True
        try:
            mail = self.mail.to_officer(word, address, association.log.clock())
        except Exception:
            await self._note(partial(clock_mail.settle, fact=word.fact, state="waiting"))
            raise
        came = await asyncio.to_thread(self._came, mail, address)
        await self._note(partial(clock_mail.settle, fact=word.fact, state=_WORD[came]))
        return came != "not_taken"

    async def _letter(self) -> bool:
        association = self.association
        try:
            taken: Taken | None = await association.run(partial(breach_letters.claim, association=association))
        except DoesNotHold as error:
            await self._note(partial(letters.set_aside, letter=error.letter, pack=association.pack))
            return True
        if taken is None:
            return False
        letter = taken.letter
        try:
            address, mail = await self._written(taken)
        except Exception as error:
            # Whatever it was, it never left, and a state that says it may have would not be true.
            if isinstance(error, Unavailable) and error.code == INTEGRITY:
                await self._note(partial(letters.set_aside, letter=bytes.fromhex(letter.id), pack=association.pack))
                return True
            await self._note(partial(letters.delayed, letter=letter, reason=UNWRITTEN))
            raise
        if mail is None:
            await self._note(partial(letters.settle, letter=letter, state="post", reason=NO_EMAIL))
            return True
        came = await asyncio.to_thread(self._came, mail, address)
        await self._note(partial(_noted, letter=letter, came=came))
        return came != "not_taken"

    async def _written(self, taken: Taken) -> tuple[str, EmailMessage | None]:
        """The address of a letter in hand and what is sent there, None where no mail can go to it. Raises whatever goes wrong with it."""
        wording, reference = await self._wording(taken.letter)
        values = await asyncio.to_thread(taken.values)
        address = str(next(iter(values[0].values())) or "")
        if not is_address(address):
            return address, None
        ward = str(values[1][NAME]) if taken.letter_is_for_ward else ""
        return address, self.mail.to_person(Letter(wording, self.names, reference, ward), address, self.association.log.clock())

    async def _note(self, *units: Callable[[Deed], None]) -> None:
        """Note what became of letters, what is owed from before first. Raises Unavailable: then it is owed still."""
        self._owed.extend(units)
        while self._owed:
            unit = self._owed.popleft()
            try:
                await self.association.run(unit)
            except Unavailable as error:
                if error.code != INTEGRITY:
                    self._owed.appendleft(unit)
                raise

    async def _wording(self, letter: LetterFact) -> tuple[Wording, str]:
        """The words of a letter's notice and the incident's number, opened once in a round."""
        association, place = self.association, (letter.incident, letter.notice)
        if place not in self._words:
            incident = bytes.fromhex(letter.incident)
            taken = await association.run(lambda deed: people_notices.take_words(deed, association, incident, letter.notice))
            self._words[place] = people_notices.words_of(door.give_out(taken)), taken.case.fact.reference
        return self._words[place]

    def _came(self, letter: EmailMessage, to: str) -> Came:
        """Hand a letter to the server, in a thread: what came of it."""
        try:
            send(self.mail, letter, [to])
        except Declined:
            return "refused"
        except Uncarried:
            return "uncarried"
        except Unsure:
            return "unsure"
        except (OSError, ValueError):
            return "not_taken"
        return "sent"


def _noted(deed: Deed, letter: LetterFact, came: Came) -> None:
    """Note what came of a letter that was offered to a server."""
    match came:
        case "sent":
            letters.settle(deed, letter, "sent")
        case "unsure":
            letters.settle(deed, letter, "doubtful")
        case "refused":
            letters.settle(deed, letter, "failed", reason=REFUSED)
        case "uncarried":
            letters.settle(deed, letter, "failed", reason=UNCARRIED)
        case "not_taken":
            letters.delayed(deed, letter)
