"""Copies of a simulated vault, and what comes of them elsewhere: another database, another folder, the same root key, clock and people."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keys.packages import PackageKey
from keys.secret import Secret
from tests.simulator import World
from vault.access_log.journal_note import NAME
from vault.backup.manifest import Backup, look
from vault.backup.opening import Sources
from vault.backup.restoring import Place, Restored, Shows, restore
from vault.backup.taking import take
from vault.identity.opening import CHECKPOINT, EPOCHS, JOURNAL, open_association
from vault.identity.service import Identity
from vault.storage.engine import Database
from vault.web.limits import Limits

OUTSIDE = (EPOCHS, JOURNAL, CHECKPOINT, NAME)


@dataclass(slots=True)
class Rescue:
    """One vault and a recovery key; `folder` is where copies and what comes of them lie."""

    world: World
    folder: Path
    key: PackageKey = field(default_factory=lambda: PackageKey(Secret(bytes(31) + b"\x07")))
    _homes: int = 0

    def take(self) -> Backup:
        """A copy of this moment; the next is of another second."""
        self.world.clock.forward(2)
        made = take(self.world.association, self.folder / "copies", [self.key.public], self.world.clock)
        self.world.clock.forward(2)
        return look(made.backup.folder)

    def home(self, *names: str) -> Path:
        """A new folder of the association with these of the files that lie outside its database, as they are now."""
        self._homes += 1
        home = self.folder / f"home-{self._homes}"
        home.mkdir(parents=True)
        for name in names or OUTSIDE:
            if (self.world.folder / name).exists():
                shutil.copy(self.world.folder / name, home / name)
        return home

    def place(self, url: str, home: Path) -> Place:
        """Where a copy is put."""
        return Place(Database(url), home, self.world.root, self.world.clock)

    def sources(self, copy: Backup, keys: Backup | None = None) -> Sources:
        """The copy, opened with the recovery key."""
        return Sources(copy, keys or copy, self.key)

    def restore(self, url: str, home: Path, copy: Backup, *, keys: Backup | None = None, **shows: Any) -> Restored:
        """Put the copy there."""
        place = self.place(url, home)
        try:
            return restore(place, self.sources(copy, keys), Shows(**shows))
        finally:
            place.database.dispose()

    @contextmanager
    def opened(self, url: str, home: Path) -> Iterator[World]:
        """The vault that came of it."""
        world, database = self.world, Database(url)
        try:
            with ThreadPoolExecutor(1) as executor:
                association = open_association(
                    database, code=world.code, root=world.root, folder=home, executor=executor, clock=world.clock
                )
                limits = Limits(world.clock)
                identity = Identity.over({world.code: association}, limits)
                steps = dict(world._steps)
                try:
                    yield World(database, home, world.root, world.clock, executor, world.ceremony, association, limits, identity, steps)
                finally:
                    identity.close()
                    association.log.close()
        finally:
            database.dispose()
