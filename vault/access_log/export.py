"""Writes a log as a static folder of C2SP tlog-tiles, for tools that know nothing of this product.

Invariants: hashes are computed again from the entries' bytes, so that a tool convicts what was altered; the folder holds exactly the
tree of the checkpoint in it.
"""

from pathlib import Path

from sqlalchemy import Connection

from vault.access_log.checkpoint import Key, opened
from vault.access_log.merkle import HASH_BYTES, leaf_hash
from vault.access_log.tiles import BODIES_FROM, TILE_BYTES, WIDTH, TilePath, Tower, bundle
from vault.errors import Conflict, Unavailable
from vault.storage.transaction import Transaction


def export(connection: Connection, association: bytes, code: str, *, vkey: Key, note: str, folder: Path) -> int:
    """Write `checkpoint` (the note), `tile/<level>/…` and `tile/entries/…` for all it covers; how many entries those are.

    `connection` is a `snapshot`. Raises Conflict `export-folder-not-empty`, NotACheckpoint for a note that is not this log's, Unavailable
    `integrity` where the log does not hold all the note covers. Entries are private: the folder is its owner's alone.
    """
    size = opened(note, vkey, code).size
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Conflict("export-folder-not-empty")
    transaction, tower = Transaction(connection, 0), Tower()
    for first in range(0, size, WIDTH):
        bodies = _bodies(transaction, association, first, min(first + WIDTH, size))
        leaves = [leaf_hash(body) for body in bodies]
        _write(folder, TilePath(None, first // WIDTH, len(bodies)), bundle(bodies))
        if len(leaves) < WIDTH:
            _write(folder, TilePath(0, first // WIDTH, len(leaves)), b"".join(leaves))
            continue
        for level, number, hashes in tower.push(leaves):
            _write(folder, TilePath(level, number, WIDTH), hashes[:TILE_BYTES])
    for level, number, hashes in tower.ragged():
        _write(folder, TilePath(level, number, len(hashes) // HASH_BYTES), hashes)
    # Last, so that a folder with a checkpoint is a whole one.
    (folder / "checkpoint").write_text(note, encoding="utf-8", newline="")
    return size


def _bodies(transaction: Transaction, association: bytes, first: int, end: int) -> list[bytes]:
    rows = BODIES_FROM.rows(transaction, {"association": association, "first": first, "end": end})
    bodies = [body for (body,) in rows if isinstance(body, bytes)]
    if len(bodies) != end - first:
        raise Unavailable("integrity")
    return bodies


def _write(folder: Path, path: TilePath, content: bytes) -> None:
    file = folder / "tile" / str(path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(content)
