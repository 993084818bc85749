"""The machine's acknowledgement of a mail: that it arrived, under which reference, and what else the reporter may do (article 8).

Invariants: nothing of the message is in it, not even its subject; it goes to the verified author and nowhere else; it says of itself that a
machine wrote it and goes out without a return path, so that nothing answers it (RFC 3834); an address that a header would show as another
is not written to.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from vault.breach_reports.mail.letter import Letter

_WORD: Final = r"[\w!#$%&'*+/=?^`{|}~-]+"
_PLAIN: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_ENCODED: Final = "=?"
"""What an encoded word begins with (RFC 2047): a header shows such an address, or such a number of a message, as what it encodes."""
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,200}>")
_SUBJECT: Final = "وصل بلاغكم {reference} · Your report {reference} has arrived"
_BODY: Final = """السلام عليكم،

وصلت رسالتكم وحُفظت بلاغًا برقم {reference}، وسيطّلع عليها من يتولّى البلاغات في الجمعية.
هذا الرقم يمكنكم ذكره لأي أحد، فهو لا يفتح شيئًا. هذا رد آلي لا يتضمن شيئًا مما كتبتم، ولا حاجة إلى الرد عليه.
ولا ترسلوا بيانات غيركم ما دام الوصف يكفي.

لكم أن تشكوا إلى الهيئة السعودية للبيانات والذكاء الاصطناعي (سدايا) خلال تسعين يومًا من وقوع الأمر أو علمكم به،
سواء أبلغتمونا أم لم تبلغونا.

----

Your message has arrived and is kept as report {reference}; those who handle reports in the association will look at it. You may
tell this number to anybody: it opens nothing. A machine wrote this answer; it holds nothing of what you wrote, and needs no
reply. Please send no data of other people where a description will do.

You may complain to the Saudi Data and AI Authority (SDAIA) within ninety days of what happened or of your learning of it,
whether or not you report to us.
"""

Send = Callable[[EmailMessage, str], None]
"""Sends a letter to one address without a return path.

Raises Refused where it will never be taken, Unwritable where no letter can go there, Doubtful, OSError where it is not taken now.
"""


class Refused(Exception):
    """The other side's server will not take the letter, now or later."""


class Doubtful(Exception):
    """The letter was handed over and no word came back: she most likely has it, and another would most likely be a second one."""


class Unwritable(Exception):
    """The author's address is none that a header shows as it is, or none that our own server carries letters to: nobody was asked."""


@dataclass(frozen=True, slots=True)
class Postbox:
    """What an association's mail is graded and answered by: its mailbox's own server, its sender's address, and how a letter leaves.

    Without `send` nobody is answered by the machine.
    """

    provider: str = ""
    sender: str = ""
    send: Send | None = None


@dataclass(frozen=True, slots=True)
class Postboxes:
    """The mail settings of every association in this process, by code."""

    known: Mapping[str, Postbox] = field(default_factory=dict)

    def of(self, code: str) -> Postbox:
        """The settings of an association, empty where it has none."""
        return self.known.get(code, Postbox())


def acknowledgement(reference: str, letter: Letter, sender: str, now: int) -> EmailMessage:
    """The letter that acknowledges a report; a second one for the same report is the same to whoever sorts mail. Raises Unwritable."""
    if _ENCODED in letter.author or _PLAIN.fullmatch(letter.author) is None:
        raise Unwritable
    made = EmailMessage()
    made["Subject"] = _SUBJECT.format(reference=reference)
    made["From"], made["To"] = sender, letter.author
    made["Date"] = format_datetime(datetime.fromtimestamp(now // 1_000_000, UTC))
    made["Message-ID"] = f"<{reference.lower()}.received@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-replied"
    if _MESSAGE_ID.fullmatch(letter.message_id) and _ENCODED not in letter.message_id:
        made["In-Reply-To"] = letter.message_id
    made.set_content(_BODY.format(reference=reference))
    return made
