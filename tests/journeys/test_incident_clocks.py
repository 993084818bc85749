"""The clocks of an incident while several real processes serve one vault, and after all of them were down."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.journeys.served import Served, moment

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]
DAY = 24 * 3600
SOON = 8
"""Seconds after which a clock is due: enough to open its incident and to end who would ring it."""
ROUND = 4
"""Seconds within which every process has looked once: these look each second (tests/journeys/hasty.py)."""


@pytest.fixture
def two(unserved: Served) -> Iterator[list[Served]]:
    """Two processes of one founded vault."""
    unserved.found()
    more: dict[str, Any] = {"settings": unserved.settings, "tokens": unserved.tokens, "_steps": unserved._steps}
    served = [Served(unserved.folder, unserved.address, secrets=unserved.secrets, program="tests.journeys.hasty", **more) for _ in range(2)]
    for one in served:
        one.start()
    try:
        yield served
    finally:
        for one in served:
            one.stop()


def opened(one: Served, aware_at: str) -> str:
    body = {"summary": "وصل ملف إلى من لا شأن له به", "aware_at": aware_at}
    answer = one.call("POST", "/v1/incidents", body, token=one.session("officer"))
    assert answer.status == 201, answer.text
    return str(answer.json["id"])


def rang(one: Served) -> list[int]:
    """The numbers of the entries by which a clock rang."""
    found = one.call("GET", "/v1/access-log?kind=incident.clock&limit=500", token=one.session("officer"))
    assert found.status == 200, found.text
    return [int(each["index"]) for each in found.json["items"]]


def clock(one: Served, id_: str) -> dict[str, Any]:
    """How the first clock of an incident stands."""
    read = one.call("GET", f"/v1/incidents/{id_}", token=one.session("officer"))
    assert read.status == 200, read.text
    first: dict[str, Any] = read.json["clocks"][0]
    return first


def kill(one: Served) -> None:
    assert one._process is not None
    os.kill(one._process.pid, signal.SIGKILL)
    one._process.wait(10)


def until(one: Served, count: int) -> None:
    """Wait until so many clocks rang."""
    end = time.monotonic() + 60
    while len(rang(one)) < count:
        assert time.monotonic() < end, "no clock rang"
        time.sleep(0.1)


def test_two_processes_ring_a_clock_once_and_what_was_due_while_both_were_down_rings_at_the_start(two: list[Served]):
    first, second = two
    opened(first, moment(-DAY - 60))
    until(second, 1)
    time.sleep(ROUND)
    assert len(rang(second)) == 1, "both have looked, and it rang once"
    kill(first)  # so that one alone could ring in the seconds until it is down as well
    due = time.time() + SOON
    missed = opened(second, moment(SOON - DAY))
    kill(second)
    assert time.time() < due, "the machine stood still: nothing was due while both were down"
    time.sleep(max(0.0, due + 2 - time.time()))
    begins = datetime.now(UTC)
    for one in two:
        one.start()
    until(first, 2)
    time.sleep(ROUND)
    assert len(rang(first)) == 2
    told = clock(second, missed)
    assert told["hours"] == 24
    due_at, fired_at = (datetime.fromisoformat(told[name]) for name in ("due_at", "fired_at"))
    assert due_at < begins <= fired_at
