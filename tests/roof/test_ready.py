"""Anybody may ask whether the vault is ready, so asking is no work: one look answers all who ask within a second."""

import asyncio
from unittest.mock import patch

import pytest

from tests.simulator import World
from vault import app
from vault.app import House
from vault.errors import Unavailable
from vault.rulebook.association import Association
from vault.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_a_thousand_who_ask_at_once_are_answered_by_one_look(vault: World):
    house = House(Settings(), vault.database, vault.associations)
    before = vault.association.log.batches[1]
    with patch.object(app, "READY_SECONDS", 60.0):
        assert all(await asyncio.gather(*(house.ready() for _ in range(1000))))
        assert await house.ready()
    assert vault.association.log.batches[1] == before + 1


async def test_the_next_second_looks_again_and_tells_what_changed(small: World):
    house = House(Settings(), small.database, small.associations)
    assert await house.ready()
    with patch.object(Association, "refresh", side_effect=Unavailable("integrity")), patch.object(house, "_look_again", 0.0):
        with pytest.raises(Unavailable):
            await house.ready()
        # A failure is kept for a second like any other answer.
        with pytest.raises(Unavailable):
            await house.ready()
    with pytest.raises(Unavailable):
        await house.ready()
    house._look_again = 0.0
    assert await house.ready()
    assert app.READY_SECONDS >= 1


async def test_who_hangs_up_takes_the_look_from_nobody(small: World):
    house = House(Settings(), small.database, small.associations)
    first, second = (asyncio.ensure_future(house.ready()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_a_house_without_an_association_is_not_ready(small: World):
    assert not await House(Settings(), small.database).ready()
