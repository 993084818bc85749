"""Writes and reads association-wide facts: a fact counts only if the vault wrote it and the log's newest entry names the same bytes.

A row altered does not open; a row put back as it was before has another digest than the newest entry; a row deleted is missing where the
log names it. All three raise Unavailable `integrity`: never an older truth, never a guess. Format: docs/spec/rulebook-fact.md.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from keys.blobs import open_blob, seal_blob
from keys.cabinet import FACTS, OWN, Cabinet
from keys.errors import Unopenable
from keys.keyring import SUCCEEDED, later
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Unavailable
from vault.rulebook.tables import association_key
from vault.rulebook.tables import fact as rows
from vault.storage.octets import octets

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of fact: its name in the table and the Struct of its bytes; `in_book` where every deed may need it."""

    name: str
    shape: type[T]
    in_book: bool = True


def write(deed: Deed, kind: Kind[T], key: str, value: T) -> WrittenFact:
    """Write a fact as its next version; the caller puts what is returned into the entry of the same deed."""
    cabinet = deed.cabinet
    version = _newest_version(deed.transaction.connection, deed.association, kind.name, key) + 1
    sealed = seal_blob(cabinet.facts, _context(deed.association, kind.name, key, version), msgspec.json.encode(value))
    place = (rows.c.association_id == deed.association, rows.c.kind == kind.name, rows.c.key == key)
    connection = deed.transaction.connection
    if version == 1 or not connection.execute(update(rows).where(*place).values(version=version, sealed=sealed)).rowcount:
        connection.execute(insert(rows).values(association_id=deed.association, kind=kind.name, key=key, version=version, sealed=sealed))
    return WrittenFact(kind.name, key, version, hashlib.sha256(sealed).digest())


def read(deed: Deed, kind: Kind[T], key: str) -> T | None:
    """The fact as it stands, or None where the log never heard of it. Raises Unavailable `integrity`."""
    return read_from(deed.transaction.connection, deed.cabinet, deed.association, kind, key)


def read_from(connection: Connection, cabinet: Cabinet, association: bytes, kind: Kind[T], key: str) -> T | None:
    """The same outside a deed: on a connection that sees one moment (`access_log.verify.snapshot`), else row and log may be of two."""
    found = _checked(connection, cabinet, association, _Which((kind.name,), key))
    stored = found.get(kind.name, {}).get(key)
    return None if stored is None else msgspec.json.decode(stored, type=kind.shape)


def read_several(deed: Deed, kind: Kind[T], keys: Sequence[str]) -> dict[str, T]:
    """The facts under these keys as they stand, without those the log never heard of. Raises Unavailable `integrity`."""
    found = _checked(deed.transaction.connection, deed.cabinet, deed.association, _Which((kind.name,), keys=tuple(keys)))
    return {key: msgspec.json.decode(stored, type=kind.shape) for key, stored in found.get(kind.name, {}).items()}


def version(deed: Deed, kind: Kind[T], key: str) -> int:
    """The number of the newest version the log knows, 0 for none."""
    return _newest_version(deed.transaction.connection, deed.association, kind.name, key)


def written_since(deed: Deed, kinds: Sequence[str], keys: Collection[str], number: int) -> list[int]:
    """The entries from this number on that wrote one of these facts, none of which is opened."""
    told = log_tables.fact.c
    here = select(told.number).where(told.association_id == deed.association, told.number >= number)
    query = here.where(told.fact_kind.in_(kinds), told.fact_key.in_(keys)).distinct()
    return list(deed.transaction.connection.execute(query).scalars())


def newest(connection: Connection, association: bytes, kind: Kind[T], key: str) -> int:
    """The same outside a deed."""
    return _newest_version(connection, association, kind.name, key)


def read_all(connection: Connection, cabinet: Cabinet, association: bytes, kinds: set[str]) -> dict[str, dict[str, bytes]]:
    """The bytes of every fact of these kinds, by kind and key. Raises Unavailable `integrity` if one of them does not hold."""
    return _checked(connection, cabinet, association, _Which(tuple(sorted(kinds))))


