"""An inclusion proof at 1,000,000 entries against one at 1,000, in one run; prints both sides and ends with 1 beyond the gate.

Both are read from SQLite files as the service reads them: random entries, the newest tree. Rounds alternate and the ratio is the median of
theirs. A size of the larger log can be given as argument.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from vault.access_log import tables
from vault.access_log.merkle import Frontier, included, leaf_hash
from vault.access_log.proofs import consistency_proof, inclusion_proof
from vault.access_log.tiles import WIDTH, Tower
from vault.access_log.verify import snapshot
from vault.storage.engine import Database
from vault.storage.metadata import metadata
from vault.storage.transaction import Transaction

GATE = 2.5
ROUNDS = 15
EACH = 40
SMALL, LARGE = 1_000, 1_000_000
ASSOCIATION = bytes(16)


def fill(database: Database, count: int) -> bytes:
    """A log with entries of one form and no columns to speak of: a proof reads hashes alone; its root."""
    metadata.create_all(database.engine, tables=[table for table in metadata.sorted_tables if table.name.startswith("access_log_")])
    frontier, tower = Frontier(), Tower()
    with database.connect() as connection, connection.begin():
        for first in range(0, count, WIDTH):
            bodies = [b"%d" % number + b"x" * 240 for number in range(first, min(first + WIDTH, count))]
            leaves = [leaf_hash(one) for one in bodies]
            fixed = {"association_id": ASSOCIATION, "time": 0, "kind": "read", "outcome": "allow", "actor": "bench"}
            rows = [
                fixed | {"number": number, "leaf": leaf, "body": one}
                for number, (leaf, one) in enumerate(zip(leaves, bodies, strict=True), first)
            ]
            connection.execute(tables.entry.insert(), rows)
            for leaf in leaves:
                frontier.append(leaf)
            if len(leaves) == WIDTH:
                names = ("association_id", "level", "number", "hashes")
                connection.execute(
                    tables.tile.insert(), [dict(zip(names, (ASSOCIATION, *tile), strict=True)) for tile in tower.push(leaves)]
                )
        head = {"association_id": ASSOCIATION, "size": count, "frontier": frontier.pack(), "law": 0, "newest": 0}
        connection.execute(tables.head.insert(), head)
    return frontier.root()


def timed(database: Database, count: int, root: bytes, rng: random.Random) -> tuple[float, float]:
    """Seconds for one inclusion proof and for one consistency proof, the mean over a few; every path is checked."""
    with snapshot(database) as connection:
        transaction = Transaction(connection, 0)
        indices = [rng.randrange(count) for _ in range(EACH)]
        begun = time.perf_counter()
        paths = [inclusion_proof(transaction, ASSOCIATION, index, count) for index in indices]
        middle = time.perf_counter()
        for index in indices:
            consistency_proof(transaction, ASSOCIATION, index + 1, count)
        ended = time.perf_counter()
    for index, path in zip(indices, paths, strict=True):
        assert included(index, count, leaf_hash(b"%d" % index + b"x" * 240), path, root)
    return (middle - begun) / EACH, (ended - middle) / EACH


def main(large: int) -> int:
    rng = random.Random(6962)
    with tempfile.TemporaryDirectory() as folder:
        logs = {count: Database(f"sqlite:///{Path(folder) / str(count)}.sqlite3") for count in (SMALL, large)}
        roots = {count: fill(database, count) for count, database in logs.items()}
        rounds = [{count: timed(database, count, roots[count], rng) for count, database in logs.items()} for _ in range(ROUNDS)]
        for database in logs.values():
            database.dispose()
    failed = False
    for place, kind in enumerate(("inclusion", "consistency")):
        small, big = (statistics.median(one[count][place] for one in rounds) for count in (SMALL, large))
        ratio = statistics.median(one[large][place] / one[SMALL][place] for one in rounds)
        failed = failed or (kind == "inclusion" and ratio > GATE)
        gate = f" (gate {GATE})" if kind == "inclusion" else ""
        print(f"{kind} proof: {small * 1e6:.0f} us at {SMALL:,}, {big * 1e6:.0f} us at {large:,}, ratio {ratio:.2f}{gate}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else LARGE))
