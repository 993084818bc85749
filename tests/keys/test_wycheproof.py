"""The vectors of Wycheproof, edge cases and forgeries, through our own functions; what does not apply is counted with its reason.

Source: C2SP/wycheproof, testvectors_v1, stripped to the figures. X25519 is not among them: nothing in `keys` agrees on a key yet.
"""

import base64
import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import blobs, container, keyring, notes
from keys.blobs import open_blob, seal_blob
from keys.derive import hkdf, keyed
from keys.errors import Unopenable
from keys.keyring import DataKey
from keys.roots import local, passphrase_file

OFFICIAL = json.loads((Path(__file__).parents[1] / "vectors/keys/wycheproof.json").read_text(encoding="utf-8"))
CIPHERS = (blobs, container, keyring, local, passphrase_file)
_hex = bytes.fromhex


def rows(name: str) -> list[Any]:
    """Every test of an algorithm beside its group, by the number Wycheproof gave it."""
    return [pytest.param(group, row, id=str(row["tcId"])) for group in OFFICIAL[name]["groups"] for row in group["tests"]]


def test_every_vector_is_run_or_counted():
    run = {name: len(rows(name)) for name in ("aes_gcm", "hkdf_sha256", "hmac_sha256", "ed25519")}
    assert run == {"aes_gcm": 66, "hkdf_sha256": 86, "hmac_sha256": 174, "ed25519": 150}
    for name, count in run.items():
        assert count + sum(each["count"] for each in OFFICIAL[name]["left_out"]) == OFFICIAL[name]["total"]
    # Our keys have 256 bits and our nonces 96: 211 vectors with shorter keys and 39 with other nonces have no way in.
    left = OFFICIAL["aes_gcm"]["left_out"]
    assert sum(each["count"] for each in left if each["keySize"] != 256) == 211
    assert sum(each["count"] for each in left if each["keySize"] == 256 and each["ivSize"] != 96) == 39
    assert not [each for each in left if (each["keySize"], each["ivSize"]) == (256, 96)]


@pytest.mark.parametrize("module", CIPHERS, ids=lambda module: module.__name__)
def test_every_file_that_seals_uses_the_cipher_that_is_tested_here(module: ModuleType):
    assert vars(module)["AESGCM"] is AESGCM


@pytest.mark.parametrize(("_group", "row"), rows("aes_gcm"))
def test_the_cipher_opens_what_is_valid_and_refuses_every_forgery(_group: dict[str, Any], row: dict[str, str]):
    key, nonce, aad, message, sealed, tag = (_hex(row[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag"))
    cipher = AESGCM(key)
    if row["result"] == "valid":
        assert cipher.decrypt(nonce, sealed + tag, aad) == message
        assert cipher.encrypt(nonce, message, aad) == sealed + tag
    else:
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed + tag, aad)


@pytest.mark.parametrize(("_group", "row"), rows("aes_gcm"))
def test_a_blob_is_the_ciphers_own_bytes_and_a_forged_one_does_not_open(_group: dict[str, Any], row: dict[str, str]):
    # The vector's key and associated data stand in the place of those a blob derives. What a blob holds is longer by its padding, so of
    # the vector's bytes the ciphertext is met in front of it, and the tag where the message is refused.
    key, nonce, aad, message, sealed, tag = (_hex(row[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag"))
    own = DataKey(bytes(32), 2, 1)
    with patch.object(blobs, "subkey", lambda _key, _label: key), patch.object(blobs, "_bound", lambda _context: aad):
        if row["result"] == "valid":
            blob = seal_blob(own, b"", message, entropy=lambda _count: nonce)
            assert blob[2 : 14 + len(message)] == nonce + sealed
            assert open_blob(own, b"", blob) == message
        else:
            with pytest.raises(Unopenable):
                open_blob(own, b"", blobs._HEAD + nonce + sealed + tag)


@pytest.mark.parametrize(("_group", "row"), rows("hkdf_sha256"))
def test_hkdf_gives_what_is_valid_and_refuses_more_than_it_can_give(_group: dict[str, Any], row: dict[str, Any]):
    parts = (_hex(row["ikm"]), _hex(row["salt"]), _hex(row["info"]), row["size"])
    if row["result"] == "valid":
        assert hkdf(*parts).hex() == row["okm"]
    else:
        with pytest.raises(ValueError, match="8160 octets"):
            hkdf(*parts)


@pytest.mark.parametrize(("group", "row"), rows("hmac_sha256"))
def test_hmac_gives_the_tags_of_valid_rows_and_no_other(group: dict[str, Any], row: dict[str, str]):
    message, size = _hex(row["msg"]), group["tagSize"] // 8
    for border in (0, len(message) // 2):
        state = keyed(_hex(row["key"]), message[:border])
        state.update(message[border:])
        # Shorter tags are the beginning of the whole one, as our tokens are.
        assert (state.finalize()[:size].hex() == row["tag"]) == (row["result"] == "valid")


@pytest.mark.parametrize(("group", "row"), rows("ed25519"))
def test_a_signature_is_verified_only_where_it_is_valid(group: dict[str, Any], row: dict[str, str]):
    public = b"\x01" + _hex(group["public"])
    name = hashlib.sha256(b"vector\n" + public).digest()[:4].hex()
    vkey = f"vector+{name}+{base64.b64encode(public).decode()}"
    # The mark in front of byte strings is ours; without it the bytes are the vector's.
    with patch.object(notes, "_RAW", b""):
        if row["result"] == "valid":
            notes.verify_bytes(_hex(row["msg"]), _hex(row["sig"]), vkey)
        else:
            with pytest.raises(Unopenable):
                notes.verify_bytes(_hex(row["msg"]), _hex(row["sig"]), vkey)
