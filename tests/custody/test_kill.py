"""SIGKILL at two steps of a retirement on each engine, chosen anew each time: the old state or the new, and what comes next says so.

`make soak` does fifty.
"""

import random

import pytest

from tests.custody.killing import deaths
from tests.journeys.served import Served

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]
KILLS = 2


def test_whatever_the_step_a_retirement_is_undone_or_completed(unserved: Served):
    unserved.found()
    said = deaths(unserved, KILLS, random.Random())
    print(said)  # noqa: T201 - the counts are asked for
    assert sum(said.ways.values()) == KILLS + 1
