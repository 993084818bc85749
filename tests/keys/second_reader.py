"""A second reader of every sealed format, written from docs/spec alone: it imports nothing of `keys`.

What both readers agree on is the specification; the golden files are opened with this one.
"""

import base64
import hashlib
import hmac
import json
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def container(data_key: bytes, association: bytes, subject: bytes, record: bytes, content: bytes) -> dict[int, object]:
    """Every cell of a container, field id to value."""
    form, suite, *_ = struct.unpack(">BBHIQI", content[:20])
    (count,) = struct.unpack(">H", content[36:38])
    assert (form, suite) == (1, 1)
    context = b"vault/rec/v1" + association + subject + record + content[:38]
    okm = HKDF(SHA256(), 64, content[20:36], context).derive(data_key)
    assert okm[32:] == content[38:70]
    directory = content[70 : 70 + 6 * count]
    start, cells, before = 70 + 6 * count, {}, 0
    for field, length in struct.iter_unpack(">HI", directory):
        assert field > before
        size = length - 16
        assert size == 32 or (size % 64 == 0 and (size <= 1024 or size % 256 == 0) and size <= 1 << 20)
        nonce = bytes(8) + struct.pack(">H", field) + bytes(2)
        cells[field] = _value(AESGCM(okm[:32]).decrypt(nonce, content[start : start + length], context + okm[32:] + directory))
        start, before = start + length, field
    assert start == len(content)
    return cells


def _value(plaintext: bytes) -> object:
    body = plaintext.rstrip(b"\x00")
    assert body[-1] == 0x80
    kind, content = body[0], body[1:-1]
    if kind == 1:
        return content.decode("utf-8")
    if kind == 2:
        return struct.unpack(">q", content)[0]
    if kind == 4:
        return content
    if kind == 5:
        assert not content
        return None
    assert kind == 6
    return json.loads(content.decode("utf-8"))


def wrapped_key(epoch_key: bytes, association: bytes, subject: bytes, class_id: int, wrapped: bytes) -> tuple[bytes, int, int]:
    """The key, its epoch and its version."""
    form, suite, epoch, version, nonce, sealed = struct.unpack(">BBII12s48s", wrapped)
    assert (form, suite) == (0x11, 1)
    bound = b"vault/dek/v1" + association + subject + struct.pack(">HII", class_id, epoch, version)
    return AESGCM(epoch_key).decrypt(nonce, sealed, bound), epoch, version


def _one_step(key: bytes, label: bytes) -> bytes:
    return hashlib.sha256(b"\x00\x00\x00\x01" + key + label).digest()


def blob(data_key: bytes, context: bytes, content: bytes) -> bytes:
    """The plaintext of a blob."""
    assert content[:2] == b"\x21\x01"
    bound = b"vault/blob/v1" + b"\x21\x01" + struct.pack(">I", len(context)) + context
    body = AESGCM(_one_step(data_key, b"vault/blob/v1")).decrypt(content[2:14], content[14:], bound).rstrip(b"\x00")
    assert body[-1:] == b"\x80"
    return body[:-1]


def fact_mac(key: bytes, table: str, primary_key: bytes, body: bytes) -> bytes:
    """The MAC of a row."""
    lengths = struct.pack(">HIQ", len(table.encode()), len(primary_key), len(body))
    return hmac.digest(key, b"vault/fact/v1" + lengths + table.encode() + primary_key + body, "sha256")


def token(index_root: bytes, association: bytes, field: int, version: int, bits: int, partition: int, values: list[str]) -> int:  # noqa: PLR0917
    """The token of a value."""
    key = HKDF(SHA256(), 32, None, b"bidx/v1" + association + struct.pack(">HI", field, version)).derive(index_root)
    parts = [bytes([partition]), *(value.encode() for value in values)]
    whole = hmac.digest(key, b"".join(struct.pack(">I", len(part)) + part for part in parts), "sha256")
    return int.from_bytes(whole, "big") >> (256 - bits)


def check(data_key: bytes, field: int, version: int, value: str) -> bytes:
    """The check beside a token."""
    key = _one_step(data_key, b"vault/check/v1")
    return hmac.digest(key, struct.pack(">HI", field, version) + value.encode(), "sha256")[:16]


def note(signed: str, vkey: str) -> str:
    """The text of a note with one signature."""
    name, key_id, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded)
    assert hashlib.sha256(name.encode() + b"\x0a" + public).digest()[:4].hex() == key_id
    text, line = signed.rsplit("\n\n", 1)
    dash, signer, signature = line.rstrip("\n").split(" ")
    raw = base64.b64decode(signature)
    assert (dash, signer, raw[:4].hex()) == ("—", name, key_id)
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], (text + "\n").encode())
    return text + "\n"


def attachment(data_key: bytes, association: bytes, file: bytes, header: bytes, chunks: list[bytes]) -> bytes:
    """The content of an attachment."""
    form, suite, salt, commitment = struct.unpack(">BB16s32s", header)
    assert (form, suite) == (0x22, 1)
    okm = HKDF(SHA256(), 64, salt, b"vault/att/v1" + association + file + b"\x22\x01").derive(data_key)
    assert okm[32:] == commitment
    bound, content = b"vault/att/v1" + association + file + header, b""
    for number, chunk in enumerate(chunks):
        assert len(chunk) == 65_552
        nonce = bytes(7) + struct.pack(">I", number) + (b"\x01" if number == len(chunks) - 1 else b"\x00")
        content += AESGCM(okm[:32]).decrypt(nonce, chunk, bound)
    body = content.rstrip(b"\x00")
    assert body[-1:] == b"\x80"
    assert len(content) - len(body) < 65_536
    return body[:-1]


