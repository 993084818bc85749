"""What the public may do: report, and follow up with the receipt; each deed of theirs is an entry of the actor `reporter`.

Invariants: the receipt leaves only after the commit of what it is for (promise 10); nothing of who asks is kept; a receipt opens messages
and state and nothing that was first written, so whoever finds the slip does not read the report.
"""

import os
import re
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec

from keys.case_file import new_case_key
from keys.errors import Unopenable
from keys.reporters import fold_reporter_receipt, new_reporter_receipt
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.breach_reports import case, door, exclusion, limits, tables
from vault.breach_reports.case import Case, Text
from vault.breach_reports.exclusion import NOBODY, Wish
from vault.breach_reports.files import Bringing
from vault.breach_reports.lifecycle import in_riyadh
from vault.breach_reports.limits import IntakeFull
from vault.breach_reports.shapes import CONTACT, EXCLUSION, MESSAGE, REPORT, REPORTER, TO_REPORTER, Doubt, Language, ReportFact
from vault.errors import FieldError, Invalid, NotFound, TooMany, Unavailable
from vault.policy.articles import NARRATIVE, article_8_report
from vault.rulebook.asker import Errand
from vault.storage.idempotency import Once, made_before, remember
from vault.web.times import fold_digits

PURPOSE: Final = "breach_report"
RECEIPT: Final = "reporter-receipt"
MOST_CONTACT: Final = 300
MOST_MESSAGE: Final = 5000
MOST_MESSAGES: Final = 100
"""Messages of one reporter: she cannot fill her case so that officers have no room left in it."""
_DAY: Final = 86_400
_HOUR: Final = 3600
_YEAR_MONTH_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_DAY: Final = len("2026-01-01")
_NOT_SEEN: Final = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""What is drawn as nothing though Unicode counts it among letters, marks and symbols."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
EARLIEST: Final = date(1950, 1, 1)


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody reports; `noticed_on` and `contact` as they were typed, "" where they were left out; who is to see nothing of it."""

    category: str
    narrative: str
    language: Language
    noticed_on: str = ""
    contact: str = ""
    exclude: Wish = NOBODY


def plain(text: str) -> str:
    """The text with a space for every control character but tab and line feed, by whichever door it came; as forms are read."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Arriving:
    """What is known of a report on its way in besides what it says: why it is doubtful, the sketch of its text, the files with it."""

    doubt: Doubt = ""
    likeness: str = ""
    brought: Bringing | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A report that was taken: its public reference, and its receipt, None where it was shown before; the rest is for nobody outside.

    `waits` where somebody has to say first whom the reporter wants to see nothing of it.
    """

    reference: str
    receipt: str | None
    doubt: Doubt = ""
    waits: bool = False


class _Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of the first part."""

    narrative: str
    noticed_on: str = ""


def report_text(told: Told) -> bytes:
    """The content of the first part of a report."""
    return msgspec.json.encode(_Report(told.narrative.strip(), fold_digits(told.noticed_on)))


def errors_in(told: Told, categories: Collection[str], now: int) -> list[FieldError]:
    """Every field that does not hold, by name and code (article 8: a category and a narrative are enough)."""
    found: list[FieldError] = []
    seen = told.narrative if _says_enough(told.narrative) else ""
    wrong = article_8_report(told.category, seen, categories)
    if wrong is not None:
        found.append(FieldError("category" if wrong == "UNKNOWN_CATEGORY" else "narrative", "out-of-range"))
    if wrong == "UNKNOWN_CATEGORY" and article_8_report(next(iter(categories)), seen, categories) is not None:
        found.append(FieldError("narrative", "out-of-range"))
    if told.noticed_on and (code := _wrong_day(told.noticed_on, now)):
        found.append(FieldError("noticed_on", code))
    if len(told.contact) > MOST_CONTACT:
        found.append(FieldError("contact", "out-of-range"))
    return found + exclusion.errors_in(told.exclude)


def receive(deed: Deed, errand: Errand, told: Told, arriving: Arriving, once: Once | None) -> Received:
    """Take a report, checked before; a repeat of the same request gives the reference again and not the receipt.

    Raises IntakeFull, Unavailable, and Invalid where nobody would be left to say whom she wants excluded.
    """
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return Received(case.load(deed, made).fact.reference, None)
    brought = arriving.brought
    receipt, report = new_reporter_receipt(), os.urandom(16) if brought is None else brought.report
    doubt = room(deed, arriving.doubt)
    kept = exclusion.kept_from(errand.book(deed), told.exclude, deed.now)
    if brought is None:
        key, wrapped = new_case_key(deed.cabinet.keys, report)
    else:
        # Wrapped inside the deed: its epoch may have been retired while the files were on their way in.
        key, wrapped = brought.key, deed.cabinet.keys.wrap(report, brought.key)
    fact = ReportFact(
        id=report.hex(),
        reference=new_reference(deed),
        state="quarantined" if doubt else "received",
        received_at=deed.now,
        language=told.language,
        category=told.category,
        receipt=_hash(deed, fold_reporter_receipt(receipt)).hex(),
        parts=(),
        doubt=doubt,
        offices=kept.offices,
        excluded=kept.excluded,
        held=kept.held,
        likeness=arriving.likeness,
    )
    texts = [Text(REPORT, REPORTER, report_text(told))]
    if told.contact.strip():
        # Apart from the narrative, so that it can be erased before it.
        texts.append(Text(CONTACT, REPORTER, msgspec.json.encode(told.contact.strip())))
    if told.exclude.waits:
        texts.append(Text(EXCLUSION, REPORTER, msgspec.json.encode(told.exclude.words.strip())))
    texts += case.names(brought, REPORTER)
    written = case.begin(deed, case.with_files(deed, fact, brought, REPORTER, 0), key, wrapped, texts)
    hidden = exclusion.hide(deed, fact.id, (*kept.excluded, *kept.held))
    deed.append(_entry(errand, "breach_report.received", about=Case(report, fact, 1).about, facts=(written, *hidden)))
    if once is not None:
        remember(deed.transaction, deed.association, once, report, 201)
    return Received(fact.reference, receipt, doubt, waits=bool(kept.held))


