"""A deed: what the units of one transaction share, and the only hand that appends to the log.

Invariants: the head is read (on PostgreSQL locked) before any fact, so that an entry's number orders it against every change of fact;
entries, the rows beside them, tiles and head go in the same transaction as what they tell of; lines of the journal are on the disk before
the commit; a receipt is given out only after the commit.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from keys.cabinet import Cabinet
from keys.receipt import Receipt
from vault.access_log import head, tables
from vault.access_log.entry import FILES_OF_RECORDS, PAPER_OF_ORDER, RELEASES, SHOWINGS, Entry, WrittenFact, body, projection
from vault.access_log.merkle import Frontier, leaf_hash
from vault.access_log.tiles import complete_tiles
from vault.errors import Refused, Unavailable
from vault.storage.journal import Closing, Journal, JournalRefused
from vault.storage.transaction import Transaction

CLOCK_TOLERANCE = 5_000_000
DRAWN_AT_ONCE = 4096
_GIVING = (RELEASES - {"breach_report.read", "breach_report.file-read", "incident.read", "incident.exported"}) | SHOWINGS


class Log(Protocol):
    """The log a deed appends to: one association's in this process."""

    association: bytes
    cabinet: Cabinet
    journal: Journal
    least_size: int
    writer: str
    counter: int
    entropy: Callable[[int], bytes]

    def seen(self, size: int, counter: int) -> None:
        """Note what is committed."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What one `allow` entry opens: these fields of this record (16-byte id) at this revision, or this file (16-byte id) instead."""

    record: bytes
    fields: frozenset[str]
    revision: int
    attachment: bytes = b""


@dataclass(slots=True)
class Appended:
    """An entry's place in the log; it counts once its transaction is committed. `opens` holds what it opens, once, or nothing."""

    index: int
    leaf_hash: bytes
    deed: "Deed"
    opens: list[Opening] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class _Mark:
    entries: int
    subjects: int
    closings: int
    law: int


class EntryRefusal(Refused):
    """A refusal with the entry that must stand in the log for it; the leaf hash is filled in when it is appended."""

    def __init__(self, entry: Entry, *, fields_covered: tuple[str, ...] = (), missing: tuple[str, ...] = ()) -> None:
        """Refuse with this entry; reason, article and law are the entry's."""
        super().__init__(
            entry.reason or "REFUSED", article=entry.article or "", law=entry.law or "", fields_covered=fields_covered, missing=missing
        )
        self.entry = entry


