"""A search by national ID among 1,000,000 records against one among 10,000, in one run; prints both sides and ends with 1 beyond the gate.

Real people are stored first, in the middle and last, and searched for as the service does it: tokens, checks, sheet, verdict, commit.
The others are what a search meets of them: a place, a wrapped key and a token of the generation they would have been stored in. Rounds
alternate and the ratio is the median of theirs. A size of the larger side can be given as argument.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import insert

from keys.roots import key_file
from vault.access.searching import Sought, search
from vault.access_log.deed import Deed
from vault.app import clock
from vault.identity.callers import client_caller
from vault.identity.founding import found
from vault.identity.opening import open_association
from vault.records import index, service, shelf
from vault.records.service import Intake
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.storage import schema
from vault.storage.engine import Database
from vault.subjects import tables as subject_tables

GATE = 1.5
SMALL, LARGE = 10_000, 1_000_000
REAL, ROUNDS, EACH, ROWS = 60, 15, 40, 5_000
IDENTITY = 2


@dataclass(frozen=True, slots=True)
class Side:
    """One association of some size, and the numbers of its real people."""

    association: Association
    errand: Errand
    numbers: list[str]

    def run(self, *units: Callable[[Deed], object]) -> None:
        """Run deeds one after another, each with its own commit."""
        for unit in units:
            self.association.log.run_now(self.association.database, [unit], clock)


def national_id(rng: random.Random, first: int = 1) -> str:
    """An invented national ID with its check digit; those of the people who are not real begin with 2, so that nobody shares one."""
    body = f"{first}{rng.randrange(10**8):08}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body)]
    return body + str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def build(folder: Path, executor: ThreadPoolExecutor, count: int, rng: random.Random) -> Side:
    """Found an association and fill it."""
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'vault.sqlite3'}")
    schema.upgrade(database)
    root, home = key_file.create(folder / "root"), folder / "home"
    found(database, code="bench", pack="cooperative", folder=home, root=root, clock=clock)
    association = open_association(database, code="bench", root=root, folder=home, executor=executor, clock=clock)
    book = association.log.run_now(database, [association.books.at], clock)[0]
    key, client = next(iter(book.clients.items()))
    side = Side(association, Errand(client_caller(association, book, key, client), "bench"), [])
    for part in range(3):
        people(side, REAL // 3, rng)
        if part < 2:
            fill(side, count // 2 * part, count // 2 * (part + 1), rng)
    return side


def people(side: Side, count: int, rng: random.Random) -> None:
    """Store real people."""
    for _ in range(count):
        number = national_id(rng)

        def unit(deed: Deed, number: str = number) -> object:
            shape = side.errand.book(deed).types["beneficiary"]
            intake = Intake("beneficiary", shelf.clean(shape, {"full_name": "علي حسن", "national_id": number}))
            return service.store(deed, side.errand, intake)

        side.run(unit)
        side.numbers.append(number)


def fill(side: Side, first: int, end: int, rng: random.Random) -> None:
    """Add what a search meets of other people."""
    for start in range(first, end, ROWS):
        side.run(partial(_rows, side=side, numbers=range(start, min(start + ROWS, end)), rng=rng))


def _rows(deed: Deed, side: Side, numbers: range, rng: random.Random) -> None:
    shape, association = side.errand.book(deed).types["beneficiary"], deed.association
    places, keys = [], []
    for number in numbers:
        record, subject = os.urandom(16), os.urandom(16)
        key, wrapped = deed.cabinet.keys.new_key(subject, IDENTITY)
        with patch.object(index, "population", lambda _deed, number=number: number):
            whole = shelf.Whole(association, subject, record, 1)
            rows = index.entries(deed, shape, {"national_id": national_id(rng, 2)}, {IDENTITY: key}, whole, only={"national_id"})
        index.add(deed, whole, rows)
        own = {"association_id": association, "subject": subject}
        places.append(own | {"record": record, "type": shape.name, "revision": 1, "review_month": "2027-01"})
        keys.append(own | {"class_id": IDENTITY, "key_version": 1, "wrapped": wrapped})
    deed.transaction.connection.execute(insert(subject_tables.record), places)
    deed.transaction.connection.execute(insert(subject_tables.data_key), keys)


def timed(side: Side, rng: random.Random) -> float:
    """Seconds for one search with its commit, the mean over a few; every one must find its person."""
    spent = 0.0
    for number in rng.sample(side.numbers, EACH):
        met: list[int] = []

        def unit(deed: Deed, number: str = number, met: list[int] = met) -> None:
            met.append(len(search(deed, side.errand, Sought("beneficiary", "national_id", number, "intake")).matches))

        begun = time.perf_counter()
        side.run(unit)
        spent += time.perf_counter() - begun
        assert met == [1], number
    return spent / EACH


def candidates(side: Side) -> float:
    """How many rows a search meets, the mean over the real people."""
    counts: list[int] = []

    def unit(deed: Deed) -> None:
        shape = side.errand.book(deed).types["beneficiary"]
        field = next(one for one in shape.fields if one.name == "national_id")
        counts.extend(index.lookup(deed, shape, field, number).count for number in side.numbers)

    side.run(unit)
    return statistics.mean(counts)


def main(large: int) -> int:
    """Build both sides and search."""
    rng = random.Random(152)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        sides = {count: build(Path(folder) / str(count), executor, count, rng) for count in (SMALL, large)}
        rounds = [{count: timed(side, rng) for count, side in sides.items()} for _ in range(ROUNDS)]
        for count, side in sides.items():
            middle = statistics.median(one[count] for one in rounds)
            print(f"search by ID among {count:,}: {middle * 1e6:.0f} us, {candidates(side):.0f} candidates")
            side.association.log.close()
            side.association.database.dispose()
    ratio = statistics.median(one[large] / one[SMALL] for one in rounds)
    print(f"  ratio {ratio:.2f}  gate {GATE}")
    return int(ratio > GATE)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else LARGE))
