"""Ten thousand random events of every kind, told by calls: every sheet rebuilt from its stored events has the bytes of the live one.

Ends with an error at the first that has not, or where the examiners find anything. Usage: python bench/soak/sheets.py [events] [seed].
"""

import asyncio
import secrets
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.consent.random_events import OTHER, SPOKEN, live
from tests.simulator import world

EVENTS, EVERY = 10_000, 500


def main() -> None:
    """Tell them."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="amanah-soak-") as name:
        folder = Path(name)
        with world(f"sqlite:///{folder / 'sheets.sqlite3'}", folder) as vault:
            made = asyncio.run(live(vault, events, seed=seed, every=EVERY, say=partial(print, flush=True)))
    print(", ".join(f"{kind} {made[kind]}" for kind in (*SPOKEN, *OTHER)))


if __name__ == "__main__":
    main()
