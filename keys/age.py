"""Files sealed for a recipient who has the age tool and nothing of ours (age-encryption.org/v1, X25519).

Invariants: only plain X25519 keys are taken, no passphrase, no plug-in; what was sealed is never on a disk here. The format and its
library are not ours: docs/adr/0078-packages-for-age.md.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import pyrage

from keys.errors import Unopenable, Unsealable, quietly
from keys.files import read_private
from keys.secret import Unspoken

START: Final = b"age-encryption.org/v1\n"
_PUBLIC = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_PRIVATE = re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
_LARGEST_FILE = 4096
_FOREIGN = "No matching keys"  # the library has one exception for all that fails


def checked_public(public: str) -> str:
    """Return the public key if files can be sealed to it; else Unsealable."""
    sealed_to(public, b"")
    return public


def sealed_to(public: str, content: bytes) -> bytes:
    """Return the content as an age file for the holder of this key (`age1…`). Unsealable for what is no key."""
    with quietly, suppress(pyrage.RecipientError):
        if _PUBLIC.fullmatch(public):
            return bytes(pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(public)]))
    raise Unsealable


class AgeKey(Unspoken):
    """A private key of age's; it prints as the name of its type."""

    __slots__ = ("_identity", "public")

    def __init__(self, text: str) -> None:
        """Hold the key of this text (`AGE-SECRET-KEY-1…`); Unopenable for what is none."""
        with quietly, suppress(pyrage.IdentityError):
            if _PRIVATE.fullmatch(text):
                self._identity = pyrage.x25519.Identity.from_str(text)
                self.public = str(self._identity.to_public())
                return
        raise Unopenable

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that `age-keygen` made: one key, and lines of remarks.

        OSError if it cannot be read or others may touch it, Unopenable if it holds not exactly one key.
        """
        content = read_private(path, _LARGEST_FILE)
        with quietly:
            (text,) = [line for line in content.decode().splitlines() if line and not line.startswith("#")]
            return cls(text)
        raise Unopenable

    def opened(self, sealed: bytes) -> bytes | None:
        """The content of an age file, None where it is sealed to other keys; Unopenable where it is altered or none."""
        try:
            return bytes(pyrage.decrypt(sealed, [self._identity]))
        except pyrage.DecryptError as error:
            foreign = str(error).startswith(_FOREIGN)
        if foreign:
            return None
        raise Unopenable


def new_key() -> tuple[str, str]:
    """Make a key: its private text (`AGE-SECRET-KEY-1…`), for who is to open what is sealed to it alone, and the public one."""
    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())
