"""A founded vault on each engine, and a counter at it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.consent.counter import Counter, routes
from tests.identity.conftest import small, vault
from tests.simulator import World

__all__ = ["counter", "small", "till", "vault"]


@pytest_asyncio.fixture(loop_scope="function")
async def counter(vault: World) -> AsyncIterator[Counter]:
    """The calls of the room in a vault on each engine."""
    async with vault.front(*routes(vault)) as http:
        yield Counter(vault, http)


@pytest_asyncio.fixture(loop_scope="function")
async def till(small: World) -> AsyncIterator[Counter]:
    """The same in a vault on one engine."""
    async with small.front(*routes(small)) as http:
        yield Counter(small, http)
