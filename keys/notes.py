"""Ed25519 signed notes (C2SP signed-note): checkpoints, receipts and manifests that anybody can verify.

Invariants: a note's text and a signed byte string can never be taken for one another; a signature of a known key that
does not hold refuses the whole note. Format: docs/spec/signed-note.md.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.errors import Unopenable, Unsealable, quietly
from keys.secret import Secret, Unspoken

_ED25519 = b"\x01"
_SUCCESSION = "amanah-signing-key/1"
_RAW = b"\x00amanah/bytes/v1\x00"  # a note holds no control character, so no note begins like this
_UNSIGNED = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters and halves of characters
_MOST_SIGNATURES = 16
_LONGEST = 1 << 20


class _Pair(Unspoken):
    """One key pair under a key name."""

    __slots__ = ("_key", "_name", "public", "vkey")

    def __init__(self, name: str, seed: Secret) -> None:
        """Set the pair up from its 32-byte seed."""
        self._name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        self.public = self._key.public_key().public_bytes_raw()
        self.vkey = f"{name}+{_key_id(name, self.public).hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def line(self, text: str) -> str:
        """Return the signature line of a text."""
        signature = base64.b64encode(_key_id(self._name, self.public) + self._key.sign(text.encode())).decode()
        return f"— {self._name} {signature}\n"

    def seed(self) -> Secret:
        """Return the seed; for use inside this module only."""
        return Secret(self._key.private_bytes_raw())

    def sign_bytes(self, content: bytes) -> bytes:
        """Return the signature of a byte string that is no note."""
        return self._key.sign(_RAW + content)


@dataclass(frozen=True, slots=True, repr=False)
class _Order(Unspoken):
    """The pairs, oldest first, with the size of the log from which each is in force, and how many of the newest sign; replaced as one."""

    pairs: tuple[_Pair, ...]
    firsts: tuple[int, ...]
    signing: int


class Signer(Unspoken):
    """Signs under a key name that readers pin together with the public key; the key may be followed by others under the same name."""

    __slots__ = ("_name", "_order")

    def __init__(self, name: str, seed: Secret, *later: Secret) -> None:
        """Take the key's name (no spaces, no plus) and the 32-byte seeds, oldest first; Unsealable for another name.

        Until `settle` says from where on each is in force, the newest is for everything.
        """
        if not _is_name(name):
            raise Unsealable
        self._name = name
        pairs = tuple(_Pair(name, each) for each in (seed, *later))
        self._order = _Order(pairs, (0,) * len(pairs), 1)

    def named(self, name: str) -> "Signer":
        """Return the signer of the same keys, in force as they are, under another name; Unsealable for a name that is none."""
        again = Signer(name, *(one.seed() for one in self._order.pairs))
        again._order = replace(self._order, pairs=again._order.pairs)
        return again

    @property
    def vkey(self) -> str:
        """The verifier key of the newest."""
        return self._order.pairs[-1].vkey

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The verifier keys of all, oldest first."""
        return tuple(one.vkey for one in self._order.pairs)

    def vkey_at(self, size: int) -> str:
        """The verifier key in force where the log has so many entries: who signed a checkpoint of that size must be this one."""
        order = self._order
        return [one.vkey for one, first in zip(order.pairs, order.firsts, strict=True) if first <= size][-1]

    def settle(self, later: Sequence[Secret], told: Sequence[tuple[str, int]], *, overlaps: bool) -> None:
        """Take the keys after the first, as they are told: verifier key and first size of the log it is in force for, ascending.

        With `overlaps` the last but one signs beside the newest. What is told may bear an earlier key name: the keys count. Unsealable, and
        nothing taken, where keys and what is told differ.
        """
        pairs = (self._order.pairs[0], *(_Pair(self._name, each) for each in later))
        firsts = (0, *(first for _, first in told))
        known = [one.vkey.rpartition("+")[2] for one in pairs[1:]] == [vkey.rpartition("+")[2] for vkey, _ in told]
        if not known or list(firsts) != sorted(set(firsts)):
            raise Unsealable
        self._order = _Order(pairs, firsts, 2 if overlaps and later else 1)

    def sign(self, text: str) -> str:
        """Return the whole note: the text, an empty line, a line of signature for each key that signs, the newest first.

        Unsealable unless the text ends its last line.
        """
        if not _is_text(text):
            raise Unsealable
        order = self._order
        return f"{text}\n" + "".join(one.line(text) for one in reversed(order.pairs[-order.signing :]))

    def succession(self, seed: Secret, first: int) -> tuple[str, str]:
        """Return the verifier key of the key that is to come, and the note in which the newest names it and both sign.

        The note is what moves a reader from one key to the next: a checkpoint that two keys signed says nothing of one about the other.
        """
        now, coming = self._order.pairs[-1], _Pair(self._name, seed)
        text = f"{_SUCCESSION}\n{now.vkey}\n{coming.vkey}\n{first}\n"
        return coming.vkey, f"{text}\n{coming.line(text)}{now.line(text)}"

    def sign_bytes(self, content: bytes) -> bytes:
        """Return the 64-byte signature of a byte string that is no note; `verify_bytes` holds it against the key."""
        return self._order.pairs[-1].sign_bytes(content)


