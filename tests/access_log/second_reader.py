"""Reads a log of Amanah from docs/spec/entry.md, tree.md and checkpoint.md alone: it imports nothing of the product."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEYS = {
    "a",
    "ag",
    "ar",
    "b",
    "bs",
    "c",
    "cl",
    "ct",
    "ev",
    "f",
    "fa",
    "fl",
    "j",
    "k",
    "l",
    "lw",
    "n",
    "o",
    "p",
    "pr",
    "q",
    "rs",
    "s",
    "t",
    "to",
    "v",
    "w",
    "ws",
}
REQUIRED = {"a", "k", "n", "o", "t", "v", "w", "ws"}


class Wrong(Exception):
    """What was read is not what the specification says."""


def need(holds: object, what: str) -> None:
    if not holds:
        raise Wrong(what)


def leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        odd = hashes[len(hashes) & ~1 :]
        hashes = [hashlib.sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)] + odd
    return hashes[0]


def entry(body: bytes) -> dict[str, object]:
    members: dict[str, object] = json.loads(body)
    need(json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() == body, "form")
    need(members["v"] == 1 and set(members) <= KEYS and set(members) >= REQUIRED, "members")
    need(len(bytes.fromhex(str(members["n"]))) == 16 and members["o"] in {"allow", "refuse", "error"}, "values")
    need(all(len(person) in {2, 5} for person in members.get("s", [])), "persons")  # type: ignore[attr-defined]
    need(all(len(fact) == 4 for fact in members.get("fa", [])), "facts")  # type: ignore[attr-defined]
    need(len(members.get("cl", [0, 0, 0])) == 3 and members.get("l", True) is True, "law and closing")  # type: ignore[arg-type]
    return members


def checkpoint(note: str, vkey: str) -> tuple[int, bytes]:
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    need(key[:1] == b"\x01" and hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id, "key")
    text, _, signature = note.rpartition("\n\n")
    dash, who, signed = signature.rstrip("\n").split(" ")
    raw = base64.b64decode(signed)
    need((dash, who, raw[:4].hex()) == ("—", name, key_id), "signature line")
    try:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text.encode() + b"\n")
    except InvalidSignature as error:
        raise Wrong("signature") from error
    origin, size, hashed = text.split("\n")
    need(origin == name, "origin")
    return int(size), base64.b64decode(hashed)


def place(number: int) -> str:
    digits = f"{number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def tile(folder: Path, level: str, number: int, width: int) -> bytes:
    return (folder / "tile" / level / (place(number) + ("" if width == 256 else f".p/{width}"))).read_bytes()


def verify_folder(folder: Path, vkey: str) -> int:
    """The number of entries, each of which is read and hashed, every tile compared, the root held against the signature."""
    size, signed = checkpoint((folder / "checkpoint").read_text(encoding="utf-8"), vkey)
    hashes: list[bytes] = []
    for number in range(-(-size // 256)):
        bundle, width = tile(folder, "entries", number, min(256, size - number * 256)), 0
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            hashes.append(leaf(bundle[2 : 2 + length]))
            bundle, width = bundle[2 + length :], width + 1
        need(width == min(256, size - number * 256), "width")
    need(root(hashes) == signed, "root")
    level = 0
    while hashes:
        for number in range(-(-len(hashes) // 256)):
            part = hashes[number * 256 : (number + 1) * 256]
            need(tile(folder, str(level), number, len(part)) == b"".join(part), "tile")
        hashes = [root(hashes[i : i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return size
