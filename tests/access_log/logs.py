"""Builds logs of invented deeds for the tests of the access log: on a real database, or as bare hashes in memory."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Connection, insert

from keys.cabinet import Cabinet
from keys.facts import FactMac
from keys.notes import Signer
from keys.secret import Secret
from vault.access_log import head, tables
from vault.access_log.checkpoint import Checkpointer, Outside, origin
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.access_log.findings import Findings
from vault.access_log.log import AccessLog
from vault.access_log.merkle import HashAt, leaf_hash
from vault.access_log.verify import snapshot, verify
from vault.storage.engine import Database
from vault.storage.journal import Journal
from vault.storage.metadata import metadata
from vault.storage.transaction import Transaction

CODE = "birr"
ASSOCIATION = bytes(range(16))
NOW = 1_790_000_000_000_000
SECOND = 1_000_000


def signer(code: str = CODE, seed: bytes = bytes(range(32))) -> Signer:
    return Signer(origin(code), Secret(seed))


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def in_memory(leaves: list[bytes]) -> HashAt:
    """All full subtrees of these leaves."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([hashlib.sha256(b"\x01" + below[i] + below[i + 1]).digest() for i in range(0, len(below) - 1, 2)])
    return lambda level, position: levels[level][position]


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"entry %d" % number) for number in range(count)]


def person(number: int) -> bytes:
    return hashlib.sha256(b"person %d" % number).digest()[:16]


def written(subject: bytes, record: bytes, version: int) -> About:
    """A person whose sheet was written, with digests of what was written."""
    return About(subject, record, version, hashlib.sha256(b"sheet %d" % version).digest(), hashlib.sha256(b"event %d" % version).digest())


def some_entry(number: int) -> Entry:
    """Entries of many forms, after their number."""
    subject, record = person(number % 7), person(100 + number % 7)
    match number % 5:
        case 0:
            fact = WrittenFact("purpose", f"p{number}", 1, hashlib.sha256(b"%d" % number).digest())
            return Entry(kind="purpose.changed", outcome="allow", actor="staff-1", facts=(fact,))
        case 1:
            return Entry(
                kind="create", outcome="allow", actor="client-1", about=(written(subject, record, number),), fields=("mobile", "full_name")
            )
        case 2:
            return Entry(
                kind="read",
                outcome="allow",
                actor="client-1",
                on_behalf="staff-2",
                about=(About(subject, record),),
                fields=("mobile",),
                purpose="service_delivery",
                basis="electronic_consent",
                article="cooperative:6.1",
            )
        case 3:
            return Entry(
                kind="read", outcome="refuse", actor="client-1", about=(About(subject, record),), reason="NO_CONSENT", basis="none"
            )
        case _:
            return Entry(kind="search", outcome="allow", actor="client-1", about=(About(subject), About(person(50))), count=2)


@dataclass
class World:
    """One association's log on a database, with its journal and its checkpoint outside; `held`, where set, is the one connection used."""

    database: Database
    log: AccessLog
    outside: Outside
    now: int = NOW
    held: Connection | None = None

    def append(self, count: int, entry: Callable[[int], Entry] = some_entry, *, at_once: int = 100) -> None:
        size = self.size
        for first in range(size, size + count, at_once):
            self.now += SECOND
            numbers = range(first, min(first + at_once, size + count))
            self.log.run_now(self.database, [partial(add, entry=entry(number)) for number in numbers], lambda: self.now)

    @property
    def size(self) -> int:
        with self.reading() as transaction:
            return int(transaction.connection.execute(tables.head.select()).one().size)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        if self.held is not None:
            yield Transaction(self.held, self.now)
            return
        with snapshot(self.database) as connection:
            yield Transaction(connection, self.now)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        if self.held is not None:
            yield Transaction(self.held, self.now)
            return
        with self.database.connect() as connection, connection.begin():
            yield Transaction(connection, self.now)

    def checkpointer(self) -> Checkpointer:
        return Checkpointer(signer(), CODE, ASSOCIATION, self.outside)

    def sign(self) -> str:
        with self.writing() as transaction:
            return self.checkpointer().sign(transaction)

    def verify(self, held: str | None = None, **how: Any) -> Findings:
        standing = self.outside.read()
        with self.reading() as transaction:
            return verify(transaction.connection, ASSOCIATION, CODE, signer().vkey, standing, held=held, cabinet=self.log.cabinet, **how)


def add(deed: Deed, entry: Entry) -> bytes:
    return deed.append(entry, changes_law=entry.kind.startswith("purpose")).leaf_hash


def counted(start: int = 0) -> Callable[[int], bytes]:
    """Entropy that is none: 16 bytes that count upwards."""
    numbers = iter(range(start, 1 << 62))
    return lambda length: next(numbers).to_bytes(length, "big")


def cabinet() -> Cabinet:
    """As much of an association's keys as a log takes."""
    return cast("Cabinet", SimpleNamespace(keys=SimpleNamespace(association=ASSOCIATION), journal=FactMac(Secret(bytes(32)))))


@contextmanager
def world(url: str, folder: Path) -> Iterator[World]:
    """An empty log with its first checkpoint, over the entropy of `counted` and a writer of a fixed name."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(url)
    metadata.create_all(database.engine, tables=[t for t in metadata.sorted_tables if t.name.startswith("access_log_")])
    mac = head.seal(cabinet(), size=0, frontier=b"", law=0, newest=0)
    with database.connect() as connection, connection.begin():
        connection.execute(insert(tables.head).values(association_id=ASSOCIATION, size=0, frontier=b"", law=0, newest=0, mac=mac))
    journal = folder / "journal"
    Journal.create(journal)
    with ThreadPoolExecutor(1) as executor:
        log = AccessLog(
            cabinet(),
            Journal(journal, lambda content: hashlib.sha256(content).digest()),
            database,
            executor,
            clock=lambda: NOW,
            entropy=counted(),
        )
        log.writer = "00112233aabbccdd"
        made = World(database, log, Outside(folder / "checkpoint"))
        with made.writing() as transaction:
            made.checkpointer().first(transaction)
        try:
            yield made
        finally:
            log.close()
            database.dispose()
