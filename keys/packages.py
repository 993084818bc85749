"""Disclosure packages: one file for one recipient, with a manifest anybody can verify and a content that the recipient's key alone opens.

Invariants: the content opens only under the manifest it was sealed with (every line of it is bound), and only with the key the manifest
names; nothing personal stands in the manifest; every fault is a PackageRefused with one of five codes, and none says more.
HPKE base mode (RFC 9180): X25519, HKDF-SHA-256, AES-256-GCM. Format 0x31: docs/spec/package.md.
"""

import base64
import hashlib
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from keys.age import checked_public
from keys.errors import Unopenable, Unsealable, quietly
from keys.files import read_private, write_new
from keys.notes import Signer, verify
from keys.secret import Secret, Unspoken

HPKE: Final = "hpke-x25519"
AGE: Final = "age"
LARGEST: Final = 1 << 28
_START = b"amanah-pkg\x31\x01"  # what it is, format, suite
_SIZES = struct.Struct(">IIQ")
_LABEL = b"amanah/package/v1\x00"
_KEY_LABEL = b"amanah/recipient-key/v1\x00"
_BUCKET = 1024
_FIRST = "amanah-package/1"
_PAGED = "amanah-package/2"
_WORD = re.compile(r"[!-~]+")
_KEY_LINE = re.compile(rb"amanah-package-key-1 ([0-9a-f]{64})\n?")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NAMES = (
    *("association", "disclosure", "serial", "recipient", "key", "purpose"),
    *("basis", "article", "law", "order", "fields", "issued", "expires"),
)
_OF_PAGES = ("page", "plan")
_SHAPED = frozenset({"serial", "fields", "issued", "expires", "page"})
_suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class PackageRefused(Exception):
    """A package that is not taken: `not-a-package`, `package-truncated`, `-altered`, `-unsigned`, `-expired` or `-foreign`."""

    def __init__(self, code: str) -> None:
        """Say the code and nothing of the content."""
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a package is, in words without a space: who gives what to whom and why; times in whole seconds UTC.

    `association` is the name of its log and of the key that signs; `key` the fingerprint of the recipient's; `law` and `order` are empty
    where there is none; `entries` are number and leaf hash (hex) of the log's entries, one for each record. A page of a disclosure of
    several says which one of how many it is, and the digest of the plan (hex) that all of them share; `pages` is 0 for a whole.
    """

    association: str
    disclosure: str
    serial: int
    recipient: str
    key: str
    purpose: str
    basis: str
    article: str
    fields: tuple[str, ...]
    issued: int
    expires: int
    entries: tuple[tuple[int, str], ...]
    law: str = ""
    order: str = ""
    page: int = 0
    pages: int = 0
    plan: str = ""

    def text(self) -> str:
        """Every line but the last, which holds the digest of what is sealed. Unsealable for a part that is no word."""
        parts = (getattr(self, name) for name in _NAMES)
        said = {name: _written(name, part) for name, part in zip(_NAMES, parts, strict=True)}
        if self.pages and not (1 <= self.page <= self.pages and self.plan):
            raise Unsealable
        if self.pages:
            said |= {"page": f"{self.page}/{self.pages}", "plan": self.plan}
        if not all(map(_WORD.fullmatch, said.values())):
            raise Unsealable
        named = [f"{name} {word}" for name, word in said.items()]
        entries = [f"entry {number} {leaf}" for number, leaf in self.entries]
        return "\n".join([_PAGED if self.pages else _FIRST, *named, *entries]) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` wrote; Unopenable for anything else."""
        with quietly:
            first, *lines = text.removesuffix("\n").split("\n")
            count = len(_NAMES) + (len(_OF_PAGES) if first == _PAGED else 0)
            plain = dict(line.split(" ") for line in lines[:count])
            entries = [line.split(" ") for line in lines[count:]]
            page, _, pages = plain.get("page", "0/0").partition("/")
            found = cls(
                **{name: "" if word == "-" else word for name, word in plain.items() if name not in _SHAPED},
                serial=int(plain["serial"]),
                fields=tuple(plain["fields"].split(",")),
                issued=_seconds(plain["issued"]),
                expires=_seconds(plain["expires"]),
                page=int(page),
                pages=int(pages),
                entries=tuple((int(number), leaf) for _, number, leaf in entries),
            )
            if found.text() == text:
                return found
        raise Unopenable


@dataclass(frozen=True, slots=True)
class Package:
    """A package taken apart: manifest, its signed note, the checkpoint that came with it, and what is sealed."""

    manifest: Manifest
    note: str
    checkpoint: str
    sealed: bytes


