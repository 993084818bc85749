"""The one family of errors the rooms raise: each has a stable code and no HTTP number.

Invariant: no message carries input, a stored value or a library's text; what a person reads is looked up by code at the web front.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class VaultError(Exception):
    """What went wrong, by a stable code of lower case and hyphens."""

    code = "error"

    def __init__(self, code: str | None = None) -> None:
        """Keep the class's code, or the one given."""
        if code is not None:
            self.code = code
        super().__init__(self.code)


class NotFound(VaultError):
    """Nothing by that name for this caller: one answer for what never was and what is another's."""

    code = "not-found"


class Unauthenticated(VaultError):
    """Nobody the vault knows."""

    code = "unauthenticated"


class Conflict(VaultError):
    """The deed meets a state that does not allow it (409, 410, 412, 428 by code)."""

    code = "conflict"


class Stale(Conflict):
    """What a decision rested on has moved since; `leaf_hash` is that of the entry that says so (32 bytes)."""

    code = "decision-stale"

    def __init__(self, leaf_hash: bytes) -> None:
        """Hold the entry's place."""
        super().__init__()
        self.leaf_hash = leaf_hash


class Gone(VaultError):
    """It was made and is erased (410)."""

    code = "gone"


class Unavailable(VaultError):
    """The vault cannot do it now and did nothing: `log-unavailable`, `busy`, `integrity`, `clock`, `sealed`."""

    code = "log-unavailable"


class Malformed(VaultError):
    """The request cannot be read (400, 413, 415 by code)."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One member of the body that does not hold: its dotted path and a stable code, never its value."""

    field: str
    code: str


class RangeNotSatisfiable(VaultError):
    """The file has none of the bytes that are asked for (416); `size` is how many it has."""

    code = "range-not-satisfiable"

    def __init__(self, size: int) -> None:
        """Hold the file's size in bytes."""
        super().__init__()
        self.size = size


class Invalid(VaultError):
    """The request was read and does not hold (422), member by member."""

    code = "invalid"

    def __init__(self, errors: Sequence[FieldError] = (), code: str | None = None) -> None:
        """Hold the members that do not hold."""
        super().__init__(code)
        self.errors = tuple(errors)


class TooMany(VaultError):
    """A named limit is reached (429)."""

    code = "too-many-requests"

    def __init__(self, retry_after: int = 1) -> None:
        """Hold the whole seconds after which it is worth trying again."""
        super().__init__()
        self.retry_after = retry_after


class Refused(VaultError):
    """A verdict said no: its entry is committed before this is raised.

    `code` is the reason in lower case with hyphens, `leaf_hash` the entry's (32 bytes), `article` and `law` as the problem document
    cites them.
    """

    def __init__(
        self,
        reason: str,
        *,
        article: str,
        law: str = "",
        fields_covered: Sequence[str] = (),
        missing: Sequence[str] = (),
        leaf_hash: bytes = b"",
    ) -> None:
        """Hold what the problem document tells."""
        super().__init__(reason.lower().replace("_", "-"))
        self.article = article
        self.law = law
        self.fields_covered = tuple(fields_covered)
        self.missing = tuple(missing)
        self.leaf_hash = leaf_hash
