"""A thousand releases and a thousand reads against withdrawals on each engine: no package and no value behind a withdrawal.

Ends with 1 as soon as one is; the harness and its checks are those of `tests/access`. Both counts are printed.
"""

import os
import sys

import pytest

os.environ["AMANAH_TRIALS"] = "1000"
sys.exit(pytest.main(["tests/access/test_disclosure_race.py", "tests/access/test_race.py", "-q", "-s", "-n0", "-p", "no:randomly"]))
