"""Verifies a stored log from its bytes up, and names what does not hold; it changes nothing and trusts no column.

Invariants: everything is computed again from the entries' bytes; a value of a foreign type, a hole or an unreadable table is a finding,
never an error; what any checkpoint signed covers, in the database, outside it or in somebody's hand, is there unaltered or convicts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select

from keys.cabinet import Cabinet
from vault.access_log import head, tables
from vault.access_log.checkpoint import Checkpoint, Key, NotACheckpoint, opened, opened_of_any_epoch
from vault.access_log.columns import NAMES, Columns
from vault.access_log.findings import Findings
from vault.access_log.merkle import HASH_BYTES, Frontier, leaf_hash, perfect
from vault.access_log.restored import Beginning, beginnings, lost_after
from vault.access_log.tiles import HEIGHT, TILES, WIDTH, Tile, Tower
from vault.storage.engine import Database, enter
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.transaction import Row, Transaction, hot

AT_ONCE = 16 * WIDTH
_BEGINNING = -(1 << 63)

# Literal, and with an offset, so that no dialect puts a parameter of its own into a hot statement.
_NONE, _MOST = literal_column("0", BigInteger), literal_column(str(AT_ONCE), BigInteger)
_entries = tables.entry.c
_from_here = (_entries.association_id == bindparam("association"), _entries.number >= bindparam("first", type_=BigInteger))
BARE_ROWS = hot(
    select(_entries.number, _entries.leaf, _entries.body).where(*_from_here).order_by(_entries.number).limit(_MOST).offset(_NONE)
)
ALL_ROWS = hot(
    select(_entries.number, _entries.leaf, _entries.body, *(_entries[name] for name in NAMES))
    .where(*_from_here)
    .order_by(_entries.number)
    .limit(_MOST)
    .offset(_NONE),
)
HEAD = hot(
    select(tables.head.c.size, tables.head.c.frontier, tables.head.c.law, tables.head.c.newest).where(
        tables.head.c.association_id == bindparam("association"),
    ),
)
CHECKPOINTS = hot(
    select(tables.checkpoint.c.size, tables.checkpoint.c.note)
    .where(tables.checkpoint.c.association_id == bindparam("association"))
    .order_by(tables.checkpoint.c.size),
)
TILE_KEYS = hot(select(tables.tile.c.level, tables.tile.c.number).where(tables.tile.c.association_id == bindparam("association")))


@contextmanager
def snapshot(database: Database, association: bytes | None = None) -> Iterator[Connection]:
    """A connection that sees the database as it was at one moment while others go on writing: what `verify`, `export` and doctor read from.

    On SQLite a text that is no UTF-8 comes with its bytes spelled out, as a finding and not as an error of the driver's.
    On PostgreSQL it sees the rows of this association alone, 16 bytes; where none is given, what the second wall leaves: none.
    """
    with database.connect() as connection:
        options: dict[str, Any] = (
            {"reading": True} if database.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        transaction = connection.execution_options(**options).begin()
        driver: Any = connection.connection.driver_connection
        try:
            if database.is_sqlite:
                driver.text_factory = _any_text
            if association is not None:
                enter(connection, association)
            yield connection
        finally:
            if database.is_sqlite:
                driver.text_factory = str
            transaction.rollback()


def verify(
    connection: Connection,
    association: bytes,
    code: str,
    vkey: Key,
    outside: str | None,
    *,
    held: str | None = None,
    tree_only: bool = False,
    deep: bool = False,
    cabinet: Cabinet | None = None,
) -> Findings:
    """All that does not hold in the association's log, the first bad entry first.

    `connection` is a `snapshot`; `outside` is the note of the file outside, read before the snapshot was taken, None where there is none;
    `held` a checkpoint from somebody's hand. `tree_only` leaves the columns alone; `deep` also judges every entry's
    form, writer's count, time and basis. Who has the association's keys at hand gives its `cabinet`: the head's MAC is held as well.
    """
    findings = Findings()
    try:
        signed = _signed(connection, association, code, vkey, findings)
        signed += _given(outside, held, code, vkey, findings)
        signed = _of_this_history(signed, beginnings(connection, association), code, findings)
        columns = None if tree_only else Columns.of(connection, association, findings, deep=deep)
        _Walk(Transaction(connection, 0), association, findings, sorted(signed, key=lambda one: one[0].size), columns).run()
        if cabinet is not None and not head.is_written_by(cabinet, connection):
            findings.note(None, "the head of the log is not as the vault wrote it")
    except DATABASE_ERRORS:
        findings.note(None, "the database cannot be read to its end: a table or a page of it is damaged or gone")
    return findings


Signed = tuple[Checkpoint, str]


def _any_text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def _signed(connection: Connection, association: bytes, code: str, vkey: Key, findings: Findings) -> list[Signed]:
    signed = []
    for size, note in CHECKPOINTS.rows(Transaction(connection, 0), {"association": association}):
        try:
            found = opened_of_any_epoch(note.decode(), vkey, code)
        except (NotACheckpoint, AttributeError, UnicodeDecodeError):
            findings.note(None, "a checkpoint in the database is not signed by the log's key")
            continue
        if found.size != size:
            findings.note(None, f"the checkpoint of {found.size} entries stands in the database under another size")
        signed.append((found, "in the database"))
    return signed


def _given(outside: str | None, held: str | None, code: str, vkey: Key, findings: Findings) -> list[Signed]:
    if outside is None:
        findings.note(None, "the checkpoint outside the database is missing")
    signed = []
    for note, where in ((outside, "outside the database"), (held, "in the file given")):
        if note is None:
            continue
        try:
            # What lies outside is of this epoch; somebody may have kept one of an earlier.
            signed.append(((opened if note is outside else opened_of_any_epoch)(note, vkey, code), where))
        except NotACheckpoint:
            findings.note(None, f"the checkpoint {where} is not signed by the log's key")
    return signed


def _of_this_history(signed: list[Signed], begun: list[Beginning], code: str, findings: Findings) -> list[Signed]:
    """Those that cover nothing that was lost when the log was put back from a copy; the others are told of."""
    kept = []
    for checkpoint, where in signed:
        after = lost_after(checkpoint, code, begun)
        if after is None:
            kept.append((checkpoint, where))
            continue
        findings.note(
            None,
            f"the checkpoint {where}, {checkpoint.origin}, covers {checkpoint.size} entries; the log was put back from a copy of "
            f"{after.number} and goes on as epoch {after.epoch}, as entry {after.number} says: the entries {after.number} to "
            f"{checkpoint.size - 1} of that history are lost",
        )
    return kept


@dataclass(slots=True)
class _Walk:
    """From the first entry to the last, once; `whole` while no entry lacked, for only then is there a tree to compare."""

    transaction: Transaction
    association: bytes
    findings: Findings
    signed: list[Signed]
    columns: Columns | None
    tower: Tower = field(default_factory=Tower)
    ragged: list[bytes] = field(default_factory=list)
    expected: int = 0
    whole: bool = True
    proven: int = 0
    _due: int = 0

    def run(self) -> None:
        rows = self._rows(_BEGINNING)
        while rows:
            start = self.expected
            self._numbers(rows)
            hashes = self._hashes(rows)
            if self.whole:
                self._grow(start, hashes)
            if self.columns is not None:
                self.columns.check(rows, self.expected)
            rows = self._rows(self.expected) if len(rows) == AT_ONCE and self.expected > start else []
        if self.columns is not None:
            self.columns.check((), None)
        self.findings.size = self.expected
        self._head()
        self._checkpoints_beyond()
        if self.whole:
            self._tile_keys()

    def _rows(self, first: int) -> list[Row]:
        query = BARE_ROWS if self.columns is None else ALL_ROWS
        return query.rows(self.transaction, {"association": self.association, "first": first})

    def _numbers(self, rows: Sequence[Row]) -> None:
        end = self.expected + len(rows)
        if [row[0] for row in rows] == list(range(self.expected, end)):
            self.expected = end
            return
        self.whole = False
        for number, *_ in rows:
            if not isinstance(number, int) or number < 0:
                self.findings.note(None, "a row of the entries has a number that no entry has")
                continue
            self._missing(number)
            self.expected = number + 1

    def _missing(self, end: int) -> None:
        if self.expected < end:
            last = "" if end == self.expected + 1 else f", and all up to entry {end - 1}"
            self.findings.note(self.expected, f"it is missing{last}")

    def _hashes(self, rows: Sequence[Row]) -> list[bytes]:
        try:
            hashes = [sha256(b"\x00" + row[2]).digest() for row in rows]
        except TypeError:
            hashes = []
        if hashes == [row[1] for row in rows]:
            return hashes
        for number, leaf, body, *_ in rows:
            if not isinstance(body, bytes):
                self.whole = False
                self.findings.note(number, "its bytes are gone")
            elif leaf_hash(body) != leaf:
                self.findings.note(number, "its bytes are not those its stored leaf hash was made of")
        return hashes

    def _grow(self, start: int, hashes: list[bytes]) -> None:
        numbers = range(start // WIDTH, (start + len(hashes)) // WIDTH)
        parameters = {"association": self.association, "level": 0}
        stored: dict[int, object] = dict(TILES.rows(self.transaction, parameters, numbers)) if numbers else {}
        for at in range(0, len(hashes), WIDTH):
            leaves = hashes[at : at + WIDTH]
            self._checkpoints_in(leaves)
            if len(leaves) < WIDTH:
                self.ragged = leaves
                return
            for tile in self.tower.push(leaves):
                self._tile(tile, stored)

    def _tile(self, tile: Tile, stored: dict[int, object]) -> None:
        level, number, hashes = tile
        if level == 0:
            found = stored.get(number)
        else:
            rows = TILES.rows(self.transaction, {"association": self.association, "level": level}, [number])
            found = rows[0][1] if rows else None
        if found == hashes:
            return
        if not isinstance(found, bytes) or len(found) != len(hashes):
            self.findings.note(None, f"the tile {number} of level {level} is missing or cut")
            return
        at = next(at for at in range(0, len(hashes), HASH_BYTES) if found[at : at + HASH_BYTES] != hashes[at : at + HASH_BYTES])
        first = (number * WIDTH + at // HASH_BYTES) << HEIGHT * level
        if level == 0 and at < WIDTH * HASH_BYTES:
            self.findings.note(first, "its tile holds the hash of other bytes")
        else:
            self.findings.note(None, f"the tile {number} of level {level} holds a hash that its entries do not give")

    def _frontier(self, leaves: Sequence[bytes]) -> Frontier:
        frontier = Frontier(self.tower.tiles * WIDTH, self.tower.stack.copy())
        for leaf in leaves:
            frontier.append(leaf)
        return frontier

    def _checkpoints_in(self, leaves: Sequence[bytes]) -> None:
        base, taken = self.tower.tiles * WIDTH, 0
        frontier: Frontier | None = None
        while self._due < len(self.signed) and self.signed[self._due][0].size <= base + len(leaves):
            checkpoint, where = self.signed[self._due]
            frontier = frontier or self._frontier(())
            for leaf in leaves[taken : checkpoint.size - base]:
                frontier.append(leaf)
            taken = checkpoint.size - base
            self._due += 1
            if frontier.root() == checkpoint.root:
                self.proven = checkpoint.size
            else:
                said = f"the checkpoint of {checkpoint.size} entries {where} was signed over others"
                self.findings.note(None, f"{said}: one from entry {self.proven} on is not what it was")

    def _checkpoints_beyond(self) -> None:
        for checkpoint, where in self.signed:
            if checkpoint.size > self.expected:
                said = f"the log has {self.expected} entries, yet the checkpoint {where} was signed over {checkpoint.size}"
                self.findings.note(None, f"{said}: entries were cut off or an old copy was put back")

    def _head(self) -> None:
        rows = HEAD.rows(self.transaction, {"association": self.association})
        if not rows:
            self.findings.note(None, "the log's head is missing")
            return
        size, frontier, law, newest = rows[0]
        if not isinstance(size, int):
            self.findings.note(None, "the head's size is no number")
        elif size < self.expected:
            self.findings.note(size, "it stands beyond the log's head")
        else:
            self._missing(size)
        if self.whole:
            self._root(size, frontier)
        if self.columns is not None and self.expected:
            self._facts_of_head(self.columns, law, newest)

    def _root(self, size: object, packed: object) -> None:
        found = self._frontier(self.ragged)
        self.findings.root = found.root()
        if size != found.size:
            return
        if not isinstance(packed, bytes) or len(packed) != len(found.hashes) * HASH_BYTES:
            self.findings.note(None, "the head's hashes do not fit its size")
            return
        for (level, position), has, at in zip(perfect(0, found.size), found.hashes, range(0, len(packed), HASH_BYTES), strict=True):
            if packed[at : at + HASH_BYTES] != has:
                first, last = position << level, ((position + 1) << level) - 1
                self.findings.note(None, f"the tree's head was made over other bytes among the entries {first} to {last}")

    def _facts_of_head(self, columns: Columns, law: object, newest: object) -> None:
        if newest != columns.newest:
            self.findings.note(None, "the head's newest time is not that of the last entry")
        if law != (columns.law or 0):
            self.findings.note(None, "the head does not name the last entry that moved the law")

    def _tile_keys(self) -> None:
        for level, number in TILE_KEYS.rows(self.transaction, {"association": self.association}):
            known = isinstance(level, int) and isinstance(number, int) and 0 <= level < HEIGHT
            if not known or not 0 <= number < self.expected >> HEIGHT * (level + 1):
                self.findings.note(None, "a tile is stored that the log does not have yet")
