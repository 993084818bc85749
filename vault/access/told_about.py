"""Facts that were written about a person, found by the log's own entries: what of hers was published, where she was referred."""

from sqlalchemy import and_, select

from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import EntryRefused, parse
from vault.errors import Unavailable


def keys_of(deed: Deed, subject: bytes, kind: str, below: int | None = None) -> list[str]:
    """The keys of the facts that entries of this kind wrote about this person, the oldest first; before an entry where `below` says so.

    Raises Unavailable `integrity` for an entry that cannot be read.
    """
    place, about = log_tables.entry, log_tables.subject
    same = and_(about.c.association_id == place.c.association_id, about.c.number == place.c.number)
    hers = [about.c.association_id == deed.association, about.c.subject == subject, place.c.kind == kind]
    hers += [] if below is None else [place.c.number < below]
    query = select(place.c.body).select_from(place.join(about, same)).where(*hers).order_by(place.c.number)
    found = []
    for body in deed.transaction.connection.execute(query).scalars().all():
        try:
            told = parse(bytes(body)).entry.facts
        except EntryRefused as error:
            raise Unavailable("integrity") from error
        found += [one.key for one in told]
    return found
