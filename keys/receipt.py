"""The receipt of a committed log entry: the one thing that opens cells, once.

Only the access log makes receipts, after the commit. Invariant: a receipt is consumed at most once in its process,
whatever threads race for it, and cannot be doubled by copy or pickle.
"""

from dataclasses import dataclass, field
from typing import NoReturn

from keys.errors import Unopenable


@dataclass(frozen=True, slots=True)
class Receipt:
    """Entry `index` with `leaf_hash` (32 bytes) allows these fields of this record (16-byte id) at this revision.

    Where `attachment` (16-byte id) is named, it allows that file instead, and no field.
    """

    index: int
    leaf_hash: bytes
    record: bytes
    fields: frozenset[str]
    revision: int
    attachment: bytes = b""
    _unused: list[None] = field(default_factory=lambda: [None], init=False, repr=False, compare=False)

    def consume(self) -> None:
        """Use the receipt up; the second time is Unopenable."""
        try:
            self._unused.pop()  # one atomic step: of two threads one gets it
        except IndexError:
            raise Unopenable from None

    def __copy__(self) -> NoReturn:
        """Refuse to be doubled."""
        raise TypeError(type(self).__name__)

    def __deepcopy__(self, memo: object) -> NoReturn:
        """Refuse to be doubled inside something else."""
        raise TypeError(type(self).__name__)

    def __getstate__(self) -> NoReturn:
        """Refuse to hand out the state a copy would be made from."""
        raise TypeError(type(self).__name__)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError(type(self).__name__)
