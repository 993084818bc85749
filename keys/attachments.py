"""A file sealed chunk by chunk as it arrives: 64 KiB each, addressable by number, opened only against a receipt that names the file.

Invariants: a chunk opens only as this chunk of this file of this association, and as the last one only where it is the last: cut, moved,
doubled and exchanged chunks do not open; no two files share a subkey, whichever data key they are under; every chunk has one size, so that
the number of chunks tells the size in steps of 64 KiB and no more; a receipt makes one opener, of its own file, which holds no more than
the chunk it opens; every fault is the one Unopenable. Format 0x22: docs/spec/attachment.md.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from keys.chunks import ChunkOpener, ChunkSealer
from keys.derive import hkdf
from keys.errors import Unopenable, quietly
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt
from keys.secret import Unspoken

HEADER = 50
_FORMAT_AND_SUITE = b"\x22\x01"
_LABEL = b"vault/att/v1"
_SALT_END = 18
_ID = 16

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Attached:
    """Where an attachment belongs: the association and the file's own id (16 bytes each), whose its key is, and the key's class."""

    association: bytes
    attachment: bytes
    holder: bytes
    class_id: int

    def __post_init__(self) -> None:
        """Refuse ids of another length with ValueError: with fixed lengths no two places give the same context."""
        if len(self.association) != _ID or len(self.attachment) != _ID:
            message = "ids are 16 bytes"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class SealedAttachment:
    """What opens an attachment, without its chunks: its place, the wrapped key, the header, and how many chunks it has."""

    place: Attached
    wrapped: bytes
    header: bytes
    chunks: int

    def __repr__(self) -> str:
        """Name the file and how many chunks it has, which are in the clear."""
        return f"SealedAttachment({self.place.attachment.hex()}, {self.chunks} chunks)"


class Sealer(ChunkSealer):
    """Seals one file piece by piece; it holds less than one chunk of it."""

    __slots__ = ("header",)

    def __init__(self, key: DataKey, place: Attached, *, entropy: Entropy = os.urandom) -> None:
        """Begin a file under a data key; `header` (50 bytes) is to be kept beside the chunks."""
        salt = entropy(_ID)
        okm = _keys(key, place, salt)
        self.header = _FORMAT_AND_SUITE + salt + okm[32:]
        super().__init__(okm[:32], _binding(place, self.header))


class Opener(Unspoken):
    """Opens the chunks of one file, by number; made by `open_attachment` alone, against a receipt, and good for one answer."""

    __slots__ = ("_chunks", "_last")

    def __init__(self, chunks: ChunkOpener, last: int) -> None:
        """Take what opens the file's chunks, and the number of its last one."""
        self._chunks = chunks
        self._last = last

    def open(self, number: int, chunk: bytes) -> bytes:
        """Return what this chunk holds of the file, without padding. Unopenable where it is not the chunk of that number."""
        return self._chunks.open(number, chunk, last=number == self._last)


def open_attachment(receipt: Receipt, keys: AssociationKeys, sealed: SealedAttachment) -> Opener:
    """Return what opens the chunks of the one file the receipt is for.

    The receipt is used up first, whatever follows, and must name this attachment. Unopenable unless key and header are the file's own.
    """
    receipt.consume()
    with quietly:
        place = sealed.place
        if receipt.attachment != place.attachment or place.association != keys.association or sealed.chunks < 1:
            raise Unopenable
        key = keys.unwrap(place.holder, place.class_id, sealed.wrapped)
        okm = _keys(key, place, sealed.header[2:_SALT_END])
        if not compare_digest(_FORMAT_AND_SUITE + sealed.header[2:_SALT_END] + okm[32:], sealed.header):
            raise Unopenable
        return Opener(ChunkOpener(okm[:32], _binding(place, sealed.header)), sealed.chunks - 1)
    raise Unopenable


def _keys(key: DataKey, place: Attached, salt: bytes) -> bytes:
    return hkdf(key.reveal(), salt, _LABEL + place.association + place.attachment + _FORMAT_AND_SUITE, 64)


def _binding(place: Attached, header: bytes) -> bytes:
    return _LABEL + place.association + place.attachment + header
