"""A root key held in this process: what the file-backed providers share once they have opened their file.

Wrapped form, 62 bytes: format 0x31, suite 0x01, nonce 12, ciphertext 32, tag 16 (AES-256-GCM); the context is
bound with its length. docs/spec/epochs.md shows it.
"""

import os
from collections.abc import Callable
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.derive import joined
from keys.errors import Unopenable, quietly
from keys.secret import Secret, Unspoken

Entropy = Callable[[int], bytes]

_HEAD = b"\x31\x01"
_SIZE = 62
_LABEL = b"vault/root/v1"


class LocalRoot(Unspoken):
    """A root key in memory."""

    __slots__ = ("_cipher", "_entropy")
    kind = "memory"

    def __init__(self, root: Secret, *, entropy: Entropy = os.urandom) -> None:
        """Set the root key up."""
        self._cipher = AESGCM(root.reveal())
        self._entropy = entropy

    def wrap(self, context: bytes, key: Secret) -> bytes:
        """Return the key wrapped for that context: 62 bytes."""
        nonce = self._entropy(12)
        return _HEAD + nonce + self._cipher.encrypt(nonce, key.reveal(), joined(_LABEL, _HEAD, context))

    def unwrap(self, context: bytes, blob: bytes) -> Secret:
        """Return the wrapped key; Unopenable under another root or in another context."""
        with quietly:
            if blob[:2] == _HEAD and len(blob) == _SIZE:
                return Secret(self._cipher.decrypt(blob[2:14], blob[14:], joined(_LABEL, _HEAD, context)))
        raise Unopenable

    def describe(self) -> str:
        """Say that it lies nowhere but here."""
        return "root key in memory"

    def self_test(self) -> None:
        """Wrap and unwrap a key of no use; Unopenable if that does not bring it back."""
        key = Secret.random()
        if not compare_digest(self.unwrap(b"self-test", self.wrap(b"self-test", key)).reveal(), key.reveal()):
            raise Unopenable
