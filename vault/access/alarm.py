"""Rings when what is stored does not hold: an entry of kind `alarm`, so that the officer learns of it from the log itself."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import About
from vault.errors import NotFound, Unavailable, VaultError
from vault.rulebook.asker import Errand
from vault.subjects import people

T = TypeVar("T")
INTEGRITY: Final = "integrity"
NOBODY: Final = bytes(16)
"""Stands where the person is meant whose rows do not tell who she is."""
_PRIVACY: Final = "cooperative"


async def heard(errand: Errand, record: bytes | None, deed: Callable[[], Awaitable[T]]) -> T:
    """What the deed gives; where it meets what does not hold, the alarm rings before the caller is answered."""
    try:
        return await deed()
    except VaultError as error:
        await ring(errand, error, record)
        raise


async def ring(errand: Errand, error: VaultError, record: bytes | None) -> None:
    """Append an alarm for an `integrity` failure; where even that cannot be written, the caller's 503 says as much."""
    if not isinstance(error, Unavailable) or error.code != INTEGRITY:
        return
    try:
        await errand.asker.association.run(lambda deed: _tell(deed, errand, record))
    except VaultError:
        return


def _tell(deed: Deed, errand: Errand, record: bytes | None) -> Appended:
    # The newest book this process read: that of the database may be what does not hold.
    book = errand.asker.association.books.latest
    pack = book.association.pack if book is not None else _PRIVACY
    about = _about(deed, record)
    return deed.append(errand.entry(kind="alarm", outcome="error", reason="INTEGRITY", article=f"{pack}:7", about=about))


def _about(deed: Deed, record: bytes | None) -> tuple[About, ...]:
    """The record that is here, and its person where her rows say who she is; nothing for an id that only the caller knows."""
    if record is None:
        return ()
    found = people.of_records(deed, [record])[record]
    if isinstance(found, NotFound):
        return ()
    return (About(found.subject if isinstance(found, people.Known) else NOBODY, record),)
