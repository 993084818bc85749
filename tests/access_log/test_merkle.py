"""The tree is RFC 6962's, and its proofs prove what is there and nothing else."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from tests.access_log.logs import in_memory, naive_root, some_leaves
from vault.access_log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    consistent,
    full_root,
    included,
    inclusion,
    leaf_hash,
    node_hash,
    perfect,
    root_of,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "access_log" / "rfc6962.json").read_text())
SMALL = 70
LEAVES = some_leaves(5_000)
HASH_AT = in_memory(LEAVES)


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier


@pytest.mark.parametrize("size", range(len(VECTORS["roots"])))
def test_roots_are_those_known_for_rfc_6962(size: int):
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"][:size]]
    assert grown(leaves).root().hex() == VECTORS["roots"][size]


def test_roots_are_those_of_an_independent_library():
    theirs, ours = InmemoryTree(algorithm="sha256"), Frontier()
    for number in range(600):
        body = b"entry %d" % number
        theirs.append_entry(body)
        ours.append(leaf_hash(body))
        assert theirs.get_root() == ours.root()


def test_every_frontier_and_every_fold_give_the_root_by_definition():
    for size in range(SMALL + 1):
        assert grown(LEAVES[:size]).root() == naive_root(LEAVES[:size])
        assert root_of(size, HASH_AT) == naive_root(LEAVES[:size])
    assert full_root(LEAVES[:64]) == naive_root(LEAVES[:64])
    assert Frontier().root() == EMPTY_ROOT


def test_every_inclusion_proof_up_to_seventy_entries_holds_for_its_entry_alone():
    for size in range(1, SMALL + 1):
        root = naive_root(LEAVES[:size])
        for index in range(size):
            path = inclusion(index, size, HASH_AT)
            assert included(index, size, LEAVES[index], path, root)
            assert not any(included(other, size, LEAVES[index], path, root) for other in range(size) if other != index)
            assert not included(index, size, LEAVES[size], path, root)


def test_every_consistency_proof_up_to_seventy_entries_holds_for_its_trees_alone():
    roots = [naive_root(LEAVES[:size]) for size in range(SMALL + 1)]
    for second in range(1, SMALL + 1):
        for first in range(1, second + 1):
            path = consistency(first, second, HASH_AT)
            assert consistent(first, second, roots[first], roots[second], path)
            if first != second:
                assert not consistent(first, second, roots[first - 1], roots[second], path)
                assert not consistent(first, second, roots[first], roots[second - 1], path)


def test_random_proofs_up_to_five_thousand_entries_hold_and_are_short():
    rng = random.Random(6962)
    for _ in range(300):
        second = rng.randint(1, len(LEAVES))
        first, index = rng.randint(1, second), rng.randrange(second)
        new = root_of(second, HASH_AT)
        path, steps = inclusion(index, second, HASH_AT), consistency(first, second, HASH_AT)
        assert included(index, second, LEAVES[index], path, new)
        assert consistent(first, second, root_of(first, HASH_AT), new, steps)
        assert len(path) <= (second - 1).bit_length()
        assert len(steps) <= (second - 1).bit_length() + 1


@st.composite
def damaged(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    """A log of up to 70 entries and a list that is not it: altered, dropped, swapped or added to."""
    size = draw(st.integers(2, SMALL))
    at = draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    match draw(st.sampled_from(["alter", "drop", "swap", "add"])):
        case "alter":
            leaves[at] = leaf_hash(draw(st.binary()) + b" another")
        case "drop":
            del leaves[at]
        case "swap":
            other = draw(st.integers(0, size - 1).filter(lambda place: place != at))
            leaves[at], leaves[other] = leaves[other], leaves[at]
        case _:
            leaves.insert(at, leaf_hash(draw(st.binary()) + b" another"))
    return size, at, leaves


@given(damaged())
def test_any_altered_dropped_swapped_or_added_entry_gives_another_root(case: tuple[int, int, list[bytes]]):
    size, _, leaves = case
    assert grown(leaves).root() != naive_root(LEAVES[:size])


@given(damaged(), st.data())
def test_no_later_tree_is_proven_consistent_over_a_damaged_past(case: tuple[int, int, list[bytes]], data: st.DataObject):
    size, at, leaves = case
    forged = leaves + LEAVES[size : size + data.draw(st.integers(1, 40))]
    first = data.draw(st.integers(min(at + 1, size), size))
    if naive_root(forged[:first]) != naive_root(LEAVES[:first]):
        path = consistency(first, len(forged), in_memory(forged)) if first <= len(forged) else []
        assert not consistent(first, len(forged), naive_root(LEAVES[:first]), naive_root(forged), path)


@given(st.integers(1, SMALL), st.data())
def test_a_proof_with_one_hash_altered_dropped_or_added_proves_nothing(size: int, data: st.DataObject):
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = naive_root(LEAVES[:size])
    for path, holds in (
        (inclusion(index, size, HASH_AT), lambda steps: included(index, size, LEAVES[index], steps, root)),
        (consistency(first, size, HASH_AT), lambda steps: consistent(first, size, naive_root(LEAVES[:first]), root, steps)),
    ):
        assert holds(path)
        assert not holds([*path, root])
        if path:
            at = data.draw(st.integers(0, len(path) - 1))
            assert not holds([*path[:at], bytes(32), *path[at + 1 :]])
            assert not holds(path[:at] + path[at + 1 :])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (5, 4)])
def test_there_is_no_inclusion_proof_of_what_is_not_there(index: int, size: int):
    with pytest.raises(ValueError, match=r"^no such leaf$"):
        inclusion(index, size, HASH_AT)
    assert not included(index, size, LEAVES[0], [], LEAVES[0])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 1)])
def test_there_is_no_consistency_proof_of_trees_that_are_not_there(first: int, second: int):
    with pytest.raises(ValueError, match=r"^no such trees$"):
        consistency(first, second, HASH_AT)


def test_the_empty_log_is_the_beginning_of_every_log():
    root = naive_root(LEAVES[:3])
    assert consistent(0, 3, EMPTY_ROOT, root, [])
    assert not consistent(0, 3, root, root, [])
    assert not consistent(0, 3, EMPTY_ROOT, root, [root])
    assert consistent(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not consistent(2, 1, root, root, [])
    assert not consistent(2, 3, root, root, [])
    assert not consistent(3, 4, root, naive_root(LEAVES[:4]), [])


def test_a_frontier_comes_back_as_it_was_packed():
    for size in range(SMALL):
        frontier = grown(LEAVES[:size])
        again = Frontier.unpack(size, frontier.pack())
        again.append(LEAVES[size])
        assert again.root() == naive_root(LEAVES[: size + 1])
        assert frontier.root() == naive_root(LEAVES[:size])


def test_a_copy_of_a_frontier_grows_on_its_own():
    frontier = grown(LEAVES[:5])
    copy = frontier.copy()
    copy.append(LEAVES[5])
    assert (frontier.size, frontier.root()) == (5, naive_root(LEAVES[:5]))
    assert copy.root() == naive_root(LEAVES[:6])


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (0, bytes(32)), (3, bytes(63)), (3, bytes(96)), (-1, bytes(32))])
def test_a_frontier_of_another_length_is_refused(size: int, packed: bytes):
    with pytest.raises(ValueError, match=r"^frontier does not fit its size$"):
        Frontier.unpack(size, packed)


def test_a_leaf_is_never_taken_for_a_node():
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


@given(st.integers(0, 5_000))
def test_full_subtrees_cover_every_leaf_once(size: int):
    covered = [leaf for level, position in perfect(0, size) for leaf in range(position << level, (position + 1) << level)]
    assert covered == list(range(size))


@pytest.mark.parametrize(("index", "size"), [(1, 1), (-1, 1), (2, 1), (0, 0), (0, -1)])
def test_no_path_proves_an_entry_outside_its_tree(index: int, size: int):
    leaf = leaf_hash(b"entry")
    assert included(0, 1, leaf, [], leaf)
    assert not included(index, size, leaf, [], leaf)


def test_no_path_proves_that_a_longer_tree_is_the_beginning_of_a_shorter_one():
    one, two = leaf_hash(b"one"), leaf_hash(b"two")
    assert not consistent(3, 2, one, node_hash(one, two), [one, two])
    assert not consistent(-1, 1, one, one, [one])
    assert not consistent(2, 1, one, one, [])


def test_no_path_proves_anything_that_goes_on_beyond_the_root():
    a, b, c, d = (leaf_hash(text) for text in (b"a", b"b", b"c", b"d"))
    assert not included(0, 1, a, [b], node_hash(b, a))
    old, new = node_hash(c, a), node_hash(c, node_hash(a, b))
    assert consistent(3, 4, old, new, [a, b, c])
    assert not consistent(3, 4, node_hash(d, old), node_hash(d, new), [a, b, c, d])
