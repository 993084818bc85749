"""What a deed refuses before it does anything, and what it leaves when a unit in it fails."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from tests.access_log.logs import ASSOCIATION, World, some_entry, world
from vault.access_log import tables
from vault.access_log.deed import DRAWN_AT_ONCE, Drawn
from vault.access_log.entry import About, Entry, EntryRefused, body, parse
from vault.errors import Refused, Unavailable
from vault.storage.transaction import Transaction


@pytest.fixture
def log(database_url: str, tmp_path: Path) -> Iterator[World]:
    with world(database_url, tmp_path / "outside") as found:
        found.append(5)
        yield found


def begun(log: World) -> None:
    with log.database.connect() as connection, connection.begin():
        log.log.begin(Transaction(connection, log.now))


def test_a_log_without_a_head_takes_no_deed(log: World):
    with log.writing() as transaction:
        transaction.connection.execute(delete(tables.head))
    with pytest.raises(Unavailable, match="integrity"):
        begun(log)


def test_a_head_whose_hashes_do_not_fit_its_size_takes_no_deed(log: World):
    with log.writing() as transaction:
        transaction.connection.execute(update(tables.head).values(frontier=b"short"))
    with pytest.raises(Unavailable, match="integrity"):
        begun(log)


def test_a_refusal_without_an_entry_of_its_own_leaves_none(log: World):
    with log.writing() as transaction:
        deed = log.log.begin(transaction)
        deed.refused(Refused("NO_CONSENT", article="cooperative:6.1"))
        assert deed.size == deed.base


def test_bytes_of_another_format_are_no_entry():
    made = body(some_entry(2), time=1, nonce=bytes(16), writer="w", counter=0)
    with pytest.raises(EntryRefused):
        parse(made.replace(b'"v":1', b'"v":2'))


def test_an_entry_too_large_fails_alone_among_those_appended_together(log: World):
    async def together() -> list[Any]:
        large = Entry(kind="record.listed", outcome="allow", actor="client-1", flags=("x" * 70_000,))
        return list(await asyncio.gather(log.log.append(some_entry(2)), log.log.append(large), return_exceptions=True))

    before = log.size
    good, bad = asyncio.run(together())
    assert isinstance(bad, EntryRefused)
    assert good.index == before
    assert log.size == before + 1
    assert list(log.verify(deep=True)) == []
    log.log.close()
    assert log.log.association == ASSOCIATION


def test_an_entry_that_names_a_person_twice_fails_alone_among_those_appended_together(log: World):
    async def together() -> list[Any]:
        person = bytes([7]) * 16
        twice = Entry(kind="order.registered", outcome="allow", actor="client-1", about=(About(person, bytes(16)), About(person, person)))
        return list(await asyncio.gather(log.log.append(some_entry(2)), log.log.append(twice), return_exceptions=True))

    before = log.size
    good, bad = asyncio.run(together())
    assert isinstance(bad, ValueError)
    assert good.index == before
    assert log.size == before + 1
    assert list(log.verify(deep=True)) == []


def test_what_is_drawn_many_at_a_time_is_given_once_and_as_long_as_asked():
    draw, lengths = Drawn(), [16] * (DRAWN_AT_ONCE // 16 + 3) + [24, DRAWN_AT_ONCE + 1, 16]
    given = [draw(length) for length in lengths]
    assert [len(one) for one in given] == lengths
    assert len(set(given)) == len(given)
