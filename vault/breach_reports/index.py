"""Holds the index of reports against their facts as a whole, so that no altered row hides a report from officers or cuts a reporter off.

Invariant: an index that disagrees with the log in one column of one row is no index: whoever asks is told so, and the alarm rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, select, type_coerce
from sqlalchemy.types import NullType

from keys.cabinet import Cabinet
from vault.access_log.deed import Deed
from vault.breach_reports.shapes import ReportFact
from vault.breach_reports.tables import KIND, report
from vault.errors import Unavailable
from vault.rulebook import facts

LATELY: Final = 60_000_000
"""Microseconds for which a comparison counts where strangers could make the vault compare again and again."""


def known(connection: Connection, cabinet: Cabinet, association: bytes) -> dict[bytes, ReportFact]:
    """Every report the log knows, by id. Raises Unavailable `integrity`."""
    stored = facts.read_all(connection, cabinet, association, {KIND}).get(KIND, {})
    return {bytes.fromhex(key): msgspec.json.decode(value, type=ReportFact) for key, value in stored.items()}


def differences(connection: Connection, association: bytes, facts_: dict[bytes, ReportFact]) -> Iterator[str]:
    """What the index says otherwise than the facts, row by row in words."""
    told = (report.c.reference, report.c.received_at, report.c.state, report.c.receipt_hash)
    missing = set(facts_)
    for id_, *values in rows(connection, association, report.c.report, *told):
        fact = facts_.get(id_) if isinstance(id_, bytes) else None
        missing.discard(id_)
        if fact is None:
            yield f"breach_report {name(id_)}: no report the log knows"
        elif values != [fact.reference, fact.received_at, fact.state, bytes.fromhex(fact.receipt)]:
            yield f"breach_report {name(id_)}: not what its fact says"
    yield from (f"breach_report {name(id_)}: missing, and the log knows the report" for id_ in sorted(missing))


def held(deed: Deed) -> dict[bytes, ReportFact]:
    """Every report by id, once the whole index was found to say the same. Raises Unavailable `integrity`."""
    connection = deed.transaction.connection
    found = known(connection, deed.cabinet, deed.association)
    if any(True for _ in differences(connection, deed.association, found)):
        raise Unavailable("integrity")
    return found


@dataclass(frozen=True, slots=True)
class Lately:
    """What comparing found last, by association, in this process: when, and whether the index held."""

    _found: dict[bytes, tuple[int, bool]] = field(default_factory=dict)

    def require(self, deed: Deed) -> None:
        """Raise Unavailable `integrity` where the index did not hold when it was last compared, within `LATELY`."""
        at, holds = self._found.get(deed.association, (0, False))
        if not 0 <= deed.now - at < LATELY:
            holds = _holds(deed)
            self._found[deed.association] = (deed.now, holds)
        if not holds:
            raise Unavailable("integrity")


def rows(connection: Connection, association: bytes, *columns: Column[Any]) -> list[tuple[Any, ...]]:
    """These columns of every row of one table, without SQLAlchemy's types: a text where bytes belong shall reach the comparison."""
    query = select(*(type_coerce(column, NullType()) for column in columns)).where(columns[0].table.c.association_id == association)
    return [tuple(row) for row in connection.execute(query)]


def name(id_: object) -> str:
    """How a row is named in words."""
    return id_.hex() if isinstance(id_, bytes) else "?"


def _holds(deed: Deed) -> bool:
    try:
        held(deed)
    except Unavailable:
        return False
    return True
