"""The wrapped keys of studies, by which pseudonyms are made: apart from everybody's data keys, and gone with the study."""

from sqlalchemy import Column, LargeBinary, Table, delete, insert, select

from keys.errors import Unopenable
from keys.pseudonyms import Pseudonyms, new_study_key
from vault.access_log.deed import Deed
from vault.errors import Unavailable
from vault.storage.metadata import association_column, identifier, metadata

study_key = Table(
    "study_key",
    metadata,
    association_column(),
    identifier("study", primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)


def add_key(deed: Deed, study: bytes) -> None:
    """Make the key of a study (16-byte id)."""
    values = {"association_id": deed.association, "study": study, "wrapped": new_study_key(deed.cabinet.keys, study)}
    deed.transaction.connection.execute(insert(study_key).values(values))


def pseudonyms(deed: Deed, study: bytes) -> Pseudonyms:
    """What gives the study's pseudonyms. Raises Unavailable `integrity` where its key is gone or another's."""
    place = (study_key.c.association_id == deed.association, study_key.c.study == study)
    found = deed.transaction.connection.execute(select(study_key.c.wrapped).where(*place)).scalar()
    try:
        return Pseudonyms(deed.cabinet.keys, study, found if isinstance(found, bytes) else b"")
    except Unopenable:
        raise Unavailable("integrity") from None


def destroy_key(deed: Deed, study: bytes) -> None:
    """Destroy the key of a study: nobody makes its pseudonyms any more, or finds out whose they were."""
    deed.transaction.connection.execute(delete(study_key).where(study_key.c.association_id == deed.association, study_key.c.study == study))
