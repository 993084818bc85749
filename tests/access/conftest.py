"""A founded vault on each engine, with the door's own calls behind the real front."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.access.counter import Counter
from tests.access.desk import Desk
from tests.identity.conftest import small, vault
from tests.simulator import World

__all__ = ["counter", "desk", "small", "small_counter", "small_desk", "vault"]


@pytest_asyncio.fixture
async def desk(vault: World) -> AsyncIterator[Desk]:
    """The calls of the door on each engine."""
    async with Desk.over(vault) as made:
        yield made


@pytest_asyncio.fixture
async def small_desk(small: World) -> AsyncIterator[Desk]:
    """The calls of the door on SQLite, for rules that know no engine."""
    async with Desk.over(small) as made:
        yield made


@pytest_asyncio.fixture
async def counter(vault: World) -> AsyncIterator[Counter]:
    """The calls about third parties on each engine."""
    async with Counter.over(vault) as made:
        yield made


@pytest_asyncio.fixture
async def small_counter(small: World) -> AsyncIterator[Counter]:
    """The calls about third parties on SQLite, for rules that know no engine."""
    async with Counter.over(small) as made:
        yield made