def succeeded(note: str, vkey: str) -> tuple[str, int]:
    """Return the verifier key that follows this one, and from which size of the log on; Unopenable unless both keys signed that."""
    with quietly:
        head, before, after, first, rest = verify(note, vkey).split("\n")
        same = before == vkey and after.partition("+")[0] == vkey.partition("+")[0] and after != vkey
        if head == _SUCCESSION and same and not rest and str(int(first)) == first and int(first) > 0:
            verify(note, after)
            return after, int(first)
    raise Unopenable


def renamed(vkey: str, name: str) -> str:
    """Return the verifier key of the same public key under another name; Unopenable for what is none."""
    with quietly:
        _, _, public = _parsed_key(vkey)
        if _is_name(name):
            raw = public.public_bytes_raw()
            return f"{name}+{_key_id(name, raw).hex()}+{base64.b64encode(_ED25519 + raw).decode()}"
    raise Unopenable


def verify(note: str, vkey: str) -> str:
    """Return the note's text, its last newline included, if the key signed it; Unopenable otherwise.

    Signatures of other keys beside it are passed over.
    """
    with quietly:
        name, key_id, public = _parsed_key(vkey)
        text, signatures = _parsed_note(note)
        mine = [made for made in signatures if made[0] == name and made[1] == key_id]
        for _, _, signature in mine:
            public.verify(signature, text.encode())
        if mine:
            return text
    raise Unopenable


def verify_bytes(content: bytes, signature: bytes, vkey: str) -> None:
    """Return if the key made this signature of the byte string; Unopenable otherwise."""
    with quietly:
        _, _, public = _parsed_key(vkey)
        public.verify(signature, _RAW + content)
        return
    raise Unopenable


def _parsed_key(vkey: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, key_id, encoded = vkey.split("+", 2)
    raw = _decoded(encoded)
    if not _is_name(name) or raw[:1] != _ED25519 or key_id != _key_id(name, raw[1:]).hex():
        raise Unopenable
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def _parsed_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    body, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or lines.pop() or not 1 <= len(lines) <= _MOST_SIGNATURES or not _is_text(body + "\n"):
        raise Unopenable
    return body + "\n", [_parsed_line(line) for line in lines]


def _parsed_line(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = line.split(" ")
    raw = _decoded(encoded)
    if dash != "—" or not _is_name(name) or len(raw) <= 4:  # noqa: PLR2004  # a key id and a signature
        raise Unopenable
    return name, raw[:4], raw[4:]


def _decoded(encoded: str) -> bytes:
    """Return the bytes; ValueError unless this is the one base64 text they have."""
    raw = base64.b64decode(encoded, validate=True)
    if base64.b64encode(raw).decode() != encoded:
        raise ValueError
    return raw


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 255 and "+" not in name and name.isprintable() and not any(map(str.isspace, name))  # noqa: PLR2004


def _is_text(text: str) -> bool:
    return len(text) <= _LONGEST and text.endswith("\n") and not _UNSIGNED.search(text)
