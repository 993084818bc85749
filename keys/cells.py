"""One value in one padded plaintext and back: type byte, content, 0x80, zeros.

Invariants: null, an empty text and a short word have one size; a value has exactly one encoding. The faults raised here
may hold a value: container.py turns every one of them into its own bare error. Format: docs/spec/container.md.
"""

import json
from collections.abc import Callable, Iterable, Mapping

Value = str | int | bytes | list[object] | dict[str, object] | None

_TEXT = 0x01
_END = 0x80
SMALLEST = 32
LARGEST = 1 << 20
# 32, then multiples of 64 up to 1,024, then multiples of 256 up to 1 MiB.
_WIDE = 1024
PADDED_SIZES = (SMALLEST, *range(64, _WIDE, 64), *range(_WIDE, LARGEST + 1, 256))


def padded(value: Value, floor: int = SMALLEST) -> bytes:
    """Return the value as padded plaintext of at least `floor` bytes; KeyError, ValueError or OverflowError if it is no value."""
    body = b"\x01" + value.encode() + b"\x80" if type(value) is str else _ENCODERS[type(value)](value) + b"\x80"
    length = len(body)
    if length < floor:  # noqa: PLR1730  # max() would double the time of this line, which runs once per cell
        length = floor
    if length <= SMALLEST:
        return body.ljust(SMALLEST, b"\x00")
    if length > LARGEST:
        raise ValueError
    return body.ljust((length + 63) & -64 if length <= _WIDE else (length + 255) & -256, b"\x00")


def unpadded(plaintexts: Iterable[bytes]) -> list[Value]:
    """Return the values inside padded plaintexts; ValueError, IndexError or KeyError if one is none."""
    bodies = [plaintext.rstrip(b"\x00") for plaintext in plaintexts]
    # text in line, for it is nearly every cell: a call more for each costs a tenth of the whole opening
    return [body[1:-1].decode() if body[0] == _TEXT and body[-1] == _END else _unmarked(body) for body in bodies]


def _unmarked(body: bytes) -> Value:
    if body[-1] != _END:
        raise ValueError
    return _DECODERS[body[0]](body[1:-1])


def _integer(content: bytes) -> int:
    if len(content) != 8:  # noqa: PLR2004  # a signed 64-bit number
        raise ValueError
    return int.from_bytes(content, "big", signed=True)


def _null(content: bytes) -> None:
    if content:
        raise ValueError


def _json(value: object) -> bytes:
    return b"\x06" + json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


# Type bytes; 0x03 is kept for a date and refused until there is one. bool is no integer here: it stands inside JSON only.
_ENCODERS: Mapping[type, Callable[..., bytes]] = {
    int: lambda value: b"\x02" + value.to_bytes(8, "big", signed=True),
    bytes: lambda value: b"\x04" + value,
    type(None): lambda _: b"\x05",
    list: _json,
    dict: _json,
}
_DECODERS: Mapping[int, Callable[[bytes], Value]] = {0x02: _integer, 0x04: bytes, 0x05: _null, 0x06: json.loads}
