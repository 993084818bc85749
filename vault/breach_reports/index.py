"""Holds the index of reports against their facts as a whole, so that no altered row hides a report from officers or cuts a reporter off.

Invariants: an index that disagrees with the log in one column of one row is no index: whoever asks is told so, and the alarm rings;
comparing holds up no deed.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, select, type_coerce
from sqlalchemy.types import NullType

from keys.cabinet import Cabinet
from vault.access_log.verify import snapshot
from vault.breach_reports.shapes import BREACH_REPORT, ReportFact
from vault.breach_reports.tables import report
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.storage.group_commit import DATABASE_ERRORS

LATELY: Final = 60_000_000
"""Microseconds for which a comparison counts where strangers could make the vault compare again and again."""
SPARING: Final = 50
"""Nor do they make it spend more than a fiftieth of its time on that, however many reports there are."""


def known(connection: Connection, cabinet: Cabinet, association: bytes) -> dict[bytes, ReportFact]:
    """Every report the log knows, by id, without those destroyed. Raises Unavailable `integrity`."""
    return {
        bytes.fromhex(key): fact for key, fact in facts.read_known(connection, cabinet, association, BREACH_REPORT).items() if not fact.gone
    }


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


class Index:
    """Holds the index of each association against its log: beside the queue of deeds, one comparison of an association at a time.

    A fact that was opened once is not opened again, so that a comparison costs what reading the rows costs.
    """

    def __init__(self) -> None:
        """Nothing was compared yet."""
        self._kept: dict[bytes, _Kept] = {}

    async def known(self, association: Association) -> dict[bytes, ReportFact]:
        """Every report by id as of now, once the whole index was found to say the same. Raises Unavailable."""
        kept = self._kept.setdefault(association.id, _Kept())
        async with kept.turn:
            return await asyncio.to_thread(_compare, association, kept)

    async def require(self, association: Association) -> None:
        """Raise Unavailable `integrity` where the index did not hold when it was lately compared (`LATELY`, `SPARING`)."""
        kept = self._kept.setdefault(association.id, _Kept())
        async with kept.turn:
            if not 0 <= association.log.clock() - kept.at < max(LATELY, SPARING * kept.took):
                try:
                    await asyncio.to_thread(_compare, association, kept)
                except Unavailable as error:
                    if error.code != "integrity":
                        raise
        if not kept.holds:
            raise Unavailable("integrity")


@dataclass(slots=True)
class _Kept:
    """What comparing found last: the facts opened so far, when, whether the index held, and how long that took (microseconds)."""

    seen: dict[str, facts.Seen[ReportFact]] = field(default_factory=dict)
    at: int = 0
    holds: bool = False
    took: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def _compare(association: Association, kept: _Kept) -> dict[bytes, ReportFact]:
    began, at = time.monotonic(), association.log.clock()
    try:
        with snapshot(association.database, association.id) as connection:
            kept.seen = facts.read_again(connection, association.cabinet, association.id, BREACH_REPORT, kept.seen)
            found = {bytes.fromhex(key): seen.value for key, seen in kept.seen.items() if not seen.value.gone}
            holds = not any(True for _ in differences(connection, association.id, found))
    except Unavailable:
        kept.at, kept.holds = at, False
        raise
    except DATABASE_ERRORS as error:
        raise Unavailable("log-unavailable") from error
    finally:
        kept.took = int((time.monotonic() - began) * 1_000_000)
    kept.at, kept.holds = at, holds
    if not holds:
        raise Unavailable("integrity")
    return found


def rows(connection: Connection, association: bytes, *columns: Column[Any]) -> list[tuple[Any, ...]]:
    """These columns of every row of one table, without SQLAlchemy's types: a text where bytes belong shall reach the comparison."""
    return [tuple(row) for row in connection.execute(_query(association, *columns))]


def rows_by_and_by(connection: Connection, association: bytes, *columns: Column[Any]) -> Iterator[tuple[Any, ...]]:
    """The same, a few rows in memory at a time."""
    for row in connection.execute(_query(association, *columns), execution_options={"yield_per": 16}):
        yield tuple(row)


def _query(association: bytes, *columns: Column[Any]) -> Select[*tuple[Any, ...]]:
    return select(*(type_coerce(column, NullType()) for column in columns)).where(columns[0].table.c.association_id == association)


def name(id_: object) -> str:
    """How a row is named in words."""
    return id_.hex() if isinstance(id_, bytes) else "?"
