"""The ten steps of the story over HTTP on both engines: each answer, article and entry as the design tells them.

The demonstration's own test tells step 9 to its end on SQLite, tampered copies included; here it is told as far as it goes on any engine.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from tests.journeys.conftest import fresh
from tests.journeys.served import Served
from vault.demo import log_story
from vault.demo.client import Authenticator, Client, signed_in, token_of
from vault.demo.numbers import Numbers
from vault.demo.people import widow
from vault.demo.scene import ASSOCIATION, Scene
from vault.demo.story import STEPS
from vault.demo.telling import Teller
from vault.demo.vault_process import VaultProcess

SEED, YEAR = "journey", 1448


@dataclass(slots=True)
class Stage(VaultProcess):
    """The vault the story is told in, on whatever engine it is served; only SQLite has a file that a thief could copy."""

    served: Served | None = None

    def copy(self, folder: Path) -> VaultProcess:
        """A copy where there is a file to copy, else the vault itself."""
        return VaultProcess.copy(self, folder) if self.served is not None and self.served.address is None else self

    def _environment(self) -> dict[str, str]:
        return {} if self.served is None else self.served._environment()


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        address = None
        if request.param == "postgresql":
            address = stack.enter_context(fresh(request.getfixturevalue("postgres_url"), "story"))
        (tmp_path / "vault").mkdir()
        vault = Served(tmp_path / "vault", address)
        stack.callback(vault.stop)
        vault.found(ASSOCIATION)
        vault.start()
        yield vault


def who_saw(teller: Teller, scene: Scene) -> None:
    officer = scene.sessions["officer"]
    log_story._read_the_log(teller, scene, officer)
    log_story._check_a_proof(teller, scene, officer)
    log_story._verify(teller, scene)


@pytest.mark.slow
@pytest.mark.engines("postgresql")  # on SQLite the demonstration itself tells it (tests/demo/test_run.py)
def test_every_step_is_as_told_on_both_engines(served: Served):
    secrets, told = served.secrets[ASSOCIATION], StringIO()
    authenticators = {who: Authenticator(login["totp_secret"]) for who, login in secrets["staff"].items()}
    with closing(Client(served.port, secrets["api_key"])) as client:
        reader = token_of(signed_in(client, secrets["staff"]["second_officer"], authenticators["second_officer"], time.time()))
        teller = Teller(client, reader, console=Console(file=told, width=200))
        stage = Stage(served.folder, served.root, served.port, served=served)
        sessions = {"second_officer": reader}
        scene = Scene(stage, secrets["staff"], widow(SEED, YEAR), Numbers(Random(SEED)), authenticators, sessions=sessions)
        with closing(teller.stranger):
            for step in STEPS:
                before = teller.checked
                teller.begin(step.number, step.title)
                (who_saw if step.number == 9 else step.tell)(teller, scene)
                assert teller.checked > before
    assert teller.faults == [], told.getvalue()[-4000:]
    assert [step.number for step in STEPS] == list(range(1, 11))
