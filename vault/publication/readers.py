"""Gives the public what is published: a version that holds, or nothing.

Invariants: readers hold up no deed; what they get is of one moment; where what is stored does not hold, they get 503 and the alarm rings,
seldom enough that nobody fills the log by asking.
"""

import asyncio
from typing import Final

from vault.access_log.deed import Appended, Deed
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot
from vault.errors import NotFound, Unavailable, VaultError
from vault.publication import versions
from vault.publication.versions import Published
from vault.rulebook.alarm import INTEGRITY
from vault.rulebook.association import Association
from vault.storage.group_commit import DATABASE_ERRORS

SILENCE: Final = 600_000_000
"""Microseconds between two alarms that readers of one association ring."""


class Readers:
    """Reads for people nobody knows."""

    def __init__(self) -> None:
        """Nothing has rung yet."""
        self._rung: dict[bytes, int] = {}

    async def read(self, association: Association, version: int | None = None) -> Published | None:
        """Return this version, the newest where none is named; None before the first.

        Raises NotFound for a version there is none of, Unavailable `integrity`, `log-unavailable`.
        """
        try:
            found = await asyncio.to_thread(_read, association, version)
        except Unavailable as error:
            if error.code == INTEGRITY:
                await self._ring(association)
            raise
        if found is None and version is not None:
            raise NotFound
        return found

    async def _ring(self, association: Association) -> None:
        now = association.log.clock()
        if now < self._rung.get(association.id, -SILENCE) + SILENCE:
            return
        self._rung[association.id] = now
        try:
            await association.run(lambda deed: _alarm(deed, association))
        except VaultError:
            # Even that cannot be written; the next reader tries again.
            del self._rung[association.id]


def _read(association: Association, version: int | None) -> Published | None:
    try:
        with snapshot(association.database, association.id) as connection:
            return versions.published(connection, association.cabinet, association.id, association.code, version)
    except DATABASE_ERRORS as error:
        raise Unavailable("log-unavailable") from error


def _alarm(deed: Deed, association: Association) -> Appended:
    return deed.append(Entry(kind="alarm", outcome="error", actor="public", reason="INTEGRITY", article=f"{association.pack}:7"))
