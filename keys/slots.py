"""A slot of the file of epochs: what one root opens, and what is sealed for it by whoever has another root at hand.

Each slot has an X25519 pair of its own. The private half is wrapped by the slot's root; the public half stands in the
file, so that a new epoch is sealed for every slot though only one root is there. Anybody can seal to a public half: that
nobody but an opener of the file did is what its key proves, and the root binds that key's commitment. docs/spec/epochs.md.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from hmac import compare_digest

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from keys.errors import Unopenable, Unsealable, quietly
from keys.roots import Root
from keys.secret import Secret, Unspoken

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
MOST = 8
_COMMITMENT_LABEL = b"vault/epochs/commitment/v2"
_SLOT_LABEL = b"vault/slot/v2"
_EPOCH_LABEL = b"vault/epoch/v2"
_NUMBER = struct.Struct(">I").pack
_suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot as it stands in the file: its name, the kind of its root, the public half, the private half wrapped by the root."""

    name: str
    kind: str
    public: bytes
    wrapped: bytes


class OpenSlot(Unspoken):
    """A slot whose private half is at hand."""

    __slots__ = ("_association", "_private", "name")

    def __init__(self, association: bytes, name: str, private: Secret) -> None:
        """Hold the private half of the slot of that name."""
        self._association = association
        self._private = X25519PrivateKey.from_private_bytes(private.reveal())
        self.name = name

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half."""
        return self._private.public_key().public_bytes_raw()

    def opened(self, number: int, sealed: bytes) -> Secret:
        """Return the key sealed for this slot as that epoch's, or, as number 0, the file's; Unopenable for anything else."""
        with quietly:
            return Secret(_suite.decrypt(sealed, self._private, _info(self._association, number, self.name)))
        raise Unopenable


def sealed_for(slot: Slot, association: bytes, number: int, key: Secret) -> bytes:
    """Return the key of that epoch (0: of the file) sealed for the slot: 80 bytes."""
    with quietly:
        return _suite.encrypt(key.reveal(), X25519PublicKey.from_public_bytes(slot.public), _info(association, number, slot.name))
    raise Unsealable


def new_slot(name: str, root: Root, association: bytes, file_key: Secret) -> Slot:
    """Make a slot for the root, and open it once, so that no slot is written that its root does not open. Unsealable for a bad name."""
    if not NAME.fullmatch(name) or not NAME.fullmatch(root.kind):
        raise Unsealable
    private = Secret.random()
    public = OpenSlot(association, name, private).public
    committed = commitment(file_key)
    made = Slot(name, root.kind, public, root.wrap(_context(association, committed, public, name), private))
    open_slot(made, root, association, committed)
    return made


def open_slot(slot: Slot, root: Root, association: bytes, committed: bytes) -> OpenSlot:
    """Open the slot with its root; Unopenable for another root, and for a slot of another file or changed in any part."""
    found = OpenSlot(association, slot.name, root.unwrap(_context(association, committed, slot.public, slot.name), slot.wrapped))
    if not compare_digest(found.public, slot.public):
        raise Unopenable
    return found


def commitment(file_key: Secret) -> bytes:
    """Return the 32 bytes that stand for the file's key where it is not to be told."""
    return hashlib.sha256(_COMMITMENT_LABEL + file_key.reveal()).digest()


def _context(association: bytes, committed: bytes, public: bytes, name: str) -> bytes:
    return _SLOT_LABEL + association + committed + public + name.encode()


def _info(association: bytes, number: int, name: str) -> bytes:
    return _EPOCH_LABEL + association + _NUMBER(number) + name.encode()
