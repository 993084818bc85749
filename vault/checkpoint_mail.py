"""Brings the newest checkpoint out of the house by mail, once an hour: whoever holds it convicts a later falsification (promise 8).

Invariants: a mail holds the signed note and nothing of any person; no mail server is spoken to in the clear but one on this machine; one
process of a data folder sends at a time, and each checkpoint once; a mail that cannot be sent stops nothing, and a server that never comes
to an end is hung up on.
"""

import fcntl
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final

import msgspec

from keys.files import replace
from vault.access_log.checkpoint import claimed
from vault.errors import VaultError
from vault.smtp import Server, is_address, send

FILE: Final = "checkpoint-mail.toml"
SENT: Final = "checkpoint-mailed"
EVERY: Final = 3600
AGAIN: Final = 600
"""Seconds between two mails, and between two attempts where one failed."""
_MODE: Final = 0o600
_BODY: Final = """السلام عليكم،

مرفق آخر نقطة تحقق موقعة من سجل الاطلاع لدى {code}، وهي تشمل {size} من القيود. احفظوها عندكم: فمن كانت معه استطاع أن يثبت أي
تغيير في السجل بعدها، بالأمر:

    amanah log verify --checkpoint FILE

----

Attached is the newest signed checkpoint of the access log of {code}; it covers {size} entries. Keep it: whoever
holds it can prove any later change to the log, with

    amanah log verify --checkpoint FILE
"""


class MailRefused(VaultError):
    """The file of the mail settings is there and cannot be read as one, or would send in the clear over a network."""

    code = "checkpoint-mail-refused"


class Mail(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where checkpoints are mailed: recipients, sender, server."""

    to: tuple[str, ...]


def read_mail(folder: Path) -> Mail | None:
    """What stands in the association's `checkpoint-mail.toml`, None where there is none. Raises MailRefused."""
    try:
        mail = msgspec.convert(tomllib.loads((folder / FILE).read_text(encoding="utf-8")), Mail)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise MailRefused from error
    if not (mail.to and all(map(is_address, mail.to)) and mail.holds):
        raise MailRefused
    return mail


@dataclass(slots=True)
class Post:
    """The mail of one association's checkpoints; `folder` is the association's."""

    code: str
    folder: Path
    mail: Mail
    _not_before: float = 0.0

    @classmethod
    def of(cls, code: str, folder: Path) -> "Post | None":
        """Who mails this association's checkpoints, None where no mail is set up. Raises MailRefused."""
        mail = read_mail(folder)
        return None if mail is None else cls(code, folder, mail)

    def send_if_due(self, note: str, now: float) -> bool:
        """Mail the note where the last mail is an hour old and was another note; whether it was sent. `now` is UTC in seconds.

        Raises OSError (smtplib's errors among them) and ValueError (a name or password no server takes) where it cannot be sent; then it
        is tried again after ten minutes.
        """
        if now < self._not_before:
            return False
        with self._turn() as ours:
            last = self._last()
            if not ours or (last is not None and (last[0] == note or now < last[1] + EVERY)):
                return False
            self._not_before = now + AGAIN
            self._send(note, now)
            replace(self.folder / SENT, note.encode(), _MODE)
        return True

    def behind(self, note: str, now: float) -> bool:
        """Whether this note, the newest, is not the one mailed last and that mail is two hours old or never left."""
        last = self._last()
        return last is None or (last[0] != note and now >= last[1] + 2 * EVERY)

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether no other process of this data folder is sending."""
        handle = os.open(self.folder / f"{SENT}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(handle)

    def _last(self) -> tuple[str, float] | None:
        place = self.folder / SENT
        try:
            return place.read_text(encoding="utf-8"), place.stat().st_mtime
        except FileNotFoundError:
            return None

    def _send(self, note: str, now: float) -> None:
        send(self.mail, self._letter(note, now), self.mail.to)

    def _letter(self, note: str, now: float) -> EmailMessage:
        size = claimed(note).size
        letter = EmailMessage()
        letter["Subject"] = f"نقطة تحقق · Checkpoint: {self.code} {size}"
        letter["From"], letter["To"] = self.mail.sender, ", ".join(self.mail.to)
        letter["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        letter["Message-ID"] = make_msgid(domain=self.mail.sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(_BODY.format(code=self.code, size=size))
        letter.add_attachment(note.encode(), maintype="text", subtype="plain", filename=f"checkpoint-{self.code}-{size}.txt")
        return letter
