"""Questions to the access log: what happened, who saw this person; every answer is an entry itself, and none holds a value.

Invariant: paging goes by entry number, newest first; the entry of the reading stands behind everything it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select

from vault.access import orders
from vault.access.withholding import count, hidden_from, names_one, open_only
from vault.access_log import tables
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, EntryRefused, Stored, parse
from vault.access_log.tiles import WIDTH, TilePath
from vault.errors import NotFound, Unavailable
from vault.rulebook.asker import Errand
from vault.subjects import people


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: every part that is None says nothing; times in microseconds, `actor` as the log writes it.

    `subjects` asks for all of a person, by each of her sheets, `record` for what names that record of hers.
    """

    record: bytes | None = None
    subjects: tuple[bytes, ...] = ()
    actor: str | None = None
    purpose: str | None = None
    outcome: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None
    after: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry as it is shown: its number, leaf hash, and what its bytes say."""

    number: int
    leaf: bytes
    stored: Stored


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, the number the next page begins after, and how many of the whole log are kept from this reader."""

    items: list[Shown]
    next: int | None
    withheld: int = 0


def entries(deed: Deed, errand: Errand, wanted: Wanted) -> Page:
    """A page of entries, newest first. The reading is an entry."""
    errand = errand.still(deed)
    hidden = hidden_from(deed, errand.asker)
    found = cut(page(deed, wanted, hidden), wanted.limit, count(deed, hidden))
    about = about_record(deed, wanted.record)
    deed.append(errand.entry(kind="access_log.read", outcome="allow", about=about, basis="law", count=len(found.items)))
    return found


def cut(found: list[Shown], limit: int, withheld: int) -> Page:
    """The page of these entries, of which there is one more than `limit` where more follow."""
    return Page(found[:limit], found[limit - 1].number if len(found) > limit else None, withheld)


def seen_by(deed: Deed, errand: Errand, record: bytes, after: int | None, limit: int, *, for_person: bool = False) -> Page:
    """Who saw this person, when, why and on what basis: every entry that names her, through any of her records that were joined.

    What is given to herself leaves out what rests on an order that demands secrecy. Raises NotFound, Unavailable `integrity`; the report
    is an entry.
    """
    errand = errand.still(deed)
    known = people.of_record(deed, record)
    hers = sheets_of(known)
    hidden = hidden_from(deed, errand.asker)
    told_of = orders.told_of(deed, errand.book(deed)) if for_person else None
    found, before, more = list[Shown](), after, True
    while more and len(found) <= limit:
        rows = _about(deed, hers, hidden, before, limit + 1)
        more, before = len(rows) > limit, rows[-1].number if rows else None
        found += [row for row in rows if told_of is None or told_of(row.stored.entry)]
    told = errand.entry(kind="access_report.read", outcome="allow", about=(About(known.subject, record),), basis="law")
    deed.append(told)
    return cut(found[: limit + 1], limit, count(deed, hidden))


def sheets_of(known: people.Known) -> tuple[bytes, ...]:
    """The ids under which the log names this person: of her sheet, and of those it was joined with."""
    return (known.subject, *(bytes.fromhex(other) for other in (known.sheet.others if known.sheet is not None else ())))


def _about(deed: Deed, hers: Sequence[bytes], hidden: tuple[bytes, ...], before: int | None, most: int) -> list[Shown]:
    """The newest entries that name this person by one of her sheets, at most so many, all before a place."""
    subject, place = tables.subject, tables.entry
    within = [subject.c.association_id == deed.association, *([] if before is None else [subject.c.number < before])]
    found: set[int] = set()
    for sheet in hers:
        # By the index of each; one entry may name both.
        numbers = select(subject.c.number).where(*within, subject.c.subject == sheet)
        open_ones = numbers.join(place, and_(place.c.association_id == subject.c.association_id, place.c.number == subject.c.number))
        newest = open_ones.where(*open_only(hidden)).order_by(subject.c.number.desc()).limit(most)
        found.update(deed.transaction.connection.execute(newest).scalars())
    last = sorted(found, reverse=True)[:most]
    query = select(place.c.number, place.c.leaf, place.c.body).where(place.c.association_id == deed.association, place.c.number.in_(last))
    rows = deed.transaction.connection.execute(query.order_by(place.c.number.desc())).all()
    return [shown(row.number, row.leaf, row.body) for row in rows]


