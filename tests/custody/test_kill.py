"""SIGKILL at five steps of a retirement on each engine: the old state or the new, and the next start or command completes or says so."""

import random
from pathlib import Path

import pytest

from tests.conftest import FreshPostgres
from tests.custody.killing import deaths
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
KILLS = 5


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_whatever_the_step_a_retirement_is_undone_or_completed(engine: str, tmp_path: Path, request: pytest.FixtureRequest):
    address = None
    if engine == "postgresql":
        make: FreshPostgres = request.getfixturevalue("fresh_postgres")
        address = make()
    vault = Served(tmp_path / "vault", address)
    vault.folder.mkdir()
    try:
        vault.found()
        said = deaths(vault, KILLS, random.Random())
    finally:
        vault.stop()
    print(f"{engine}: {said}")  # noqa: T201 - the counts are asked for
    assert sum(said.ways.values()) == KILLS + 1
