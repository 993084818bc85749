"""Whom a reporter wants to see nothing of her report: by office, or in her own words, which somebody else reads (article 8).

Invariants: whoever may be meant sees nothing from the arrival on; where it is certain who is meant, that is for good, and else it waits for
somebody outside these offices; no report is taken that nobody would be left to settle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact, ReportFact
from vault.errors import FieldError, Invalid
from vault.rulebook import facts
from vault.rulebook.book import Book
from vault.rulebook.two_people import STAFF, accounts_of

Office = Literal["officer", "second", "administrator"]
OFFICES: Final[tuple[Office, ...]] = ("officer", "second", "administrator")
"""Roles a reporter may exclude: those who handle reports, who approve what others decided, and who keep the system."""
HANDLERS: Final[Office] = "officer"
MOST_WORDS: Final = 300
WORKS: Final = "reports"
SETTLES: Final = "staff:read"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reporter asks: these offices, and whom she describes in her own words, "" for nobody."""

    offices: tuple[Office, ...] = ()
    words: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is somebody's to say who is meant, whoever holds which office."""
        return bool(self.words.strip())


NOBODY: Final = Wish()


@dataclass(frozen=True, slots=True)
class Kept:
    """Who is kept from a report as it arrives: for good, or until it is settled; both are actors ("staff:<hex id>")."""

    offices: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def errors_in(wish: Wish) -> list[FieldError]:
    """What does not hold in the wish itself."""
    wrong = len(wish.words) > MOST_WORDS or any(office not in OFFICES for office in wish.offices)
    return [FieldError("exclude", "out-of-range")] if wrong else []


def offices_of(book: Book) -> tuple[Office, ...]:
    """The offices somebody holds here."""
    held = {role for member in book.staff.values() if member.active for role in member.roles}
    return tuple(office for office in OFFICES if office in held)


def kept_from(book: Book, wish: Wish, now: int) -> Kept:
    """Who sees nothing of a report that arrives with this wish. Raises Invalid `nobody-left` where nobody would be left to settle it."""
    offices = tuple(office for office in OFFICES if office in wish.offices or (wish.waits and office == HANDLERS))
    refs = tuple(sorted(f"{STAFF}{key}" for key, member in book.staff.items() if set(member.roles) & set(offices)))
    if not offices:
        return Kept()
    if not wish.waits and somebody(book, WORKS, refs, now):
        return Kept(offices, excluded=refs)
    if not somebody(book, SETTLES, refs, now):
        raise Invalid([FieldError("exclude", "nobody-left")])
    return Kept(offices, held=refs)


def somebody(book: Book, scope: str, without: Iterable[str], now: int) -> bool:
    """Whether anybody else who holds this scope works here now."""
    kept = accounts_of(book, without)
    return any(
        scope in member.scopes and member.active and f"{STAFF}{key}" not in kept and (member.valid_to is None or member.valid_to > now)
        for key, member in book.staff.items()
    )


def hide(deed: Deed, report: str, refs: Iterable[str]) -> tuple[WrittenFact, ...]:
    """Withhold what the log tells of the report from these people; the facts the entry of the same deed has to name."""
    return _rewritten(deed, refs, add=report)


def show(deed: Deed, report: str, refs: Iterable[str]) -> tuple[WrittenFact, ...]:
    """Withhold it from these people no longer."""
    return _rewritten(deed, refs, take=report)


def _rewritten(deed: Deed, refs: Iterable[str], add: str = "", take: str = "") -> tuple[WrittenFact, ...]:
    people = [ref.removeprefix(STAFF) for ref in refs]
    known = facts.read_several(deed, EXCLUSIONS, people) if people else {}
    written = []
    for who in people:
        cases = set(known.get(who, ExclusionsFact()).cases)
        after = (cases | {add} if add else cases) - {take}
        if after != cases:
            written.append(facts.write(deed, EXCLUSIONS, who, ExclusionsFact(cases=tuple(sorted(after)))))
    return tuple(written)


def settled(fact: ReportFact, meant: Iterable[str], by: str, now: int) -> ReportFact:
    """The report once it is said who is meant: they are excluded for good, and the others see it."""
    excluded = tuple(sorted({*fact.excluded, *meant}))
    return msgspec.structs.replace(fact, held=(), excluded=excluded, settled_by=by, settled_at=now)
