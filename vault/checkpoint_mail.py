"""Brings the newest checkpoint out of the house by mail, once an hour: whoever holds it convicts a later falsification (promise 8).

Invariants: a mail holds the signed note and nothing of any person; no mail server is spoken to in the clear but one on this machine; one
process of a data folder sends at a time, and each holder gets each checkpoint once, in a mail of his own, so that nobody counts as having
what another was sent; a mail that cannot be sent stops nothing, and a server that never comes to an end is hung up on.
"""

import fcntl
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final

import msgspec

from keys.files import replace
from vault.access_log.checkpoint import NotACheckpoint, claimed
from vault.errors import VaultError
from vault.smtp import Server, Unsure, is_address, send

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


class _Last(msgspec.Struct, frozen=True):
    """What one holder was mailed last, and when (seconds UTC); `doubtful` where his server took it without a word in time."""

    note: str
    at: float
    doubtful: bool = False


@dataclass(slots=True)
class Post:
    """The mail of one association's checkpoints; `folder` is the association's."""

    code: str
    folder: Path
    mail: Mail
    _not_before: float = 0.0
    _mailed: dict[str, _Last] = field(default_factory=dict)

    @classmethod
    def of(cls, code: str, folder: Path) -> "Post | None":
        """Who mails this association's checkpoints, None where no mail is set up. Raises MailRefused."""
        mail = read_mail(folder)
        return None if mail is None else cls(code, folder, mail)

    def send_if_due(self, note: str, now: float) -> bool:
        """Mail the note to each holder whose last mail is an hour old and was another note; whether it was sent. `now` is UTC in seconds.

        Raises OSError (smtplib's errors among them) and ValueError (a name or password no server takes) where one did not get it, after the
        others were sent theirs; then it is tried again after ten minutes, for that one alone. Unsure where nobody knows, which counts as
        mailed; and OSError where it could not be noted, which is kept in memory.
        """
        if now < self._not_before:
            return False
        with self._turn() as ours:
            due = [to for _, to in self._without(note, now - EVERY, now)] if ours else []
            if not due:
                return False
            self._not_before = now + AGAIN
            failed: list[OSError | ValueError] = []
            for to in due:
                try:
                    self._mail(note, now, to)
                except (OSError, ValueError) as error:
                    failed.append(error)
        if failed:
            raise failed[0]
        return True

    def behind(self, note: str, now: float) -> tuple[int, ...]:
        """Which holders, counted from 1 as the settings name them, have another note than this, the newest, for two hours, or none."""
        return tuple(number for number, _ in self._without(note, now - 2 * EVERY, now))

    def doubtful(self) -> tuple[int, ...]:
        """Which holders, counted as by `behind`, most likely have what they were mailed last, and nobody knows."""
        last = self._last()
        return tuple(number for number, to in enumerate(self.mail.to, 1) if to in last and last[to].doubtful)

    def _without(self, note: str, since: float, now: float) -> list[tuple[int, str]]:
        """The holders, with their numbers, who have never been mailed, or were mailed another note, and that before such a time.

        A mail of a time to come is one of a clock that was ahead, and was sent before.
        """
        last = self._last() | self._mailed
        return [
            (number, to)
            for number, to in enumerate(self.mail.to, 1)
            if (had := last.get(to)) is None or (had.note != note and not since < had.at <= now)
        ]

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

    def _last(self) -> dict[str, _Last]:
        """What each holder was mailed last; nothing where the file holds what nobody wrote there, so that it is sent anew."""
        place = self.folder / SENT
        try:
            content = place.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return msgspec.json.decode(content, type=dict[str, _Last])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._as_before(content, place.stat().st_mtime)

    def _as_before(self, content: bytes, at: float) -> dict[str, _Last]:
        """The same as versions before kept it: the one note that went to all."""
        try:
            note = content.decode()
            claimed(note)
        except (UnicodeDecodeError, NotACheckpoint):
            return {}
        return dict.fromkeys(self.mail.to, _Last(note, at))

    def _keep(self, to: str, mailed: _Last) -> None:
        self._mailed[to] = mailed
        known = {holder: had for holder, had in (self._last() | self._mailed).items() if holder in self.mail.to}
        replace(self.folder / SENT, msgspec.json.encode(known), _MODE)
        self._mailed.clear()

    def _mail(self, note: str, now: float, to: str) -> None:
        """Mail one holder his, and note it, also where his server took it without a word in time. Raises as `send_if_due`."""
        try:
            send(self.mail, self._letter(note, now, to), [to])
        except Unsure:
            self._keep(to, _Last(note, now, doubtful=True))
            raise
        self._keep(to, _Last(note, now))

    def _letter(self, note: str, now: float, to: str) -> EmailMessage:
        size = claimed(note).size
        letter = EmailMessage()
        letter["Subject"] = f"نقطة تحقق · Checkpoint: {self.code} {size}"
        letter["From"], letter["To"] = self.mail.sender, to
        letter["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        letter["Message-ID"] = make_msgid(domain=self.mail.sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(_BODY.format(code=self.code, size=size))
        letter.add_attachment(note.encode(), maintype="text", subtype="plain", filename=f"checkpoint-{self.code}-{size}.txt")
        return letter
