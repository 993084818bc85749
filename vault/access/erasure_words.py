"""What the journal says of an erasure, so that a database that lost it is given the same request and no other.

Format: docs/spec/journal.md. Random references, times and names of classes; never a reason and never a value.
"""

from dataclasses import dataclass
from typing import Final, Self

from vault.access.certificate import ErasureFact
from vault.storage.journal import Closing

LOCK: Final = "lock"
ERASE: Final = "erasure"


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

    @classmethod
    def read(cls, detail: str) -> Self:
        """The words of a line's detail."""
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
