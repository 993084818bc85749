"""What a controller gives back, and how it becomes bytes.

Invariants: JSON is written by msgspec alone; an answer cannot change the headers that keep it out of caches and referrers.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"

_encode = msgspec.json.Encoder(decimal_format="string", uuid_format="canonical").encode


class Pieces(Protocol):
    """The pieces of an answer, one after the other; `aclose` is called whatever became of them, taken or not."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces."""

    async def aclose(self) -> None:
        """Be told that no more is wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A body of `length` bytes that leaves piece by piece."""

    length: int
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a controller.

    `body`: a Struct, dict or list is written as JSON; str and bytes go out as they are, under `media_type`; None is an empty body; a Stream
    leaves piece by piece.
    `status` None means the route's own. `headers` are latin-1 names and values beyond those that every answer has.
    """

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str | None = None

    def content(self) -> bytes | Stream:
        """Return the bytes of the body, or the stream they come in."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes | Stream):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return _encode(self.body)

    def content_type(self, declared: str) -> str:
        """Return the media type: this answer's own, the route's `declared` one, or what the kind of body implies."""
        if self.media_type is not None:
            return self.media_type
        if declared != JSON:
            return declared
        return TEXT if isinstance(self.body, str) else OCTETS if isinstance(self.body, bytes | Stream) else JSON
