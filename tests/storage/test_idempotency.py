"""A repeat is answered from what the first request made, for a day, and only for the same body."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import pytest
from sqlalchemy import func, literal_column, select, update

from vault.errors import Conflict, Unavailable
from vault.storage.engine import Database
from vault.storage.idempotency import KEPT_MICROSECONDS, made_before, once, remember, table
from vault.storage.transaction import Transaction

OURS, OTHERS = b"\x01" * 16, b"\x02" * 16
NOW = 1_790_000_000_000_000
MADE = b"\x0a" * 16


def asked(**changes):
    said = {"caller": "client:1", "route": "POST /records", "key": "k" * 16, "body": b"{}"} | changes
    return once(lambda what, content: sha256(what.encode() + b"\x00" + content).digest(), **said)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    with made.connect() as connection, connection.begin():
        table.create(connection)
    yield made
    made.dispose()


@contextmanager
def at(database: Database, now: int = NOW) -> Iterator[Transaction]:
    with database.connect() as connection, connection.begin():
        yield Transaction(connection, now)


def test_a_new_request_made_nothing_before(database: Database):
    with at(database) as transaction:
        assert made_before(transaction, OURS, asked()) is None


def test_a_repeat_gives_the_id_of_what_was_made(database: Database):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
    with at(database, NOW + KEPT_MICROSECONDS) as transaction:
        assert made_before(transaction, OURS, asked()) == MADE


@pytest.mark.parametrize("change", [{"caller": "client:2"}, {"route": "POST /orders"}, {"key": "l" * 16}])
def test_another_caller_route_or_key_is_another_request(database: Database, change: dict[str, str]):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        assert made_before(transaction, OURS, asked(**change)) is None


def test_another_association_knows_nothing_of_it(database: Database):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        assert made_before(transaction, OTHERS, asked()) is None


def test_another_body_under_the_same_key_is_a_mismatch(database: Database):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        with pytest.raises(Conflict) as refused:
            made_before(transaction, OURS, asked(body=b'{"a":1}'))
    assert refused.value.code == "idempotency-mismatch"


def test_after_a_day_a_key_counts_for_nothing_and_may_be_used_again(database: Database):
    later = NOW + KEPT_MICROSECONDS + 1
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
    with at(database, later) as transaction:
        assert made_before(transaction, OURS, asked(body=b"other")) is None
        remember(transaction, OURS, asked(body=b"other"), b"\x0b" * 16, 201)
        assert made_before(transaction, OURS, asked(body=b"other")) == b"\x0b" * 16


def test_what_is_older_than_a_day_goes_with_the_next_deed_and_only_our_own(database: Database):
    with at(database) as transaction:
        for number in range(5):
            remember(transaction, OURS, asked(key=f"{number:016}"), MADE, 201)
        remember(transaction, OTHERS, asked(), MADE, 201)
    with at(database, NOW + KEPT_MICROSECONDS + 1) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        count = select(table.c.association_id, func.count()).group_by(table.c.association_id)
        assert {bytes(who): number for who, number in transaction.connection.execute(count)} == {OURS: 1, OTHERS: 1}


def test_neither_key_nor_body_is_stored(database: Database):
    with at(database) as transaction:
        remember(transaction, OURS, asked(key="planted-canary-k", body=b"planted-canary-b"), MADE, 201)
        stored = b"".join(bytes(cell) for row in transaction.connection.execute(select(table)) for cell in row if not isinstance(cell, int))
    assert b"canary" not in stored


ANOTHERS: dict[str, object] = {
    "made": b"\x0b" * 16,
    "status": 200,
    "kept_from": NOW + 1,
    "body_mac": asked(body=b"other").body_mac,
    "key_mac": asked(key="l" * 16).key_mac,
    "mac": bytes(32),
}


@pytest.mark.parametrize("column", ANOTHERS)
def test_a_row_that_somebody_else_wrote_is_an_alarm(database: Database, column: str):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        transaction.connection.execute(update(table).values({column: ANOTHERS[column]}))
        with pytest.raises(Unavailable) as refused:
            made_before(transaction, OURS, asked(key="l" * 16) if column == "key_mac" else asked())
    assert refused.value.code == "integrity"


def test_the_answer_of_another_request_is_an_alarm(database: Database):
    other = asked(key="l" * 16)
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        remember(transaction, OURS, other, b"\x0b" * 16, 201)
        theirs = transaction.connection.execute(select(table.c.made, table.c.mac).where(table.c.key_mac == other.key_mac)).one()
        transaction.connection.execute(update(table).where(table.c.key_mac == asked().key_mac).values(made=theirs.made, mac=theirs.mac))
        with pytest.raises(Unavailable):
            made_before(transaction, OURS, asked())


def test_another_associations_row_is_an_alarm(database: Database):
    with at(database) as transaction:
        remember(transaction, OTHERS, asked(), MADE, 201)
        transaction.connection.execute(update(table).values(association_id=OURS))
        with pytest.raises(Unavailable):
            made_before(transaction, OURS, asked())


@pytest.mark.parametrize("column", ["made", "mac", "body_mac"])
def test_a_text_where_bytes_belong_is_an_alarm_and_no_defect(database: Database, column: str):
    with at(database) as transaction:
        remember(transaction, OURS, asked(), MADE, 201)
        transaction.connection.execute(update(table).values({column: literal_column("'text'")}))
        with pytest.raises(Unavailable):
            made_before(transaction, OURS, asked())
