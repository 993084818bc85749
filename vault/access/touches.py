"""What one hand touched between two numbers of the log: which people, through which entries; read beside the queue of deeds.

Invariants: whom an entry names is read from the bytes that were hashed, and not from a projection of them; an entry of the log below a size
never changes, so the same question has the same answer for good; a bounded number of rows is held at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Column, select

from vault.access_log import tables
from vault.access_log.entry import EntryRefused, Stored, parse
from vault.access_log.merkle import leaf_hash
from vault.errors import FieldError, Invalid, Unavailable
from vault.storage.octets import octets
from vault.storage.transaction import Transaction

AT_ONCE: Final = 500
MOST: Final = 100_000
"""So many namings of people one piece of evidence holds; who asks for more asks for a shorter time."""


@dataclass(frozen=True, slots=True)
class Span:
    """One hand as the log writes it, and the entries meant: from `first` on and before `end`."""

    hand: str
    first: int
    end: int


@dataclass(slots=True)
class Person:
    """One person touched: a record she was touched through, and the entries, ascending: number and leaf hash."""

    record: bytes
    rows: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Touched:
    """People by subject id; `cases` are the entries that name reports or incidents besides, with the ids of these."""

    people: dict[bytes, Person] = field(default_factory=dict)
    cases: dict[int, frozenset[bytes]] = field(default_factory=dict)

    def without(self, hidden: Sequence[bytes]) -> dict[bytes, Person]:
        """The people without the entries that name one of these cases, ordered by id; who is named by no other is not among them."""
        dropped = {number for number, cases in self.cases.items() if not cases.isdisjoint(hidden)}
        kept = {subject: Person(one.record, [row for row in one.rows if row[0] not in dropped]) for subject, one in self.people.items()}
        return {subject: kept[subject] for subject in sorted(kept) if kept[subject].rows}


def touched(transaction: Transaction, association: bytes, span: Span) -> Touched:
    """Everybody whom an allowed entry of this hand names. Raises Invalid beyond `MOST`, Unavailable `integrity`."""
    found, namings = Touched(), 0
    for number, body in _of_hand(transaction, association, span):
        about, leaf = read(body).entry.about, leaf_hash(body)
        cases = frozenset(one.subject for one in about if one.subject == one.record)
        if cases:
            found.cases[number] = cases
        for one in about:
            if one.subject not in cases:
                namings += 1
                person = found.people.setdefault(one.subject, Person(one.record or b""))
                person.record = person.record or one.record or b""
                person.rows.append((number, leaf))
        if namings > MOST:
            raise Invalid([FieldError("from", "out-of-range")])
    return found


def _of_hand(transaction: Transaction, association: bytes, span: Span) -> Iterator[tuple[int, bytes]]:
    """The allowed entries of a hand, oldest first: its own and those done at a screen in its name, each by its own index."""
    place = tables.entry.c
    ways = [_by(transaction, association, span, column) for column in (place.actor, place.on_behalf)]
    heads = [next(way, None) for way in ways]
    while any(head is not None for head in heads):
        at = min(head[0] for head in heads if head is not None)
        body = next(head[1] for head in heads if head is not None and head[0] == at)
        yield at, body
        heads = [next(way, None) if head is not None and head[0] == at else head for way, head in zip(ways, heads, strict=True)]


def _by(transaction: Transaction, association: bytes, span: Span, column: Column[str]) -> Iterator[tuple[int, bytes]]:
    place, after = tables.entry.c, span.first - 1
    while True:
        query = (
            select(place.number, octets(place.body).label("body"))
            .where(place.association_id == association, column == span.hand, place.outcome == "allow")
            .where(place.number > after, place.number < span.end)
            .order_by(place.number)
            .limit(AT_ONCE)
        )
        rows = transaction.connection.execute(query).all()
        yield from ((row.number, row.body) for row in rows)
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].number


def bodies(transaction: Transaction, association: bytes, numbers: Sequence[int]) -> dict[int, object]:
    """The stored bytes of these entries that are there; at most `AT_ONCE` numbers."""
    place = tables.entry.c
    query = select(place.number, octets(place.body).label("body")).where(place.association_id == association, place.number.in_(numbers))
    return {row.number: row.body for row in transaction.connection.execute(query)}


def entries(transaction: Transaction, association: bytes, numbers: Sequence[int]) -> Iterator[tuple[int, Stored]]:
    """These entries, in the order given. Raises Unavailable `integrity` where one lacks or cannot be read."""
    for at in range(0, len(numbers), AT_ONCE):
        found = bodies(transaction, association, numbers[at : at + AT_ONCE])
        yield from ((number, read(found.get(number))) for number in numbers[at : at + AT_ONCE])


def read(body: object) -> Stored:
    """An entry from its stored bytes. Raises Unavailable `integrity` for what is none."""
    try:
        return parse(body)  # type: ignore[arg-type]  # what a column holds is anything until it was read
    except (EntryRefused, TypeError) as error:
        raise Unavailable("integrity") from error


def as_saved(body: object, leaf: str) -> bytes:
    """The bytes of an entry with this leaf hash. Raises Unavailable `integrity` for others."""
    if not isinstance(body, bytes) or leaf_hash(body).hex() != leaf:
        raise Unavailable("integrity")
    return body
