"""SIGKILL under sixteen readers and writers, ten times on each engine: no value without a durable entry, nothing acknowledged lost."""

import random
from pathlib import Path

import pytest

from tests.access.killing import lives
from tests.conftest import FreshPostgres
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
KILLS = 10


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_whatever_the_moment_no_value_was_given_without_its_entry_and_nothing_acknowledged_is_lost(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
):
    address = None
    if engine == "postgresql":
        make: FreshPostgres = request.getfixturevalue("fresh_postgres")
        address = make()
    vault = Served(tmp_path / "vault", address)
    vault.folder.mkdir()
    try:
        vault.found()
        said = lives(vault, KILLS, random.Random())
    finally:
        vault.stop()
    print(f"{engine}: {said}")  # noqa: T201 - the counts are asked for
    assert sum(said.kills.values()) == KILLS
    assert min(len(said.reads), len(said.stored)) > 100
    assert min(len(said.consented), len(said.withdrawn)) > 10
