"""Six-digit codes of an authenticator app (RFC 6238, 30 seconds): the neighbouring steps count, each step once."""

from hmac import compare_digest

import pyotp

from keys.errors import Unopenable, quietly

_STEP = 30_000_000
_DIGITS = 6
_ASCII = {base + digit: ord("0") + digit for base in (0x0660, 0x06F0) for digit in range(10)}  # Arabic-Indic, and its eastern form


def new_secret() -> str:
    """Return a new 160-bit secret in base32, as an authenticator app takes it."""
    return pyotp.random_base32()


def accept(secret: str, code: str, now: int, last_step: int) -> int | None:
    """Return the step the code belongs to if it is the present one or a neighbour and later than `last_step`, else None.

    `now` is UTC in microseconds; the caller stores the returned step as the new `last_step`, so that a code counts once.
    Arabic-Indic digits are digits. Unopenable if the stored secret is not base32.
    """
    folded = code.strip().translate(_ASCII)
    well_formed = len(folded) == _DIGITS and folded.isascii() and folded.isdigit()
    present = now // _STEP
    found = None
    for step in (present - 1, present, present + 1):
        # every step is compared, so that time does not tell which one it was
        if compare_digest(_code(secret, step), folded if well_formed else "") and step > last_step:
            found = step
    return found


def _code(secret: str, step: int) -> str:
    with quietly:
        return pyotp.HOTP(secret).at(max(step, 0))
    raise Unopenable
