"""Ten thousand entries, attacked one by one: our verifier names the entry, and two that are not ours convict the same log.

The others are pymerkle, which knows RFC 6962 and nothing of us, and `second_reader`, written from docs/spec/ alone.
"""

import os
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from pymerkle import InmemoryTree
from sqlalchemy import Connection, delete, insert, select, update

from tests.access_log import second_reader
from tests.access_log.logs import ASSOCIATION, CODE, World, signer, world
from tests.access_log.test_verify import attacked, body_of, forged, numbers
from vault.access_log import tables
from vault.access_log.checkpoint import Checkpoint
from vault.access_log.export import export
from vault.access_log.merkle import leaf_hash

SIZE = 10_000
LAST = SIZE - 1
RNG = random.Random("ten thousand entries")
PLACES = [0, 1, LAST - 1, *RNG.sample(range(2, LAST - 1), 9)]
entry = tables.entry
Attack = Callable[[Connection, int], int]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def grown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A log of ten thousand entries on each database, made once; whoever attacks it is rolled back."""
    folder = tmp_path_factory.mktemp("grown")
    if request.param == "sqlite":
        with world(f"sqlite:///{folder / 'vault.sqlite3'}", folder / "outside") as made:
            made.append(SIZE, at_once=500)
            made.sign()
            yield made
        return
    postgres_url: str = request.getfixturevalue("postgres_url")
    name = f"grown_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as keeper:
        keeper.execute(f"CREATE DATABASE {name}")
        with world(re.sub(r"/[^/?]+\?", f"/{name}?", postgres_url, count=1), folder / "outside") as made:
            made.append(SIZE, at_once=500)
            made.sign()
            yield made
        keeper.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def log(grown: World):
    with grown.database.connect() as connection:
        transaction = connection.begin()
        yield replace(grown, held=connection)
        transaction.rollback()


def bodies(log: World) -> list[bytes]:
    with log.reading() as transaction:
        return [bytes(body) for (body,) in transaction.connection.execute(select(entry.c.body).order_by(entry.c.number))]


def root_by_pymerkle(entries: list[bytes]) -> bytes:
    """The root that a library of other people computes over these entries."""
    tree = InmemoryTree(algorithm="sha256")
    for each in entries:
        tree.append_entry(each)
    return bytes(tree.get_root())


def signed(log: World) -> Checkpoint:
    return Checkpoint.parse(log.outside.read().rpartition("\n\n")[0] + "\n")


def convicted_by_others(log: World) -> bool:
    """Whether pymerkle and the second reader find that this is not what was signed."""
    found, said = bodies(log), signed(log)
    size, root = second_reader.checkpoint(log.outside.read(), signer().vkey)
    assert (size, root) == (said.size, said.root)
    by_second = len(found) < size or second_reader.root([second_reader.leaf(each) for each in found[:size]]) != root
    by_pymerkle = len(found) < size or root_by_pymerkle(found[:size]) != root
    assert by_second == by_pymerkle
    return by_second


def changed(connection: Connection, number: int) -> int:
    connection.execute(update(entry).where(entry.c.number == number).values(body=forged(body_of(connection, number))))
    return number


def dropped(connection: Connection, number: int) -> int:
    connection.execute(delete(entry).where(entry.c.number == number))
    return number


def moved_up(connection: Connection, number: int) -> int:
    """Another entry squeezed in: all behind it move up by one, the last falls off the end of what was signed."""
    rows = connection.execute(select(entry).where(entry.c.number >= number).order_by(entry.c.number)).mappings().all()
    connection.execute(delete(entry).where(entry.c.number >= number))
    body = forged(bytes(rows[0]["body"]))
    added = {**rows[0], "body": body, "leaf": leaf_hash(body)}
    connection.execute(insert(entry), [added, *({**row, "number": row["number"] + 1} for row in rows)])
    return number


def swapped(connection: Connection, number: int) -> int:
    one, other = body_of(connection, number), body_of(connection, number + 1)
    connection.execute(update(entry).where(entry.c.number == number).values(body=other))
    connection.execute(update(entry).where(entry.c.number == number + 1).values(body=one))
    return number


def cut(connection: Connection, number: int) -> int:
    connection.execute(delete(entry).where(entry.c.number >= number))
    return number


ATTACKS: dict[str, Attack] = {"changed": changed, "dropped": dropped, "swapped": swapped, "cut": cut}


def test_the_three_agree_on_a_log_nobody_touched(log: World):
    assert list(log.verify(deep=True)) == []
    assert not convicted_by_others(log)


@pytest.mark.parametrize("how", ATTACKS)
def test_every_attack_on_one_entry_is_named_and_convicted_by_all_three(log: World, how: str):
    for number in PLACES:
        with log.reading() as transaction:
            point = transaction.connection.begin_nested()
            ATTACKS[how](transaction.connection, number)
            assert numbers(log.verify(tree_only=True))[0] == number
            if number in PLACES[:4]:
                assert convicted_by_others(log)
            point.rollback()
    assert list(log.verify(tree_only=True)) == []


@pytest.mark.parametrize("number", [0, PLACES[4], LAST])
def test_an_entry_squeezed_in_is_convicted_by_all_three(log: World, number: int):
    attacked(log, lambda connection: moved_up(connection, number))
    found = log.verify(tree_only=True)
    assert found.first is not None
    assert convicted_by_others(log)
    # Its own leaf hash fits its bytes, so the entries of its tile are named, and the one beyond the head by its number.
    assert SIZE in numbers(found)


def test_a_backup_put_back_is_convicted_by_what_was_signed_since(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'vault.sqlite3'}", tmp_path / "outside") as made:
        made.append(SIZE - 300, at_once=500)
        made.sign()
        with made.database.connect() as connection:
            kept = {table: connection.execute(select(table)).mappings().all() for table in (entry, tables.head, tables.checkpoint)}
        made.append(300)
        made.sign()

        def put_back(connection: Connection) -> None:
            for table, rows in kept.items():
                connection.execute(delete(table))
                connection.execute(insert(table), [dict(row) for row in rows])
            for beside in (tables.subject, tables.fact):
                connection.execute(delete(beside).where(beside.c.number >= SIZE - 300))

        attacked(made, put_back)
        assert any("entries were cut off or an old copy was put back" in str(one) for one in made.verify())
        assert convicted_by_others(made)


def test_ten_thousand_random_deeds_raise_no_false_alarm_in_any_of_the_three(database_url: str, tmp_path: Path):
    rng = random.Random("clean")
    with world(database_url, tmp_path / "outside") as made:
        looked = 0
        while (left := SIZE - made.size) > 0:
            made.append(min(left, rng.choice([1, 2, 7, 64, 255, 256, 257, 900])), at_once=rng.choice([3, 100, 500]))
            if rng.random() < 0.2:
                made.sign()
                assert list(made.verify(held=made.outside.read())) == []
                looked += 1
        made.sign()
        assert looked > 3
        assert list(made.verify(deep=True)) == []
        assert not convicted_by_others(made)
        folder = tmp_path / "export"
        with made.reading() as transaction:
            export(transaction.connection, ASSOCIATION, CODE, vkey=signer().vkey, note=made.outside.read(), folder=folder)
        assert second_reader.verify_folder(folder, signer().vkey) == SIZE
