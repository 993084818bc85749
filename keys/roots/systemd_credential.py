"""A root key that systemd hands to the unit (`LoadCredential=` or `LoadCredentialEncrypted=`): the line of a key file.

systemd puts it into a folder of the unit's own, in memory that is not swapped, and names the folder in
`CREDENTIALS_DIRECTORY`. The file is the unit's user's alone (mode 0400), or root's with an entry for that user in the
access list, which shows as a readable group (0440) and is not one.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from keys.errors import Unopenable
from keys.files import read_private
from keys.roots.key_file import line
from keys.roots.local import LocalRoot

FOLDER = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST = 80


class SystemdCredential(LocalRoot):
    """The root key of one credential, read once."""

    __slots__ = ("name",)
    kind = "systemd-credential"

    def __init__(self, name: str, environment: Mapping[str, str] = os.environ) -> None:
        """Read the credential; OSError if there is none or others may touch it, Unopenable for a name or content that is none."""
        folder = environment.get(FOLDER)
        if folder is None or not _NAME.fullmatch(name):
            # Outside a unit there is no credential: the same silence as a file that is not there.
            raise FileNotFoundError(name) if folder is None else Unopenable
        super().__init__(line(read_private(Path(folder) / name, _LONGEST, roots_group=True)))
        self.name = name

    def describe(self) -> str:
        """Name the credential."""
        return f"systemd credential {self.name}"
