"""Small private files: written whole or not at all, durable when the call returns, readable by their owner alone.

Errors are the system's own (OSError): what is in the file is judged elsewhere.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS = 0o077


def read_private(path: Path, limit: int, *, roots_group: bool = False) -> bytes:
    """Return the file's bytes, at most `limit` and one; PermissionError if anybody but its owner may touch it.

    With `roots_group` a file of root's may be readable by its group: so an access list for one user shows.
    """
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        others = _OTHERS & ~stat.S_IRGRP if roots_group and facts.st_uid == 0 else _OTHERS
        if not stat.S_ISREG(facts.st_mode) or facts.st_mode & others:
            message = "a key file is a regular file that its owner alone can read (mode 0400 or 0600)"
            raise PermissionError(message)
        return file.read(limit + 1)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist yet, whole or not at all; FileExistsError if it does."""
    beside = _beside(path, content, mode)
    try:
        os.link(beside, path)  # unlike a rename it replaces nothing
    finally:
        beside.unlink()
    _sync_folder(path.parent)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Put the content in place of the file in one step: a reader sees the old bytes or the new ones."""
    _beside(path, content, mode).replace(path)
    _sync_folder(path.parent)


def _beside(path: Path, content: bytes, mode: int) -> Path:
    """The content in a file beside the one it is for, on the disk."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)  # what a crash left: it was never in force
    _write(beside, content, mode)
    return beside


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against every other process and thread that asks for it here; the lock goes with whoever dies."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
