"""Four processes with thirty-two clients each on one PostgreSQL tree, one of them killed forty times and started again.

Ends with 1 as soon as the tree forks or has a hole, an entry or anything else that was acknowledged is lost, or a process hangs.
Usage: python bench/soak/processes.py [kills]; the checks are those of `tests/access/several.py`.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.access.several import Several
from tests.journeys.served import Served
from tests.servers import postgresql

PROCESSES, CLIENTS, KILLS, PAUSE = 4, 32, 40, 5.0


def main() -> None:
    """Live and print what was acknowledged, by process."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with postgresql() as address, tempfile.TemporaryDirectory(prefix="amanah-several-") as folder:
        vault = Served(Path(folder), address)
        vault.found()
        several = Several(vault, random.Random(), processes=PROCESSES, clients=CLIENTS)
        print(several.live(kills, PAUSE), flush=True)
        print(f"answers of each process: {several.answered}; nothing lost, no fork, no hole")


if __name__ == "__main__":
    main()