@dataclass(slots=True)
class Deed:
    """The session of one transaction of one association."""

    transaction: Transaction
    log: Log
    now: int
    base: int
    law: int
    law_at_begin: int
    counter: int
    frontier: Frontier
    committed: bool = False
    _entries: list[dict[str, Any]] = field(default_factory=list)
    _subjects: list[dict[str, Any]] = field(default_factory=list)
    _closings: list[Closing] = field(default_factory=list)
    _appended: list[Appended] = field(default_factory=list)

    @property
    def cabinet(self) -> Cabinet:
        """The association's open keys."""
        return self.log.cabinet

    @property
    def association(self) -> bytes:
        """The association whose log and rows this deed is about: 16 bytes."""
        return self.log.association

    @property
    def size(self) -> int:
        """How many entries the log has with those appended here."""
        return self.base + len(self._entries)

    def append(self, entry: Entry, *, changes_law: bool = False, closes: Closing | None = None, revision: int | None = None) -> Appended:
        """Append an entry; `changes_law` where it writes an association-wide fact, `closes` where it closes a door (journal).

        `revision` is the record's where the entry opens cells of it. Raises ValueError where such an entry does not allow that in full, and
        for one that names a person twice: its rows would take the whole transaction with them.
        """
        number = self.size
        if len(entry.about) > 1 and len({about.subject for about in entry.about}) < len(entry.about):
            raise ValueError(entry.kind)
        if entry.outcome == "allow" and entry.kind in _GIVING and not self.log.journal.takes_lines():
            # A withdrawal could not be recorded now, so nothing is given out on what it might withdraw.
            raise Unavailable("log-unavailable")
        opens = [] if revision is None else [_opening(entry, revision)]
        if entry.kind in SHOWINGS and entry.outcome == "allow":
            opens = [_showing(entry)]
        encoded = body(
            entry,
            time=self.now,
            nonce=self.log.entropy(16),
            writer=self.log.writer,
            counter=self.counter + len(self._entries),
            moves_law=changes_law,
            closes=None if closes is None else (closes.kind, closes.reference, closes.detail),
        )
        leaf = leaf_hash(encoded)
        association = self.association
        row = {
            "e_association_id": association,
            "e_number": number,
            "e_leaf": leaf,
            "e_body": encoded,
            **{f"e_{name}": value for name, value in projection(entry, time=self.now).items()},
        }
        self._entries.append(row)
        changed: list[dict[str, Any]] = []
        for about in entry.about:
            place = {
                "s_association_id": association,
                "s_subject": about.subject,
                "s_number": number,
                "s_record": about.record,
                "s_version": about.version,
                "s_sheet": about.sheet,
                "s_event": about.event,
            }
            (self._subjects if about.version is None else changed).append(place)
        # What later units of this transaction check themselves against is written at once, and rolled back with its unit.
        if changed:
            tables.ADD_SUBJECT.run(self.transaction, changed)
        if entry.facts:
            tables.ADD_FACT.run(self.transaction, [_fact_row(association, number, fact) for fact in entry.facts])
        if changes_law:
            self.law = number
        if closes is not None:
            self._closings.append(closes)
        appended = Appended(number, leaf, self, opens)
        self._appended.append(appended)
        return appended

    def closes_too(self, closing: Closing) -> None:
        """A line of the journal beside an entry's: the same door of somebody or something the entry writes as well, or what is no door."""
        self._closings.append(closing)

    def mark(self) -> _Mark:
        """Where the deed stands, to come back to when a unit fails alone."""
        return _Mark(len(self._entries), len(self._subjects), len(self._closings), self.law)

    def rewind(self, mark: _Mark) -> None:
        """Forget what was appended after the mark: its rows were rolled back."""
        for lost in self._appended[mark.entries :]:
            lost.opens.clear()
        del self._entries[mark.entries :], self._appended[mark.entries :]
        del self._subjects[mark.subjects :], self._closings[mark.closings :]
        self.law = mark.law

    def refused(self, error: Refused) -> None:
        """Append the entry a refusal carries, after what the refused deed wrote was undone."""
        if isinstance(error, EntryRefusal):
            error.leaf_hash = self.append(error.entry).leaf_hash

    def close(self) -> None:
        """Write entries, rows beside them, tiles and head; journal first, then the caller commits."""
        if not self._entries:
            return
        leaves = [row["e_leaf"] for row in self._entries]
        for leaf in leaves:
            self.frontier.append(leaf)
        transaction, association = self.transaction, self.association
        tables.ADD_ENTRY.run(transaction, self._entries)
        if self._subjects:
            tables.ADD_SUBJECT.run(transaction, self._subjects)
        tiles = complete_tiles(transaction, association, self.base, leaves)
        if tiles:
            tables.ADD_TILE.run(
                transaction,
                [
                    {"t_association_id": association, "t_level": level, "t_number": number, "t_hashes": hashes}
                    for level, number, hashes in tiles
                ],
            )
        self._move_head()
        if self._closings:
            try:
                self.log.journal.append(self.base, self.now, self._closings)
            except JournalRefused as error:
                # The vault's own trouble, and nothing the callers asked wrongly.
                raise Unavailable("log-unavailable") from error

    def _move_head(self) -> None:
        size, frontier, law, newest = self.frontier.size, self.frontier.pack(), self.law, self.now
        moved = {
            "association": self.association,
            "old_size": self.base,
            "new_size": size,
            "new_frontier": frontier,
            "new_law": law,
            "new_newest": newest,
            "new_mac": head.seal(self.cabinet, size=size, frontier=frontier, law=law, newest=newest),
        }
        if tables.MOVE_HEAD.run(self.transaction, [moved]) != 1:
            raise Unavailable("log-unavailable")

    def commit_seen(self) -> None:
        """Told by the queue that the transaction is committed."""
        self.committed = True
        self.log.seen(self.frontier.size, self.counter + len(self._entries))
        # Whoever still holds one entry's place holds this deed by it: what it wrote is let go now, and not when cycles are looked for.
        self.base = self.size
        for written in (self._entries, self._subjects, self._closings, self._appended):
            written.clear()

    @staticmethod
    def receipt(appended: Appended) -> Receipt:
        """The receipt of a committed `allow` entry, for what the entry says and nothing else: what the door asks for.

        Raises Unavailable before the commit, and `integrity` for an entry that opens nothing, was rolled back, or gave its receipt before.
        """
        if not appended.deed.committed:
            raise Unavailable("log-unavailable")
        try:
            opening = appended.opens.pop()  # one atomic step: of two threads one gets it
        except IndexError:
            raise Unavailable("integrity") from None
        return Receipt(appended.index, appended.leaf_hash, opening.record, opening.fields, opening.revision, attachment=opening.attachment)


