"""Three hundred people rewrapped by two workers under eight clients, one of them killed three times: no request fails, no key is left."""

import random

import pytest

from tests.custody.wearing import wear
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
PEOPLE, KILLS = 300, 3


def test_no_request_fails_while_keys_are_rewrapped_and_workers_die(unserved: Served):
    worn = wear(unserved, PEOPLE, KILLS, random.Random())
    print(worn)  # noqa: T201 - the figures are asked for
    assert worn.kills == KILLS
    assert worn.keys > PEOPLE * 7
    assert len(worn.during) > 20
