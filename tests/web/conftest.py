"""The fake roof and a client of it, new for each test."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.web.fake_roof import World, client, front


@pytest.fixture
def world() -> World:
    """A world in which nothing happened yet."""
    return World()


@pytest_asyncio.fixture
async def calls(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the fake roof without a credential."""
    async with client(front(world)) as given:
        yield given
