"""Kills backups and restores at every moment in turn, and holds what is there afterwards to be the old state or the new, and a word which.

Invariants: a killed backup leaves the vault as it was and no folder that counts as a copy; a killed restore leaves an association that does
not open and says whether anything of it is there; the same command again ends it, with every closed door closed.
"""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import programs
from tests.backup.mortal import OF_BACKUP, OF_RESTORE
from vault.access_log.verify import snapshot, verify
from vault.app import House
from vault.backup.manifest import look
from vault.examining import unsealed
from vault.identity.opening import RESTORING, codes
from vault.settings import Settings
from vault.storage.engine import Database

CODE = "probe"
HIGHEST = {"frame": 40, "loaded": 40, "deed": 3}


@dataclass(slots=True)
class Vault:
    """A vault's folder on SQLite, or beside the database at `address`."""

    data: Path
    root: Path
    address: str | None = None

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return Settings(data_dir=str(self.data), database_url=self.address, root_key_file=str(self.root))

    @property
    def home(self) -> Path:
        """The association's own folder."""
        return self.settings.association_folder(CODE)

    def command(self, *words: str, mortal: Sequence[str] = ()) -> subprocess.CompletedProcess[bytes]:
        """One command of the vault, killed at a moment or not."""
        program = ["tests.backup.mortal", *mortal] if mortal else ["vault"]
        environment = {"AMANAH_DATA_DIR": str(self.data), "AMANAH_ROOT_KEY_FILE": str(self.root), "PATH": "/usr/bin:/bin"}
        if self.address:
            environment["AMANAH_DATABASE_URL"] = self.address
        return programs.run(*program, *words, env=environment)

    def opens(self) -> None:
        """Open it as the service does, and close it."""
        House.open(self.settings).close()

    def holds(self) -> int:
        """Verify the log as it lies; how many entries there are."""
        database = Database(self.settings.address)
        try:
            association, cabinet = unsealed(self.settings, database, CODE)
            note = (self.home / "checkpoint").read_text()
            with snapshot(database, association) as connection:
                found = verify(connection, association, CODE, cabinet.signer.vkey, note, deep=True)
            assert found.lines() == []
            return found.size
        finally:
            database.dispose()

    def stands(self) -> bool:
        """Whether the association is in the database."""
        database = Database(self.settings.address)
        try:
            return CODE in codes(database)
        finally:
            database.dispose()


@dataclass(slots=True)
class Kills:
    """What came of the kills: how many by moment, and what each restore said at the next start."""

    by_moment: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)

    def note(self, moment: str, said: str = "") -> None:
        """Count one."""
        self.by_moment[moment] = self.by_moment.get(moment, 0) + 1
        if said:
            self.said[said] = self.said.get(said, 0) + 1


def killed(rng: random.Random, moment: str) -> tuple[str, str]:
    """The words that kill at this moment, some way into it."""
    return moment, str(rng.randint(1, HIGHEST.get(moment, 1)))


def kill_backups(vault: Vault, recipient: Path, to: Path, count: int, rng: random.Random) -> Kills:
    """Begin so many backups and kill each; then one that is left alone is made."""
    kills = Kills()
    for number in range(count):
        moment = OF_BACKUP[number % len(OF_BACKUP)]
        before, entries = {path for path in to.glob("*") if path.suffix != ".part"}, vault.holds()
        _next_second(before)
        made = vault.command("backup", "--to", str(to), "--recipient", str(recipient), mortal=killed(rng, moment))
        assert made.returncode == -signal.SIGKILL, made.stderr[-500:]
        for path in {path for path in to.glob("*") if path.suffix != ".part"} - before:
            assert moment == "named", "a copy counts only when it is whole"
            for each in look(path).manifest.files:
                look(path).require_file(each.name)
        vault.opens()
        assert vault.holds() >= entries
        kills.note(moment)
    _next_second(to.glob("*"))
    made = vault.command("backup", "--to", str(to), "--recipient", str(recipient))
    assert made.returncode == 0, made.stderr[-500:]
    assert not list(to.glob("*.part"))
    assert not (vault.home / "scratch").exists()
    return kills


def _next_second(copies: Iterable[Path]) -> None:
    """Wait until no copy that is there is of this second: it would be refused as `backup-there`."""
    if any(path.suffix != ".part" for path in copies):
        time.sleep(1 - time.time() % 1)


def kill_restores(lost: Vault, copy: Path, identity: Path, places: Sequence[Vault], rng: random.Random) -> Kills:
    """Begin a restore into each of these places and kill it; the next start says what is there, and the same command ends it."""
    kills = Kills()
    for number, place in enumerate(places):
        moment = OF_RESTORE[number % len(OF_RESTORE)]
        place.home.mkdir(parents=True)
        for name in ("epochs", "journal", "journal.note", "checkpoint"):
            shutil.copy(lost.home / name, place.home / name)
        words = ("restore", "--from", str(copy), "--identity", str(identity))
        made = place.command(*words, mortal=killed(rng, moment))
        assert made.returncode == -signal.SIGKILL, made.stderr[-500:]
        assert (place.home / RESTORING).exists()
        stands = place.stands()
        assert stands == (moment in {"committed", "outside"}), moment
        said = _refusal(place)
        assert said == ("restore-to-finish" if stands else "restore-unfinished")
        made = place.command(*words)
        assert made.returncode == 0, made.stderr[-500:]
        assert (b"in the database already" in made.stdout) == stands
        place.opens()
        place.holds()
        kills.note(moment, said)
    return kills


def _refusal(place: Vault) -> str:
    """What the service says when it is started there."""
    made = place.command("serve", "--port", "0")
    assert made.returncode == 1, made.stdout[-500:]
    return made.stderr.decode().removeprefix("amanah: ").partition(":")[0]
