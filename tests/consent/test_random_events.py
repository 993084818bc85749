"""Whatever is told of people by calls, in any order, each sheet rebuilt from its stored events has the bytes of the live one."""

import pytest

from tests.consent.random_events import OTHER, SPOKEN, live
from tests.simulator import World

HERE = 200


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="function")
async def test_sheets_have_the_bytes_their_events_give_after_two_hundred_random_calls(vault: World):
    """10,000 of them are told by `make soak` (bench/soak/sheets.py); 10,000 events without the calls by tests/subjects/test_sheet.py."""
    made = await live(vault, HERE, seed=20260127, every=100)
    assert made.total() == HERE
    assert set(made) == {*SPOKEN, *OTHER}
