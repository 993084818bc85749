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

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.derive import hkdf
from keys.errors import Unopenable, Unsealable, quietly
from keys.packages import HPKE, PackageKey, fingerprint, secret_to
from keys.secret import Secret, Unspoken

CHUNK = 65_536
MOST_RECIPIENTS = 16
DATA, KEYS = 1, 2
_START = b"amanah-bak\x41\x01"  # what it is, format, suite
_FIXED = struct.Struct(">16sBB")
_LABEL = b"amanah/backup/v1\x00"
_NONCE = struct.Struct(">7xIB").pack
_FINGERPRINT, _WRAPPED, _SALT, _COMMITMENT, _TAG = 16, 80, 16, 32, 16
_MOST_CHUNKS = 1 << 32
_END = b"\x80"

Entropy = Callable[[int], bytes]


class BackupSealer(Unspoken):
    """Seals one file of a backup piece by piece; `head` is written before the first chunk."""

    __slots__ = ("_binding", "_cipher", "_held", "_number", "head")

    def __init__(self, recipients: Sequence[str], backup: bytes, part: int, *, entropy: Entropy = os.urandom) -> None:
        """Begin the file of this part (DATA or KEYS) of a backup (16-byte id) for these public keys; Unsealable for what is none."""
        if not 1 <= len(recipients) <= MOST_RECIPIENTS:
            raise Unsealable
        key, salt, info = Secret.random(entropy), entropy(_SALT), _info(backup, part)
        slots = b"".join([bytes.fromhex(fingerprint(HPKE, public)) + secret_to(public, key, info) for public in recipients])
        okm = hkdf(key.reveal(), salt, info, 64)
        self.head = _START + _FIXED.pack(backup, part, len(recipients)) + slots + salt + okm[32:]
        self._cipher = AESGCM(okm[:32])
        self._binding = _binding(self.head)
        self._held = bytearray()
        self._number = 0

    def take(self, piece: bytes) -> list[bytes]:
        """Take the next bytes of the file and return the chunks that are full now, sealed."""
        self._held += piece
        full = len(self._held) // CHUNK * CHUNK
        content = bytes(self._held[:full])
        del self._held[:full]
        return [self._seal(content[at : at + CHUNK], last=False) for at in range(0, full, CHUNK)]

    def end(self) -> bytes:
        """Return the last chunk, sealed; nothing can be taken after it (Unsealable)."""
        sealed = self._seal((bytes(self._held) + _END).ljust(CHUNK, b"\x00"), last=True)
        self._number = _MOST_CHUNKS
        return sealed

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        if self._number >= _MOST_CHUNKS:
            raise Unsealable
        nonce = _NONCE(self._number, last)
        self._number += 1
        return self._cipher.encrypt(nonce, chunk, self._binding)


def opened(file: BinaryIO, key: PackageKey, backup: bytes, part: int) -> Iterator[bytes]:
    """Return the pieces of that part of that backup, one by one; Unopenable at the first that does not hold."""
    head, cipher = _begun(file, key, backup, part)
    binding, number, chunk = _binding(head), 0, file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        content = _chunk(cipher, _NONCE(number, not following), chunk, binding)
        if not following:
            yield _unpadded(content)
            return
        yield content
        number, chunk = number + 1, following


def _begun(file: BinaryIO, key: PackageKey, backup: bytes, part: int) -> tuple[bytes, AESGCM]:
    """The head, and the cipher of the chunks, once this key opened its slot and the commitment holds."""
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
            return fixed + slots + salt + commitment, AESGCM(okm[:32])
    raise Unopenable


def _slot(slots: bytes, key: PackageKey, info: bytes) -> Secret:
    mine = bytes.fromhex(key.fingerprint)
    for at in range(0, len(slots), _FINGERPRINT + _WRAPPED):
        if slots[at : at + _FINGERPRINT] == mine:
            return key.secret(slots[at + _FINGERPRINT : at + _FINGERPRINT + _WRAPPED], info)
    raise Unopenable


def _chunk(cipher: AESGCM, nonce: bytes, chunk: bytes, binding: bytes) -> bytes:
    with quietly:
        return cipher.decrypt(nonce, chunk, binding)
    raise Unopenable


def _unpadded(chunk: bytes) -> bytes:
    body = chunk.rstrip(b"\x00")
    if len(chunk) != CHUNK or body[-1:] != _END:
        raise Unopenable
    return body[:-1]


def _info(backup: bytes, part: int) -> bytes:
    return _LABEL + backup + bytes([part])


def _binding(head: bytes) -> bytes:
    return _LABEL + hashlib.sha256(head).digest()
