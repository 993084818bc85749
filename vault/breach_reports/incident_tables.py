"""The rows of incidents: the wrapped key of each, and its sealed parts. What is decided about one is a fact of the rulebook.

Invariant: none of these rows is believed: what they say is held against the incident's fact, which the log names by its digest.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Integer, LargeBinary, Table, insert, select

from vault.access_log.deed import Deed
from vault.storage.metadata import association_column, identifier, metadata

incident_key = Table(
    "incident_key",
    metadata,
    association_column(),
    identifier("incident", primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# Only ever added to; a part without its key is noise.
incident_part = Table(
    "incident_part",
    metadata,
    association_column(),
    identifier("incident", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)


def add_key(deed: Deed, incident: bytes, wrapped: bytes) -> None:
    """Insert the key of a new incident."""
    values = {"association_id": deed.association, "incident": incident, "wrapped": wrapped}
    deed.transaction.connection.execute(insert(incident_key).values(values))


def add_part(deed: Deed, incident: bytes, number: int, sealed: bytes) -> None:
    """Insert one sealed part."""
    values = {"association_id": deed.association, "incident": incident, "number": number, "sealed": sealed}
    deed.transaction.connection.execute(insert(incident_part).values(values))


def wrapped_key(deed: Deed, incident: bytes) -> bytes | None:
    """The wrapped key of an incident, None where there is none."""
    place = (incident_key.c.association_id == deed.association, incident_key.c.incident == incident)
    found = deed.transaction.connection.execute(select(incident_key.c.wrapped).where(*place)).scalar()
    return found if isinstance(found, bytes) else None


def parts(deed: Deed, incident: bytes, numbers: Sequence[int]) -> dict[int, bytes]:
    """The sealed parts with these numbers that are there."""
    place = incident_part.c
    query = select(place.number, place.sealed).where(
        place.association_id == deed.association, place.incident == incident, place.number.in_(numbers)
    )
    return {row.number: row.sealed for row in deed.transaction.connection.execute(query) if isinstance(row.sealed, bytes)}
