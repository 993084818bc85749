"""Small sealed rows that are no record: sheets, events, details.

Invariants: a blob opens only under its key and in the context it was sealed for; its size tells the bucket and no more.
Format 0x21: docs/spec/blob.md.
"""

import os
import struct
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.derive import subkey
from keys.errors import Unopenable, Unsealable, quietly
from keys.keyring import DataKey

_HEAD = b"\x21\x01"  # format, suite
_LABEL = b"vault/blob/v1"
_BIND = struct.Struct(">I").pack
_LARGEST = 1 << 24
_NONCE_END = 14
_END = 0x80

Entropy = Callable[[int], bytes]


def seal_blob(key: DataKey, context: bytes, plaintext: bytes, *, bucket: int = 256, entropy: Entropy = os.urandom) -> bytes:
    """Return the plaintext sealed for that context, padded to a multiple of `bucket` bytes; Unsealable beyond 16 MiB."""
    nonce = entropy(12)
    size = -(-(len(plaintext) + 1) // bucket) * bucket
    if size > _LARGEST:
        raise Unsealable
    content = (plaintext + b"\x80").ljust(size, b"\x00")
    return _HEAD + nonce + AESGCM(subkey(key.reveal(), _LABEL)).encrypt(nonce, content, _bound(context))


def open_blob(key: DataKey, context: bytes, blob: bytes) -> bytes:
    """Return the plaintext; Unopenable under another key, in another context, or if a bit of it was changed."""
    with quietly:
        if blob[:2] != _HEAD:
            raise Unopenable
        content = AESGCM(subkey(key.reveal(), _LABEL)).decrypt(blob[2:_NONCE_END], blob[_NONCE_END:], _bound(context)).rstrip(b"\x00")
        if content[-1] == _END:
            return content[:-1]
    raise Unopenable


def _bound(context: bytes) -> bytes:
    return _LABEL + _HEAD + _BIND(len(context)) + context
