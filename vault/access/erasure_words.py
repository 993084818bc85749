"""What the journal says of an erasure, so that a database that lost it is given the same request and no other.

Format: docs/spec/journal.md. Random references, times and names of classes; never a reason and never a value. A line of the older form has
the erasure's id alone: it was the whole person's, and who asked and who settled it is not told.
"""

from dataclasses import dataclass
from typing import Final, Self

from vault.access.certificate import ErasureFact
from vault.storage.journal import Closing

LOCK: Final = "lock"
ERASE: Final = "erasure"
ASSOCIATION: Final = "association"
"""Who asks where the law orders it and nobody else does: the purpose has ended, or the retention of the pack (law 18)."""
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Words:
    """The request as a line has it, and who settled it ("" in the line of the lock). Ids in hexadecimal, `asked_at` in microseconds UTC."""

    erasure: str
    asked_by: str
    requested_by: str
    record: str
    asked_at: int
    settled_by: str
    classes: tuple[str, ...]
    is_bare: bool = False

    @classmethod
    def read(cls, detail: str, time: int = 0) -> Self:
        """The words of a line's detail; of one in the older form the id, the line's time, and nobody by name (`is_bare`)."""
        if "|" not in detail:
            return cls(detail, SYSTEM, ASSOCIATION, "", time, SYSTEM, (), is_bare=True)
        erasure, asked_by, requested_by, record, asked_at, settled_by, classes = detail.split("|")
        return cls(erasure, asked_by, requested_by, record, int(asked_at), settled_by, tuple(filter(None, classes.split(","))))

    def request(self, subject: bytes, record: str) -> ErasureFact:
        """The request these words tell of, of this person and through this record of hers."""
        return ErasureFact(
            id=self.erasure,
            subject=subject.hex(),
            record=record,
            requested_by=self.requested_by,
            asked_by=self.asked_by,
            asked_at=self.asked_at,
            classes=self.classes,
        )


def closing(kind: str, asked: ErasureFact, settled_by: str = "") -> Closing:
    """The journal's line for a request that locks, or for one that is carried out by this person."""
    parts = (asked.id, asked.asked_by, asked.requested_by, asked.record, str(asked.asked_at), settled_by, ",".join(asked.classes))
    return Closing(kind, asked.subject, "|".join(parts))