def hpke_open(private: bytes, enc: bytes, info: bytes, aad: bytes, ciphertext: bytes, aead: tuple[int, int] = (2, 32)) -> bytes:  # noqa: PLR0917
    """RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256; `aead` is the number and key length of the cipher (2: AES-256-GCM)."""

    def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(suite: bytes, prk: bytes, label: bytes, more: bytes, length: int) -> bytes:
        return hmac.digest(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + more + b"\x01", "sha256")[:length]

    mine = X25519PrivateKey.from_private_bytes(private)
    kem, whole = b"KEM\x00\x20", b"HPKE" + struct.pack(">HHH", 0x20, 1, aead[0])
    shared = mine.exchange(X25519PublicKey.from_public_bytes(enc))
    eae = extract(kem, b"", b"eae_prk", shared)
    secret = expand(kem, eae, b"shared_secret", enc + mine.public_key().public_bytes_raw(), 32)
    context = b"\x00" + extract(whole, b"", b"psk_id_hash", b"") + extract(whole, b"", b"info_hash", info)
    key_secret = extract(whole, secret, b"secret", b"")
    key, nonce = expand(whole, key_secret, b"key", context, aead[1]), expand(whole, key_secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def package(private: bytes, vkey: str, content: bytes) -> tuple[dict[str, str], bytes]:
    """The manifest's lines (those of entries left out) and the content of a package."""
    assert content[:12] == b"amanah-pkg\x31\x01"
    note_size, held_size, sealed_size = struct.unpack(">IIQ", content[12:28])
    signed, held = content[28 : 28 + note_size].decode(), content[28 + note_size : 28 + note_size + held_size].decode()
    sealed = content[28 + note_size + held_size :]
    assert len(sealed) == sealed_size
    text = note(signed, vkey)
    lines = text.splitlines()
    assert lines[0] in {"amanah-package/1", "amanah-package/2"}
    assert [line.split(" ")[0] for line in lines[14:16] if lines[0] == "amanah-package/2"] in ([], ["page", "plan"])
    assert lines[-1] == f"sealed {hashlib.sha256(sealed).hexdigest()}"
    bound = "".join(f"{line}\n" for line in lines[:-1])
    info = b"amanah/package/v1\x00" + hashlib.sha256(bound.encode()).digest()
    told = dict(line.split(" ") for line in lines[1:-1] if not line.startswith("entry "))
    assert note(held, vkey).splitlines()[0] == told["association"]
    return told, hpke_open(private, sealed[:32], info, b"", sealed[32:]).rstrip(b" ")


def epochs(text: str, root: bytes) -> dict[int, bytes]:
    """The key of every epoch in a file of either format, by the slot this root key opens; roots of the two kinds kept in files."""
    body, line = text[:-69], text[-69:]
    head, own, minimum, *lines = body.splitlines()
    association = bytes.fromhex(own.removeprefix("association "))
    if head == "amanah-epochs 1":
        made = [line.split() for line in lines]
        found = {int(row[1]): _root(root, b"vault/epoch/v1" + association + struct.pack(">I", int(row[1])), row[3]) for row in made}
        mac_key = _one_step(found[max(found)], b"vault/epochs/mac/v1")
    else:
        assert head == "amanah-epochs 2"
        committed = bytes.fromhex(lines[0].removeprefix("commitment "))
        slots = [line.split() for line in lines[1:] if line.startswith("slot ")]
        at, private = _slot(slots, root, b"vault/slot/v2" + association + committed)
        name = slots[at][1].encode()

        def opened(number: int, sealed: str) -> bytes:
            raw = base64.b64decode(sealed)
            return hpke_open(private, raw[:32], b"vault/epoch/v2" + association + struct.pack(">I", number) + name, b"", raw[32:])

        file_key = opened(0, slots[at][5])
        assert hashlib.sha256(b"vault/epochs/commitment/v2" + file_key).digest() == committed
        rows = [line.split() for line in lines[1 + len(slots) :]]
        found = {int(row[1]): opened(int(row[1]), row[3 + at]) for row in rows}
        mac_key = _one_step(file_key, b"vault/epochs/mac/v2")
    assert int(minimum.removeprefix("minimum ")) <= min(found)
    assert line == f"mac {hmac.digest(mac_key, body.encode(), 'sha256').hex()}\n"
    return found


def _slot(slots: list[list[str]], root: bytes, bound: bytes) -> tuple[int, bytes]:
    for at, (_, name, _, public, wrapped, _) in enumerate(slots):
        try:
            return at, _root(root, bound + base64.b64decode(public) + name.encode(), wrapped)
        except InvalidTag:
            continue
    raise AssertionError


def _root(root: bytes, context: bytes, wrapped: str) -> bytes:
    raw = base64.b64decode(wrapped)
    assert raw[:2] == b"\x31\x01"
    bound = b"".join(struct.pack(">I", len(part)) + part for part in (b"vault/root/v1", b"\x31\x01", context))
    return AESGCM(root).decrypt(raw[2:14], raw[14:], bound)
