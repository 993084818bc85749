"""`log verify --tree` against hashing the same bytes with hashlib, in one run; prints both sides and ends with 1 beyond the gate.

The other side is one `hashlib.sha256(body).digest()` for each entry, over bodies already in memory; ours reads every entry, hash, tile and
checkpoint from an SQLite file as it goes. Rounds alternate and the ratio is the median of theirs. `--large` takes 1,000,000 entries.
"""

import hashlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from keys.notes import Signer
from keys.secret import Secret
from vault.access_log import tables
from vault.access_log.checkpoint import Checkpointer, Outside, origin
from vault.access_log.entry import About, Entry, body, projection
from vault.access_log.merkle import Frontier, leaf_hash
from vault.access_log.tiles import WIDTH, Tower
from vault.access_log.verify import snapshot, verify
from vault.storage.engine import Database
from vault.storage.metadata import metadata
from vault.storage.transaction import Transaction

GATE = 8.0
ROUNDS = 7
CODE = "bench"
ASSOCIATION = bytes(16)
NOW = 1_790_000_000_000_000


def entry(number: int) -> Entry:
    ref = hashlib.sha256(b"%d" % (number % 5_000)).digest()
    return Entry(
        kind="read",
        outcome="allow",
        actor=f"client-{number % 9}",
        about=(About(ref[:16], ref[16:]),),
        fields=("full_name", "mobile"),
        purpose="service_delivery",
        basis="electronic_consent",
        article="cooperative:6.1",
    )


def fill(database: Database, count: int) -> Signer:
    """A log as the appending deed would leave it, written in bulk."""
    frontier, tower, leaves = Frontier(), Tower(), []
    with database.connect() as connection, connection.begin():
        for first in range(0, count, WIDTH):
            rows, about = [], []
            for number in range(first, min(first + WIDTH, count)):
                one = entry(number)
                encoded = body(one, time=NOW + number, nonce=number.to_bytes(16, "big"), writer="bench", counter=number)
                leaf = leaf_hash(encoded)
                leaves.append(leaf)
                frontier.append(leaf)
                rows.append(projection(one, time=NOW + number) | {"number": number, "leaf": leaf, "body": encoded})
                about.append({"subject": one.about[0].subject, "record": one.about[0].record, "number": number})
            for table, values in ((tables.entry, rows), (tables.subject, about)):
                connection.execute(table.insert(), [value | {"association_id": ASSOCIATION} for value in values])
            if len(leaves) == WIDTH:
                tiles = tower.push(leaves)
                connection.execute(
                    tables.tile.insert(),
                    [dict(zip(("association_id", "level", "number", "hashes"), (ASSOCIATION, *one), strict=True)) for one in tiles],
                )
                leaves = []
        head = {"association_id": ASSOCIATION, "size": count, "frontier": frontier.pack(), "law": 0, "newest": NOW + count - 1}
        connection.execute(tables.head.insert(), head)
    return Signer(origin(CODE), Secret(bytes(32)))


def main(count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.sqlite3")
        metadata.create_all(database.engine, tables=[table for table in metadata.sorted_tables if table.name.startswith("access_log_")])
        signer, outside = fill(database, count), Outside(Path(folder) / "checkpoint")
        with database.connect() as connection, connection.begin():
            Checkpointer(signer, CODE, ASSOCIATION, outside).first(Transaction(connection, NOW))
        with snapshot(database) as connection:
            bodies = [bytes(found) for (found,) in connection.execute(select(tables.entry.c.body).order_by(tables.entry.c.number))]
        bare, tree, full = [], [], []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            hashes = [hashlib.sha256(one).digest() for one in bodies]
            bare.append(time.perf_counter() - begun)
            assert len(hashes) == count
            with snapshot(database) as connection:
                begun = time.perf_counter()
                found = verify(connection, ASSOCIATION, CODE, signer.vkey, outside.read(), tree_only=True)
                tree.append(time.perf_counter() - begun)
            assert not list(found)
        with snapshot(database) as connection:
            begun = time.perf_counter()
            assert not list(verify(connection, ASSOCIATION, CODE, signer.vkey, outside.read(), deep=True))
            full.append(time.perf_counter() - begun)
        database.dispose()
    ratio = statistics.median(ours / theirs for ours, theirs in zip(tree, bare, strict=True))
    size = sum(map(len, bodies))
    print(f"{count:,} entries, {size:,} bytes: hashlib {min(bare):.3f} s, log verify --tree {min(tree):.3f} s, --deep {full[0]:.3f} s")
    print(f"log verify --tree / hashlib: {ratio:.2f} (gate {GATE}), {count / min(tree):,.0f} entries/s")
    return 0 if ratio <= GATE else 1


if __name__ == "__main__":
    sys.exit(main(1_000_000 if "--large" in sys.argv[1:] else 100_000))
