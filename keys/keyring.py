"""Association keys by epoch wrap subject keys by class; a subject key exists only as long as one piece of work.

Invariants: a wrapped key opens only for its association, subject, class, version and epoch; an epoch below the
minimum is refused before any cipher runs; subject keys are random, never derived, so that deleting the wrapped key
erases what it sealed; nothing here caches a subject key; epochs move forward only, in place, for everybody who holds the same keys.
Format: docs/spec/wrapped-key.md.
"""

import os
import re
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.errors import Unopenable, Unsealable, quietly
from keys.secret import Secret, Unspoken

WRAPPED_SIZE = 70
NAMED = {
    "index_root": 0xFF01,
    "fact_mac": 0xFF02,
    "signing": 0xFF03,
    "pepper": 0xFF04,
    "journal": 0xFF05,
    "idempotency": 0xFF06,
}
_FIRST_RESERVED = 0xFF00
SUCCEEDED = "signing"
"""The own key that later ones follow: `signing-2` is of the same class, and its generation is its version."""
_GENERATION = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
_NOBODY = bytes(16)  # the subject of the association's own keys
_ID = 16
_HEAD = struct.Struct(">BBII")
_PLACE = struct.Struct(">HII")
_LABEL = b"vault/dek/v1"
_FORMAT = 0x11
_SUITE = 0x01
_TAKING = threading.Lock()

Entropy = Callable[[int], bytes]


class DataKey(Secret):
    """The key of one subject's data of one class; it lives for one piece of work."""

    __slots__ = ("class_id", "version")

    def __init__(self, value: bytes, class_id: int, version: int) -> None:
        """Hold the 32 bytes and what they are for."""
        Secret.__init__(self, value)
        self.class_id = class_id
        self.version = version


@dataclass(frozen=True, slots=True, repr=False)
class _Living(Unspoken):
    """The epochs in force: a cipher for each, the newest, the lowest that still opens; replaced as one."""

    ciphers: dict[int, AESGCM]
    newest: int
    minimum: int


