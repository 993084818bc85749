"""The files of a backup: a stream sealed in chunks of 64 KiB to recovery recipients, by who can open nothing of it afterwards.

Invariants: a chunk opens only as this chunk of this file of this backup, and as the last one only where it is the last; a file opens with
the private key of one of the recipients its head names, and the head is bound to every chunk; less than two chunks are held at a time;
every fault is the one Unopenable. HPKE base mode (RFC 9180): X25519, HKDF-SHA-256, AES-256-GCM. Format 0x41: docs/spec/backup.md.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from typing import BinaryIO

from keys.chunks import SEALED_CHUNK, ChunkOpener, ChunkSealer
from keys.derive import hkdf
from keys.errors import Unopenable, Unsealable, quietly
from keys.packages import HPKE, PackageKey, fingerprint, secret_to
from keys.secret import Secret

MOST_RECIPIENTS = 16
DATA, KEYS = 1, 2
_START = b"amanah-bak\x41\x01"  # what it is, format, suite
_FIXED = struct.Struct(">16sBB")
_LABEL = b"amanah/backup/v1\x00"
_FINGERPRINT, _WRAPPED, _SALT, _COMMITMENT = 16, 80, 16, 32

Entropy = Callable[[int], bytes]


class BackupSealer(ChunkSealer):
    """Seals one file of a backup piece by piece; `head` is written before the first chunk."""

    __slots__ = ("head",)

    def __init__(self, recipients: Sequence[str], backup: bytes, part: int, *, entropy: Entropy = os.urandom) -> None:
        """Begin the file of this part (DATA or KEYS) of a backup (16-byte id) for these public keys; Unsealable for what is none."""
        if not 1 <= len(recipients) <= MOST_RECIPIENTS:
            raise Unsealable
        key, salt, info = Secret.random(entropy), entropy(_SALT), _info(backup, part)
        slots = b"".join([bytes.fromhex(fingerprint(HPKE, public)) + secret_to(public, key, info) for public in recipients])
        okm = hkdf(key.reveal(), salt, info, 64)
        self.head = _START + _FIXED.pack(backup, part, len(recipients)) + slots + salt + okm[32:]
        super().__init__(okm[:32], _binding(self.head))


def opened(file: BinaryIO, key: PackageKey, backup: bytes, part: int) -> Iterator[bytes]:
    """Return the pieces of that part of that backup, one by one; Unopenable at the first that does not hold."""
    chunks, number, chunk = _begun(file, key, backup, part), 0, file.read(SEALED_CHUNK)
    while True:
        following = file.read(SEALED_CHUNK)
        yield chunks.open(number, chunk, last=not following)
        if not following:
            return
        number, chunk = number + 1, following


def _begun(file: BinaryIO, key: PackageKey, backup: bytes, part: int) -> ChunkOpener:
    """What opens the chunks, once this key opened its slot and the commitment holds."""
    with quietly:
        fixed = file.read(len(_START) + _FIXED.size)
        found, kind, count = _FIXED.unpack_from(fixed, len(_START))
        slots = file.read(count * (_FINGERPRINT + _WRAPPED))
        salt, commitment = file.read(_SALT), file.read(_COMMITMENT)
        if fixed[: len(_START)] != _START or (found, kind) != (backup, part):
            raise Unopenable
        info = _info(backup, part)
        okm = hkdf(_slot(slots, key, info).reveal(), salt, info, 64)
        if compare_digest(okm[32:], commitment):
            return ChunkOpener(okm[:32], _binding(fixed + slots + salt + commitment))
    raise Unopenable


def _slot(slots: bytes, key: PackageKey, info: bytes) -> Secret:
    mine = bytes.fromhex(key.fingerprint)
    for at in range(0, len(slots), _FINGERPRINT + _WRAPPED):
        if slots[at : at + _FINGERPRINT] == mine:
            return key.secret(slots[at + _FINGERPRINT : at + _FINGERPRINT + _WRAPPED], info)
    raise Unopenable


def _info(backup: bytes, part: int) -> bytes:
    return _LABEL + backup + bytes([part])


def _binding(head: bytes) -> bytes:
    return _LABEL + hashlib.sha256(head).digest()