def read_known(connection: Connection, cabinet: Cabinet, association: bytes, kind: Kind[T]) -> dict[str, T]:
    """Every fact of this kind, by key. Raises Unavailable `integrity` if one of them does not hold."""
    found = _checked(connection, cabinet, association, _Which((kind.name,)))
    return {key: msgspec.json.decode(stored, type=kind.shape) for key, stored in found.get(kind.name, {}).items()}


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A fact that was opened, and the SHA-256 of the sealed bytes it was opened from."""

    digest: bytes
    value: T


def read_again(
    connection: Connection, cabinet: Cabinet, association: bytes, kind: Kind[T], seen: Mapping[str, Seen[T]]
) -> dict[str, Seen[T]]:
    """Every fact of this kind, by key; what was seen before and lies there unchanged is held against the log again, but not opened again.

    Raises Unavailable `integrity` if one of them does not hold.
    """
    which = _Which((kind.name,))
    expected = _expected(connection, association, which)
    stored = select(rows.c.key, rows.c.version, rows.c.sealed).where(
        rows.c.association_id == association, *which.of(rows.c.kind, rows.c.key)
    )
    found: dict[str, Seen[T]] = {}
    for key, version_, sealed in connection.execute(stored):
        digest = hashlib.sha256(sealed).digest() if isinstance(sealed, bytes) else b""
        if expected.pop((kind.name, key), None) != (version_, digest):
            raise Unavailable("integrity")
        before = seen.get(key)
        found[key] = (
            before if before is not None and before.digest == digest else _opened(cabinet, association, kind, (key, version_, sealed))
        )
    if expected:
        raise Unavailable("integrity")
    return found


def _opened(cabinet: Cabinet, association: bytes, kind: Kind[T], row: tuple[str, int, bytes]) -> Seen[T]:
    key, version_, sealed = row
    try:
        value = open_blob(cabinet.facts, _context(association, kind.name, key, version_), sealed)
    except Unopenable:
        raise Unavailable("integrity") from None
    return Seen(hashlib.sha256(sealed).digest(), msgspec.json.decode(value, type=kind.shape))


def holding(connection: Connection, cabinet: Cabinet, association: bytes, kind: Kind[T]) -> dict[str, T]:
    """Every fact of this kind that holds, by key: for examiners, since what does not hold is named by `examine`."""
    found = _compare(connection, cabinet, association, _Which((kind.name,)), findings=[])
    return {key: msgspec.json.decode(stored, type=kind.shape) for key, stored in found.get(kind.name, {}).items()}


def examine(connection: Connection, cabinet: Cabinet, association: bytes) -> list[str]:
    """What does not hold, row by row in words: for `amanah doctor`."""
    findings: list[str] = []
    _compare(connection, cabinet, association, _Which(), findings=findings)
    names = connection.execute(select(association_key.c.name).where(association_key.c.association_id == association)).scalars().all()
    known = {FACTS, *OWN, *(later(SUCCEEDED, generation) for generation in range(2, len(names)))}
    findings += [f"association_key {name}: of no use" for name in names if name not in known]
    return findings


@dataclass(frozen=True, slots=True)
class _Which:
    """Which facts are meant: those of these kinds, or the one under `key`, or those under `keys`; without kinds all."""

    kinds: tuple[str, ...] = ()
    key: str | None = None
    keys: tuple[str, ...] | None = None

    def of(self, kind: ColumnElement[str], key: ColumnElement[str]) -> list[ColumnElement[bool]]:
        """The conditions on a table's two columns."""
        found: list[ColumnElement[bool]] = [kind.in_(self.kinds)] if self.kinds else []
        found += [] if self.keys is None else [key.in_(self.keys)]
        return found if self.key is None else [*found, key == self.key]


def _checked(connection: Connection, cabinet: Cabinet, association: bytes, which: _Which) -> dict[str, dict[str, bytes]]:
    findings: list[str] = []
    opened = _compare(connection, cabinet, association, which, findings=findings)
    if findings:
        raise Unavailable("integrity")
    return opened


def _compare(
    connection: Connection,
    cabinet: Cabinet,
    association: bytes,
    which: _Which,
    *,
    findings: list[str],
) -> dict[str, dict[str, bytes]]:
    """The bytes of every fact meant that holds, by kind and key; what does not is said in `findings`."""
    expected = _expected(connection, association, which)
    stored = select(rows.c.kind, rows.c.key, rows.c.version, octets(rows.c.sealed)).where(
        rows.c.association_id == association,
        *which.of(rows.c.kind, rows.c.key),
    )
    opened: dict[str, dict[str, bytes]] = {}
    for row in connection.execute(stored):
        place = f"rulebook_fact {row.kind} {row.key}"
        wanted = expected.pop((row.kind, row.key), None)
        if not isinstance(row.sealed, bytes) or wanted != (row.version, hashlib.sha256(row.sealed).digest()):
            findings.append(f"{place}: not what the log's newest entry about it says")
            continue
        try:
            value = open_blob(cabinet.facts, _context(association, row.kind, row.key, row.version), row.sealed)
        except Unopenable:
            findings.append(f"{place}: does not open")
            continue
        opened.setdefault(row.kind, {})[row.key] = value
    findings.extend(f"rulebook_fact {kind_} {key_}: missing, and the log names it" for kind_, key_ in expected)
    return opened


def _expected(connection: Connection, association: bytes, which: _Which) -> dict[tuple[str, str], tuple[int, bytes]]:
    """Version and digest of every fact meant, as the newest entry about it says."""
    told = log_tables.fact
    newest = (
        select(told.c.fact_kind, told.c.fact_key, func.max(told.c.number).label("number"))
        .where(told.c.association_id == association, *which.of(told.c.fact_kind, told.c.fact_key))
        .group_by(told.c.fact_kind, told.c.fact_key)
    )
    latest = newest.subquery()
    same = and_(told.c.fact_kind == latest.c.fact_kind, told.c.fact_key == latest.c.fact_key, told.c.number == latest.c.number)
    query = (
        select(told.c.fact_kind, told.c.fact_key, told.c.version, octets(told.c.digest))
        .join(latest, same)
        .where(told.c.association_id == association)
    )
    return {(row.fact_kind, row.fact_key): (row.version, row.digest) for row in connection.execute(query)}


def _newest_version(connection: Connection, association: bytes, kind: str, key: str) -> int:
    told = log_tables.fact
    found = connection.execute(
        select(func.max(told.c.version)).where(told.c.association_id == association, told.c.fact_kind == kind, told.c.fact_key == key),
    ).scalar()
    return int(found or 0)


def _context(association: bytes, kind: str, key: str, version_: int) -> bytes:
    return b"\x00".join((b"fact/v1", association, kind.encode(), key.encode(), str(version_).encode()))
