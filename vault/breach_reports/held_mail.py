"""The short mail to who may say whom a reporter meant: that something waits at `/officer/exclusions`, and not what or how much.

Invariants: nobody a report is kept from, or may mean, is written to about it, through none of her accounts and at no address where she is
written to as well, as it stands when the mail is written down and again when it leaves; one mail is under way to somebody at a time,
whichever processes look. ADR 0103.
"""

from collections.abc import Iterable
from typing import Final

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.breach_reports import case, letters
from vault.breach_reports.exclusion import SETTLES
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.letters import OFFICERS, SYSTEM, WORD, WordFact
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.shapes import ReportFact
from vault.errors import NotFound
from vault.rulebook import facts
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF, accounts_of

MAILED: Final = "breach_report.exclusion-mailed"
AGAIN: Final = 24 * HOUR
"""So long after a mail the next one goes while something waits."""
Beside = frozenset[str]
"""Who else (staff ids in hexadecimal) is written to at an address."""
SOONEST: Final = HOUR
"""What comes sooner after a mail than this is told of once it is over: a flood of reports is no flood of mails."""


def newest(book: Book, held: Iterable[ReportFact], staff: str, beside: Beside, now: int) -> ReportFact | None:
    """The newest of these reports that this member of staff (id in hexadecimal) may settle and be mailed of; None for none."""
    kept = dict[tuple[str, ...], bool]()
    for report in sorted(held, key=lambda one: (-one.received_at, one.id)):
        from_whom = (*report.excluded, *report.held)
        if from_whom not in kept:
            kept[from_whom] = _may_be_told(book, from_whom, staff, beside, now)
        if kept[from_whom]:
            return report
    return None


def write(deed: Deed, book: Book, report: bytes, staff: str, beside: Beside) -> None:
    """Write down a mail to her about a report that waits, where one is due. Raises Unavailable `integrity`."""
    id_ = deed.cabinet.pepper.hash("held-mail", staff)[:16]
    before = facts.read(deed, WORD, id_.hex())
    fact = _waiting(deed, book, report, staff, beside)
    if fact is None or not _is_due(before, fact, deed.now):
        return
    word = WordFact(id=id_.hex(), incident=report.hex(), hours=0, staff=staff, state="waiting", at=deed.now, what="held")
    letters.drop(deed, id_)
    letters.add(deed, id_, word.incident, OFFICERS, deed.now)
    told = Entry(
        kind=MAILED,
        outcome="allow",
        actor=SYSTEM,
        about=(About(report, report),),
        purpose=PURPOSE,
        flags=(word.state,),
        facts=(facts.write(deed, WORD, word.id, word),),
    )
    deed.append(told)


def may_leave(deed: Deed, book: Book, word: WordFact, beside: Beside) -> bool:
    """Whether what a mail is about waits still, for her. Raises Unavailable `integrity`."""
    return _waiting(deed, book, bytes.fromhex(word.incident), word.staff, beside) is not None


def _waiting(deed: Deed, book: Book, report: bytes, staff: str, beside: Beside) -> ReportFact | None:
    """The report as it stands, if it waits for somebody and she may be the one, and be told so."""
    try:
        fact = case.load(deed, report).fact
    except NotFound:
        return None
    return fact if fact.held and _may_be_told(book, (*fact.excluded, *fact.held), staff, beside, deed.now) else None


def _may_be_told(book: Book, kept_from: tuple[str, ...], staff: str, beside: Beside, now: int) -> bool:
    """Whether she settles such reports, and nobody these are reads what is written to her: that a mail came tells her what no page does."""
    meant = accounts_of(book, kept_from)
    return _may_settle(book, kept_from, staff, now) and not any(f"{STAFF}{other}" in meant for other in beside)


def _may_settle(book: Book, kept_from: tuple[str, ...], staff: str, now: int) -> bool:
    """Whether this is a member of staff at work who settles such reports and is none of these, through none of her accounts."""
    member = book.staff.get(staff)
    if member is None or not member.active or (member.valid_to is not None and member.valid_to <= now):
        return False
    return SETTLES in member.scopes and f"{STAFF}{staff}" not in accounts_of(book, kept_from)


def _is_due(before: WordFact | None, report: ReportFact, now: int) -> bool:
    """Whether another mail goes after the last one: a day later, or sooner where something came since or the last one never left."""
    if before is None:
        return True
    if before.state in {"waiting", "sending"}:
        return False
    since = now - before.at
    return since >= AGAIN or (since >= SOONEST and (before.state == "dropped" or report.received_at > before.at))
