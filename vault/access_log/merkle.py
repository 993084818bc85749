"""The RFC 6962 Merkle tree as pure functions: hashes, the frontier that grows it, proofs and their verifiers.

A stored hash has a level and a position: (level, position) is the root over the leaves from position * 2**level up to, not
including, (position + 1) * 2**level. Only such full subtrees are kept or asked for; what is not full is folded from them.
Nothing here reads, writes or raises for what a stranger sent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

HashAt = Callable[[int, int], bytes]

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """The 32-byte hash of one entry's bytes (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash over two subtrees (RFC 6962 section 2.1); its prefix keeps a node from passing for a leaf."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over full subtrees that lie side by side, largest first; of none, the empty root."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def full_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2**n hashes of one level."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def perfect(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The (level, position) of the full subtrees that cover the leaves from `start` up to `end`, largest first.

    `start` is a multiple of the smallest power of two that is not below `end - start`, as every subtree of RFC 6962 begins.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: the hashes of its full subtrees, largest first, at most one for each bit of `size`."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Take in the next leaf's 32-byte hash."""
        hashes, size = self.hashes, self.size
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The 32-byte root (RFC 6962 section 2.1) of all leaves taken in."""
        return fold(self.hashes)

    def pack(self) -> bytes:
        """The hashes one after the other, largest subtree first: 32 bytes for each one-bit of the size."""
        return b"".join(self.hashes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Self:
        """The frontier that was packed at this size; ValueError when bytes and size do not fit each other."""
        if size < 0 or len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError("frontier does not fit its size")
        return cls(size, [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)])

    def copy(self) -> Self:
        """A frontier that grows on its own from here."""
        return type(self)(self.size, self.hashes.copy())


def root_of(size: int, hash_at: HashAt) -> bytes:
    """The 32-byte root of the first `size` leaves."""
    return _subtree(0, size, hash_at)


def inclusion(index: int, size: int, hash_at: HashAt) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, leaf's end first (RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append(_subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree(start, middle, hash_at))
            start = middle
    return path[::-1]


def consistency(first: int, second: int, hash_at: HashAt) -> list[bytes]:
    """The proof that the first `first` of `second` leaves are the older tree (RFC 6962 section 2.1.2); empty when they are equal."""
    if not 0 < first <= second:
        raise ValueError("no such trees")
    path: list[bytes] = []
    start, end = 0, second
    while end != first:
        middle = _split(start, end)
        if first <= middle:
            path.append(_subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree(start, middle, hash_at))
            start = middle
    # A tree that begins at 0 is the older root itself, which the verifier holds already.
    return ([] if start == 0 else [_subtree(start, end, hash_at)]) + path[::-1]


def included(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that `leaf` is at `index` of the tree with this size and root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(first: int, second: int, old: bytes, new: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree with root `old` is the beginning of that with root `new` (RFC 9162 section 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        return not path and old == (new if first == second else EMPTY_ROOT)
    steps = [old, *path] if first & (first - 1) == 0 else list(path)
    if not path:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, step)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old and now == new


def _split(start: int, end: int) -> int:
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _subtree(start: int, end: int, hash_at: HashAt) -> bytes:
    return fold([hash_at(level, position) for level, position in perfect(start, end)])
