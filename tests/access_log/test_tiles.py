"""Tiles hold the tree's hashes once, and what is asked of them is exactly what the tree has."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from tests.access_log.logs import ASSOCIATION, NOW, World, in_memory, some_leaves, world
from vault.access_log import tables
from vault.access_log.merkle import HASH_BYTES, HashAt, full_root, inclusion, leaf_hash, root_of
from vault.access_log.proofs import consistency_proof, inclusion_proof
from vault.access_log.tiles import (
    TILE_BYTES,
    WIDTH,
    Tile,
    TilePath,
    Tower,
    complete_tiles,
    entry_bundle,
    log_size,
    serve,
    subtrees,
    tile_bytes,
    tile_path,
    with_hashes,
)
from vault.errors import Invalid, NotFound, Unavailable
from vault.storage.transaction import Transaction

MANY = 65_536 + 300
LEAVES = some_leaves(MANY)
HASH_AT = in_memory(LEAVES)


@pytest.fixture
def log(database_url: str, tmp_path: Path):
    with world(database_url, tmp_path / "outside") as made:
        yield made


@pytest.fixture
def sqlite_log(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'vault.sqlite3'}", tmp_path / "outside") as made:
        yield made


def grown(size: int) -> tuple[Tower, list[Tile]]:
    tower = Tower()
    return tower, [tile for first in range(0, size - size % WIDTH, WIDTH) for tile in tower.push(LEAVES[first : first + WIDTH])]


def put(transaction: Transaction, first: int, leaves: list[bytes], tiles: list[Tile]) -> None:
    rows = [{"association_id": ASSOCIATION, "level": level, "number": number, "hashes": hashes} for level, number, hashes in tiles]
    entries = [
        {
            "association_id": ASSOCIATION,
            "number": number,
            "time": NOW,
            "kind": "k",
            "outcome": "allow",
            "actor": "a",
            "leaf": leaf,
            "body": b"entry %d" % number,
        }
        for number, leaf in enumerate(leaves, first)
    ]
    if rows:
        transaction.connection.execute(insert(tables.tile), rows)
    if entries:
        transaction.connection.execute(insert(tables.entry), entries)


def asked_for(at: tuple[int, int], hash_at: HashAt) -> bytes:
    return hash_at(*at)


def moved(transaction: Transaction, size: int) -> None:
    transaction.connection.execute(update(tables.head).values(size=size))


def test_a_tower_gives_every_complete_tile_of_every_level_once():
    tower, tiles = grown(MANY)
    assert [(level, number) for level, number, _ in tiles if level] == [(1, 0)]
    assert [number for level, number, _ in tiles if not level] == list(range(MANY // WIDTH))
    level_one = next(hashes for level, _, hashes in tiles if level)
    assert level_one == b"".join(HASH_AT(8, position) for position in range(WIDTH))
    assert tower.ragged() == [(1, 1, HASH_AT(8, 256)), (2, 0, HASH_AT(16, 0))]


def test_a_row_of_level_zero_ends_with_the_subtrees_that_end_with_it():
    for level, number, hashes in grown(4096)[1]:
        tail = [hashes[at : at + HASH_BYTES] for at in range(TILE_BYTES, len(hashes), HASH_BYTES)]
        assert level == 0
        assert hashes[:TILE_BYTES] == b"".join(LEAVES[number * WIDTH : (number + 1) * WIDTH])
        assert tail == [HASH_AT(8 + height, number >> height) for height in range(len(tail))]
        assert len(tail) == ((number + 1) & -(number + 1)).bit_length()


@pytest.mark.parametrize(
    ("old", "new"), [(0, 255), (0, 256), (0, 1000), (255, 256), (255, 257), (300, 400), (511, 513), (768, 1800), (1023, 1024)]
)
def test_a_deed_stores_the_tiles_its_entries_complete(log: World, old: int, new: int):
    already = grown(old)[1]
    ragged = old - old % WIDTH
    with log.writing() as transaction:
        put(transaction, ragged, LEAVES[ragged:old], already)
        assert complete_tiles(transaction, ASSOCIATION, old, LEAVES[old:new]) == grown(new)[1][len(already) :]


def test_the_deed_that_fills_a_tile_of_hashes_of_tiles_stores_that_too(log: World):
    old, new = 65_500, 65_800
    already, ragged = grown(old)[1], old - old % WIDTH
    with log.writing() as transaction:
        put(transaction, ragged, LEAVES[ragged:old], already)
        assert complete_tiles(transaction, ASSOCIATION, old, LEAVES[old:new]) == grown(new)[1][len(already) :]
        assert grown(new)[1][-2][0] == 1


def test_a_deed_over_a_ragged_edge_with_a_hole_is_not_carried_out(log: World):
    with log.writing() as transaction:
        put(transaction, 1, LEAVES[1:200], [])
        with pytest.raises(Unavailable, match="integrity"):
            complete_tiles(transaction, ASSOCIATION, 200, LEAVES[200:300])


def test_every_hash_is_read_back_from_rows(log: World):
    size, ragged = MANY, MANY - MANY % WIDTH
    asked = [
        (0, 0),
        (0, 70),
        (3, 9),
        (7, 511),
        (8, 0),
        (8, 255),
        (8, 256),
        (9, 127),
        (15, 1),
        (16, 0),
        (0, MANY - 1),
        (2, (ragged >> 2) + 3),
    ]
    with log.writing() as transaction:
        put(transaction, ragged, LEAVES[ragged:], grown(size)[1])

        def found(hash_at: HashAt) -> list[bytes]:
            return [hash_at(*at) for at in asked]

        assert with_hashes(transaction, ASSOCIATION, found) == [HASH_AT(*at) for at in asked]
        assert with_hashes(transaction, ASSOCIATION, lambda hash_at: root_of(size, hash_at)) == root_of(size, HASH_AT)
        assert subtrees(transaction, ASSOCIATION, []) == {}
        moved(transaction, size)
        for index in (0, 300, 65_535, 65_536, MANY - 1):
            assert inclusion_proof(transaction, ASSOCIATION, index, size) == inclusion(index, size, HASH_AT)


def test_a_hash_that_is_not_stored_is_an_alarm_and_no_guess(log: World):
    with log.writing() as transaction:
        put(transaction, 0, LEAVES[:10], [(0, 1, bytes(100)), (0, 2, bytes(TILE_BYTES))])
        for at in ((0, 10), (4, 0), (0, 300), (8, 0), (8, 1), (8, 2), (9, 0)):
            with pytest.raises(Unavailable, match="integrity"):
                with_hashes(transaction, ASSOCIATION, partial(asked_for, at))


def test_a_text_in_the_place_of_hashes_is_an_alarm(sqlite_log: World):
    with sqlite_log.writing() as transaction:
        put(transaction, 0, LEAVES[:10], [(0, 1, bytes(TILE_BYTES + HASH_BYTES))])
        moved(transaction, 600)
        transaction.connection.exec_driver_sql("UPDATE access_log_entry SET leaf = 'text', body = 'text'")
        transaction.connection.exec_driver_sql("UPDATE access_log_tile SET hashes = 'text'")
        for work in (
            lambda: tile_bytes(transaction, ASSOCIATION, 0, 0, 10),
            lambda: tile_bytes(transaction, ASSOCIATION, 0, 1, WIDTH),
            lambda: entry_bundle(transaction, ASSOCIATION, 0, 10),
            lambda: with_hashes(transaction, ASSOCIATION, lambda hash_at: hash_at(0, 300)),
            lambda: subtrees(transaction, ASSOCIATION, [(8, 1)]),
        ):
            with pytest.raises(Unavailable, match="integrity"):
                work()


def test_tiles_are_served_full_and_partial_as_c2sp_has_them(log: World):
    log.append(600)
    with log.reading() as transaction:
        bodies = [row.body for row in transaction.connection.execute(tables.entry.select().order_by(tables.entry.c.number))]
        leaves = [leaf_hash(body) for body in bodies]
        for text, expected in (
            ("0/000", b"".join(leaves[:256])),
            ("0/001", b"".join(leaves[256:512])),
            ("0/000.p/3", b"".join(leaves[:3])),
            ("0/002.p/88", b"".join(leaves[512:])),
            ("1/000.p/2", full_root(leaves[:256]) + full_root(leaves[256:512])),
            ("1/000.p/1", full_root(leaves[:256])),
        ):
            assert serve(transaction, ASSOCIATION, tile_path(text)) == expected
        served = serve(transaction, ASSOCIATION, tile_path("entries/002.p/88"))
        read = []
        while served:
            length = int.from_bytes(served[:2], "big")
            read.append(served[2 : 2 + length])
            served = served[2 + length :]
        assert read == bodies[512:]


@pytest.mark.parametrize("text", ["0/002", "0/002.p/89", "1/000", "1/000.p/3", "2/000.p/1", "5/000.p/1", "entries/002", "entries/003.p/1"])
def test_no_tile_is_served_beyond_the_log(sqlite_log: World, text: str):
    sqlite_log.append(600)
    with sqlite_log.reading() as transaction, pytest.raises(NotFound):
        serve(transaction, ASSOCIATION, tile_path(text))


def test_a_stored_tile_that_is_gone_is_an_alarm_and_no_short_answer(sqlite_log: World):
    sqlite_log.append(600)
    with sqlite_log.writing() as transaction:
        transaction.connection.execute(delete(tables.tile))
        transaction.connection.execute(delete(tables.entry).where(tables.entry.c.number == 5))
        for text in ("0/000", "1/000.p/2", "0/000.p/9", "entries/000"):
            with pytest.raises(Unavailable, match="integrity"):
                serve(transaction, ASSOCIATION, tile_path(text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(0, 0, 256), "0/000"),
        (TilePath(0, 1_234_067, 256), "0/x001/x234/067"),
        (TilePath(3, 999, 7), "3/999.p/7"),
        (TilePath(None, 1000, 256), "entries/x001/000"),
        (TilePath(None, 5, 255), "entries/005.p/255"),
    ],
)
def test_a_tile_has_the_address_that_c2sp_gives_it(path: TilePath, text: str):
    assert str(path) == text
    assert tile_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0/0", "0/0000", "6/000", "00/000", "0/x000/001", "0/001/002", "-1/000", "entries/../000", "0/000/", "data/000"),
        *("0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/999", "0/٠٠٠", "0/000\n"),
    ],
)
def test_any_other_address_is_not_found(text: str):
    with pytest.raises(NotFound):
        tile_path(text)


def test_of_a_log_that_is_not_there_nothing_is_found(sqlite_log: World):
    with sqlite_log.reading() as transaction:
        for work in (
            lambda: log_size(transaction, bytes(16)),
            lambda: serve(transaction, bytes(16), TilePath(0, 0, 1)),
            lambda: inclusion_proof(transaction, bytes(16), 0, 1),
            lambda: consistency_proof(transaction, bytes(16), 1, 1),
        ):
            with pytest.raises(NotFound):
                work()


@pytest.mark.parametrize(
    ("proof", "first", "second", "field"),
    [
        (inclusion_proof, 0, 0, "size"),
        (inclusion_proof, 0, 301, "size"),
        (inclusion_proof, 300, 300, "index"),
        (inclusion_proof, -1, 300, "index"),
        (consistency_proof, 0, 300, "from"),
        (consistency_proof, 5, 4, "from"),
        (consistency_proof, 1, 301, "to"),
        (consistency_proof, 0, 0, "to"),
    ],
)
def test_a_proof_of_what_the_log_does_not_have_is_out_of_range(sqlite_log: World, proof, first: int, second: int, field: str):
    sqlite_log.append(300)
    with sqlite_log.reading() as transaction, pytest.raises(Invalid, match="out-of-range") as refused:
        proof(transaction, ASSOCIATION, first, second)
    assert [(error.field, error.code) for error in refused.value.errors] == [(field, "out-of-range")]
