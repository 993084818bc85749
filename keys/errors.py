"""The errors of sealing: one for all that does not open, one for what cannot be sealed.

Invariant: neither carries a word about its cause, and no library's exception hangs on it as context, for such an
exception may hold a plaintext or tell an attacker which check refused him.
"""

import struct
from contextlib import suppress

from cryptography.exceptions import InvalidSignature, InvalidTag


class Unopenable(Exception):
    """What was given does not open here: every parser and every opener says only this."""

    def __init__(self) -> None:
        """Say the one message there is."""
        super().__init__("does not open")


class Unsealable(ValueError):
    """What was to be sealed does not fit the format (type, size or place): a mistake of the calling code."""

    def __init__(self) -> None:
        """Say the one message there is."""
        super().__init__("does not fit the format")


# Used as `with quietly: return ...` followed by `raise Unopenable`: raised after the block, the error has no context.
# TypeError and AttributeError are what a column of another type brings (SQLite takes any), RecursionError nested JSON,
# OverflowError and struct.error numbers that do not fit.
quietly = suppress(
    InvalidTag,
    InvalidSignature,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    OverflowError,
    RecursionError,
    struct.error,
)
