"""A hundred thousand people rewrapped by two workers under eight clients who read and write, one worker killed at random moments.

Ends with 1 as soon as a request fails, a key is left under the old epoch, or the doctor has something to say. Usage: python
bench/soak/rewrap.py [people [kills [sqlite|postgresql]]]; the harness and its checks are those of `tests/custody`.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.custody.wearing import wear
from tests.journeys.served import Served
from tests.servers import postgresql

PEOPLE, KILLS = 100_000, 20


def soak(people: int, kills: int, address: str | None) -> None:
    """Wear one engine: SQLite, or the PostgreSQL database of this URL."""
    with tempfile.TemporaryDirectory(prefix="amanah-soak-") as folder:
        worn = wear(Served(Path(folder), address), people, kills, random.Random())
        print(f"{'sqlite' if address is None else 'postgresql'}, {people} people: {worn}", flush=True)


def main() -> None:
    """Wear both engines, or the one named, and print the figures."""
    given = sys.argv[1:]
    people, kills = int(given[0]) if given else PEOPLE, int(given[1]) if len(given) > 1 else KILLS
    engine = given[2] if len(given) > 2 else ""
    if engine in {"", "sqlite"}:
        soak(people, kills, None)
    if engine in {"", "postgresql"}:
        with postgresql() as address:
            soak(people, kills, address)


if __name__ == "__main__":
    main()
