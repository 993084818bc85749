"""Checks by hand that an entry is in the log a checkpoint speaks of: SHA-256, base64 and RFC 9162, nothing of the vault.

Written apart from the vault's own code on purpose: whoever holds a checkpoint can do the same with twenty lines of any language.
"""

import base64
import hashlib
from collections.abc import Sequence

HASH_BYTES = 32


def checkpoint(note: str) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint (C2SP tlog-checkpoint). Raises ValueError for what is none."""
    text, _, signatures = note.partition("\n\n")
    _, size, root = text.split("\n")[:3]
    if not signatures.startswith("— "):
        raise ValueError("not signed")
    return int(size), unhash(root)


def unhash(text: str) -> bytes:
    """The 32 bytes of a hash in hexadecimal or base64. Raises ValueError for anything else."""
    found = bytes.fromhex(text) if len(text) == 2 * HASH_BYTES else base64.b64decode(text, validate=True)
    if len(found) != HASH_BYTES:
        raise ValueError("not a SHA-256")
    return found


def is_in(index: int, leaf: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the leaf is entry number `index` of the tree with this size and root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = _node(sibling, found)
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            found = _node(found, sibling)
        place, last = place // 2, last // 2
    return last == 0 and found == root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