def room(deed: Deed, doubt: Doubt) -> Doubt:
    """Why the report goes into quarantine, "" where it does not, by what lies there that nobody has looked at. Raises IntakeFull."""
    if not doubt and tables.lying(deed, "received", limits.MOST_LYING) >= limits.MOST_LYING:
        doubt = "association"
    if doubt and tables.lying(deed, "quarantined", limits.MOST_LYING) >= limits.MOST_LYING:
        raise IntakeFull(_HOUR, is_of_all=True)
    return doubt


def of_receipt(deed: Deed, typed: str) -> Case | None:
    """The report a receipt is for, None for whatever else was typed. Raises Unavailable `integrity`.

    "There is none" is only said where the index was lately found to name every report under its receipt (`Index.require`).
    """
    try:
        folded = fold_reporter_receipt(typed)
    except Unopenable:
        folded = ""  # asked all the same, so that what is no receipt takes as long as what is a wrong one
    hashed = _hash(deed, folded)
    report = tables.of_receipt(deed, hashed)
    if report is None or not folded:
        return None
    found = case.load(deed, report)
    if found.fact.receipt != hashed.hex():
        raise Unavailable("integrity")  # another's row under this receipt
    return found


def follow(deed: Deed, errand: Errand, report: bytes) -> door.Taken:
    """The messages of a report for the holder of its receipt: its entry is appended, and they open once that is committed."""
    return door.take(deed, case.load(deed, report), _entry(errand, "breach_report.read"), TO_REPORTER)


def file(deed: Deed, errand: Errand, report: bytes, file_: str) -> door.TakenFile:
    """A file of the association's for the holder of the receipt: its entry is appended, and it opens once that is committed.

    Raises NotFound for any other file.
    """
    found = case.load(deed, report)
    if not any(each.id == file_ and each.by != REPORTER for each in found.fact.files):
        raise NotFound
    return door.take_file(deed, found, _entry(errand, door.FILE_READ), file_)


def write(deed: Deed, errand: Errand, report: bytes, text: str, brought: Bringing | None = None) -> None:
    """Add a message of the reporter's, with its files. Raises TooMany beyond `MOST_MESSAGES`, Unavailable `integrity`."""
    found = case.load(deed, report)
    if sum(part.kind == MESSAGE for part in found.fact.parts) >= MOST_MESSAGES:
        raise TooMany(_DAY)
    fact = case.with_files(deed, found.fact, brought, REPORTER, len(found.fact.parts))
    texts = [Text(MESSAGE, REPORTER, msgspec.json.encode(text.strip())), *case.names(brought, REPORTER)]
    written = case.change(deed, found, fact, *texts)
    deed.append(_entry(errand, "breach_report.message-received", about=found.about, facts=(written,)))


def require_message(text: str, *, files: bool = False) -> None:
    """Raise Invalid unless the text is one a message can be; one that brings files needs no words."""
    if len(text) > MOST_MESSAGE or not (text.strip() or files):
        raise Invalid([FieldError("text", "out-of-range")])


def _entry(errand: Errand, kind: str, **members: object) -> Entry:
    return errand.entry(kind=kind, outcome="allow", purpose=PURPOSE, article=f"{errand.asker.association.pack}:8", **members)


def _hash(deed: Deed, folded: str) -> bytes:
    return deed.cabinet.pepper.hash(RECEIPT, folded)


def new_reference(deed: Deed) -> str:
    """A short number that is no report's yet: random, so that nobody reads from it how many there are."""
    year = in_riyadh(deed.now).year
    while True:
        found = f"BR-{year}-{secrets.randbelow(1_000_000):06}"
        if not tables.has_reference(deed, found):
            return found


def _says_enough(narrative: str) -> bool:
    """Say whether as many characters of it can be seen, blanks between them counted once, as a narrative needs.

    What is longer than a narrative may be is not looked at character by character.
    """
    narrative = narrative.strip()
    if len(narrative) > NARRATIVE[1]:
        return True
    seen = "".join(" " if each.isspace() else each for each in narrative if each.isspace() or unicodedata.category(each)[0] not in "CZ")
    return len(" ".join(_NOT_SEEN.sub("", seen).split())) >= NARRATIVE[0]


def _wrong_day(typed: str, now: int) -> str:
    if len(typed) > _LONGEST_DAY:
        return "wrong-type"
    plainly = fold_digits(typed)
    if _YEAR_MONTH_DAY.fullmatch(plainly) is None:
        return "wrong-type"  # other ways to write a day would be stored as they came
    try:
        day = date.fromisoformat(plainly)
    except ValueError:
        return "wrong-type"
    if day > in_riyadh(now).date():
        return "future-dated"
    return "" if day >= EARLIEST else "out-of-range"
