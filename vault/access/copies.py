"""What became of the word that no older copy opens what was erased: which epochs are retired since, and which named copies are still about.

Invariant: it is kept only when every epoch that the destroyed keys were wrapped under is retired and every named copy of that day is gone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.access.certificate import ERASURE, Certificate
from vault.errors import Unavailable
from vault.rulebook.facts import holding
from vault.rulebook.key_facts import KeysFact, keys_fact_from

DAYS: Final = 35
"""Days from the approval to the day named: thirty to answer a person (law, regulation 3) and five to destroy (docs/adr/0039)."""
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Since:
    """How a certificate's word stands: retired epochs with the moment, copies not accounted for, and since when nothing opens."""

    epochs: tuple[int, ...]
    due: str
    retired: tuple[tuple[int, int], ...]
    left: tuple[str, ...]
    gone_at: int | None

    def is_late(self, now: int) -> bool:
        """Whether the day named has passed and something still opens."""
        return bool(self.due) and self.gone_at is None and day_of(now) > self.due


def day_of(moment: int, days: int = 0) -> str:
    """The day of a moment in microseconds UTC, so many days later, as YYYY-MM-DD."""
    return (datetime.fromtimestamp(moment // _MICROSECONDS, UTC) + timedelta(days=days)).date().isoformat()


def since(certificate: Certificate, known: KeysFact) -> Since:
    """How the word of a certificate stands by what the log says of the keys."""
    retirements = {epoch: known.retirement_of(epoch) for epoch in certificate.epochs}
    found = {epoch: each for epoch, each in retirements.items() if each is not None}
    gone = [known.gone_at(epoch) for epoch in certificate.epochs]
    left = sorted({copy.name for each in found.values() for copy in each.copies if copy.gone_at is None})
    return Since(
        certificate.epochs,
        certificate.due,
        tuple((epoch, each.at) for epoch, each in found.items()),
        tuple(left),
        None if None in gone else _last(certificate, gone),
    )


def _last(certificate: Certificate, moments: Iterable[int | None]) -> int:
    return max([certificate.approved_at, *(each for each in moments if each is not None)])


def words_given(connection: Connection, cabinet: Cabinet, association: bytes) -> list[tuple[str, Since]]:
    """Every erasure's id (hexadecimal) that was certified, and how its word stands: for examiners."""
    known = keys_fact_from(connection, cabinet, association)
    erasures = holding(connection, cabinet, association, ERASURE)
    return [(id_, since(each.certificate, known)) for id_, each in sorted(erasures.items()) if each.certificate is not None]


def examine(connection: Connection, cabinet: Cabinet, association: bytes, now: int) -> Iterator[str]:
    """Certificates whose day has passed while an older copy still opens, in words: for `amanah doctor`."""
    try:
        words = words_given(connection, cabinet, association)
    except Unavailable:
        return  # named with the facts
    for id_, each in words:
        if each.is_late(now):
            yield f"erasure {id_}: no copy was to open after {each.due}, and one does; amanah keys status says what to do"
