"""Fifty times SIGKILL at any step of `amanah keys carry-out`, half on SQLite and half on PostgreSQL.

Ends with 1 as soon as a retirement is neither undone nor completed by the next start or the same command. Usage: python
bench/soak/retire.py [kills for each engine]; the harness and its checks are those of `tests/custody`.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.custody.killing import deaths
from tests.journeys.served import Served
from tests.servers import postgresql

KILLS = 25


def soak(kills: int, address: str | None, rng: random.Random) -> None:
    """Kill so often on one engine: SQLite, or the PostgreSQL database of this URL."""
    with tempfile.TemporaryDirectory(prefix="amanah-soak-") as folder:
        vault = Served(Path(folder), address)
        try:
            vault.found()
            print(f"{'sqlite' if address is None else 'postgresql'}: {deaths(vault, kills, rng)}", flush=True)
        finally:
            vault.stop()


def main() -> None:
    """Soak both engines and print how each went on."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random()
    soak(kills, None, rng)
    with postgresql() as address:
        soak(kills, address, rng)
    print(f"{2 * kills} deaths, none in between")


if __name__ == "__main__":
    main()
