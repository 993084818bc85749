"""A secret of 32 bytes that does not print, pickle, copy or format itself, and what else holds one.

Invariant: the bytes leave only by `reveal()`, which only this package calls. Python cannot wipe them: this lowers
exposure, it does not end it.
"""

import os
from collections.abc import Callable
from typing import NoReturn, Self

SIZE = 32


class Unspoken:
    """What holds a secret: it names its type where it is printed, and is not formatted, copied, pickled or taken apart."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Name the type and nothing else."""
        return f"{type(self).__name__}(…)"

    def __format__(self, spec: str) -> NoReturn:
        """Refuse to be formatted into a text."""
        raise TypeError(repr(self))

    def __copy__(self) -> NoReturn:
        """Refuse to be copied."""
        raise TypeError(repr(self))

    def __deepcopy__(self, memo: object) -> NoReturn:
        """Refuse to be copied inside something else."""
        raise TypeError(repr(self))

    def __getstate__(self) -> NoReturn:
        """Refuse to hand out the state a copy or a pickle would be made from."""
        raise TypeError(repr(self))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError(repr(self))


class Secret(Unspoken):
    """Thirty-two secret bytes."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes) -> None:
        """Hold `value`; anything but 32 bytes is a ValueError."""
        if type(value) is not bytes or len(value) != SIZE:
            message = "a secret is 32 bytes"
            raise ValueError(message)
        self._bytes = value

    @classmethod
    def random(cls, entropy: Callable[[int], bytes] = os.urandom) -> Self:
        """Make a secret from the system's randomness."""
        return cls(entropy(SIZE))

    def reveal(self) -> bytes:
        """Return the 32 bytes; for use inside this package only."""
        return self._bytes
