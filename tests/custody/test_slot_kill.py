"""SIGKILL at any step of giving a root its slot, taking it, and recovering: the old state or the new, and the command says which."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.custody.slot_killing import slot_deaths
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
KILLS = 1  # of each command, on one engine, for the file of slots knows none; make soak has fifty on both


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Served]:
    """A founded vault on SQLite."""
    vault = Served(tmp_path / "vault", None)
    vault.folder.mkdir()
    vault.found()
    yield vault
    vault.stop()


def test_whatever_the_step_a_slot_is_there_or_not_and_the_command_says_so(alone: Served):
    said = slot_deaths(alone, KILLS, random.Random())
    print(said)  # noqa: T201 - the counts are asked for
    assert sum(said.ways.values()) == 4 * KILLS
