"""Pseudonyms of one study: who is in two of its extracts bears one name in both, and what another study calls her is another name.

Invariants: the key of a study is random, wrapped for this study alone and no key of anybody's data, so that it opens nothing; whoever has
an extract and not the key can neither make a pseudonym nor undo one; once the wrapped key is destroyed nobody can, the vault as little.
Format: docs/spec/research.md.
"""

from keys.derive import joined, keyed
from keys.keyring import AssociationKeys
from keys.secret import Unspoken

STUDY_CLASS = 0x0102
"""The class of a study's key; fields of records have classes of one byte, cases the one before."""
_LABEL = b"vault/pseudonym/v1"
_LENGTH = 16


def new_study_key(keys: AssociationKeys, study: bytes) -> bytes:
    """Make the key of a study (16-byte id) and return its wrapped form, which opens for this association and study only."""
    return keys.new_key(study, STUDY_CLASS)[1]


class Pseudonyms(Unspoken):
    """Gives the pseudonyms of one study."""

    __slots__ = ("_place", "_state")

    def __init__(self, keys: AssociationKeys, study: bytes, wrapped: bytes) -> None:
        """Unwrap the study's key; Unopenable for another's."""
        self._state = keyed(keys.unwrap(study, STUDY_CLASS, wrapped).reveal(), _LABEL)
        self._place = (keys.association, study)

    def of(self, person: bytes) -> str:
        """Return a person's pseudonym: the first 16 bytes of HMAC-SHA-256 over label, association, study and person, in hexadecimal."""
        state = self._state.copy()
        state.update(joined(*self._place, person))
        return state.finalize()[:_LENGTH].hex()
