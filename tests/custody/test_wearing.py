"""Three hundred people rewrapped by two workers under eight clients, one of them killed three times: no request fails, no key is left."""

import random
from pathlib import Path

import pytest

from tests.conftest import FreshPostgres
from tests.custody.wearing import wear
from tests.journeys.served import Served

pytestmark = pytest.mark.slow
PEOPLE, KILLS = 300, 3


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_request_fails_while_keys_are_rewrapped_and_workers_die(engine: str, tmp_path: Path, request: pytest.FixtureRequest):
    address = None
    if engine == "postgresql":
        make: FreshPostgres = request.getfixturevalue("fresh_postgres")
        address = make()
    vault = Served(tmp_path / "vault", address)
    vault.folder.mkdir()
    worn = wear(vault, PEOPLE, KILLS, random.Random())
    print(f"{engine}: {worn}")  # noqa: T201 - the figures are asked for
    assert worn.kills == KILLS
    assert worn.keys > PEOPLE * 7
    assert len(worn.during) > 20
