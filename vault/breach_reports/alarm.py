"""Rings when what is stored of a report does not hold: an entry of kind `alarm`, so that officers learn of it from the log itself."""

from collections.abc import Callable
from typing import TypeVar

from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import About, Entry
from vault.errors import Unavailable, VaultError
from vault.rulebook.association import Association

T = TypeVar("T")
INTEGRITY = "integrity"


async def heard(association: Association, actor: str, report: bytes | None, unit: Callable[[Deed], T]) -> T:
    """What a unit of work gives; where it meets what does not hold, the alarm rings before anybody is answered."""
    try:
        return await association.run(unit)
    except Unavailable as error:
        await ring(association, actor, report, error)
        raise


async def ring(association: Association, actor: str, report: bytes | None, error: Unavailable) -> None:
    """Append an alarm for an `integrity` failure; where even that cannot be written, the 503 says as much."""
    if error.code != INTEGRITY:
        return
    try:
        await association.run(lambda deed: _tell(deed, association, actor, report))
    except VaultError:
        return


def _tell(deed: Deed, association: Association, actor: str, report: bytes | None) -> Appended:
    # The newest book this process read: that of the database may be what does not hold.
    book = association.books.latest
    article = f"{book.association.pack}:7" if book is not None else None
    about = () if report is None else (About(report, report),)
    return deed.append(Entry(kind="alarm", outcome="error", actor=actor, reason="INTEGRITY", article=article, about=about))
