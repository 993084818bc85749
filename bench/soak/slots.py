"""Fifty times SIGKILL at any step of giving a root its slot and of recovering, a hundred times of taking it; half on each engine.

Ends with 1 as soon as a slot is neither there nor not, or the same command once more does not say so and complete it. Usage: python
bench/soak/slots.py [kills of each for each engine]; the harness and its checks are those of `tests/custody`.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.custody.slot_killing import slot_deaths
from tests.journeys.served import Served
from tests.servers import postgresql

KILLS = 25


def soak(kills: int, address: str | None, rng: random.Random) -> None:
    """Kill so often on one engine: SQLite, or the PostgreSQL database of this URL."""
    with tempfile.TemporaryDirectory(prefix="amanah-soak-") as folder:
        vault = Served(Path(folder), address)
        try:
            vault.found()
            print(f"{'sqlite' if address is None else 'postgresql'}: {slot_deaths(vault, kills, rng)}", flush=True)
        finally:
            vault.stop()


def main() -> None:
    """Soak both engines and print in which state each death left the file."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random()
    soak(kills, None, rng)
    with postgresql() as address:
        soak(kills, address, rng)
    print(f"{8 * kills} deaths, none in between")


if __name__ == "__main__":
    main()
