"""Machine keys and session tokens: random, told once, stored only as a keyed hash.

Invariants: a token has exactly one text; parsing is linear and refuses all else as Unopenable; neither prints its
secret. Texts: `amn_<association>_<id>_<secret>` for a key, `ams_…` for a session: id 8 random bytes in hex, secret
32 random bytes in base64url without padding (it may hold `_` and `-`; the parts before it cannot hold `_`).
"""

import base64
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TypeVar

from keys.derive import keyed
from keys.errors import Unopenable, quietly
from keys.secret import Secret, Unspoken

Entropy = Callable[[int], bytes]

_ASSOCIATION = re.compile(r"[a-z][a-z0-9-]{2,31}", re.ASCII)
# The last of 43 characters carries four bits: only sixteen characters can stand there, or one secret would have many texts.
_TEXT = re.compile(r"(am[ns])_([a-z][a-z0-9-]{2,31})_([0-9a-f]{16})_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])", re.ASCII)
_LONGEST = 4 + 32 + 1 + 16 + 1 + 43
_LENGTHS = struct.Struct(">HI").pack
_LABEL = b"vault/pepper/v1"


@dataclass(frozen=True, slots=True)
class ApiKey(Unspoken):
    """A machine's key: the whole text, and its parts."""

    text: str = field(repr=False)
    association: str
    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionToken(Unspoken):
    """A person's session: the whole text, and its parts."""

    text: str = field(repr=False)
    association: str
    id: str
    secret: str = field(repr=False)


_Token = TypeVar("_Token", ApiKey, SessionToken)


def new_api_key(association: str, *, entropy: Entropy = os.urandom) -> ApiKey:
    """Make a key for a client of that association (its code); ValueError if the code is none."""
    return _new(ApiKey, "amn", association, entropy)


def new_session_token(association: str, *, entropy: Entropy = os.urandom) -> SessionToken:
    """Make a session token for a person of that association (its code); ValueError if the code is none."""
    return _new(SessionToken, "ams", association, entropy)


def parse_api_key(text: str) -> ApiKey:
    """Return the parts of a key's text; Unopenable for any other text."""
    return _parsed(ApiKey, "amn", text)


def parse_session_token(text: str) -> SessionToken:
    """Return the parts of a session token's text; Unopenable for any other text."""
    return _parsed(SessionToken, "ams", text)


class Pepper(Unspoken):
    """The keyed hash under which token secrets are stored: a copy of the database opens no door."""

    __slots__ = ("_state",)

    def __init__(self, key: Secret) -> None:
        """Set the key up."""
        self._state = keyed(key.reveal(), _LABEL)

    def hash(self, kind: str, secret: str) -> bytes:
        """Return the 32-byte hash of a secret of that kind (`key`, `session`, …)."""
        name, value = kind.encode(), secret.encode("utf-8", "surrogatepass")
        state = self._state.copy()
        state.update(_LENGTHS(len(name), len(value)) + name + value)
        return state.finalize()

    def matches(self, kind: str, secret: str, stored: bytes) -> bool:
        """Say, in constant time, whether the secret is the stored one; what is stored and no bytes is not."""
        with quietly:
            return compare_digest(self.hash(kind, secret), stored)
        return False


def _new(made: type[_Token], prefix: str, association: str, entropy: Entropy) -> _Token:
    if not _ASSOCIATION.fullmatch(association):
        message = "not an association's code"
        raise ValueError(message)
    name = entropy(8).hex()
    secret = base64.urlsafe_b64encode(entropy(32)).decode().rstrip("=")
    return made(f"{prefix}_{association}_{name}_{secret}", association, name, secret)


def _parsed(made: type[_Token], prefix: str, text: str) -> _Token:
    found = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or found[1] != prefix:
        raise Unopenable
    return made(text, found[2], found[3], found[4])
