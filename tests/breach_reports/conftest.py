"""A founded vault on each engine, and the desk at which reports are worked on."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.breach_reports.desk import Desk, desk_of
from tests.identity.conftest import small, vault
from tests.simulator import World

__all__ = ["desk", "small", "vault"]


@pytest_asyncio.fixture(loop_scope="function")
async def desk(vault: World) -> AsyncIterator[Desk]:
    """The room over HTTP, its officers signed in."""
    async with desk_of(vault) as made:
        yield made
