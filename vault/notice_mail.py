"""By what server notices of breaches leave, and which members of staff are written to when a clock rings: `notice-mail.toml`.

Invariant: no secret stands in the file, which names where one lies; nobody is spoken to in the clear but on this machine.
"""

import tomllib
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Annotated, Final

import msgspec

from vault.breach_reports.authority_notice_telling import PAGES
from vault.breach_reports.clock_mail import USUAL, Telling, Word
from vault.breach_reports.clocks import MARKS
from vault.breach_reports.letter_text import Letter
from vault.errors import VaultError
from vault.smtp import Server, is_address

FILE: Final = "notice-mail.toml"
SETTLED_AT: Final = "/officer/exclusions"


class NoticeMailRefused(VaultError):
    """The file of the settings is there and cannot be read as one, or would send in the clear over a network."""

    code = "notice-mail-refused"


class Officer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member of staff by the id of her account, and where she is written to."""

    staff: uuid.UUID
    address: str


class NoticeMail(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sender and server; `officers` are written to at these `hours` after awareness, and where a report waits for one of them to settle."""

    officers: tuple[Officer, ...] = ()
    hours: Annotated[tuple[int, ...], msgspec.Meta(max_length=len(MARKS))] = tuple(sorted(USUAL))

    @property
    def telling(self) -> Telling:
        """Whom a mail is written to, and when."""
        boxes: dict[str, set[str]] = {}
        for each in self.officers:
            boxes.setdefault(each.address.casefold(), set()).add(each.staff.hex)
        shared = tuple(frozenset(box) for box in boxes.values() if len(box) > 1)
        return Telling(frozenset(each.staff.hex for each in self.officers), frozenset(self.hours), shared)

    def address(self, staff: str) -> str:
        """Where a member of staff (id in hexadecimal) is written to, "" where the file no longer says."""
        return next((each.address for each in self.officers if each.staff.hex == staff), "")

    def to_person(self, letter: Letter, to: str, now: int) -> EmailMessage:
        """The letter to a person; `now` in microseconds UTC. Raises ValueError for what a letter cannot hold."""
        return self._letter(letter.subject, letter.text, to, now)

    def to_officer(self, word: Word, to: str, now: int) -> EmailMessage:
        """The mail to an officer: the incident's number and the time that is left, or only that something waits on a page."""
        if word.fact.what == "held":
            ar, en = (PAGES.words(language) for language in ("ar", "en"))
            text = f"{ar.word_text_held}\n\n{en.word_text_held}\n".format(page=SETTLED_AT)
            return self._letter(ar.word_subject_held, text, to, now)
        how = "left" if word.left >= 0 else "over"

        def said(what: str, language: str) -> str:
            return str(getattr(PAGES.words(language), f"word_{what}_{how}")).format(number=word.reference, hours=word.left)

        return self._letter(said("subject", "ar"), f"{said('text', 'ar')}\n\n{said('text', 'en')}\n", to, now)

    def _letter(self, subject: str, text: str, to: str, now: int) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"] = subject
        letter["From"], letter["To"] = self.sender, to
        letter["Date"] = format_datetime(datetime.fromtimestamp(now / 1e6, UTC))
        letter["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text)
        # Written out once here, so that what cannot be is met before any server hears of it.
        letter.as_bytes(policy=SMTPUTF8)
        return letter


def read_notice_mail(folder: Path) -> NoticeMail | None:
    """What stands in the association's `notice-mail.toml`, None where there is none. Raises NoticeMailRefused."""
    try:
        mail = msgspec.convert(tomllib.loads((folder / FILE).read_text(encoding="utf-8")), NoticeMail)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NoticeMailRefused from error
    if not mail.holds or not all(is_address(each.address) for each in mail.officers) or not set(mail.hours) <= set(MARKS):
        raise NoticeMailRefused
    return mail
