"""Find by value without opening a cell: a truncated keyed token per value, and a check under the person's own key.

Invariants: tokens of one value differ between associations, fields and index versions; a token is so short that it
always stands for several values; the check dies with the person's key; a field of fewer than 16 distinct values gets
no index. Format and planner: docs/spec/blind-index.md.
"""

import math
import struct

from cryptography.hazmat.primitives.hmac import HMAC

from keys.derive import hkdf, joined, keyed, subkey
from keys.keyring import DataKey
from keys.secret import Secret, Unspoken

FEWEST_DISTINCT = 16
MOST_BITS = 32
_FIELD = struct.Struct(">HI")
_LABEL = b"bidx/v1"
_CHECK = b"vault/check/v1"
_ID = 16


class LowCardinality(ValueError):
    """The field has too few distinct values: an index over it would tell them apart by counting."""


class Index(Unspoken):
    """The tokens of one association; the key of each field and index version is set up once."""

    __slots__ = ("_association", "_root", "_states")

    def __init__(self, index_root: Secret, association: bytes) -> None:
        """Take the association's index root and its 16-byte id."""
        if len(association) != _ID:
            message = "ids are 16 bytes"
            raise ValueError(message)
        self._root = index_root
        self._association = association
        self._states: dict[tuple[int, int], HMAC] = {}

    def token(self, field_id: int, index_version: int, bits: int, *values: str, partition: int = 0) -> int:
        """Return the leftmost `bits` (1 to 32) of the keyed hash of the normalised value, or of several as one compound."""
        if not 1 <= bits <= MOST_BITS:
            message = "a token has 1 to 32 bits"
            raise ValueError(message)
        state = self._state(field_id, index_version)
        state.update(joined(bytes([partition]), *map(str.encode, values)))
        return int.from_bytes(state.finalize()[:4], "big") >> (32 - bits)

    def _state(self, field_id: int, index_version: int) -> HMAC:
        ready = self._states.get((field_id, index_version))
        if ready is None:
            place = self._association + _FIELD.pack(field_id, index_version)
            ready = self._states[field_id, index_version] = keyed(hkdf(self._root.reveal(), b"", _LABEL + place, 32), b"")
        return ready.copy()


def check(data_key: DataKey, field_id: int, index_version: int, value: str) -> bytes:
    """Return the 16-byte check of the normalised value under the person's own key: compared instead of opening a cell."""
    state = keyed(subkey(data_key.reveal(), _CHECK), _FIELD.pack(field_id, index_version))
    state.update(value.encode())
    return state.finalize()[:16]


def plan(population: int, distinct: int) -> int:
    """Return the token length in bits for so many people and so many distinct values of the field.

    The longest that still gives more than two candidates a lookup: 2^bits < X / 2, X the smaller of both numbers.
    LowCardinality if X is below 16.
    """
    return span(population, distinct)[1]


def span(population: int, distinct: int) -> tuple[int, int]:
    """Return the shortest and the longest length in bits between which a plan may lie: sqrt(X) < 2^bits < X / 2."""
    expected = min(population, distinct)
    if expected < FEWEST_DISTINCT:
        message = "fewer than 16 distinct values"
        raise LowCardinality(message)
    longest = min(math.ceil(expected / 2) - 1, 2**MOST_BITS - 1).bit_length() - 1
    return min(math.isqrt(expected).bit_length(), longest), longest
