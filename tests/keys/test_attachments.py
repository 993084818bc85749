"""A file sealed chunk by chunk opens whole, at its own place, against a receipt that names it, and in no other way."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.attachments import HEADER, Attached, SealedAttachment, Sealer, open_attachment
from keys.cabinet import EVIDENCE_CLASS
from keys.chunks import CHUNK, MOST_CHUNKS, SEALED_CHUNK
from keys.container import open_cells
from keys.errors import Unopenable, Unsealable
from keys.keyring import AssociationKeys, DataKey
from keys.receipt import Receipt
from keys.secret import Secret
from tests.keys import second_reader
from tests.keys.world import ASSOCIATION, KEYS, OTHER, RECORD, SUBJECT, named_id, stored, stream

FILE = named_id("file")
VECTORS = Path(__file__).parents[1] / "vectors/keys/attachments.json"


def bytes_of(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def receipt(**changes: Any) -> Receipt:
    facts: dict[str, Any] = {"index": 1, "leaf_hash": bytes(32), "record": RECORD, "fields": frozenset(), "revision": 0, "attachment": FILE}
    return Receipt(**(facts | changes))


def attached(**changes: Any) -> Attached:
    facts: dict[str, Any] = {"association": ASSOCIATION, "attachment": FILE, "holder": SUBJECT, "class_id": EVIDENCE_CLASS}
    return Attached(**(facts | changes))


@dataclasses.dataclass(frozen=True)
class Whole:
    """A file as its rows have it: what opens it, and every chunk in order."""

    place: Attached
    wrapped: bytes
    header: Any
    chunks: Any

    @property
    def sealed(self) -> SealedAttachment:
        return SealedAttachment(self.place, self.wrapped, self.header, len(self.chunks))


def sealed(content: bytes, piece: int = 10_000, **changes: Any) -> Whole:
    place = attached(**changes)
    key, wrapped = KEYS.new_key(place.holder, place.class_id)
    sealer = Sealer(key, place)
    chunks = [chunk for at in range(0, len(content), piece) for chunk in sealer.take(content[at : at + piece])]
    return Whole(place, wrapped, sealer.header, [*chunks, sealer.end()])


def opens(one: Whole, paper: Receipt | None = None, keys: AssociationKeys = KEYS) -> bytes:
    opener = open_attachment(paper or receipt(), keys, one.sealed)
    return b"".join(opener.open(number, chunk) for number, chunk in enumerate(one.chunks))


SIZES = (0, 1, 17, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, CHUNK, 5 * CHUNK])
def test_what_was_taken_in_pieces_opens_whole_in_chunks_of_one_size(size: int, piece: int):
    content = bytes_of("content", size)
    one = sealed(content, piece)
    assert opens(one) == content
    assert len(one.chunks) == size // CHUNK + 1
    assert {len(chunk) for chunk in one.chunks} == {SEALED_CHUNK}
    assert len(one.header) == HEADER


@given(st.lists(st.binary(max_size=300), max_size=8), st.binary(max_size=3))
def test_pieces_of_any_size_are_the_same_file(pieces: list[bytes], end: bytes):
    key, wrapped = KEYS.new_key(SUBJECT, EVIDENCE_CLASS)
    sealer = Sealer(key, attached())
    chunks = [chunk for piece in [*pieces, end] for chunk in sealer.take(piece)]
    one = Whole(attached(), wrapped, sealer.header, [*chunks, sealer.end()])
    assert opens(one) == b"".join(pieces) + end


def test_content_that_ends_in_zeros_or_in_the_mark_is_kept():
    for content in (bytes(40), b"x\x80", b"\x80" * CHUNK, bytes(2 * CHUNK)):
        assert opens(sealed(content)) == content


WRONG: dict[str, Callable[[list[bytes], list[bytes]], list[Any]]] = {
    "nothing": lambda _, __: [],
    "without its end": lambda own, _: own[:3],
    "the end alone": lambda own, _: own[3:],
    "without its beginning": lambda own, _: own[1:],
    "one in another's place": lambda own, _: [own[1], own[0], *own[2:]],
    "one twice": lambda own, _: [own[0], *own],
    "one more": lambda own, _: [*own, own[3]],
    "another file's": lambda own, other: [own[0], other[1], *own[2:]],
    "another file's end": lambda own, other: [*own[:3], other[3]],
    "a chunk cut": lambda own, _: [*own[:2], own[2][:-1], own[3]],
    "an empty chunk": lambda own, _: [own[0], b"", *own[2:]],
    "no bytes": lambda own, _: [own[0], "text", *own[2:]],
}


@pytest.mark.parametrize("case", WRONG)
def test_cut_lengthened_moved_doubled_and_exchanged_chunks_do_not_open(case: str):
    one, other = sealed(bytes_of("a", 3 * CHUNK)), sealed(bytes_of("b", 3 * CHUNK))
    wrong = dataclasses.replace(one, chunks=WRONG[case](list(one.chunks), list(other.chunks)))
    with pytest.raises(Unopenable):
        opens(wrong)


def test_every_bit_of_header_key_and_chunk_counts():
    one = sealed(b"%PDF-1.7 signed")
    for at in range(HEADER):
        with pytest.raises(Unopenable):
            opens(dataclasses.replace(one, header=one.header[:at] + bytes([one.header[at] ^ 1]) + one.header[at + 1 :]))
    for at in (0, 17, SEALED_CHUNK - 1):
        chunk = one.chunks[0]
        with pytest.raises(Unopenable):
            opens(dataclasses.replace(one, chunks=[chunk[:at] + bytes([chunk[at] ^ 1]) + chunk[at + 1 :]]))
    for header in (b"", one.header[:-1], one.header + b"\x00", "a column of another type", None):
        with pytest.raises(Unopenable):
            opens(dataclasses.replace(one, header=header))
    with pytest.raises(Unopenable):
        opens(dataclasses.replace(one, wrapped=one.wrapped[:-1] + b"\x00"))


@pytest.mark.parametrize("change", [{"association": OTHER}, {"attachment": RECORD}, {"holder": named_id("another")}, {"class_id": 65}])
def test_a_file_opens_at_its_own_place_only(change: dict[str, Any]):
    one = sealed(b"scan")
    moved = dataclasses.replace(one, place=dataclasses.replace(one.place, **change))
    with pytest.raises(Unopenable):
        opens(moved, receipt(attachment=moved.place.attachment))
    stranger = AssociationKeys(OTHER, {1: Secret(bytes(31) + b"\x01"), 2: Secret(bytes(31) + b"\x02")}, 1)
    with pytest.raises(Unopenable):
        opens(moved, receipt(attachment=moved.place.attachment), stranger)


def test_the_receipt_of_another_file_or_of_a_record_opens_nothing():
    one = sealed(b"scan")
    for paper in (receipt(attachment=RECORD), receipt(attachment=b""), receipt(attachment=b"", fields=frozenset({"scan"}), revision=1)):
        with pytest.raises(Unopenable):
            opens(one, paper)


def test_a_receipt_opens_a_file_once_also_where_it_did_not_open():
    one, paper, second = sealed(b"scan"), receipt(), receipt()
    with pytest.raises(Unopenable):
        opens(dataclasses.replace(one, chunks=[]), paper)
    with pytest.raises(Unopenable):
        opens(one, paper)
    assert opens(one, second) == b"scan"
    with pytest.raises(Unopenable):
        opens(one, second)


def test_the_receipt_of_a_file_opens_no_cell():
    _, cells = stored({1: "x"})
    with pytest.raises(Unopenable):
        open_cells(receipt(), KEYS, [cells])
    assert open_cells(receipt(), KEYS, []) == {}


def test_a_part_opens_by_number_and_a_chunk_under_no_other():
    content = bytes_of("content", 3 * CHUNK + 5)
    one = sealed(content)
    opener = open_attachment(receipt(), KEYS, one.sealed)
    assert opener.open(3, one.chunks[3]) == content[3 * CHUNK :]
    assert opener.open(1, one.chunks[1]) == content[CHUNK : 2 * CHUNK]
    for number, chunk in ((0, 1), (2, 3), (3, 2), (4, 3), (-1, 0)):
        with pytest.raises(Unopenable):
            opener.open(number, one.chunks[chunk])
    assert opener.open(2, one.chunks[2]) == content[2 * CHUNK : 3 * CHUNK], "what did not open takes nothing along"


def test_a_file_said_to_be_shorter_does_not_open_at_its_end():
    one = sealed(bytes_of("content", 2 * CHUNK))
    opener = open_attachment(receipt(), KEYS, dataclasses.replace(one.sealed, chunks=2))
    with pytest.raises(Unopenable):
        opener.open(1, one.chunks[1])


def test_padding_that_is_none_does_not_open():
    key, wrapped = KEYS.new_key(SUBJECT, EVIDENCE_CLASS)
    for content in (bytes(CHUNK), b"x" * CHUNK, b"x" * 10 + b"\x80"):
        sealer = Sealer(key, attached())
        with pytest.raises(Unopenable):
            opens(Whole(attached(), wrapped, sealer.header, [sealer._seal(content, last=True)]))


def test_nothing_is_taken_after_the_end():
    sealer = Sealer(KEYS.new_key(SUBJECT, EVIDENCE_CLASS)[0], attached())
    sealer.end()
    assert sealer._number == MOST_CHUNKS
    for more in (sealer.end, lambda: sealer.take(bytes(CHUNK))):
        with pytest.raises(Unsealable):
            more()


def test_a_key_handed_over_opens_for_the_taker_and_for_nobody_else():
    one = sealed(b"scan", holder=FILE)
    theirs = KEYS.hand_over(FILE, SUBJECT, EVIDENCE_CLASS, one.wrapped)
    mine = dataclasses.replace(one, wrapped=theirs, place=attached())
    assert opens(mine) == b"scan"
    for wrong in (dataclasses.replace(one, place=attached()), dataclasses.replace(mine, place=one.place)):
        with pytest.raises(Unopenable):
            opens(wrong)
    with pytest.raises(Unopenable):
        KEYS.hand_over(RECORD, SUBJECT, EVIDENCE_CLASS, one.wrapped)
    with pytest.raises(Unsealable):
        KEYS.hand_over(FILE, bytes(16), EVIDENCE_CLASS, one.wrapped)


def test_ids_of_another_length_are_refused():
    for change in ({"association": b"short"}, {"attachment": b""}):
        with pytest.raises(ValueError):
            attached(**change)


def test_nothing_of_the_content_is_in_what_is_printed():
    one = sealed(b"secret scan")
    assert repr(one.sealed) == f"SealedAttachment({FILE.hex()}, 1 chunks)"


@pytest.mark.parametrize("row", json.loads(VECTORS.read_text()))
def test_a_golden_attachment(row: dict[str, Any]):
    data_key, association, file = (bytes.fromhex(row[name]) for name in ("data_key", "association", "attachment"))
    content = bytes_of(row["content"], row["size"])
    sealer = Sealer(
        DataKey(data_key, EVIDENCE_CLASS, 1), Attached(association, file, SUBJECT, EVIDENCE_CLASS), entropy=stream(row["entropy"])
    )
    chunks = [*sealer.take(content), sealer.end()]
    assert sealer.header.hex() == row["header"]
    assert [hashlib.sha256(chunk).hexdigest() for chunk in chunks] == row["chunks"]
    assert second_reader.attachment(data_key, association, file, sealer.header, chunks) == content
