"""The token of a link that is handed to somebody: what it is for, which consent or person, until when, and a keyed hash over it.

Invariants: it holds nothing personal, only a random id; one made by another association, for another use, altered, guessed or past its day
is no token, and which of these it is nobody is told. Format: docs/spec/link.md.
"""

import base64
import binascii
from hmac import compare_digest
from typing import Final, Literal

from keys.cabinet import Cabinet
from vault.errors import NotFound

Use = Literal["withdrawal", "person"]
SECOND: Final = 1_000_000
LENGTH: Final = 52
_USES: Final[dict[Use, int]] = {"withdrawal": 1, "person": 2}
_ID, _UNTIL, _MAC = 16, 6, 16
_CONTENT: Final = 1 + _ID + _UNTIL


def write(cabinet: Cabinet, association: bytes, use: Use, target: bytes, until: int) -> str:
    """The token for this 16-byte id, until a moment (microseconds UTC, whole seconds count): 52 characters base64url, each of them used."""
    content = bytes([_USES[use]]) + target + (until // SECOND).to_bytes(_UNTIL, "big")
    return base64.urlsafe_b64encode(content + _mac(cabinet, association, content)).decode()


def read(cabinet: Cabinet, association: bytes, use: Use, token: str, now: int) -> bytes:
    """The 16-byte id a token of this use is for. Raises NotFound for whatever is none, and for one whose end has come."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True) if len(token) == LENGTH else b""
    except (binascii.Error, ValueError):
        raise NotFound from None
    content, mac = raw[:_CONTENT], raw[_CONTENT:]
    if len(mac) != _MAC or not compare_digest(mac, _mac(cabinet, association, content)) or content[0] != _USES[use]:
        raise NotFound
    if now >= int.from_bytes(content[1 + _ID :], "big") * SECOND:
        raise NotFound
    return content[1 : 1 + _ID]


def _mac(cabinet: Cabinet, association: bytes, content: bytes) -> bytes:
    return cabinet.pepper.hash("link", association.hex() + content.hex())[:_MAC]
