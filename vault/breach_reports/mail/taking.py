"""What the vault does about a message: keep it as a report, grade it again where DNS was silent, note the acknowledgement.

Invariants: a message makes one report, however often and by however many it is handed in; its bytes are kept as they came, sealed under the
key of the case; the entry and the fact are of the same deed; whoever sets out to acknowledge has said so before, and nobody else does then.
"""

import hashlib
import os
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from keys.case_file import new_case_key
from vault.access_log.deed import Deed
from vault.access_log.entry import About, WrittenFact
from vault.breach_reports import case, intake, tables
from vault.breach_reports.case import Case, Text
from vault.breach_reports.lifecycle import EARLIEST
from vault.breach_reports.mail.grading import Graded
from vault.breach_reports.mail.letter import File, Letter
from vault.breach_reports.mail.lookups import Answered
from vault.breach_reports.shapes import CONTACT, MAIL, MAIL_CHECK, MAIL_HEAD, REPORT, REPORTER, Doubt, MailFact, ReportFact
from vault.rulebook.asker import Errand

HOUR: Final = 3_600_000_000
AGAIN: Final = (HOUR, 6 * HOUR, 24 * HOUR)
"""How long after its arrival a message that DNS was silent about is graded again."""
PAUSE: Final = 600_000_000
"""How long whoever first sets out to acknowledge is alone at it, before another attempt; the second time twice as long, and so on."""
MOST_TRIES: Final = 40
"""Attempts over some five days, after which a letter is given up (RFC 5321, 4.5.4.1)."""
PIECE: Final = 1024 * 1024
CHANNEL: Final = "email"
CATEGORY: Final = "other"
_DIGEST: Final = "mail-message"


Outcome = Literal["sent", "refused", "unsent", "doubtful"]
"""An acknowledgement left, the reporter's server will never take it, it was never sent and will not be, or nobody knows whether it left."""


class Head(msgspec.Struct, frozen=True):
    """The content of a mail's head: what its header says, and what lies with it."""

    froms: list[str]
    subject: str
    sent: str
    message_id: str
    text_is: str
    files: list[File]


class Check(msgspec.Struct, frozen=True):
    """The content of one check of the sender: the grade, why, and every answer of DNS it rests on."""

    grade: str
    reasons: list[str]
    dns: list[Answered]
    at: int


