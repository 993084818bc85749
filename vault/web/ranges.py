"""Parts of a file by number of bytes, as a client asks for them (RFC 9110, 14): what was cut short is taken up again where it ended.

Invariants: a part is asked for one at a time; whoever asks in a way that is not understood, for several parts, or of another file than the
one she began, is given the whole; nothing here is a validator of anything but this one file, whose bytes never change.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vault.errors import RangeNotSatisfiable
from vault.web.call import Call

PARTIAL = 206
HEADERS = frozenset({"Range", "If-Range"})
_RANGE = re.compile(rb"[ \t]*bytes[ \t]*=[ \t,]*([0-9]{0,18})-([0-9]{0,18})[ \t,]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `first` to before `end` of a file of `size` bytes; `asked` where it was asked for as a part."""

    first: int
    end: int
    size: int
    asked: bool = True

    @property
    def length(self) -> int:
        """Tell how many bytes they are."""
        return self.end - self.first

    def headers(self, etag: str) -> Mapping[str, str]:
        """Return the headers that say which part of what this is."""
        told = {"Accept-Ranges": "bytes", "ETag": etag}
        return {**told, "Content-Range": f"bytes {self.first}-{self.end - 1}/{self.size}"} if self.asked else told


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: from this byte to that one, both counted; only a start; only so many at the end; or, with neither, the whole."""

    first: int | None = None
    last: int | None = None

    def of(self, size: int) -> Part:
        """Return the part of a file of so many bytes. Raises RangeNotSatisfiable where it has none of them."""
        if self.first is None and self.last is None:
            return Part(0, size, size, asked=False)
        if self.first is None:
            first, end = max(0, size - (self.last or 0)), size
        else:
            first, end = self.first, size if self.last is None else min(self.last + 1, size)
        if first >= end:
            raise RangeNotSatisfiable(size)
        return Part(first, end, size)


WHOLE = Wish()


def wished(call: Call, etag: str) -> Wish:
    """Return what `Range` asks for, the whole where `If-Range` names another file than this entity tag. Raises Malformed for two of one."""
    given, only_of = call.header("range"), call.header("if-range")
    found = _RANGE.fullmatch(given) if given is not None else None
    if found is None or (only_of is not None and only_of.strip() != etag.encode()):
        return WHOLE
    first, last = (int(number) if number else None for number in found.groups())
    if first is not None and last is not None and last < first:
        return WHOLE  # no range at all (RFC 9110, 14.1.2)
    return Wish(first, last)
