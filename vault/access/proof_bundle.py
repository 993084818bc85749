"""A proof of consents as one file to hand over: a plain archive whose manifest is signed, and how a holder checks it without the vault.

Invariants: every file stands in the manifest with its hash and nothing else is in the archive; a reader takes a bounded number of bytes and
unpacks nothing. Format: docs/spec/consent-proof.md.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from keys.errors import Unopenable
from keys.notes import Signer, verify
from vault.access.consent_proof import ConsentProof, Gathered
from vault.access_log import tlog_proof
from vault.consent.receipt_note import ReceiptRefused, read
from vault.consent.receipt_note import written as receipt_note
from vault.errors import VaultError
from vault.web.call import write_id

_HEAD: Final = "amanah consent proof 1"
_MANIFEST: Final = "manifest"
_CHECKPOINT: Final = "checkpoint"
_SINCE: Final = (1980, 1, 1, 0, 0, 0)
MOST_FILES: Final = 2_000
MOST_BYTES: Final = 64 * 1024 * 1024
Json = dict[str, Any]


class ProofRefused(VaultError):
    """A bundle that is none, was altered, or proves less than it says; the code says which, `file` which file of it."""

    code = "proof-malformed"

    def __init__(self, code: str | None = None, file: str = "") -> None:
        """Refuse with this code, for this file."""
        super().__init__(code)
        self.file = file


@dataclass(frozen=True, slots=True)
class Proven:
    """What a bundle proves: each consent's receipt, how many entries of the log stand behind them, under which checkpoint."""

    receipts: tuple[Json, ...]
    entries: int
    checkpoint: str


def written(gathered: Gathered, paths: Mapping[int, list[bytes]], checkpoint: str, signer: Signer) -> bytes:
    """The bundle; `paths` are the audit paths of its entries under that checkpoint."""
    files = dict(sorted(_files(gathered, paths, checkpoint, signer)))
    lines = "".join(f"{sha256(content).hexdigest()} {name}\n" for name, content in files.items())
    manifest = signer.sign(f"{_HEAD}\n{lines}").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {_MANIFEST: manifest, **files}.items():
            archive.writestr(zipfile.ZipInfo(name, _SINCE), content)
    return packed.getvalue()


def _files(gathered: Gathered, paths: Mapping[int, list[bytes]], checkpoint: str, signer: Signer) -> Iterator[tuple[str, bytes]]:
    yield _CHECKPOINT, checkpoint.encode()
    for one in gathered.consents:
        folder = f"consents/{write_id(one.id)}"
        yield f"{folder}/receipt", receipt_note(one.receipt, signer).encode()
        yield f"{folder}/notice.{one.language}.txt", one.words.encode()
        yield f"{folder}/events.json", _events(one)
    for number, body in gathered.entries.items():
        yield f"entries/{number}.json", body
        yield f"entries/{number}.tlog-proof", tlog_proof.written(number, paths[number], checkpoint).encode()


def _events(one: ConsentProof) -> bytes:
    return msgspec.json.format(msgspec.json.encode(list(one.events), order="sorted"), indent=1) + b"\n"


def proven(content: bytes, vkey: str) -> Proven:
    """What a bundle proves to a holder of the association's key.

    Raises ProofRefused: `proof-malformed` (no such archive), `proof-signature` (the manifest), `proof-altered` (a file is another, missing
    or too many), `proof-unproven` (an entry, a receipt or the words shown do not hold under the key).
    """
    files = _unpacked(content)
    manifest = files.pop(_MANIFEST, b"")
    _hold(files, _listed(manifest, vkey))
    receipts = tuple(_receipt(files, name, vkey) for name in files if name.endswith("/receipt"))
    entries = [name for name in files if name.startswith("entries/") and name.endswith(".json")]
    for name in entries:
        proof = files.get(f"{name.removesuffix('.json')}.tlog-proof", b"").decode("utf-8", "replace")
        if not tlog_proof.proves(proof, files[name], vkey):
            raise ProofRefused("proof-unproven", name)
    if not receipts or not entries or _CHECKPOINT not in files:
        raise ProofRefused
    return Proven(receipts, len(entries), files[_CHECKPOINT].decode("utf-8", "replace"))


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Every file by name; nothing is written anywhere, and what is packed is refused: a few bytes could become very many."""
    if len(content) > MOST_BYTES:
        raise ProofRefused
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            whole = sum(one.file_size for one in members)
            sound = all(one.compress_type == zipfile.ZIP_STORED and not one.flag_bits & 1 for one in members)
            if not sound or len(members) > MOST_FILES or whole > MOST_BYTES or len({one.filename for one in members}) != len(members):
                raise ProofRefused
            return {one.filename: archive.read(one) for one in members}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError) as error:
        raise ProofRefused from error


def _listed(manifest: bytes, vkey: str) -> dict[str, str]:
    try:
        head, *lines = verify(manifest.decode(), vkey).splitlines()
        listed = {name: hashed for hashed, _, name in (line.partition(" ") for line in lines)}
    except (Unopenable, UnicodeDecodeError, ValueError):
        raise ProofRefused("proof-signature", _MANIFEST) from None
    if head != _HEAD:
        raise ProofRefused
    return listed


def _hold(files: Mapping[str, bytes], listed: Mapping[str, str]) -> None:
    for name in sorted(files.keys() | listed.keys()):
        if name not in files or listed.get(name) != sha256(files[name]).hexdigest():
            raise ProofRefused("proof-altered", name)


def _receipt(files: Mapping[str, bytes], name: str, vkey: str) -> Json:
    """The receipt of one consent, whose notice is the text that lies beside it."""
    folder = name.rpartition("/")[0]
    try:
        found = read(files[name].decode(), vkey)
        notice = found["dpv:hasRecordOfActivity"][0]["dpv:hasNotice"][0]
        words = files[f"{folder}/notice.{notice['dct:language']}.txt"]
    except (ReceiptRefused, UnicodeDecodeError, KeyError, IndexError, TypeError):
        raise ProofRefused("proof-unproven", name) from None
    if notice.get("amanah:sha256") != sha256(words).hexdigest():
        raise ProofRefused("proof-unproven", f"{folder}/notice.{notice['dct:language']}.txt")
    return found