@dataclass(frozen=True, slots=True)
class Brought:
    """A message as it was handed in: its bytes, when the mailbox had it, from its junk, and cut short.

    `arrived_at` is in microseconds UTC, None where it is unknown; before 2020 it is not believed.
    """

    raw: bytes
    arrived_at: int | None = None
    junk: bool = False
    cut: bool = False

    def believed(self, now: int) -> int:
        """When it arrived, as far as that is believed: else now, and never later."""
        # A mailbox that was moved or set up wrongly dates its messages to 1970 and the like: a clock from then could not be triaged.
        return now if self.arrived_at is None or self.arrived_at < EARLIEST else min(self.arrived_at, now)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes in hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be kept: as it was handed in, taken apart, graded, and sketched for likeness."""

    brought: Brought
    letter: Letter
    graded: Graded
    likeness: str = ""


def known(deed: Deed, errand: Errand, sha256: str) -> Case | None:
    """The report that these bytes became, None for none yet. Raises Unauthenticated, Unavailable `integrity`."""
    errand.still(deed)
    return _known(deed, sha256)


def keep(deed: Deed, errand: Errand, message: Message, doubt: Doubt, *, answers: bool) -> tuple[Case, bool]:
    """Keep a message as a report; with it whether it was one before. `answers` where a verified sender is to be answered.

    Raises IntakeFull, Unauthenticated, Unavailable `integrity`.
    """
    errand, brought, letter, graded = errand.still(deed), message.brought, message.letter, message.graded
    sha256 = brought.sha256
    if (before := _known(deed, sha256)) is not None:
        return before, True
    report = os.urandom(16)
    doubt = intake.room(deed, doubt)
    key, wrapped = new_case_key(deed.cabinet.keys, report)
    arrived = brought.believed(deed.now)
    is_due = answers and graded.grade == "verified" and not doubt
    mail = MailFact(
        grade=graded.grade,
        reasons=graded.reasons,
        sha256=sha256,
        size=len(brought.raw),
        arrived_at=arrived,
        again_at=_again(graded, 1, deed.now, deed.now),
        answered="due" if is_due else "",
        tries=int(is_due),
        sending_until=deed.now + PAUSE if is_due else None,
        cut=brought.cut,
        automatic=letter.automatic,
        marks=tuple(letter.marks),
    )
    fact = ReportFact(
        id=report.hex(),
        reference=intake.new_reference(deed),
        state="quarantined" if doubt else "received",
        received_at=deed.now,
        language=letter.language,
        category=CATEGORY,
        receipt=_hash(deed, sha256).hex(),
        parts=(),
        channel=CHANNEL,
        doubt=doubt,
        seen_at=arrived,
        mail=mail,
        likeness=message.likeness,
    )
    written = case.begin(deed, fact, key, wrapped, _texts(letter, graded, deed.now))
    made = Case(report, fact, 1)
    _tell(deed, errand, "breach_report.received", made.about, written)
    return made, False


def grade_again(deed: Deed, errand: Errand, report: bytes, letter: Letter, graded: Graded, *, answers: bool) -> tuple[Case, bool]:
    """Note what another check of the sender gave; with it whether another was first. Raises TooMany, Unavailable `integrity`."""
    errand, found = errand.still(deed), case.load(deed, report)
    mail = found.fact.mail
    if mail is None or mail.again_at is None:
        return found, True
    looks, is_due = mail.looks + 1, answers and graded.grade == "verified" and not (letter.automatic or found.fact.doubt)
    changed = msgspec.structs.replace(
        mail,
        grade=graded.grade,
        reasons=graded.reasons,
        looks=looks,
        again_at=_again(graded, looks, found.fact.received_at, deed.now),
        answered="due" if is_due else "",
        tries=int(is_due),
        sending_until=deed.now + PAUSE if is_due else None,
    )
    fact = msgspec.structs.replace(found.fact, mail=changed)
    _tell(deed, errand, "breach_report.mail-graded", found.about, case.change(deed, found, fact, _check(graded, deed.now)))
    return Case(report, fact, found.version + 1), False


def sending(deed: Deed, errand: Errand, report: bytes) -> tuple[Case, bool]:
    """Say that the acknowledgement that is due is being sent; False where it is not, or another may be at it. Raises Unavailable."""
    errand, found = errand.still(deed), case.load(deed, report)
    mail = found.fact.mail
    if mail is None or mail.answered != "due" or (mail.sending_until or 0) > deed.now:
        return found, False
    tries = mail.tries + 1
    fact = msgspec.structs.replace(found.fact, mail=msgspec.structs.replace(mail, tries=tries, sending_until=deed.now + tries * PAUSE))
    _tell(deed, errand, "breach_report.mail-answering", found.about, case.change(deed, found, fact))
    return Case(report, fact, found.version + 1), True


def answered(deed: Deed, errand: Errand, report: bytes, became: Outcome) -> Case:
    """Note what became of the acknowledgement, once nothing is left to do about it. Raises Unavailable `integrity`."""
    errand, found = errand.still(deed), case.load(deed, report)
    mail = found.fact.mail
    if mail is None or mail.answered != "due":
        return found
    changed = msgspec.structs.replace(mail, answered=became, answered_at=deed.now)
    fact = msgspec.structs.replace(found.fact, mail=changed)
    _tell(deed, errand, "breach_report.mail-answered", found.about, case.change(deed, found, fact))
    return Case(report, fact, found.version + 1)


def is_last(mail: MailFact | None) -> bool:
    """Whether the next check of the sender is the last one."""
    return mail is not None and mail.looks >= len(AGAIN)


def _again(graded: Graded, looks: int, first: int, now: int) -> int | None:
    """When to ask again after so many looks, None for never."""
    if graded.grade != "temp_error" or looks > len(AGAIN):
        return None
    return max(first + AGAIN[looks - 1], now)


def _texts(letter: Letter, graded: Graded, now: int) -> list[Text]:
    head = Head(letter.froms[:20], letter.subject, letter.sent, letter.message_id, letter.text_is, letter.files)
    narrative = narrative_of(letter)
    texts = [
        Text(REPORT, REPORTER, msgspec.json.encode({"narrative": narrative})),
        Text(MAIL_HEAD, REPORTER, msgspec.json.encode(head)),
        _check(graded, now),
    ]
    if letter.author:
        texts.append(Text(CONTACT, REPORTER, msgspec.json.encode(letter.author)))
    return texts + [Text(MAIL, REPORTER, letter.raw[at : at + PIECE]) for at in range(0, len(letter.raw), PIECE)]


def _check(graded: Graded, now: int) -> Text:
    told = Check(graded.grade, list(graded.reasons), list(graded.lookups.told.values()), now)
    return Text(MAIL_CHECK, "", msgspec.json.encode(told), beyond=case.KEPT_FREE)


def narrative_of(letter: Letter) -> str:
    """What the report says that a message becomes."""
    return letter.text or letter.subject


def _known(deed: Deed, sha256: str) -> Case | None:
    report = tables.of_receipt(deed, _hash(deed, sha256))
    return None if report is None else case.load(deed, report)


def _hash(deed: Deed, sha256: str) -> bytes:
    """What stands in the index in the place of a receipt: nobody holds one for a mail, and whoever has the database cannot try messages."""
    return deed.cabinet.pepper.hash(_DIGEST, sha256)


def _tell(deed: Deed, errand: Errand, kind: str, about: tuple[About, ...], written: WrittenFact) -> None:
    article = f"{errand.asker.association.pack}:8"
    deed.append(errand.entry(kind=kind, outcome="allow", purpose=intake.PURPOSE, article=article, about=about, facts=(written,)))
