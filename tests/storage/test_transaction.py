"""Hot statements give the rows the same Core statement gives, on both engines, for any length of their list."""

from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, insert, select

from tests.storage.deeds import ASSOCIATION, NOW, Queue, deed
from vault.storage.transaction import Hot, Transaction, hot

ADD = hot(insert(deed).values(association_id=bindparam("association"), number=bindparam("n"), word=bindparam("w")))
OF = Hot(
    lambda size: (
        select(deed.c.number, deed.c.word)
        .where(deed.c.association_id == bindparam("association"), deed.c.number.in_([bindparam(f"item_{i}") for i in range(size)]))
        .order_by(deed.c.number)
    ),
)


@pytest.fixture
def transaction(queued: Queue) -> Iterator[Transaction]:
    """An open transaction over an empty table."""
    with queued.database.connect() as connection, connection.begin():
        yield Transaction(connection, NOW)


def test_rows_added_are_counted_and_found(transaction: Transaction):
    assert ADD.run(transaction, [{"association": ASSOCIATION, "n": n, "w": "100 %(n)s :n ?"} for n in range(5)]) == 5
    rows = OF.rows(transaction, {"association": ASSOCIATION}, [3, 1])
    assert [tuple(row) for row in rows] == [(1, "100 %(n)s :n ?"), (3, "100 %(n)s :n ?")]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 511, 512, 513])
def test_a_list_of_any_length_finds_each_of_its_rows_once(transaction: Transaction, length: int):
    ADD.run(transaction, ({"association": ASSOCIATION, "n": n, "w": "w"} for n in range(600)))
    assert [number for number, _ in OF.rows(transaction, {"association": ASSOCIATION}, list(range(length)))] == list(range(length))


def test_another_association_is_not_found(transaction: Transaction):
    ADD.run(transaction, [{"association": ASSOCIATION, "n": 1, "w": "w"}])
    assert OF.rows(transaction, {"association": b"\xff" * 16}, [1]) == []


def test_a_statement_is_compiled_once_for_a_length(transaction: Transaction):
    built: list[int] = []

    def build(size: int):
        built.append(size)
        return OF.build(size)

    counted = Hot(build)
    for items in ([1], [2], [1, 2, 3], [4, 5, 6, 7]):
        counted.rows(transaction, {"association": ASSOCIATION}, items)
    assert built == [1, 4]


def test_a_transaction_stands_until_it_is_taken_back(transaction: Transaction):
    ADD.run(transaction, [{"association": ASSOCIATION, "n": 1, "w": "w"}])
    assert transaction.stands
    transaction.driver.execute("ROLLBACK")
    assert not transaction.stands
