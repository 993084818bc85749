"""Tells from the log who outside the house was given something of a person: whom to tell of an erasure, and what her own copy says."""

from collections.abc import Callable

from sqlalchemy import and_, select

from vault.access.certificate import Told
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import RELEASES, Entry, EntryRefused, parse
from vault.errors import Unavailable
from vault.policy.facts import INTERNAL
from vault.rulebook.book import Book


def _party(entry: Entry, book: Book) -> str | None:
    """Whom an entry says something was given outside the house: the recipient, or the processor whose system asked in the house's name."""
    if entry.recipient not in {None, INTERNAL}:
        return entry.recipient
    under = book.agreements.get(entry.agreement or "")
    return None if under is None else under.recipient


def given_to(deed: Deed, book: Book, subject: bytes, told: Callable[[Entry], bool] = lambda _: True) -> list[Told]:
    """Everybody outside the house whom the log says something of hers was given. Raises Unavailable `integrity` for a line that is none.

    `told` says of which entries it is told.
    """
    place, about = log_tables.entry, log_tables.subject
    query = (
        select(place.c.number, place.c.body, about.c.record)
        .join(about, and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number))
        .where(
            about.c.association_id == deed.association,
            about.c.subject == subject,
            place.c.kind.in_(sorted(RELEASES)),
            place.c.outcome == "allow",
        )
        .order_by(place.c.number)
    )
    found = []
    for number, body, record in deed.transaction.connection.execute(query).all():
        try:
            stored = parse(bytes(body))
        except EntryRefused as error:
            raise Unavailable("integrity") from error
        party = _party(stored.entry, book)
        if party is not None and told(stored.entry):
            found.append(Told(recipient=party, record=bytes(record or b"").hex(), at=stored.time, index=number))
    return found
