"""A founded vault on each engine, with the officer's pages before it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.identity.conftest import small, vault
from tests.officer.browser import Window
from tests.simulator import World

__all__ = ["small", "small_window", "vault", "window"]


@pytest_asyncio.fixture
async def window(vault: World) -> AsyncIterator[Window]:
    """The pages on each engine."""
    async with Window.over(vault) as made:
        yield made


@pytest_asyncio.fixture
async def small_window(small: World) -> AsyncIterator[Window]:
    """The pages on SQLite, for rules that know no engine."""
    async with Window.over(small) as made:
        yield made
