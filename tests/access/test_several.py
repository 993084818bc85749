"""Four processes on one tree: no fork, no hole, no deadlock, and whichever is killed, nothing acknowledged is lost."""

import random

import pytest

from tests.access.several import ENOUGH, Several
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
PROCESSES, CLIENTS, KILLS = 4, 4, 2  # make soak has four times thirty-two clients and forty kills


def test_four_processes_write_one_tree_and_lose_nothing_when_one_is_killed(unserved: Served):
    unserved.found()
    several = Several(unserved, random.Random(), processes=PROCESSES, clients=CLIENTS)
    said = several.live(KILLS, 0.5)
    print(said)  # noqa: T201 - the counts are asked for
    assert min(several.answered) >= ENOUGH * (KILLS + 1), "each of them served"
    assert min(len(said.reads), len(said.stored)) > PROCESSES * ENOUGH
