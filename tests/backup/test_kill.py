"""SIGKILL during backup and restore, five times each on each engine: the old state or the new, and the next start says which."""

import random
import shutil
import time
from pathlib import Path

import pytest

from keys.packages import PackageKey
from tests.backup.killing import Vault, kill_backups, kill_restores
from tests.backup.rescue import Rescue
from tests.conftest import FreshPostgres
from tests.household import FATIMA, grant, store, withdraw
from tests.simulator import Clock, world
from vault.settings import DATABASE

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="function")]
KILLS = 5  # every moment of a restore once; make soak does fifty of each


async def lost(folder: Path, address: str, people: int = 12) -> tuple[Vault, Path, Path]:
    """A vault as an operator has it, one withdrawal newer than its copy; the copy's folder and the key's file beside it."""
    key = PackageKey.create(folder / "recovery.key")
    vault = Vault(folder / "data", folder / "root", address)
    with world(f"sqlite:///{folder / 'first.sqlite3'}", folder, clock=Clock(time.time_ns() // 1000 - 3_600_000_000)) as life:
        rescue = Rescue(life, folder / "rescue", key)
        kept = [await store(life, {**FATIMA, "full_name": f"شخص {number}"}) for number in range(people)]
        consents = [await grant(life, one.record) for one in kept]
        copy = rescue.take()
        await withdraw(life, consents[0].id)
        life.clock.forward(2)
        await life.association.checkpoint()
        vault.home.parent.mkdir(parents=True)
        rescue.restore(address, shutil.copytree(life.folder, vault.home), copy)
        shutil.rmtree(vault.home)
        shutil.copytree(life.folder, vault.home)
    return vault, copy.folder, folder / "recovery.key"


def made(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_a_killed_restore_leaves_nothing_or_all_and_says_which(engine: str, tmp_path: Path, request: pytest.FixtureRequest):
    def address(name: str) -> str | None:
        if engine == "sqlite":
            return None
        make: FreshPostgres = request.getfixturevalue("fresh_postgres")
        assert name
        return make()

    vault, copy, key = await lost(made(tmp_path / "lost"), f"sqlite:///{tmp_path / 'thrown-away.sqlite3'}")
    places = [Vault(tmp_path / f"place-{number}", vault.root, address(str(number))) for number in range(KILLS)]
    kills = kill_restores(vault, copy, key, places, random.Random())
    assert sum(kills.by_moment.values()) == KILLS
    assert set(kills.said) == {"restore-unfinished", "restore-to-finish"}


async def test_a_killed_backup_leaves_the_vault_as_it_was_and_no_copy(tmp_path: Path):
    vault, copy, key = await lost(made(tmp_path / "lost"), f"sqlite:///{tmp_path / 'thrown-away.sqlite3'}")
    live = Vault(tmp_path / "live", vault.root)
    live.home.parent.mkdir(parents=True)
    shutil.copytree(vault.home, live.home)
    assert live.command("restore", "--from", str(copy), "--identity", str(key)).returncode == 0
    assert (live.data / DATABASE).is_file()
    recipient = tmp_path / "recovery.pub"
    recipient.write_text(f'{{"type": "hpke-x25519", "public": "{PackageKey.read(key).public}"}}')
    kills = kill_backups(live, recipient, tmp_path / "copies", KILLS, random.Random())
    assert sum(kills.by_moment.values()) == KILLS
