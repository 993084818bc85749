"""Proofs for the numbers somebody asks for: that an entry is in a tree, that one tree is the beginning of another.

Invariants: what is asked beyond the log is refused as out of range, never answered with a proof of something else; a proof costs a few
queries whatever the size of the log.
"""

from vault.access_log.merkle import consistency, inclusion
from vault.access_log.tiles import log_size, with_hashes
from vault.errors import FieldError, Invalid
from vault.storage.transaction import Transaction


def inclusion_proof(transaction: Transaction, association: bytes, index: int, size: int) -> list[bytes]:
    """The audit path of entry `index` in the tree of the first `size` entries, 32 bytes each (RFC 6962 section 2.1.1).

    Raises Invalid `out-of-range` unless 0 <= index < size <= entries in the log, NotFound where there is no log.
    """
    _within("size", 1, size, log_size(transaction, association))
    _within("index", 0, index, size - 1)
    return with_hashes(transaction, association, lambda hash_at: inclusion(index, size, hash_at))


def consistency_proof(transaction: Transaction, association: bytes, first: int, second: int) -> list[bytes]:
    """The proof that the first `first` entries are the beginning of the first `second`, 32 bytes each (RFC 6962 section 2.1.2).

    Raises Invalid `out-of-range` unless 1 <= first <= second <= entries in the log, NotFound where there is no log.
    """
    _within("to", 1, second, log_size(transaction, association))
    _within("from", 1, first, second)
    return with_hashes(transaction, association, lambda hash_at: consistency(first, second, hash_at))


def _within(name: str, least: int, value: int, most: int) -> None:
    if not least <= value <= most:
        raise Invalid([FieldError(name, "out-of-range")], code="out-of-range")
