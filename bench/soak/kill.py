"""Three hundred times SIGKILL under sixteen readers and writers, half on SQLite and half on PostgreSQL, at every moment in turn.

Ends with 1 as soon as a value was given without a durable entry, something acknowledged is lost, a log does not verify, or a vault does not
start again by itself. Usage: python bench/soak/kill.py [kills for each engine]; the harness and its checks are those of `tests/access`.
"""

import random
import sys
import tempfile
from pathlib import Path

import psycopg

from tests.access.killing import lives
from tests.journeys.served import Served
from tests.servers import server

KILLS = 150
# A fresh vault every so often, so that the checks of each life stay short.
IN_ONE_VAULT = 30


def soak(kills: int, maintenance: str | None, rng: random.Random) -> None:
    """Kill so often on one engine: SQLite, or the PostgreSQL of this maintenance URL."""
    done = 0
    while done < kills:
        count, address = min(IN_ONE_VAULT, kills - done), None
        if maintenance is not None:
            name = f"soak{done}"
            with psycopg.connect(maintenance, autocommit=True) as keeper:
                keeper.execute(f"CREATE DATABASE {name}")
            address = maintenance.replace("/postgres?", f"/{name}?", 1)
        with tempfile.TemporaryDirectory(prefix="amanah-soak-") as folder:
            vault = Served(Path(folder), address)
            try:
                vault.found()
                print(f"{'sqlite' if maintenance is None else 'postgresql'}: {lives(vault, count, rng)}", flush=True)
            finally:
                vault.stop()
        done += count


def main() -> None:
    """Soak both engines and print what was acknowledged."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random()
    soak(kills, None, rng)
    with server() as maintenance:
        soak(kills, maintenance, rng)
    print(f"{2 * kills} kills, nothing lost")


if __name__ == "__main__":
    main()