def _opening(entry: Entry, revision: int) -> Opening:
    """What this entry opens, by its own words: fields of a record, or the one file that it names beside a field (`FILES_OF_RECORDS`).

    ValueError where it is no release that names one record (first), fields, purpose and basis.
    """
    record = entry.about[0].record if entry.about else None
    # Beside the one whose record it is, only the case in whose course it is opened may be named: by its id in both places.
    named = entry.fields and entry.purpose and all(about.record == about.subject for about in entry.about[1:])
    if record is None or not named or entry.kind not in RELEASES or entry.outcome != "allow" or entry.basis in {None, "", "none"}:
        raise ValueError(entry.kind)
    if entry.kind not in FILES_OF_RECORDS:
        return Opening(record, frozenset(entry.fields), revision)
    if not entry.evidence or len(entry.fields) != 1:
        raise ValueError(entry.kind)
    return Opening(record, frozenset(), revision, bytes.fromhex(entry.evidence))


def _showing(entry: Entry) -> Opening:
    """The file this entry opens, by its own words; ValueError where it does not name file and basis, and what it is shown for.

    That is one person, consent and purpose, or the order whose paper the file is, and its article.
    """
    of_order = entry.kind == PAPER_OF_ORDER
    named = (entry.order and entry.article) if of_order else (len(entry.about) == 1 and entry.consents and entry.purpose)
    if not named or not entry.evidence or entry.fields or entry.basis in {None, "", "none"}:
        raise ValueError(entry.kind)
    record = entry.about[0].record if entry.about else None
    return Opening(record or bytes(16), frozenset(), 0, bytes.fromhex(entry.evidence))


def _fact_row(association: bytes, number: int, fact: WrittenFact) -> dict[str, Any]:
    return {
        "f_association_id": association,
        "f_fact_kind": fact.kind,
        "f_fact_key": fact.key,
        "f_number": number,
        "f_version": fact.version,
        "f_digest": fact.digest,
    }


def begin(log: Log, transaction: Transaction) -> Deed:
    """Begin a deed: read the head first.

    Raises Unavailable `clock` where time ran back, `integrity` where the head does not hold or the log is shorter than was seen.
    """
    found = head.read(log.cabinet, transaction)
    if found.size < log.least_size:
        raise Unavailable("integrity")
    if transaction.now + CLOCK_TOLERANCE < found.newest:
        raise Unavailable("clock")
    now = max(transaction.now, found.newest)
    deed = Deed(transaction, log, now, found.size, found.law, found.law, log.counter, found.frontier)
    if not found.sealed:
        # Nothing vouches for its law: this deed moves it, and everybody reads the facts again.
        deed.append(Entry(kind="log.head-sealed", outcome="allow", actor="system"), changes_law=True)
    return deed


class Drawn:
    """Random bytes of the system, drawn many at a time and each given once: a draw for every entry gives Python's lock away.

    For one thread at a time. Good for the nonce of an entry, which is read by many; no key is ever made of it.
    """

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self._bytes, self._at = b"", 0

    def __call__(self, count: int) -> bytes:
        """Give `count` bytes that were not given before."""
        at, end = self._at, self._at + count
        if end > len(self._bytes):
            self._bytes, at, end = os.urandom(max(count, DRAWN_AT_ONCE)), 0, count
        self._at = end
        return self._bytes[at:end]


def writer_name() -> str:
    """A fresh name for this process in the log: 8 random bytes in hex."""
    return secrets.token_hex(8)
