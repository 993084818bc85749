"""A table row by row as bytes, the same for both engines: frames of msgpack, each behind its length. Format: docs/spec/backup.md.

A file is a sequence of frames: `["table", name, columns]` begins a table, `["rows", [row, …]]` brings some of its rows in the order of its
key, `["end", count]` comes last and says how many rows there were in all. A value is nothing, a whole number, a text or bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from vault.backup.refused import BackupRefused

MOST_BYTES: Final = 1 << 26
_LENGTH = 4
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Any])

Frame = list[Any]


def written(frame: Frame) -> bytes:
    """The bytes of a frame: its length in four bytes, then msgpack."""
    raw = _encoder.encode(frame)
    return len(raw).to_bytes(_LENGTH, "big") + raw


def read(pieces: Iterator[bytes]) -> Iterator[Frame]:
    """The frames in pieces cut anywhere. Raises BackupRefused `backup-altered` for what is none, and where the last is not the end."""
    held, last = bytearray(), ""
    for piece in pieces:
        held += piece
        while (frame := _taken(held)) is not None:
            last = str(frame[0]) if frame else ""
            yield frame
    if held or last != "end":
        raise BackupRefused


def _taken(held: bytearray) -> Frame | None:
    """Take a whole frame off the front; None where there is none yet."""
    if len(held) < _LENGTH:
        return None
    length = int.from_bytes(held[:_LENGTH], "big")
    if length > MOST_BYTES:
        raise BackupRefused
    if len(held) < _LENGTH + length:
        return None
    try:
        frame = _decoder.decode(bytes(held[_LENGTH : _LENGTH + length]))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackupRefused from error
    del held[: _LENGTH + length]
    return frame


class Frames:
    """Writes the frames of one file into whatever takes them, and counts rows by table."""

    def __init__(self, *takers: Callable[[Frame], None]) -> None:
        """Name who takes each frame, in order."""
        self._takers = takers
        self.counts: dict[str, int] = {}

    def table(self, name: str, columns: Sequence[str], portions: Iterator[list[list[Any]]]) -> None:
        """Write a table."""
        self._give(["table", "".join(name), list(columns)])
        count = 0
        for rows in portions:
            count += len(rows)
            self._give(["rows", rows])
        self.counts["".join(name)] = count

    def end(self) -> None:
        """Write the last frame."""
        self._give(["end", sum(self.counts.values())])

    def _give(self, frame: Frame) -> None:
        for take in self._takers:
            take(frame)
