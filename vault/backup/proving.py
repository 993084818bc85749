"""Proves what was loaded: the log from its bytes up, and a sample of containers that open; it answers yes or no and shows no value."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from keys.cabinet import Cabinet
from keys.container import opens
from vault.access_log.checkpoint import Checkpoint
from vault.access_log.deed import Deed, Drawn, begin
from vault.access_log.verify import verify
from vault.backup.refused import BackupRefused
from vault.records import shelf, tables
from vault.rulebook import signing
from vault.storage.journal import Journal
from vault.storage.transaction import Transaction
from vault.subjects import people
from vault.subjects.tables import record as place

SAMPLE: Final = 200


class Scratch:
    """A log that is looked at and never appended to."""

    def __init__(self, association: bytes, cabinet: Cabinet, journal: Journal) -> None:
        """Take the association's id and keys, and a journal that is not touched."""
        self.association = association
        self.cabinet = cabinet
        self.journal = journal
        self.least_size = self.counter = 0
        self.writer = ""
        self.entropy: Callable[[int], bytes] = Drawn()

    def seen(self, size: int, counter: int) -> None:
        """Nothing is ever committed here."""

    def deed(self, transaction: Transaction) -> Deed:
        """A deed to ask questions in. Raises Unavailable as `begin` does."""
        return begin(self, transaction)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at: entries of the log, and containers that opened."""

    entries: int
    containers: int


def prove(deed: Deed, code: str, head: Checkpoint, note: str, *, sample: bool = True) -> Proof:
    """Check the log against the head it should have, and open a sample of containers. Raises BackupRefused `backup-not-proven`.

    `note` is the checkpoint that lies beside the copy; without `sample` no container is opened.
    """
    connection = deed.transaction.connection
    signing.settle(connection, deed.cabinet, deed.association, deed.now)
    findings = verify(connection, deed.association, code, deed.cabinet.signer.vkey_at, note)
    if findings or (findings.size, findings.root) != (head.size, head.root):
        raise BackupRefused("backup-not-proven")
    return Proof(findings.size, _sample(deed) if sample else 0)


def _sample(deed: Deed) -> int:
    """Open the containers of records after a random id; how many opened."""
    query = select(place.c.record).where(place.c.association_id == deed.association).order_by(place.c.record).limit(SAMPLE)
    connection, opened = deed.transaction.connection, 0
    records = [bytes(one) for one in connection.execute(query.where(place.c.record >= os.urandom(16))).scalars()]
    records = records or [bytes(one) for one in connection.execute(query).scalars()]
    for record, known in people.of_records(deed, records).items() if records else ():
        if isinstance(known, Exception) or known.sheet is None:
            raise BackupRefused("backup-not-proven")
        state = known.sheet.records[record.hex()]
        for sealed in tables.sealed(deed.transaction, shelf.Whole(deed.association, known.subject, record, state.revision), state):
            if not opens(deed.cabinet.keys, sealed):
                raise BackupRefused("backup-not-proven")
            opened += 1
    return opened