class PackageKey(Unspoken):
    """A recipient's key pair; the private half prints as its fingerprint."""

    __slots__ = ("_private", "fingerprint", "public")

    def __init__(self, secret: Secret) -> None:
        """Hold these 32 bytes as the private half."""
        self._private = X25519PrivateKey.from_private_bytes(secret.reveal())
        self.public = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()
        self.fingerprint = fingerprint(HPKE, self.public)

    def __repr__(self) -> str:
        """Name the key and nothing of it."""
        return f"PackageKey({self.fingerprint})"

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new pair, its private half in a new file (mode 0400); FileExistsError rather than overwrite one."""
        secret = Secret.random()
        write_new(path, f"amanah-package-key-1 {secret.reveal().hex()}\n".encode(), 0o400)
        return cls(secret)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file; OSError if it cannot be or others may touch it, Unopenable if it holds no key."""
        found = _KEY_LINE.fullmatch(read_private(path, 128))
        if found is None:
            raise Unopenable
        return cls(Secret(bytes.fromhex(found[1].decode())))

    def opened(self, package: Package) -> bytes:
        """The content of a package sealed to this key. PackageRefused `package-foreign`, `package-altered`."""
        if package.manifest.key != self.fingerprint:
            raise PackageRefused("package-foreign")
        with quietly:
            return _suite.decrypt(package.sealed, self._private, _info(package.manifest.text())).rstrip(b" ")
        raise PackageRefused("package-altered")

    def secret(self, sealed: bytes, info: bytes) -> Secret:
        """The secret that `secret_to` sealed to this key under this info; Unopenable otherwise."""
        with quietly:
            return Secret(_suite.decrypt(sealed, self._private, info))
        raise Unopenable


def secret_to(public: str, secret: Secret, info: bytes) -> bytes:
    """Return a secret sealed to this public key under this info: 80 bytes. Unsealable for what is no key."""
    with quietly:
        return _suite.encrypt(secret.reveal(), _public(public), info)
    raise Unsealable


def checked_key(kind: str, public: str) -> str:
    """Return a recipient's public key if packages can be sealed to it; else Unsealable."""
    with quietly:
        if kind == AGE:
            return checked_public(public)
        if kind == HPKE:
            # A point of small order, which would make the shared secret known to everybody, fails here.
            _suite.encrypt(b"", _public(public), b"")
            return public
    raise Unsealable


def fingerprint(kind: str, public: str) -> str:
    """Return what two people compare over the telephone: 32 hexadecimal digits of SHA-256 over kind and key."""
    return hashlib.sha256(_KEY_LABEL + kind.encode() + b"\x00" + public.encode()).hexdigest()[:32]


def seal_package(manifest: Manifest, public: str, content: bytes, signer: Signer, checkpoint: str) -> bytes:
    """Return the package of this content (JSON, or any text that may end in spaces) for the holder of this key.

    Unsealable where the key is not the manifest's, a part of the manifest is no word, or the content is beyond 256 MiB.
    """
    if fingerprint(HPKE, public) != manifest.key or len(content) > LARGEST:
        raise Unsealable
    text = manifest.text()
    padded = content.ljust(-(-len(content) // _BUCKET) * _BUCKET)
    sealed = _suite.encrypt(padded, _public(public), _info(text))
    note = signer.sign(f"{text}sealed {hashlib.sha256(sealed).hexdigest()}\n").encode()
    held = checkpoint.encode()
    return b"".join([_START, _SIZES.pack(len(note), len(held), len(sealed)), note, held, sealed])


def read_package(content: bytes) -> Package:
    """Take a package apart and check that it is whole. PackageRefused `not-a-package`, `package-truncated`, `package-altered`."""
    if content[: len(_START)] != _START:
        raise PackageRefused("not-a-package")
    start = len(_START) + _SIZES.size
    if len(content) < start:
        raise PackageRefused("package-truncated")
    note_size, held_size, sealed_size = _SIZES.unpack(content[len(_START) : start])
    at, end = start + note_size, start + note_size + held_size
    if len(content) < end + sealed_size:
        raise PackageRefused("package-truncated")
    with quietly, suppress(Unopenable):
        note, held, sealed = content[start:at].decode(), content[at:end].decode(), content[end:]
        return put_together(note, held, sealed)
    raise PackageRefused("package-altered")


def put_together(note: str, checkpoint: str, sealed: bytes) -> Package:
    """Return the package of these parts; Unopenable unless the note is a manifest that ends in the digest of what is sealed."""
    text, _, digest = note.rpartition("\n\n")[0].rpartition("\nsealed ")
    if digest != hashlib.sha256(sealed).hexdigest():
        raise Unopenable
    return Package(Manifest.parse(text + "\n"), note, checkpoint, sealed)


def require_standing(package: Package, now: int, vkey: str | None) -> None:
    """Return if the package has not expired at `now` (seconds UTC) and, where a key is given, if it signed manifest and checkpoint.

    PackageRefused `package-unsigned` where that key made neither note, `package-expired`.
    """
    if vkey is not None and not _signed(package, vkey):
        raise PackageRefused("package-unsigned")
    if package.manifest.expires <= now:
        raise PackageRefused("package-expired")


def _signed(package: Package, vkey: str) -> bool:
    try:
        verify(package.note, vkey)
        origin = verify(package.checkpoint, vkey).partition("\n")[0]
    except Unopenable:
        return False
    return origin == package.manifest.association == vkey.partition("+")[0]


def _info(text: str) -> bytes:
    return _LABEL + hashlib.sha256(text.encode()).digest()


def _public(public: str) -> X25519PublicKey:
    """The key of this text; ValueError unless it is the one base64 text of 32 bytes."""
    raw = base64.b64decode(public, validate=True)
    if base64.b64encode(raw).decode() != public:
        raise ValueError
    return X25519PublicKey.from_public_bytes(raw)


def _written(name: str, part: object) -> str:
    if isinstance(part, tuple):
        return ",".join(part)
    if isinstance(part, int):
        return str(part) if name == "serial" else datetime.fromtimestamp(part, UTC).strftime(_TIME)
    return str(part) or "-"


def _seconds(text: str) -> int:
    return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
