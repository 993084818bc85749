"""The tree's hashes in rows of 256: written once when complete, read back for proofs, served and exported as C2SP tlog-tiles.

Invariants: a row is written once, when its 256 hashes are there, and never changed; what is not full is read from the entries' own
leaf hashes. A row of level 0 ends with a tail that a C2SP tile does not have: the roots of the subtrees that end with this tile,
smallest first, so that any hash of the tree from level 8 upwards is one row away. Format: docs/spec/tree.md.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, Executable, bindparam, func, literal_column, select

from vault.access_log import tables
from vault.access_log.merkle import HASH_BYTES, HashAt, full_root, node_hash, perfect
from vault.errors import NotFound, Unavailable
from vault.storage.transaction import Hot, Transaction, hot

T = TypeVar("T")
Tile = tuple[int, int, bytes]

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
HIGHEST_LEVEL = 5

_PATH = re.compile(r"([0-5]|entries)/((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


def _listed(column: ColumnElement[bytes]) -> Callable[[int], Executable]:
    def build(length: int) -> Executable:
        numbers = [bindparam(f"item_{i}", type_=BigInteger) for i in range(length)]
        return select(tables.tile.c.number, column).where(
            tables.tile.c.association_id == bindparam("association"),
            tables.tile.c.level == bindparam("level"),
            tables.tile.c.number.in_(numbers),
        )

    return build


TAILS = Hot(_listed(func.substr(tables.tile.c.hashes, literal_column(str(TILE_BYTES + 1)))))
TILES = Hot(_listed(tables.tile.c.hashes))
SIZE = hot(select(tables.head.c.size).where(tables.head.c.association_id == bindparam("association")))
BODIES_FROM = hot(
    select(tables.entry.c.body)
    .where(
        tables.entry.c.association_id == bindparam("association"),
        tables.entry.c.number >= bindparam("first"),
        tables.entry.c.number < bindparam("end"),
    )
    .order_by(tables.entry.c.number),
)


@dataclass(slots=True)
class Tower:
    """Tiles grown from leaves, 256 at a time; `stack` holds the roots of the full subtrees over the tiles so far, largest first."""

    tiles: int = 0
    stack: list[bytes] = field(default_factory=list)
    _open: list[list[bytes]] = field(default_factory=list)

    def push(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Take in the next 256 leaf hashes; every tile that is complete with them, lowest level first."""
        tail = _tail(self.stack, self.tiles, leaves)
        complete = [(0, self.tiles, b"".join(leaves) + b"".join(tail))]
        self.tiles += 1
        for level, root in enumerate(tail[::HEIGHT]):
            if level == len(self._open):
                self._open.append([])
            self._open[level].append(root)
            if len(self._open[level]) == WIDTH:
                number = (self.tiles >> HEIGHT * (level + 1)) - 1
                complete.append((level + 1, number, b"".join(self._open[level])))
                self._open[level] = []
        return complete

    def ragged(self) -> list[Tile]:
        """The tiles above level 0 that are begun and not complete."""
        return [(level, self.tiles >> HEIGHT * level, b"".join(hashes)) for level, hashes in enumerate(self._open, start=1) if hashes]


@dataclass(frozen=True, slots=True)
class TilePath:
    """What a tile's address names: its level (None for a bundle of entries), number and width (256 when it is full)."""

    level: int | None
    number: int
    width: int

    def __str__(self) -> str:
        """The address below `tile/`, as C2SP tlog-tiles writes it: 1234067 of level 0 is 0/x001/x234/067."""
        groups = [f"{self.number % 1000:03}"]
        rest = self.number // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{'entries' if self.level is None else self.level}/{'/'.join(groups)}{partial}"


def tile_path(text: str) -> TilePath:
    """Read a tile's address below `tile/`; raises NotFound for one that C2SP tlog-tiles does not write."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise NotFound
    level, groups, width = found.groups()
    path = TilePath(
        None if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if str(path) != text or path.width > WIDTH:
        raise NotFound
    return path


def log_size(transaction: Transaction, association: bytes) -> int:
    """How many entries the association's log has; raises NotFound where there is no log."""
    rows = SIZE.rows(transaction, {"association": association})
    if not rows:
        raise NotFound
    return int(rows[0][0])


def serve(transaction: Transaction, association: bytes, path: TilePath) -> bytes:
    """The bytes of a tile or a bundle of entries; raises NotFound beyond what the log has."""
    level = path.level or 0
    if path.number * WIDTH + path.width > log_size(transaction, association) >> HEIGHT * level:
        raise NotFound
    if path.level is None:
        return entry_bundle(transaction, association, path.number, path.width)
    return tile_bytes(transaction, association, path.level, path.number, path.width)


def tile_bytes(transaction: Transaction, association: bytes, level: int, number: int, width: int) -> bytes:
    """The first `width` hashes of a tile, 32 bytes each (C2SP tlog-tiles); Unavailable where the rows are short."""
    first = number * WIDTH
    if width == WIDTH:
        found = TILES.rows(transaction, {"association": association, "level": level}, [number])
        hashes = found[0][1][:TILE_BYTES] if found and isinstance(found[0][1], bytes) else b""
    elif level == 0:
        hashes = b"".join(_leaves(transaction, association, first, first + width))
    else:
        wanted = [(HEIGHT * level, position) for position in range(first, first + width)]
        found_roots = subtrees(transaction, association, wanted)
        hashes = b"".join(found_roots[at] for at in wanted)
    if len(hashes) != width * HASH_BYTES:
        raise Unavailable("integrity")
    return bytes(hashes)


