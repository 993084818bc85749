"""What stands around every deed: the caller's share of refusals, and an alarm where what is stored does not hold.

Invariant: an `integrity` failure leaves an entry of kind `alarm`, whichever room met it, so that the officer learns of it from the log
itself; the entry names whom it is about where the rows still tell, and nothing that only the caller knows.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import About, Entry
from vault.errors import Unavailable, VaultError
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association

T = TypeVar("T")
Meant = Callable[[Deed], tuple[About, ...]]
INTEGRITY: Final = "integrity"


def nobody(_deed: Deed) -> tuple[About, ...]:
    """For a deed that is about no one person."""
    return ()


async def heard(errand: Errand, deed: Callable[[], Awaitable[T]], meant: Meant = nobody) -> T:
    """What the deed gives, within the caller's share of refusals; where it meets what does not hold, the alarm rings before the answer.

    `meant` tells whom the deed is about. Raises TooMany where this caller was refused too often, and what the deed raises.
    """
    try:
        return await errand.asker.association.refusals.bounded(errand.asker.ref, lambda: too_many(errand), deed)
    except VaultError as error:
        await ring(errand, error, meant)
        raise


async def ring(errand: Errand, error: VaultError, meant: Meant = nobody) -> None:
    """Append an alarm for an `integrity` failure; where even that cannot be written, the caller's 503 says as much."""
    if not isinstance(error, Unavailable) or error.code != INTEGRITY:
        return
    try:
        await errand.asker.association.run(lambda deed: _tell(deed, errand, meant))
    except VaultError:
        return


class Seldom:
    """Alarms that strangers could make ring again and again: each once within its silence, per association and name, in this process."""

    def __init__(self) -> None:
        """Nothing has rung yet."""
        self._until: dict[tuple[bytes, str], int] = {}

    async def ring(self, association: Association, name: str, silence: int, entry: Callable[[Deed], Entry]) -> None:
        """Append the entry unless this alarm rang within `silence` (microseconds); where it cannot be written, the next one tries again."""
        place, now = (association.id, name), association.log.clock()
        if now < self._until.get(place, 0):
            return
        self._until[place] = now + silence
        try:
            await association.run(lambda deed: deed.append(entry(deed)))
        except VaultError:
            del self._until[place]


def integrity(errand: Errand, deed: Deed, meant: Meant = nobody) -> Entry:
    """The entry of an alarm about what is stored and does not hold."""
    # The pack is that of the newest book this process read: that of the database may be what does not hold.
    article = f"{errand.asker.association.pack}:7"
    return errand.entry(kind="alarm", outcome="error", reason="INTEGRITY", article=article, about=_whom(deed, meant))


def too_many(errand: Errand) -> Entry:
    """The entry that tells how many refusals of this caller were counted and not told one by one."""
    article = f"{errand.asker.association.pack}:1"
    return errand.entry(kind="call.refused", outcome="refuse", reason="TOO_MANY", article=article)


def _tell(deed: Deed, errand: Errand, meant: Meant) -> Appended:
    return deed.append(integrity(errand, deed, meant))


def _whom(deed: Deed, meant: Meant) -> tuple[About, ...]:
    """Whom the deed is about; nobody where the row that would tell it is the one that does not hold."""
    try:
        return meant(deed)
    except VaultError:
        return ()
