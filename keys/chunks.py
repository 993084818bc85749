"""A stream sealed in chunks of 64 KiB under one key of its own: what attachments and the files of a backup share.

Invariants: a chunk opens only under its own number and what it is bound to, and as the last one only where it is the last; every chunk has
one size, so that their count tells the size in steps of 64 KiB and no more; less than one chunk is held; every fault is the one Unopenable.
Nonce: seven zero bytes, the number (4, big endian), 1 for the last chunk, else 0. docs/spec/attachment.md, docs/spec/backup.md.
"""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.errors import Unopenable, Unsealable, quietly
from keys.secret import Unspoken

CHUNK = 65_536
SEALED_CHUNK = CHUNK + 16
MOST_CHUNKS = 1 << 32
_NONCE = struct.Struct(">7xIB").pack
_END = b"\x80"


class ChunkSealer(Unspoken):
    """Seals one stream piece by piece."""

    __slots__ = ("_binding", "_cipher", "_held", "_number")

    def __init__(self, key: bytes, binding: bytes) -> None:
        """Begin a stream under a key of its own (32 bytes); every chunk is bound to `binding`."""
        self._cipher = AESGCM(key)
        self._binding = binding
        self._held = bytearray()
        self._number = 0

    def take(self, piece: bytes) -> list[bytes]:
        """Take the next bytes of the stream and return the chunks that are full now, sealed."""
        self._held += piece
        full = len(self._held) // CHUNK * CHUNK
        content = bytes(self._held[:full])
        del self._held[:full]
        return [self._seal(content[at : at + CHUNK], last=False) for at in range(0, full, CHUNK)]

    def end(self) -> bytes:
        """Return the last chunk, sealed; nothing can be taken after it (Unsealable)."""
        sealed = self._seal((bytes(self._held) + _END).ljust(CHUNK, b"\x00"), last=True)
        self._number = MOST_CHUNKS
        return sealed

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        if self._number >= MOST_CHUNKS:
            raise Unsealable
        nonce = _NONCE(self._number, last)
        self._number += 1
        return self._cipher.encrypt(nonce, chunk, self._binding)


class ChunkOpener(Unspoken):
    """Opens the chunks of one stream, by number."""

    __slots__ = ("_binding", "_cipher")

    def __init__(self, key: bytes, binding: bytes) -> None:
        """Take the stream's own key (32 bytes) and what its chunks are bound to."""
        self._cipher = AESGCM(key)
        self._binding = binding

    def open(self, number: int, chunk: bytes, *, last: bool) -> bytes:
        """Return what this chunk holds of the stream, without padding. Unopenable where it is not the chunk of that number."""
        with quietly:
            opened = self._cipher.decrypt(_NONCE(number, last), chunk, self._binding)
            return _unpadded(opened) if last else opened
        raise Unopenable


def _unpadded(chunk: bytes) -> bytes:
    body = chunk.rstrip(b"\x00")
    if len(chunk) != CHUNK or body[-1:] != _END:
        raise Unopenable
    return body[:-1]
