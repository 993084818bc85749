"""A root key in a file that its owner alone can read (mode 0400): also what a systemd credential looks like.

The file is one line of text, so that it can be printed and typed in again: `amanah-root-1 `, 64 hex digits, newline.
"""

import re
from pathlib import Path

from keys.errors import Unopenable
from keys.files import read_private, write_new
from keys.roots.local import LocalRoot
from keys.secret import Secret

_LINE = re.compile(rb"amanah-root-1 ([0-9a-f]{64})\n?")
_LONGEST = 80


class KeyFile(LocalRoot):
    """The root key of one file, read once."""

    __slots__ = ("path",)
    kind = "key-file"

    def __init__(self, path: Path) -> None:
        """Read the file; OSError if it cannot be or others may touch it, Unopenable if it is no root key."""
        super().__init__(line(read_private(path, _LONGEST)))
        self.path = path

    def describe(self) -> str:
        """Name the file."""
        return f"key file {self.path}"


def line(content: bytes) -> Secret:
    """Return the key of a key file's content; Unopenable if it is none."""
    found = _LINE.fullmatch(content)
    if found is None:
        raise Unopenable
    return Secret(bytes.fromhex(found[1].decode()))


def create(path: Path) -> KeyFile:
    """Make a new root key in a new file, mode 0400; FileExistsError rather than overwrite one."""
    write_new(path, f"amanah-root-1 {Secret.random().reveal().hex()}\n".encode(), 0o400)
    return KeyFile(path)
