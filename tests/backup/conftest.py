"""A founded vault on each engine with a recovery key, and an empty database of either to put a copy into."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.access.counter import Counter
from tests.backup.rescue import Rescue
from tests.conftest import FreshPostgres
from tests.identity.conftest import small, vault
from tests.simulator import World

__all__ = ["empty", "rescue", "small", "small_rescue", "vault"]


@pytest.fixture
def rescue(vault: World, tmp_path: Path) -> Rescue:
    """Copies of a vault on each engine."""
    return Rescue(vault, tmp_path / "rescue")


@pytest.fixture
def small_rescue(small: World, tmp_path: Path) -> Rescue:
    """Copies of a vault on SQLite."""
    return Rescue(small, tmp_path / "rescue")


@pytest_asyncio.fixture
async def counter(vault: World) -> AsyncIterator[Counter]:
    """The calls about third parties on each engine."""
    async with Counter.over(vault) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'restored.sqlite3'}"
    make: FreshPostgres = request.getfixturevalue("fresh_postgres")
    return make()