def open_bundle(deed: Deed, errand: Errand, path: TilePath) -> None:
    """Let a bundle of entries be read, which is an entry as any reading of the log is; the tree's hashes tell nothing and need none.

    Raises NotFound beyond what the log has, and a refusal where one of them names a case the reader is excluded from.
    """
    errand = errand.still(deed)
    first = path.number * WIDTH
    if first + path.width > deed.size:
        raise NotFound
    if names_one(deed, hidden_from(deed, errand.asker), first, first + path.width):
        article = f"{errand.book(deed).association.pack}:8"
        raise EntryRefusal(errand.entry(kind="access_log.read", outcome="refuse", reason="EXCLUDED", article=article))
    deed.append(errand.entry(kind="access_log.read", outcome="allow", basis="law", count=path.width))


def about_record(deed: Deed, record: bytes | None) -> tuple[About, ...]:
    """The person whose entries are read, so that the reading shows in her own report; nobody for a record that is not here."""
    if record is None:
        return ()
    known = people.of_records(deed, [record])[record]
    return (About(known.subject, record),) if isinstance(known, people.Known) else ()


def page(deed: Deed, wanted: Wanted, hidden: tuple[bytes, ...]) -> list[Shown]:
    """The newest of the entries wanted and one more, newest first. Raises Unavailable `integrity` for one that cannot be read."""
    place = tables.entry
    within = [*conditions(wanted), *numbers(deed, wanted), *open_only(hidden)]
    # By one index each: in one question about either, everything somebody ever did is read and sorted.
    hands = [None] if wanted.actor is None else [place.c.actor == wanted.actor, place.c.on_behalf == wanted.actor]
    found: dict[int, Row[Any]] = {}
    for hand in hands:
        query = select(place.c.number, place.c.leaf, place.c.body).where(place.c.association_id == deed.association, *within)
        query = query if hand is None else query.where(hand)
        # All at once: an entry that cannot be read must not leave a statement open behind it.
        rows = deed.transaction.connection.execute(query.order_by(place.c.number.desc()).limit(wanted.limit + 1)).all()
        found |= {row.number: row for row in rows}
    newest = sorted(found, reverse=True)[: wanted.limit + 1]
    return [shown(number, found[number].leaf, found[number].body) for number in newest]


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What an entry must be, but for who did it and when."""
    place, subject = tables.entry, tables.subject
    found: list[ColumnElement[bool]] = []
    if wanted.record is not None:
        of_record = and_(subject.c.association_id == place.c.association_id, subject.c.record == wanted.record)
        found.append(place.c.number.in_(select(subject.c.number).where(of_record).correlate(place)))
    if wanted.subjects:
        of_person = and_(subject.c.association_id == place.c.association_id, subject.c.subject.in_(wanted.subjects))
        found.append(place.c.number.in_(select(subject.c.number).where(of_person).correlate(place)))
    for column, value in ((place.c.purpose, wanted.purpose), (place.c.outcome, wanted.outcome), (place.c.kind, wanted.kind)):
        if value is not None:
            found.append(column == value)
    if wanted.outcome not in {None, "allow"}:
        found.append(tables.NOT_ALLOWED)
    return found


def numbers(deed: Deed, wanted: Wanted) -> list[ColumnElement[bool]]:
    """The numbers between which the entries wanted lie: the log's times never run back, so a time is a place in it."""
    number = tables.entry.c.number
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(number >= first_at(deed, wanted.since))
    if wanted.until is not None:
        found.append(number < first_at(deed, wanted.until))
    if wanted.after is not None:
        found.append(number < wanted.after)
    return found


def first_at(deed: Deed, moment: int) -> int:
    """The number of the first entry of this moment or later, behind the last where there is none. Raises Unavailable `integrity`."""
    place, run = tables.entry, deed.transaction.connection.execute
    newest = run(select(func.max(place.c.number)).where(place.c.association_id == deed.association)).scalar()
    low, high = 0, 0 if newest is None else newest + 1
    while low < high:
        middle = (low + high) // 2
        at = run(select(place.c.time).where(place.c.association_id == deed.association, place.c.number == middle)).scalar()
        if at is None:
            raise Unavailable("integrity")
        low, high = (middle + 1, high) if at < moment else (low, middle)
    return low


def shown(number: int, leaf: bytes, encoded: bytes) -> Shown:
    """An entry from its row. Raises Unavailable `integrity` for one that cannot be read."""
    try:
        return Shown(number, bytes(leaf), parse(bytes(encoded)))
    except (EntryRefused, TypeError) as error:
        raise Unavailable("integrity") from error
