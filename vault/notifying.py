"""Sends what is to be told about breaches: letters to the people touched, and the short mail to officers when a clock rang.

Invariants: one letter is in this process's hand at a time, committed as such before a mail server hears of it; an address lives no longer
than the letter it is for; what the server did not take is tried again, what it refused for good has failed, and where no word came back
nobody claims to know.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any, Final, Literal

from vault.access import breach_letters
from vault.access.breach_letters import NAME, NO_EMAIL, Taken
from vault.breach_reports import clock_mail, door, letters, people_notices
from vault.breach_reports.clock_mail import Word
from vault.breach_reports.letter_text import Letter
from vault.breach_reports.letters import UNREACHABLE, DoesNotHold, LetterFact, State, WordState
from vault.breach_reports.people_notices import Wording
from vault.errors import Unavailable
from vault.notice_mail import NoticeMail
from vault.rulebook.alarm import INTEGRITY
from vault.rulebook.association import Association
from vault.smtp import Declined, Uncarried, Unsure, is_address, send

MOST_AT_ONCE: Final = 500
"""Letters of one round; the words of a notice are opened once in it."""
REFUSED: Final = "REFUSED"
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

    async def round(self) -> int:
        """Send what is due, the officers' mail first; how many letters left this process's hand. Raises Unavailable.

        It ends with the first that no server took: what is down now is down for the next one too.
        """
        count = 0
        try:
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
            word: Word | None = await association.run(partial(clock_mail.claim, association=association))
        except DoesNotHold as error:
            await association.run(partial(clock_mail.set_aside, mail=error.letter, pack=association.pack))
            return True
        if word is None:
            return False
        address = self.mail.address(word.fact.staff)
        if not address:
            await association.run(partial(clock_mail.settle, fact=word.fact, state="dropped"))
            return True
        came = await asyncio.to_thread(self._came, self.mail.to_officer(word, address, association.log.clock()), address)
        await association.run(lambda deed: clock_mail.settle(deed, word.fact, _WORD[came]))
        return came != "not_taken"

    async def _letter(self) -> bool:
        association = self.association
        try:
            taken: Taken | None = await association.run(partial(breach_letters.claim, association=association))
        except DoesNotHold as error:
            await association.run(partial(letters.set_aside, letter=error.letter, pack=association.pack))
            return True
        if taken is None:
            return False
        try:
            wording, reference = await self._wording(taken.letter)
            values = await asyncio.to_thread(taken.values)
        except Unavailable as error:
            if error.code != INTEGRITY:
                raise
            await association.run(partial(letters.set_aside, letter=bytes.fromhex(taken.letter.id), pack=association.pack))
            return True
        address = str(next(iter(values[0].values())) or "")
        if not is_address(address):
            await self._settled(taken.letter, "post", NO_EMAIL)
            return True
        ward = str(values[1][NAME]) if taken.letter_is_for_ward else ""
        letter = self.mail.to_person(Letter(wording, self.names, reference, ward), address, association.log.clock())
        return await self._noted(taken.letter, await asyncio.to_thread(self._came, letter, address))

    async def _noted(self, letter: LetterFact, came: Came) -> bool:
        """Note what came of a letter; whether the next one may be tried at once."""
        match came:
            case "sent":
                await self._settled(letter, "sent")
            case "unsure":
                await self._settled(letter, "doubtful")
            case "refused":
                await self._settled(letter, "failed", REFUSED)
            case "uncarried":
                await self._settled(letter, "failed", UNREACHABLE)
            case "not_taken":
                await self.association.run(partial(letters.delayed, letter=letter))
        return came != "not_taken"

    async def _settled(self, letter: LetterFact, state: State, reason: str = "") -> None:
        await self.association.run(lambda deed: letters.settle(deed, letter, state, reason=reason))

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
