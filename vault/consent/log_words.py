"""Tells whether the log knows a consent that no row leads to: what somebody took out of the index is an alarm and never "not found".

Invariant: asked only where the index has no such consent, beside the queue of deeds, so that a mistyped id holds up nobody.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import ColumnElement, LargeBinary, func, literal, select

from vault.access_log.entry import EntryRefused, parse
from vault.access_log.tables import entry
from vault.errors import Gone, NotFound, Unavailable
from vault.rulebook.association import Association
from vault.storage.transaction import Transaction
from vault.subjects.people import is_erased

T = TypeVar("T")
GRANTED = "consent.granted"
RECORDED = "recorded"
ERASED = "erased"


async def not_lost(association: Association, consent: bytes, deed: Callable[[], Awaitable[T]]) -> T:
    """What the deed gives. Raises Gone where the person of a consent it does not find was erased, Unavailable `integrity` where not."""
    try:
        return await deed()
    except NotFound as missing:
        whose = await association.look(lambda transaction: granted_by(transaction, association.id, consent))
        if whose == ERASED:
            raise Gone from missing
        if whose is not None:
            raise Unavailable("integrity") from missing
        raise


def granted_by(transaction: Transaction, association: bytes, consent: bytes) -> str | None:
    """Whether an entry tells that this consent was recorded: None where none does, ERASED where its person was erased since."""
    said = consent.hex()
    query = select(entry.c.body).where(
        entry.c.association_id == association,
        entry.c.kind == GRANTED,
        _holds(transaction, said.encode()),
    )
    with transaction.connection.execute(query.order_by(entry.c.number.desc()), execution_options={"yield_per": 64}) as rows:
        told = next((bytes(row.body) for row in rows if _names(bytes(row.body), said)), None)
    if told is None:
        return None
    return ERASED if any(is_erased(transaction.connection, association, subject) for subject in _subjects(told)) else RECORDED


def _subjects(body: bytes) -> list[bytes]:
    try:
        return [about.subject for about in parse(body).entry.about]
    except EntryRefused:
        return []


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
