"""Every decision case of the tests' vectors, each set up by calls in a vault of its own; ends with an error at the first other answer.

`make test` plays the shared ones and those of our own in which more happens than grants, withdrawals and orders; what is left out is said.
"""

import asyncio
import tempfile
from pathlib import Path

from tests.consent.test_cases_over_http import CASES, ELSEWISE, play
from tests.simulator import world


def main() -> None:
    """Play them."""
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="amanah-soak-") as name:
            folder = Path(name)
            with world(f"sqlite:///{folder / 'case.sqlite3'}", folder) as vault:
                asyncio.run(play(vault, case))
    print(f"{len(CASES)} cases by calls: {len(CASES) - len(ELSEWISE)} as expected, {len(ELSEWISE)} with the answer held for their reason")


if __name__ == "__main__":
    main()
