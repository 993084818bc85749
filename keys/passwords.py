"""Passwords of people: Argon2id with the library's current parameters.

Invariant: a name nobody has costs the caller the same work as a wrong password (`burn`).
"""

import base64
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()


def _unsalted(length: int) -> str:
    return base64.b64encode(bytes(length)).decode().rstrip("=")


# A hash of nothing known, with the parameters in force: verifying against it does the work and never succeeds.
_NOBODY = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    f"${_unsalted(_HASHER.salt_len)}${_unsalted(_HASHER.hash_len)}"
)


def hash_password(password: str) -> str:
    """Return the password's hash in the PHC string form, with a salt of its own."""
    return _HASHER.hash(_prepared(password))


def check_password(stored: str, password: str) -> bool:
    """Say whether the password is the one that was hashed; a stored text that is no hash is a no."""
    try:
        return _HASHER.verify(stored, _prepared(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def burn(password: str) -> None:
    """Do the work of a check for a name that does not exist."""
    check_password(_NOBODY, password)


def _prepared(password: str) -> bytes:
    """Return the bytes to hash: NFC (RFC 8265), so that one Arabic word typed on two keyboards is one password."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
