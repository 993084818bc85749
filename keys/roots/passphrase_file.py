"""A root key in a file, sealed under a passphrase: Argon2id, a commitment, AES-256-GCM.

Invariants: the cost parameters are authenticated and bounded both ways before any hashing, so that a lowered header
is refused and a huge one exhausts nothing; a file opens under one passphrase only (commitment).
119 bytes: format 0x41, suite 0x01, memory KiB u32, passes u32, lanes u8, salt 16, commitment 32, nonce 12, ciphertext 32, tag 16.
"""

import os
import struct
from collections.abc import Callable
from hmac import compare_digest
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.derive import hkdf
from keys.errors import Unopenable, Unsealable, quietly
from keys.files import read_private, write_new
from keys.roots.local import LocalRoot
from keys.secret import Secret

Entropy = Callable[[int], bytes]

_HEAD = struct.Struct(">BBIIB16s")
_FORMAT = 0x41
_SUITE = 0x01
_SIZE = 119
_LABEL = b"vault/passphrase/v1"
_MEMORY = 256 * 1024  # KiB
_PASSES = 3
_LEAST_MEMORY = 64 * 1024
_MOST_MEMORY = 1024 * 1024
_MOST_PASSES = 16
_SHORTEST = 12


class PassphraseFile(LocalRoot):
    """The root key of one sealed file, opened once (about a second of work and 256 MiB)."""

    __slots__ = ("path",)
    kind = "passphrase-file"

    def __init__(self, path: Path, passphrase: bytes) -> None:
        """Open the file; OSError if it cannot be read or others may touch it, Unopenable for another passphrase or content."""
        super().__init__(_opened(read_private(path, _SIZE), passphrase, least_memory=_LEAST_MEMORY))
        self.path = path

    def describe(self) -> str:
        """Name the file."""
        return f"passphrase file {self.path}"


def create(path: Path, passphrase: bytes) -> None:
    """Make a new root key, sealed in a new file of mode 0400; FileExistsError rather than overwrite one.

    Unsealable for a passphrase under 12 bytes.
    """
    if len(passphrase) < _SHORTEST:
        raise Unsealable
    write_new(path, _sealed(Secret.random(), passphrase, memory=_MEMORY, entropy=os.urandom), 0o400)


def _sealed(root: Secret, passphrase: bytes, *, memory: int, entropy: Entropy) -> bytes:
    head = _HEAD.pack(_FORMAT, _SUITE, memory, _PASSES, 1, entropy(16))
    key, commitment = _keys(head, passphrase)
    nonce = entropy(12)
    return head + commitment + nonce + AESGCM(key).encrypt(nonce, root.reveal(), _LABEL + head + commitment)


def _opened(blob: bytes, passphrase: bytes, *, least_memory: int) -> Secret:
    with quietly:
        form, suite, memory, passes, lanes, _ = _HEAD.unpack_from(blob)
        bounded = least_memory <= memory <= _MOST_MEMORY and _PASSES <= passes <= _MOST_PASSES and lanes == 1
        if form != _FORMAT or suite != _SUITE or len(blob) != _SIZE or not bounded:
            raise Unopenable
        head = blob[:27]
        key, commitment = _keys(head, passphrase)
        if compare_digest(commitment, blob[27:59]):
            return Secret(AESGCM(key).decrypt(blob[59:71], blob[71:], _LABEL + head + commitment))
    raise Unopenable


def _keys(head: bytes, passphrase: bytes) -> tuple[bytes, bytes]:
    """Return key and commitment, 32 bytes each, from the passphrase at the cost the header names."""
    _, _, memory, passes, lanes, salt = _HEAD.unpack(head)
    slow = hash_secret_raw(passphrase, salt, passes, memory, lanes, 32, Type.ID)
    okm = hkdf(slow, salt, _LABEL + head, 64)
    return okm[:32], okm[32:]
