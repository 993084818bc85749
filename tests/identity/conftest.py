"""A founded vault on each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator import World, world
from vault.rulebook import refusals


@pytest.fixture
def vault(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A founded and opened vault, on SQLite and on PostgreSQL."""
    with world(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A founded and opened vault on SQLite, for rules that know no engine."""
    with world(f"sqlite:///{tmp_path / 'small.sqlite3'}", tmp_path) as made:
        yield made


@pytest.fixture
def fewer_refusals(monkeypatch: pytest.MonkeyPatch) -> int:
    """After how many refusals a caller is shut out here: fewer than the vault's own, so that it is reached in a moment."""
    monkeypatch.setattr(refusals, "BURST", 40)
    return 40
