"""A MAC over the stored bytes of a row that a decision relies on: a fact counts only if the vault wrote it.

Invariant: the MAC binds table, primary key and bytes, each with its length, so no row stands for another.
The journal's lines use the same with a key of their own. Format: docs/spec/fact-mac.md.
"""

import struct
from hmac import compare_digest

from keys.derive import keyed
from keys.errors import quietly
from keys.secret import Secret, Unspoken

_LENGTHS = struct.Struct(">HIQ").pack
_LABEL = b"vault/fact/v1"


class FactMac(Unspoken):
    """HMAC-SHA-256 under one key, set up once and copied per row."""

    __slots__ = ("_state",)

    def __init__(self, key: Secret) -> None:
        """Set the key up."""
        self._state = keyed(key.reveal(), _LABEL)

    def seal(self, table: str, key: bytes, body: bytes) -> bytes:
        """Return the 32-byte MAC of the row of that table and primary key with these stored bytes."""
        name = table.encode()
        state = self._state.copy()
        state.update(_LENGTHS(len(name), len(key), len(body)) + name + key + body)
        return state.finalize()

    def holds(self, table: str, key: bytes, body: bytes, mac: bytes) -> bool:
        """Say, in constant time, whether the MAC is that row's; what is no bytes (a column can hold anything) is not."""
        with quietly:
            return compare_digest(self.seal(table, key, body), mac)
        return False
