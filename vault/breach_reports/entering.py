"""Reports that reach the house by another way than its page: taken down by a member of staff, read back once, confirmed (article 8).

Invariants: what was taken down is a report from that answer on, confirmed or not (promise 10); its clocks run from when somebody of the
house could first know of it; who took it down reads it once and before she confirms it, and nothing of it after that.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from keys.case_file import new_case_key
from keys.reporters import fold_reporter_receipt, new_reporter_receipt
from vault.access_log.deed import Deed, EntryRefusal
from vault.breach_reports import case, door, exclusion, intake, service, tables
from vault.breach_reports.case import Case, Text
from vault.breach_reports.files import Bringing
from vault.breach_reports.intake import Told
from vault.breach_reports.lifecycle import EARLIEST, HOUR, ReportState
from vault.breach_reports.shapes import CONTACT, EXCLUSION, FILE, MESSAGE, ORIGIN, REPORT, Origin, ReportFact, TakenDown
from vault.errors import FieldError, Invalid, NotFound
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import PROCESSOR
from vault.storage.idempotency import Once, made_before, remember

Channel = Literal["social_media", "telephone", "walk_in", "letter", "processor_notice"]
CHANNELS: Final[tuple[Channel, ...]] = ("social_media", "telephone", "walk_in", "letter", "processor_notice")
SCOPE: Final = "reports:enter"
READ_BACK: Final = (CONTACT, FILE, ORIGIN, REPORT)
"""What a read-back opens: what she typed herself, and the names of the files she handed in."""
LATE: Final = 24 * HOUR
"""From knowing of it to taking it down: beyond that she says why."""
POSTED_SINCE: Final = 946_684_800_000_000
"""The first moment of 2000, UTC: nothing that is reported was posted or written earlier."""
MOST_LINE: Final = 300
MOST_REASON: Final = 500
_RECEIPT: Final = "reporter-receipt"
_NONE: Final = "report-entry"
_ADDRESS: Final = re.compile(r"https?://[^\s/]+\S*\Z")


@dataclass(frozen=True, slots=True)
class Came:
    """How a report came: by which channel, when somebody of the house first knew of it, when it was posted, sent or written.

    Of a social account its platform, the author's public handle and the link; of a notice the processor's code; `late_reason` where more
    than a day went by before it is taken down.
    """

    channel: Channel
    seen_at: int
    posted_at: int | None = None
    late_reason: str = ""
    platform: str = ""
    handle: str = ""
    link: str = ""
    processor: str = ""

    @property
    def is_social(self) -> bool:
        """Whether it stood on a social account, where nobody is there to hand a receipt to."""
        return self.channel == "social_media"


def errors_in(came: Came, told: Told, book: Book, now: int) -> list[FieldError]:
    """Every field that does not hold, by name and code."""
    found = intake.errors_in(told, book.pack.report_categories, now)
    if came.seen_at > now:
        found.append(FieldError("seen_at", "future-dated"))
    elif came.seen_at < EARLIEST:
        found.append(FieldError("seen_at", "out-of-range"))
    elif now - came.seen_at > LATE and not came.late_reason.strip():
        found.append(FieldError("late_reason", "missing"))
    if came.posted_at is not None and not POSTED_SINCE <= came.posted_at <= came.seen_at:
        found.append(FieldError("posted_at", "out-of-range"))
    if len(came.late_reason) > MOST_REASON:
        found.append(FieldError("late_reason", "out-of-range"))
    return found + _errors_of_origin(came) + _errors_of_processor(came, book)


def _errors_of_origin(came: Came) -> list[FieldError]:
    lines = {"platform": came.platform, "handle": came.handle, "link": came.link}
    if not came.is_social:
        return [FieldError(name, "out-of-range") for name, line in lines.items() if line.strip()]
    found = [FieldError(name, "out-of-range") for name, line in lines.items() if len(line) > MOST_LINE]
    if came.link.strip() and not found and _ADDRESS.match(came.link.strip()) is None:
        found.append(FieldError("link", "wrong-type"))
    missing = {"platform": came.platform.strip(), "link": came.link.strip() or came.handle.strip(), "posted_at": came.posted_at}
    return found + [FieldError(name, "missing") for name, given in missing.items() if not given]


def _errors_of_processor(came: Came, book: Book) -> list[FieldError]:
    if not came.processor:
        return []
    if came.channel != "processor_notice":
        return [FieldError("processor", "out-of-range")]
    party = book.recipients.get(came.processor)
    return [] if party is not None and party.kind == PROCESSOR else [FieldError("processor", "unknown-recipient")]


def take_down(
    deed: Deed, errand: Errand, entry: tuple[Came, Told], once: Once | None, brought: Bringing | None = None
) -> tuple[Case, bool]:
    """Take a report down, checked before; with it whether the same request did before.

    Raises Invalid where nobody would be left to settle whom it excludes, or it excludes who takes it down, and the refusal `excluded`.
    """
    errand, (came, told) = errand.still(deed), entry
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        # Who was excluded since is not told how it stands.
        return service.seen(deed, errand, made), True
    kept = exclusion.kept_from(errand.book(deed), told.exclude, deed.now)
    if not errand.accounts.isdisjoint((*kept.excluded, *kept.held)):
        raise Invalid([FieldError("exclude", "same-person")])
    report = os.urandom(16) if brought is None else brought.report
    key, wrapped = new_case_key(deed.cabinet.keys, report)
    if brought is not None:
        # Wrapped inside the deed, as with the public's files.
        key, wrapped = brought.key, deed.cabinet.keys.wrap(report, brought.key)
    fact = ReportFact(
        id=report.hex(),
        reference=intake.new_reference(deed),
        state="received",
        received_at=deed.now,
        language=told.language,
        category=told.category,
        # Nobody holds a receipt before it is confirmed.
        receipt=deed.cabinet.pepper.hash(_NONE, report.hex()).hex(),
        parts=(),
        channel=came.channel,
        offices=kept.offices,
        excluded=kept.excluded,
        held=kept.held,
        seen_at=min(came.seen_at, deed.now),
        staff=TakenDown(by=errand.hand, posted_at=came.posted_at, processor=came.processor),
    )
    texts = [*_texts(came, told, errand.hand), *case.names(brought, errand.hand)]
    written = case.begin(deed, case.with_files(deed, fact, brought, errand.hand, 0), key, wrapped, texts)
    hidden = exclusion.hide(deed, fact.id, (*kept.excluded, *kept.held))
    made_now = Case(report, fact, 1)
    _tell(deed, errand, "breach_report.received", made_now, written, *hidden)
    if once is not None:
        remember(deed.transaction, deed.association, once, report, 201)
    return made_now, False


def add_files(deed: Deed, errand: Errand, report: bytes, brought: Bringing) -> ReportFact:
    """Add files to a report that is not confirmed yet: a screenshot, a scanned letter. Raises NotFound, TooMany, and the refusals."""
    errand, found = own(deed, errand, report)
    fact = case.with_files(deed, found.fact, brought, errand.hand, 0)
    _tell(deed, errand, "breach_report.entry-files", found, case.change(deed, found, fact, *case.names(brought, errand.hand)))
    return fact


def read_back(deed: Deed, errand: Errand, report: bytes) -> door.Taken:
    """What was taken down, once, for who did: the entry is appended, and it opens once that is committed. Raises NotFound, the refusals."""
    errand, found = own(deed, errand, report)
    if staff_of(found).read_at is not None:
        raise _closed(deed, errand, found)
    fact = _with(found.fact, read_at=deed.now)
    written = case.change(deed, found, fact)
    told = service.entry_of(errand, deed, "breach_report.read", facts=(written,), flags=errand.asker.flags)
    return door.take(deed, Case(report, fact, found.version + 1), told, READ_BACK)


def confirm(deed: Deed, errand: Errand, report: bytes, correction: str) -> tuple[ReportFact, str | None]:
    """Say that it is what was told, with what the reporter put right: its receipt, None where nobody is there to take one.

    From then on who took it down sees nothing of it. Raises NotFound, ReportState before it was read back, Invalid, TooMany, the refusals.
    """
    errand, found = own(deed, errand, report)
    if staff_of(found).read_at is None:
        raise ReportState
    fact, receipt = _with(found.fact, confirmed_at=deed.now), None
    if fact.channel != "social_media":
        receipt = new_reporter_receipt()
        hashed = deed.cabinet.pepper.hash(_RECEIPT, fold_reporter_receipt(receipt))
        fact = msgspec.structs.replace(fact, receipt=hashed.hex())
        tables.give_receipt(deed, report, hashed)
    texts = [Text(MESSAGE, errand.hand, msgspec.json.encode(correction.strip()))] if correction.strip() else []
    _tell(deed, errand, "breach_report.entry-confirmed", found, case.change(deed, found, fact, *texts))
    return fact, receipt


def own(deed: Deed, errand: Errand, report: bytes) -> tuple[Errand, Case]:
    """A report for who took it down, until it is confirmed. Raises NotFound for anybody else's, the refusals `excluded`, `entry-closed`."""
    errand = errand.still(deed)
    staff = staff_of(case.load(deed, report))
    if staff.by != errand.hand:
        raise NotFound
    found = service.seen(deed, errand, report)
    if staff.confirmed_at is not None:
        raise _closed(deed, errand, found)
    return errand, found


