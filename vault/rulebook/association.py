"""One open association: its id, code, keys, log and rulebook; what every room from here up is handed."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from keys.cabinet import Cabinet
from vault.access_log import journal_note
from vault.access_log.checkpoint import PAUSE, Checkpointer, Outside, opened
from vault.access_log.deed import Deed
from vault.access_log.log import AccessLog
from vault.errors import NotFound, Unavailable
from vault.rulebook import signing
from vault.rulebook.book import Book, Books
from vault.rulebook.refusals import Refusals
from vault.storage.engine import Database, enter
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.journal import JournalRefused
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
    _noted: int = field(init=False, default=-1)

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
        await asyncio.to_thread(self.note_journal, note)
        return note

    def checkpoint_now(self, clock: Callable[[], int]) -> str:
        """The newest checkpoint, signed in this thread: for commands beside the service. Raises as signing does."""
        [(note, _)] = self.log.run_now(self.database, [self._signed], clock)
        self.note_journal(note)
        return note

    def note_journal(self, note: str) -> None:
        """Write beside the journal how long it is by now, once for each checkpoint: it has a line for every closing that one covers."""
        size = opened(note, self.cabinet.signer.vkey_at, self.code).size
        if size <= self._noted:
            return
        # Where it cannot be written the old one stands, which says less and nothing untrue.
        with suppress(OSError, JournalRefused):
            journal_note.keep(self.folder / journal_note.NAME, self.cabinet.signer, size, self.log.journal.reached())
            self._noted = size

    def _signed(self, deed: Deed) -> tuple[str, bool]:
        # In the transaction that reads the head: whatever process made a new key, nothing that covers its entry is signed without it.
        signing.settle(deed.transaction.connection, self.cabinet, self.id, deed.now)
        note = self.checkpointer.sign(deed.transaction)
        return note, opened(note, self.cabinet.signer.vkey_at, self.code).size >= deed.base


def open_here(associations: Mapping[str, Association], code: str) -> Association:
    """The association of this code among those that are open. Raises NotFound."""
    found = associations.get(code)
    if found is None:
        raise NotFound
    return found
