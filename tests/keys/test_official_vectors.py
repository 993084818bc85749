"""Published vectors run through our own functions: HKDF, HMAC, AES-256-GCM, Ed25519, one-time codes."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import container
from keys.derive import hkdf, keyed
from keys.errors import Unopenable
from keys.notes import Signer, verify
from keys.one_time_codes import accept
from keys.secret import Secret

OFFICIAL = {
    name.split()[0]: rows for name, rows in json.loads((Path(__file__).parents[1] / "vectors/keys/official.json").read_text()).items()
}
_hex = bytes.fromhex


@pytest.mark.parametrize("row", OFFICIAL["hkdf_sha256"])
def test_hkdf_meets_the_rfc(row: dict[str, str]) -> None:
    assert hkdf(_hex(row["ikm"]), _hex(row["salt"]), _hex(row["info"]), int(row["length"])).hex() == row["okm"]


@pytest.mark.parametrize("row", OFFICIAL["hmac_sha256"])
def test_hmac_meets_the_rfc_wherever_the_label_ends(row: dict[str, str]) -> None:
    message = _hex(row["message"])
    for border in (0, 1, len(message)):
        state = keyed(_hex(row["key"]), message[:border])
        state.update(message[border:])
        assert state.copy().finalize().hex() == row["mac"]


@pytest.mark.parametrize("row", OFFICIAL["aes_256_gcm"])
def test_the_cipher_of_the_cells_meets_nist(row: dict[str, str | None]) -> None:
    key, nonce, aad, sealed = (_hex(row[name] or "") for name in ("key", "nonce", "aad", "ciphertext"))
    assert vars(container)["AESGCM"] is AESGCM
    cipher, tag = AESGCM(key), _hex(row["tag"] or "")
    if row["plaintext"] is None:
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed + tag, aad)
    else:
        assert cipher.decrypt(nonce, sealed + tag, aad).hex() == row["plaintext"]
        assert cipher.encrypt(nonce, _hex(row["plaintext"]), aad) == sealed + tag


@pytest.mark.parametrize("row", OFFICIAL["ed25519"])
def test_a_signer_meets_the_published_signatures(row: dict[str, str]) -> None:
    signer = Signer("vector", Secret(_hex(row["seed"])))
    assert base64.b64decode(signer.vkey.split("+", 2)[2]).hex() == "01" + row["public"]
    assert signer._order.pairs[-1]._key.sign(_hex(row["message"])).hex() == row["signature"]


@pytest.mark.parametrize("row", OFFICIAL["totp_sha1"])
def test_codes_meet_the_rfc(row: dict[str, int | str]) -> None:
    secret, now = base64.b32encode(b"12345678901234567890").decode(), int(row["seconds"]) * 1_000_000
    assert accept(secret, str(row["code"]), now, -1) == int(row["seconds"]) // 30


def test_a_note_of_another_implementation_is_verified() -> None:
    # The example in the documentation of the Go checksum database's note package.
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    assert verify(f"{text}\n— PeterNeumann {signature}\n", vkey) == text
    with pytest.raises(Unopenable):
        verify(f"{text[1:]}\n— PeterNeumann {signature}\n", vkey)
