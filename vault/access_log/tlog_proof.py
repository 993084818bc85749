"""One entry's proof that needs no log at hand: the C2SP format tlog-proof, version 1.

Invariant: what is read is believed once the entry's own bytes hash to a leaf under the root of a checkpoint that the pinned key signed.
"""

import base64
from collections.abc import Sequence
from typing import Final

from keys.errors import Unopenable
from keys.notes import verify
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint
from vault.access_log.merkle import HASH_BYTES, included, leaf_hash

_HEAD: Final = "c2sp.org/tlog-proof@v1"
_MOST_HASHES: Final = 64


def written(index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """The proof of the entry of this number: the hashes of its audit path, and the checkpoint's note as it is."""
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in path)
    return f"{_HEAD}\nindex {index}\n{hashes}\n{checkpoint}"


def proves(proof: str, body: bytes, vkey: str) -> bool:
    """Whether this proof shows that the entry of these bytes is in the log that this key signs for; False for what is no proof."""
    try:
        index, path, note = _read(proof)
        found = Checkpoint.parse(verify(note, vkey))
    except (ValueError, Unopenable, NotACheckpoint):
        return False
    return 0 <= index < found.size and included(index, found.size, leaf_hash(body), path, found.root)


def _read(proof: str) -> tuple[int, list[bytes], str]:
    """Number, path and note; ValueError for what is no proof or carries extra data, which we never write."""
    head, end, note = proof.partition("\n\n")
    title, number, *hashes = head.split("\n")
    name, _, digits = number.partition(" ")
    path = [base64.b64decode(one, validate=True) for one in hashes]
    if (title, name, bool(end)) != (_HEAD, "index", True) or len(path) > _MOST_HASHES or any(len(one) != HASH_BYTES for one in path):
        raise ValueError
    if str(int(digits)) != digits:
        raise ValueError
    return int(digits), path, note
