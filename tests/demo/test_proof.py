"""The proof checked by hand: right for every entry of a tree, wrong for anything else."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.demo.proof import checkpoint, is_in, unhash

NOTE = "amanah/demo/1\n5\n" + base64.b64encode(b"r" * 32).decode() + "\n\n— amanah/demo/1 c2ln\n"


def leaf(number: int) -> bytes:
    return hashlib.sha256(b"\x00" + number.to_bytes(4, "big")).digest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), root(leaves[split:])]
    return [*path(index - split, leaves[split:]), root(leaves[:split])]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_entry_of_a_tree_is_proven(size: int):
    leaves = [leaf(number) for number in range(size)]
    assert all(is_in(index, leaves[index], size, root(leaves), path(index, leaves)) for index in range(size))


@given(size=st.integers(2, 60), data=st.data())
def test_no_other_place_leaf_root_or_path_is_proven(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    leaves = [leaf(number) for number in range(size)]
    right = path(index, leaves)
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    assert not is_in(other, leaves[index], size, root(leaves), right)
    assert not is_in(index, leaves[other], size, root(leaves), right)
    assert not is_in(index, leaves[index], size, leaf(size), right)
    assert not is_in(index, leaves[index], size, root(leaves), right[:-1])
    assert not is_in(index, leaves[index], size, root(leaves), [*right, leaf(0)])
    assert not is_in(size, leaves[index], size, root(leaves), right)


def test_a_checkpoint_gives_size_and_root():
    assert checkpoint(NOTE) == (5, b"r" * 32)


@pytest.mark.parametrize("note", ["", "a\nb", NOTE.partition("\n\n")[0], NOTE.replace("5", "five"), NOTE.replace("cnJy", "c", 1)])
def test_what_is_no_signed_checkpoint_is_refused(note: str):
    with pytest.raises(ValueError):
        checkpoint(note)


def test_a_hash_is_read_in_both_codings():
    digest = leaf(1)
    assert unhash(digest.hex()) == unhash(base64.b64encode(digest).decode()) == digest
    with pytest.raises(ValueError):
        unhash("00")
