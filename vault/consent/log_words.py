"""Tells whether the log knows a consent that no row leads to: what somebody took out of the index is an alarm and never "not found".

Invariant: asked only where the index has no such consent, beside the queue of deeds, so that a mistyped id holds up nobody.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import ColumnElement, LargeBinary, func, literal, select

from vault.access_log.entry import EntryRefused, parse
from vault.access_log.tables import entry
from vault.errors import NotFound, Unavailable
from vault.rulebook.association import Association
from vault.storage.transaction import Transaction

T = TypeVar("T")
GRANTED = "consent.granted"


async def not_lost(association: Association, consent: bytes, deed: Callable[[], Awaitable[T]]) -> T:
    """What the deed gives. Raises Unavailable `integrity` where it finds no such consent and the log does, and what the deed raises."""
    try:
        return await deed()
    except NotFound as missing:
        if await association.look(lambda transaction: was_granted(transaction, association.id, consent)):
            raise Unavailable("integrity") from missing
        raise


def was_granted(transaction: Transaction, association: bytes, consent: bytes) -> bool:
    """True where an entry tells that this consent was recorded."""
    said = consent.hex()
    query = select(entry.c.body).where(
        entry.c.association_id == association,
        entry.c.kind == GRANTED,
        _holds(transaction, said.encode()),
    )
    with transaction.connection.execute(query.order_by(entry.c.number.desc()), execution_options={"yield_per": 64}) as rows:
        return any(_names(bytes(row.body), said) for row in rows)


def _names(body: bytes, said: str) -> bool:
    # The bytes of an id may stand in an entry for another reason: as a person's or a record's.
    try:
        return said in parse(body).entry.consents
    except EntryRefused:
        # An entry that is none any more: whoever changed it may have meant this very consent.
        return True


def _holds(transaction: Transaction, said: bytes) -> ColumnElement[bool]:
    """The body holds these bytes, which are hexadecimal digits: nothing in them is a pattern."""
    if transaction.connection.dialect.name == "sqlite":
        return func.instr(entry.c.body, literal(said, LargeBinary)) > 0
    return entry.c.body.op("LIKE", is_comparison=True)(literal(b"%" + said + b"%", LargeBinary)).is_(True)
