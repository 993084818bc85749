"""One open association: its id, code, keys, log and rulebook; what every room from here up is handed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from keys.cabinet import Cabinet
from vault.access_log.checkpoint import PAUSE, Checkpointer, Outside, opened
from vault.access_log.deed import Deed
from vault.access_log.log import AccessLog
from vault.errors import NotFound, Unavailable
from vault.rulebook.book import Book, Books
from vault.rulebook.refusals import Refusals
from vault.storage.engine import Database, enter
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.transaction import Transaction

T = TypeVar("T")
PRIVACY: Final = "cooperative"


@dataclass(slots=True)
class Association:
    """One association, unsealed in this process; `folder` holds its epochs, journal and last checkpoint."""

    id: bytes
    code: str
    cabinet: Cabinet
    log: AccessLog
    books: Books
    database: Database
    folder: Path
    refusals: Refusals = field(init=False)
    outside: Outside = field(init=False)
    checkpointer: Checkpointer = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count refusals; name the checkpoint file outside the database and who signs into it."""
        self.refusals = Refusals(self.log)
        self.outside = Outside(self.folder / "checkpoint")
        self.checkpointer = Checkpointer(self.cabinet.signer, self.code, self.id, self.outside)

    @property
    def pack(self) -> str:
        """The pack the association is under, as this process last read it; that of the privacy articles before the first reading."""
        return self.books.latest.association.pack if self.books.latest is not None else PRIVACY

    async def run(self, unit: Callable[[Deed], T], *, weight: int = 1) -> T:
        """Run one unit of work as a deed of this association."""
        return await self.log.run(unit, weight=weight)

    async def look(self, question: Callable[[Transaction], T]) -> T:
        """Ask the database in a transaction of its own that writes nothing, beside the queue of deeds; raises Unavailable."""
        return await asyncio.to_thread(self._look, question)

    def _look(self, question: Callable[[Transaction], T]) -> T:
        try:
            with self.database.connect() as connected:
                connection = connected.execution_options(reading=True)
                with connection.begin():
                    enter(connection, self.id)
                    return question(Transaction(connection, 0))
        except DATABASE_ERRORS as error:
            raise Unavailable("log-unavailable") from error

    async def settle(self) -> None:
        """Let the database's own write-ahead file let go of rows that were deleted, where it is one file of this machine."""
        await asyncio.to_thread(self.database.settle)

    async def book(self) -> Book:
        """The newest book this process knows; reads it where there is none yet."""
        return self.books.latest or await self.refresh()

    async def refresh(self) -> Book:
        """Read the book again if the law moved since."""
        return await self.run(self.books.at)

    async def checkpoint(self) -> str:
        """The newest signed checkpoint, covering at least what was in the log when it was asked for.

        One is signed at most once a second, so the answer may take that long.
        """
        note, covers = await self.run(self._signed)
        if not covers:
            await asyncio.sleep(PAUSE / 1_000_000)
            note, _ = await self.run(self._signed)
        return note

    def _signed(self, deed: Deed) -> tuple[str, bool]:
        note = self.checkpointer.sign(deed.transaction)
        return note, opened(note, self.cabinet.signer.vkey, self.code).size >= deed.base


def open_here(associations: Mapping[str, Association], code: str) -> Association:
    """The association of this code among those that are open. Raises NotFound."""
    found = associations.get(code)
    if found is None:
        raise NotFound
    return found
