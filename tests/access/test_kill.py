"""SIGKILL under sixteen readers and writers, at every moment on each engine: no value without an entry, nothing acknowledged lost."""

import random

import pytest

from tests.access.killing import ARRIVED, lives
from tests.access.mortal import MOMENTS
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
KILLS = len((*MOMENTS, ARRIVED))  # every moment once; make soak does three hundred


def test_whatever_the_moment_no_value_was_given_without_its_entry_and_nothing_acknowledged_is_lost(unserved: Served):
    unserved.found()
    said = lives(unserved, KILLS, random.Random())
    print(said)  # noqa: T201 - the counts are asked for
    assert sum(said.kills.values()) == KILLS
    assert min(len(said.reads), len(said.stored)) > 60
    assert min(len(said.consented), len(said.withdrawn)) > 6
