"""Hot statements give the rows the same Core statement gives, on both engines, for any length of their list."""

from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, insert, select, update

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


@pytest.mark.parametrize("length", [1, 2, 3, 5, 511, 512, 513, 1025])
def test_a_list_of_any_length_finds_each_of_its_rows_once(transaction: Transaction, length: int):
    ADD.run(transaction, ({"association": ASSOCIATION, "n": n, "w": "w"} for n in range(1100)))
    assert [number for number, _ in OF.rows(transaction, {"association": ASSOCIATION}, list(range(length)))] == list(range(length))


def test_a_list_of_any_length_compiles_no_statement_longer_than_five_hundred_and_twelve(transaction: Transaction):
    built: list[int] = []

    def build(size: int):
        built.append(size)
        return OF.build(size)

    ADD.run(transaction, [{"association": ASSOCIATION, "n": 7, "w": "w"}])
    found = Hot(build).rows(transaction, {"association": ASSOCIATION}, [*range(70_000), 7])
    assert [number for number, _ in found] == [7]
    assert max(built) == 512


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


def added(*numbers: int) -> list[dict[str, object]]:
    return [{"association": ASSOCIATION, "n": n, "w": "w"} for n in numbers]


def found(transaction: Transaction) -> list[int]:
    """What a Core statement finds, which knows nothing of rows held back."""
    return list(transaction.connection.execute(select(deed.c.number).order_by(deed.c.number)).scalars())


def test_rows_held_back_are_there_before_a_hot_statement_reads_or_changes_anything(transaction: Transaction):
    change = hot(update(deed).where(deed.c.number == bindparam("which")).values(word=bindparam("new_word")))
    with transaction.gathering():
        assert ADD.run(transaction, added(1, 2)) == 2
        assert found(transaction) == []
        assert [number for number, _ in OF.rows(transaction, {"association": ASSOCIATION}, [1, 2])] == [1, 2]
        ADD.run(transaction, added(3))
        assert change.run(transaction, [{"which": 3, "new_word": "changed"}]) == 1
        ADD.run(transaction, added(4))
        assert found(transaction) == [1, 2, 3]
    assert found(transaction) == [1, 2, 3, 4]
    ADD.run(transaction, added(5))
    assert found(transaction) == [1, 2, 3, 4, 5]


def test_what_was_held_back_after_a_mark_is_forgotten_unless_it_is_written(transaction: Transaction):
    with transaction.gathering() as held:
        ADD.run(transaction, added(1))
        mark = held.mark()
        ADD.run(transaction, added(2, 3))
        held.rewind(mark)
        ADD.run(transaction, added(4))
        transaction.write_gathered()
        held.rewind(held.mark())
        with pytest.raises(ValueError, match="what is written"):
            held.rewind(mark)
    assert found(transaction) == [1, 4]


def test_what_is_held_back_is_not_written_where_the_work_fails(transaction: Transaction):
    def fails() -> None:
        with transaction.gathering():
            ADD.run(transaction, added(1))
            raise KeyError("a defect")

    with pytest.raises(KeyError):
        fails()
    ADD.run(transaction, added(2))
    assert found(transaction) == [2]