class AssociationKeys(Unspoken):
    """The keys of one association, one for each epoch from the minimum on; they wrap and unwrap subject keys.

    `renew`, where it is set, gives the keys as they are by now: it is asked once for each wrapped key of an epoch that is not known here.
    """

    __slots__ = ("_living", "association", "renew")

    def __init__(self, association: bytes, epochs: Mapping[int, Secret], minimum_epoch: int) -> None:
        """Take the association's 16-byte id and its keys; the newest epoch wraps what is new.

        ValueError without a living epoch or with an id that is not 16 bytes.
        """
        if len(association) != _ID or not epochs or max(epochs) < minimum_epoch:
            message = "an association has a 16-byte id and a key of a living epoch"
            raise ValueError(message)
        self.association = association
        self.renew: Callable[[], AssociationKeys] | None = None
        ciphers = {epoch: AESGCM(key.reveal()) for epoch, key in epochs.items() if epoch >= minimum_epoch}
        self._living = _Living(ciphers, max(epochs), minimum_epoch)

    @property
    def epoch(self) -> int:
        """The newest epoch, which wraps what is new."""
        return self._living.newest

    @property
    def minimum_epoch(self) -> int:
        """The lowest epoch that still opens."""
        return self._living.minimum

    def take(self, newer: "AssociationKeys") -> None:
        """Take over the keys of a file that was rewritten; whoever wraps or unwraps meanwhile does so by the old ones or by the new.

        Unopenable, and nothing taken, where they are another association's or of an older file.
        """
        taken = newer._living  # noqa: SLF001  # another of the same class
        with _TAKING:
            older = taken.newest < self._living.newest or taken.minimum < self._living.minimum
            if newer.association != self.association or older:
                raise Unopenable
            self._living = taken

    def __repr__(self) -> str:
        """Name the association and the newest epoch."""
        return f"AssociationKeys({self.association.hex()}, epoch {self.epoch})"

    def new_key(self, subject: bytes, class_id: int, key_version: int = 1) -> tuple[DataKey, bytes]:
        """Make a subject's key for one class and return it with its wrapped form (70 bytes).

        Unsealable for the all-zero subject and classes from 0xFF00 on: they are kept for the association's own keys.
        """
        key = DataKey(os.urandom(32), class_id, key_version)
        return key, self._wrap(_ordinary(subject, class_id), key)

    def wrap(self, subject: bytes, key: DataKey) -> bytes:
        """Return the wrapped form of a subject's key that is at hand, under the newest epoch (70 bytes); Unsealable as `new_key`."""
        return self._wrap(_ordinary(subject, key.class_id), key)

    def unwrap(self, subject: bytes, class_id: int, wrapped: bytes) -> DataKey:
        """Return the subject's key of that class; Unopenable for anything else than its own wrapped form."""
        with quietly:
            return self._unwrap(_ordinary(subject, class_id), class_id, wrapped)
        raise Unopenable

    def rewrap(self, subject: bytes, class_id: int, wrapped: bytes) -> bytes:
        """Return the same subject key wrapped under the newest epoch; no data is touched by it."""
        return self._wrap(subject, self.unwrap(subject, class_id, wrapped))

    def hand_over(self, giver: bytes, taker: bytes, class_id: int, wrapped: bytes) -> bytes:
        """Return the giver's key of that class wrapped for the taker, under the newest epoch: from then on it dies with the taker."""
        return self._wrap(_ordinary(taker, class_id), self.unwrap(giver, class_id, wrapped))

    def new_named(self, name: str) -> bytes:
        """Make one of the association's own keys (a name of NAMED, or `signing-2` and so on; else KeyError) and return its wrapped form."""
        return self._wrap(_NOBODY, DataKey(os.urandom(32), *_named(name)))

    def named(self, name: str, wrapped: bytes) -> Secret:
        """Return one of the association's own keys; Unopenable under another name."""
        return Secret(self._named(name, wrapped).reveal())

    def rewrap_named(self, name: str, wrapped: bytes) -> bytes:
        """Return the same own key wrapped under the newest epoch."""
        return self._wrap(_NOBODY, self._named(name, wrapped))

    def _named(self, name: str, wrapped: bytes) -> DataKey:
        with quietly:
            class_id, version = _named(name)
            found = self._unwrap(_NOBODY, class_id, wrapped)
            if found.version == version:
                return found
        raise Unopenable

    def _unwrap(self, subject: bytes, class_id: int, wrapped: bytes) -> DataKey:
        form, suite, epoch, version = _HEAD.unpack_from(wrapped)
        if form != _FORMAT or suite != _SUITE or len(wrapped) != WRAPPED_SIZE:
            raise Unopenable
        if epoch > self._living.newest and self.renew is not None:  # another process rotated, and this one was not told yet
            self.take(self.renew())
        living = self._living  # read once: another thread may take newer keys over
        if epoch < living.minimum:  # before any cipher runs, whatever keys are still at hand
            raise Unopenable
        binding = _LABEL + self.association + subject + _PLACE.pack(class_id, epoch, version)
        return DataKey(living.ciphers[epoch].decrypt(wrapped[10:22], wrapped[22:], binding), class_id, version)

    def _wrap(self, subject: bytes, key: DataKey, *, entropy: Entropy = os.urandom) -> bytes:
        with quietly:
            living = self._living
            head = _HEAD.pack(_FORMAT, _SUITE, living.newest, key.version)
            binding = _LABEL + self.association + subject + _PLACE.pack(key.class_id, living.newest, key.version)
            nonce = entropy(12)
            return head + nonce + living.ciphers[living.newest].encrypt(nonce, key.reveal(), binding)
        raise Unsealable


def head_of(epoch: int) -> bytes:
    """Return the first six bytes of every key wrapped under that epoch: format, suite, epoch."""
    return _HEAD.pack(_FORMAT, _SUITE, epoch, 0)[:6]


def epoch_of(wrapped: bytes) -> int:
    """Return the epoch a wrapped key names, unproven: for counting what is still to be rewrapped."""
    if len(wrapped) != WRAPPED_SIZE or wrapped[0] != _FORMAT or wrapped[1] != _SUITE:
        raise Unopenable
    return int(_HEAD.unpack_from(wrapped)[2])


def later(name: str, generation: int) -> str:
    """Return the name of an own key's later generation, counted from 1: `signing`, then `signing-2`."""
    return name if generation == 1 else f"{name}-{generation}"


def _named(name: str) -> tuple[int, int]:
    """Return class and key version of one of the association's own keys; KeyError for a name of none."""
    first, _, generation = name.partition("-")
    if not generation:
        return NAMED[name], 1
    if first != SUCCEEDED or not _GENERATION.fullmatch(generation):
        raise KeyError
    return NAMED[first], int(generation)


def _ordinary(subject: bytes, class_id: int) -> bytes:
    """Return the subject; Unsealable for what is kept for the association's own keys or is no 16-byte id."""
    if len(subject) != _ID or subject == _NOBODY or not 0 < class_id < _FIRST_RESERVED:
        raise Unsealable
    return subject
