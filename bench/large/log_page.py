"""A page of the access log at 1,000,000 entries against one at 1,000, in one run; prints both sides and ends with 1 beyond the gate.

Each is read as `GET /v1/access-log` reads it from an SQLite file: the newest page, one in the middle, and by person, actor, kind, purpose,
outcome and time; every thousandth entry is of a rare actor, kind, purpose and outcome. Rounds alternate. The other side is the slower of
the same question and of the newest page at 1,000 entries, since of what is rare a small log fills no page. A rare purpose is printed and
not gated: an index by purpose would be paid by every read. A size of the larger log can be given as argument.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vault.access.audit import Wanted, page
from vault.access_log import tables
from vault.access_log.entry import About, Entry, body, projection
from vault.access_log.merkle import leaf_hash
from vault.access_log.verify import snapshot
from vault.storage.engine import Database
from vault.storage.metadata import metadata
from vault.storage.transaction import Transaction

GATE = 2.0
ROUNDS = 15
AT_ONCE = 2_000
SMALL, LARGE = 1_000, 1_000_000
ASSOCIATION = bytes(16)
SECOND = 1_000_000
RARE = 1_000
PEOPLE = 100_000
UNGATED = "of a rare purpose"


def entry(number: int) -> Entry:
    """One entry of many forms, after its number."""
    person = (number % PEOPLE).to_bytes(16, "big")
    if number % RARE == RARE // 2:
        return Entry(kind="evidence.read", outcome="refuse", actor="staff:rare", about=(About(person, person),), purpose="rare")
    return Entry(
        kind="record.read", outcome="allow", actor=f"client:{number % 5}", about=(About(person, person),), purpose=f"p{number % 4}"
    )


def fill(database: Database, count: int) -> None:
    """The rows a page is read from; a page looks at no hash of the tree."""
    metadata.create_all(database.engine, tables=[table for table in metadata.sorted_tables if table.name.startswith("access_log_")])
    with database.connect() as connection, connection.begin():
        for first in range(0, count, AT_ONCE):
            rows: list[dict[str, Any]] = []
            about: list[dict[str, Any]] = []
            for number in range(first, min(first + AT_ONCE, count)):
                one, at = entry(number), number * SECOND
                encoded = body(one, time=at, nonce=bytes(16), writer="bench", counter=number)
                place = {"association_id": ASSOCIATION, "number": number}
                rows.append(projection(one, time=at) | place | {"leaf": leaf_hash(encoded), "body": encoded})
                about.append(place | {"subject": one.about[0].subject, "record": one.about[0].record})
            connection.execute(tables.entry.insert(), rows)
            connection.execute(tables.subject.insert(), about)


def questions(count: int) -> dict[str, Wanted]:
    """What is asked of a log of so many entries; at least some entries answer each."""
    middle = count // 2
    return {
        "newest": Wanted(),
        "in the middle": Wanted(after=middle),
        "of a person": Wanted(record=(RARE // 2).to_bytes(16, "big")),
        "of an actor": Wanted(actor="client:1"),
        "of a rare actor": Wanted(actor="staff:rare"),
        "of a rare kind": Wanted(kind="evidence.read"),
        UNGATED: Wanted(purpose="rare"),
        "refusals": Wanted(outcome="refuse"),
        "of an hour": Wanted(since=middle * SECOND, until=(middle + 300) * SECOND),
        "of an actor for a purpose": Wanted(actor="client:1", purpose="p2", outcome="allow"),
    }


def timed(database: Database, wanted: Wanted) -> float:
    """Seconds for one page; at least one entry stands on it."""
    with snapshot(database) as connection:
        deed: Any = SimpleNamespace(transaction=Transaction(connection, 0), association=ASSOCIATION)
        begun = time.perf_counter()
        found = page(deed, wanted, ())
        seconds = time.perf_counter() - begun
    assert found
    return seconds


def main(large: int) -> int:
    """Measure every question at both sizes, a page against a page of as many entries."""
    with tempfile.TemporaryDirectory() as folder:
        logs = {count: Database(f"sqlite:///{Path(folder) / str(count)}.sqlite3") for count in (SMALL, large)}
        for count, database in logs.items():
            fill(database, count)
        failed, newest = False, 0.0
        for name in questions(large):
            sides: dict[int, list[float]] = {count: [] for count in logs}
            for _ in range(ROUNDS):
                for count, database in logs.items():
                    sides[count].append(timed(database, questions(count)[name]))
            small, big = (statistics.median(sides[count]) for count in (SMALL, large))
            newest = newest or small
            ratio = big / max(small, newest)
            failed = failed or (ratio > GATE and name != UNGATED)
            gate = "not gated" if name == UNGATED else f"gate {GATE}"
            print(f"{name}: {small * 1e3:.2f} ms at {SMALL:,}, {big * 1e3:.2f} ms at {large:,}, ratio {ratio:.2f} ({gate})")
        for database in logs.values():
            database.dispose()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else LARGE))