def _closed(deed: Deed, errand: Errand, found: Case) -> EntryRefusal:
    article = f"{errand.book(deed).association.pack}:8"
    told = {"about": found.about, "flags": errand.asker.flags}
    return EntryRefusal(errand.entry(kind="breach_report.refused", outcome="refuse", reason="ENTRY_CLOSED", article=article, **told))


def staff_of(found: Case) -> TakenDown:
    """How it was taken down. Raises NotFound for a report that came by a door of its own."""
    staff = found.fact.staff
    if staff is None:
        raise NotFound
    return staff


def _with(fact: ReportFact, **changed: int) -> ReportFact:
    return msgspec.structs.replace(fact, staff=msgspec.structs.replace(fact.staff, **changed))  # type: ignore[type-var]  # `own` has looked


def _texts(came: Came, told: Told, hand: str) -> list[Text]:
    texts = [Text(REPORT, hand, intake.report_text(told))]
    if told.contact.strip():
        texts.append(Text(CONTACT, hand, msgspec.json.encode(told.contact.strip())))
    if told.exclude.waits:
        texts.append(Text(EXCLUSION, hand, msgspec.json.encode(told.exclude.words.strip())))
    lines = (came.platform, came.handle, came.link, came.late_reason)
    if any(line.strip() for line in lines):
        texts.append(Text(ORIGIN, hand, msgspec.json.encode(Origin(*(line.strip() for line in lines)))))
    return texts


def _tell(deed: Deed, errand: Errand, kind: str, found: Case, *written: object) -> None:
    deed.append(service.entry_of(errand, deed, kind, about=found.about, facts=written, flags=errand.asker.flags))


def require_correction(text: str) -> None:
    """Raise Invalid unless the text is one a message can be, or none."""
    if len(text) > intake.MOST_MESSAGE:
        raise Invalid([FieldError("correction", "out-of-range")])


def processors(book: Book) -> Collection[str]:
    """The codes of the processors a notice can be of."""
    return sorted(code for code, party in book.recipients.items() if party.kind == PROCESSOR and party.revoked_at is None)
