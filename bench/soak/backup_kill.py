"""Fifty times SIGKILL during a backup, and fifty during a restore on each engine, at every moment in turn.

Ends with 1 as soon as a killed backup leaves something that counts as a copy or a vault that does not open, or a killed restore leaves a
part of itself, opens, or does not say what is there. Usage: python bench/soak/backup_kill.py [kills of each]; the harness is that of
`tests/backup`.
"""

import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg

from keys.packages import PackageKey
from tests.backup.killing import Vault, kill_backups, kill_restores
from tests.backup.test_kill import lost, made
from tests.servers import server

KILLS = 50
# Each restore leaves a database: so many at a time, then the folder goes.
IN_ONE_FOLDER = 10


def restores(folder: Path, maintenance: str | None, kills: int, rng: random.Random) -> None:
    """Kill restores on one engine."""
    vault, copy, key = asyncio.run(lost(made(folder / "lost"), f"sqlite:///{folder / 'thrown-away.sqlite3'}", 40))
    done = 0
    while done < kills:
        count = min(IN_ONE_FOLDER, kills - done)
        places = []
        for number in range(done, done + count):
            address = None
            if maintenance is not None:
                with psycopg.connect(maintenance, autocommit=True) as keeper:
                    keeper.execute(f"CREATE DATABASE restore{number}")
                address = maintenance.replace("/postgres?", f"/restore{number}?", 1)
            places.append(Vault(folder / f"place-{number}", vault.root, address))
        print("sqlite" if maintenance is None else "postgresql", kill_restores(vault, copy, key, places, rng), flush=True)
        for place in places:
            shutil.rmtree(place.data)
        done += count


def backups(folder: Path, kills: int, rng: random.Random) -> None:
    """Kill backups of a vault on SQLite."""
    vault, copy, key = asyncio.run(lost(made(folder / "lost"), f"sqlite:///{folder / 'thrown-away.sqlite3'}", 40))
    live = Vault(folder / "live", vault.root)
    live.home.parent.mkdir(parents=True)
    shutil.copytree(vault.home, live.home)
    assert live.command("restore", "--from", str(copy), "--identity", str(key)).returncode == 0
    recipient = folder / "recovery.pub"
    recipient.write_text(f'{{"type": "hpke-x25519", "public": "{PackageKey.read(key).public}"}}')
    print("backup", kill_backups(live, recipient, folder / "copies", kills, rng), flush=True)


def main() -> None:
    """Kill, and print at which moments."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random()
    with tempfile.TemporaryDirectory(prefix="amanah-backup-") as folder:
        backups(made(Path(folder) / "backups"), kills, rng)
        restores(made(Path(folder) / "sqlite"), None, kills, rng)
        with server() as maintenance:
            restores(made(Path(folder) / "postgresql"), maintenance, kills, rng)
    print(f"{3 * kills} kills, each the old state or the new")


if __name__ == "__main__":
    main()
