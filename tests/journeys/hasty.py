"""`python -m tests.journeys.hasty serve …`: the vault's own command line, which looks at clocks of incidents every second.

Nothing else is changed: a test of several processes waits for rounds, not for what is done in them.
"""

from vault import app
from vault.cli import main

SECONDS = 1.0

if __name__ == "__main__":
    app.RING_SECONDS = SECONDS
    main()
