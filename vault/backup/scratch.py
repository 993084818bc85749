"""A database that is thrown away: sealed rows only, on SQLite, in a folder of its owner's alone beside the association's own files."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vault.backup.refused import BackupRefused
from vault.storage import schema
from vault.storage.engine import Database

FOLDER: Final = "scratch"
LOCK: Final = "backup.lock"
_MODE = 0o600


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one at work on copies of this association. Raises BackupRefused `backup-running`."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupRefused("backup-running") from error
    finally:
        os.close(handle)


@contextmanager
def scratch(folder: Path) -> Iterator[Database]:
    """A database with the schema and nothing in it; it is gone afterwards, and what a killed process left of one is removed first."""
    home = folder / FOLDER
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    database = Database(f"sqlite:///{home / 'scratch.sqlite3'}")
    try:
        schema.upgrade(database)
        yield database
    finally:
        database.dispose()
        shutil.rmtree(home, ignore_errors=True)
