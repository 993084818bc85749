"""Proofs read from the database hold against the roots of the entries, whatever is asked."""

import random
from pathlib import Path

from tests.access_log.logs import ASSOCIATION, naive_root, world
from vault.access_log import tables
from vault.access_log.merkle import consistent, included, leaf_hash
from vault.access_log.proofs import consistency_proof, inclusion_proof

SIZE = 1_700


def test_proofs_from_the_database_hold_for_every_kind_of_place(database_url: str, tmp_path: Path):
    rng = random.Random(1)
    sizes = [1, 2, 3, 255, 256, 257, 511, 512, 513, 1024, 1025, SIZE - 1, SIZE, *(rng.randint(1, SIZE) for _ in range(20))]
    with world(database_url, tmp_path / "outside") as log:
        log.append(SIZE, at_once=97)
        with log.reading() as transaction:
            bodies = [row.body for row in transaction.connection.execute(tables.entry.select().order_by(tables.entry.c.number))]
            leaves = [leaf_hash(body) for body in bodies]
            roots = {size: naive_root(leaves[:size]) for size in sizes}
            for second in sizes:
                for index in {0, second // 2, second - 1, rng.randrange(second)}:
                    path = inclusion_proof(transaction, ASSOCIATION, index, second)
                    assert included(index, second, leaves[index], path, roots[second])
                for first in (first for first in sizes if first <= second):
                    path = consistency_proof(transaction, ASSOCIATION, first, second)
                    assert consistent(first, second, roots[first], roots[second], path)
