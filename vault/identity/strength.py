"""How hard a password is to guess, by the library that knows the lists people guess from; no rule about its characters.

Source: NIST SP 800-63B 5.1.1.2; ASVS 5, 6.2.4 and 6.2.11.
"""

from collections.abc import Iterable
from typing import Final

from vault.errors import FieldError, Invalid

HARD_ENOUGH: Final = 3
"""Of zxcvbn's scores 0 to 4: about 10^8 guesses and more."""
LOOKED_AT: Final = 72
"""Characters of a password that are looked at: what follows makes it no easier to guess."""
OWN_WORDS: Final = ("amanah", "أمانة", "vault", "خزنة", "association", "جمعية")
"""Words of this place that a guesser tries first; the association's code is one more."""


def require_strong(password: str, words: Iterable[str], member: str) -> None:
    """Raise Invalid `too-weak` for a password that lists, patterns or these words make easy to guess. Takes some 30 ms at most."""
    # Its word lists are read when they are first needed: a command that sets no password does not wait for them.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    found = zxcvbn(password[:LOOKED_AT], user_inputs=[*OWN_WORDS, *words], max_length=LOOKED_AT)
    if found["score"] < HARD_ENOUGH:
        raise Invalid([FieldError(member, "too-weak")])
