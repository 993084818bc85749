"""Ed25519 signed notes (C2SP signed-note): checkpoints, receipts and manifests that anybody can verify.

Invariants: a note's text and a signed byte string can never be taken for one another; a signature of a known key that
does not hold refuses the whole note. Format: docs/spec/signed-note.md.
"""

import base64
import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.errors import Unopenable, Unsealable, quietly
from keys.secret import Secret

_ED25519 = b"\x01"
_RAW = b"\x00amanah/bytes/v1\x00"  # a note holds no control character, so no note begins like this
_UNSIGNED = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters and halves of characters
_MOST_SIGNATURES = 16
_LONGEST = 1 << 20


class Signer:
    """Signs under a key name that readers pin together with the public key."""

    __slots__ = ("_key", "_name", "vkey")

    def __init__(self, name: str, seed: Secret) -> None:
        """Take the key's name (no spaces, no plus) and its 32-byte seed; Unsealable for another name."""
        if not _is_name(name):
            raise Unsealable
        self._name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        public = self._key.public_key().public_bytes_raw()
        self.vkey = f"{name}+{_key_id(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"

    def named(self, name: str) -> "Signer":
        """Return the signer of the same key under another name: its notes are pinned by another verifier key."""
        return Signer(name, Secret(self._key.private_bytes_raw()))

    def sign(self, text: str) -> str:
        """Return the whole note: the text, an empty line, one signature line. Unsealable unless the text ends its last line."""
        if not _is_text(text):
            raise Unsealable
        public = self._key.public_key().public_bytes_raw()
        signature = base64.b64encode(_key_id(self._name, public) + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self._name} {signature}\n"

    def sign_bytes(self, content: bytes) -> bytes:
        """Return the 64-byte signature of a byte string that is no note; `verify_bytes` holds it against the key."""
        return self._key.sign(_RAW + content)


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