def entry_bundle(transaction: Transaction, association: bytes, number: int, width: int) -> bytes:
    """`width` entries from 256 * `number`, each behind its length in two bytes, big-endian (C2SP tlog-tiles)."""
    first = number * WIDTH
    rows = BODIES_FROM.rows(transaction, {"association": association, "first": first, "end": first + width})
    if len(rows) != width or not all(isinstance(body, bytes) for (body,) in rows):
        raise Unavailable("integrity")
    return bundle([body for (body,) in rows])


def bundle(bodies: Iterable[bytes]) -> bytes:
    """Entries one after the other, each behind its length in two bytes, big-endian."""
    return b"".join(part for body in bodies for part in (len(body).to_bytes(2, "big"), body))


def complete_tiles(transaction: Transaction, association: bytes, old_size: int, leaves: Sequence[bytes]) -> list[Tile]:
    """The tiles that are complete once `leaves` stand behind the first `old_size` entries, for the appending deed to store."""
    first, end = old_size >> HEIGHT, (old_size + len(leaves)) >> HEIGHT
    if first == end:
        return []
    edge = _leaves(transaction, association, first * WIDTH, old_size)
    if len(edge) != old_size - first * WIDTH:
        raise Unavailable("integrity")
    every = [*edge, *leaves]
    left = [(HEIGHT + level, position) for level, position in perfect(0, first)]
    found = subtrees(transaction, association, left)
    stack = [found[at] for at in left]
    complete: list[Tile] = []
    for number in range(first, end):
        hashes = every[(number - first) * WIDTH : (number - first + 1) * WIDTH]
        tail = _tail(stack, number, hashes)
        found |= {(HEIGHT + height, number >> height): root for height, root in enumerate(tail)}
        complete.append((0, number, b"".join(hashes) + b"".join(tail)))
        complete += _upper(transaction, association, number, found)
    return complete


def subtrees(transaction: Transaction, association: bytes, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """The hashes at these (level, position), level 8 and up, from the tails of the tiles they end with; Unavailable where one lacks."""
    ends = {(level, position): ((position + 1) << (level - HEIGHT)) - 1 for level, position in wanted}
    if not ends:
        return {}
    rows = TAILS.rows(transaction, {"association": association, "level": 0}, sorted(set(ends.values())))
    tails: dict[int, object] = dict(rows)
    found = {}
    for at, number in ends.items():
        tail, offset = tails.get(number), (at[0] - HEIGHT) * HASH_BYTES
        if not isinstance(tail, bytes) or len(tail) < offset + HASH_BYTES:
            raise Unavailable("integrity")
        found[at] = tail[offset : offset + HASH_BYTES]
    return found


def with_hashes(transaction: Transaction, association: bytes, work: Callable[[HashAt], T]) -> T:
    """What `work` makes of the tree's hashes; it runs twice, first to see which it asks for, then with all of them read in a few queries.

    `work` asks for the same hashes whatever they are, and only for subtrees that are full in the log. Raises Unavailable where one lacks.
    """
    wanted: dict[tuple[int, int], bytes] = {}

    def note(level: int, position: int) -> bytes:
        return wanted.setdefault((level, position), b"")

    work(note)
    found = subtrees(transaction, association, [at for at in wanted if at[0] >= HEIGHT])
    found |= _within_tiles(transaction, association, [at for at in wanted if at[0] < HEIGHT])
    return work(lambda level, position: found[level, position])


def _within_tiles(transaction: Transaction, association: bytes, wanted: list[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    numbers = sorted({position << level >> HEIGHT for level, position in wanted})
    if not numbers:
        return {}
    tiles = {number: _cut(hashes) for number, hashes in TILES.rows(transaction, {"association": association, "level": 0}, numbers)}
    for number in numbers:
        if number not in tiles:
            tiles[number] = _leaves(transaction, association, number * WIDTH, (number + 1) * WIDTH)
    found = {}
    for level, position in wanted:
        first = (position << level) % WIDTH
        hashes = tiles[position << level >> HEIGHT][first : first + (1 << level)]
        if len(hashes) != 1 << level:
            raise Unavailable("integrity")
        found[level, position] = full_root(hashes)
    return found


def _cut(hashes: object) -> list[bytes]:
    if not isinstance(hashes, bytes) or len(hashes) < TILE_BYTES:
        raise Unavailable("integrity")
    return [hashes[at : at + HASH_BYTES] for at in range(0, TILE_BYTES, HASH_BYTES)]


def _leaves(transaction: Transaction, association: bytes, first: int, end: int) -> list[bytes]:
    rows = tables.LEAVES_FROM.rows(transaction, {"association": association, "first": first, "end": end})
    if not all(isinstance(leaf, bytes) for (leaf,) in rows):
        raise Unavailable("integrity")
    return [leaf for (leaf,) in rows]


def _tail(stack: list[bytes], number: int, leaves: Sequence[bytes]) -> list[bytes]:
    root = full_root(leaves)
    tail = [root]
    while number & 1:
        root = node_hash(stack.pop(), root)
        tail.append(root)
        number >>= 1
    stack.append(root)
    return tail


def _upper(transaction: Transaction, association: bytes, number: int, known: dict[tuple[int, int], bytes]) -> list[Tile]:
    complete, level = [], 1
    while (number + 1) % WIDTH**level == 0:
        upper = number >> HEIGHT * level
        wanted = [(HEIGHT * level, position) for position in range(upper * WIDTH, (upper + 1) * WIDTH)]
        found = known | subtrees(transaction, association, [at for at in wanted if at not in known])
        complete.append((level, upper, b"".join(found[at] for at in wanted)))
        level += 1
    return complete
