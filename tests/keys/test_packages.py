"""Packages open for one key, under one manifest, and a second reader written from the specification opens them too."""

import base64
import json
import stat
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from keys import packages
from keys.errors import Unopenable, Unsealable
from keys.notes import Signer
from keys.packages import (
    Manifest,
    PackageKey,
    PackageRefused,
    checked_key,
    fingerprint,
    read_package,
    require_standing,
    seal_package,
)
from keys.secret import Secret
from tests.keys import second_reader

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors/keys/packages.json").read_text())
NAME = "amanah/probe/1"
SIGNER = Signer(NAME, Secret(bytes(31) + b"\x07"))
KEY = PackageKey(Secret(bytes(31) + b"\x08"))
CONTENT = '{"records":[{"full_name":"فاطمة"}]}'.encode()
MANIFEST = Manifest(
    association=NAME,
    disclosure="d",
    serial=1,
    recipient="court",
    key=KEY.fingerprint,
    purpose="legal_order",
    basis="judicial_order",
    article="cooperative:4",
    fields=("full_name", "iban"),
    issued=100,
    expires=200,
    entries=((5, "ab" * 32),),
)
CHECKPOINT = SIGNER.sign(f"{NAME}\n6\n{'A' * 43}=\n")

# RFC 9180, appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, sequence number 0.
RFC = {
    "private": "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
    "enc": "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
    "info": "4f6465206f6e2061204772656369616e2055726e",
    "aad": "436f756e742d30",
    "plain": "4265617574792069732074727574682c20747275746820626561757479",
    "sealed": "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
}


def sealed(manifest: Manifest = MANIFEST, *, signer: Signer = SIGNER, checkpoint: str = CHECKPOINT, content: bytes = CONTENT) -> bytes:
    return seal_package(manifest, KEY.public, content, signer, checkpoint)


def refused(content: bytes, key: PackageKey = KEY, now: int = 150, vkey: str | None = SIGNER.vkey) -> str:
    with pytest.raises(PackageRefused) as found:
        opened(content, key, now, vkey)
    assert found.value.__context__ is None
    return found.value.code


def opened(content: bytes, key: PackageKey = KEY, now: int = 150, vkey: str | None = SIGNER.vkey) -> bytes:
    package = read_package(content)
    require_standing(package, now, vkey)
    return key.opened(package)


def test_a_package_opens_with_the_key_it_was_sealed_to():
    assert opened(sealed()) == CONTENT
    assert opened(sealed(), vkey=None) == CONTENT
    assert read_package(sealed()).manifest == MANIFEST


def test_the_size_of_what_is_sealed_tells_no_more_than_a_bucket():
    short, long = (len(read_package(sealed(content=b"{}".ljust(size))).sealed) for size in (2, 1024))
    assert short == long == 1024 + 48


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["fingerprint"][:8])
def test_a_golden_package_opens_here_and_for_a_reader_written_from_the_page(row: dict[str, Any]):
    content, private = bytes.fromhex(row["package"]), bytes.fromhex(row["private"])
    key = PackageKey(Secret(private))
    assert (key.public, key.fingerprint) == (row["public"], row["fingerprint"])
    assert opened(content, key, 1767225700, row["vkey"]).decode() == row["content"]
    told, plain = second_reader.package(private, row["vkey"], content)
    assert plain.decode() == row["content"]
    manifest = read_package(content).manifest
    assert told["recipient"] == manifest.recipient
    assert told["fields"].split(",") == list(manifest.fields)


def test_there_are_twenty_golden_packages_and_three_pages():
    manifests = [read_package(bytes.fromhex(row["package"])).manifest for row in ROWS]
    assert [(manifest.page, manifest.pages) for manifest in manifests] == [(0, 0)] * 20 + [(1, 3), (2, 3), (3, 3)]
    for row, manifest in zip(ROWS[20:], manifests[20:], strict=True):
        told, _ = second_reader.package(bytes.fromhex(row["private"]), row["vkey"], bytes.fromhex(row["package"]))
        assert (told["page"], told["plan"]) == (f"{manifest.page}/3", manifest.plan)


def test_a_page_says_which_one_it_is_and_opens_under_that_manifest_alone():
    page = replace(MANIFEST, page=2, pages=3, plan="ef" * 32)
    package = read_package(sealed(page))
    assert package.manifest == page
    assert package.manifest.text().splitlines()[0] == "amanah-package/2"
    assert KEY.opened(package) == CONTENT
    for change in ({"page": 1}, {"pages": 4}, {"plan": "ab" * 32}, {"page": 0, "pages": 0, "plan": ""}):
        with pytest.raises(PackageRefused, match="package-altered"):
            KEY.opened(replace(package, manifest=replace(page, **change)))


@pytest.mark.parametrize("change", [{"page": 0}, {"page": 4}, {"plan": ""}, {"plan": "a b"}])
def test_what_is_no_page_of_so_many_is_not_written(change: dict[str, Any]):
    with pytest.raises(Unsealable):
        sealed(replace(MANIFEST, **{"page": 1, "pages": 3, "plan": "ef" * 32, **change}))


def test_a_page_that_is_none_is_not_read():
    text = replace(MANIFEST, page=2, pages=3, plan="ef" * 32).text()
    assert Manifest.parse(text).page == 2
    for old, new in (
        ("page 2/3", "page 4/3"),
        ("page 2/3", "page 02/3"),
        ("page 2/3", "page 2"),
        ("amanah-package/2", "amanah-package/1"),
        ("page 2/3\n", ""),
    ):
        with pytest.raises(Unopenable):
            Manifest.parse(text.replace(old, new))


def test_the_second_reader_and_the_library_meet_the_rfc():
    private, enc, info, aad, plain, ciphertext = (bytes.fromhex(part) for part in RFC.values())
    assert second_reader.hpke_open(private, enc, info, aad, ciphertext, (1, 16)) == plain
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    decrypt = vars(openssl.hpke)["_decrypt_with_aad"]
    assert decrypt(suite, enc + ciphertext, X25519PrivateKey.from_private_bytes(private), info, aad) == plain


def test_another_key_is_told_that_the_package_is_not_for_it():
    assert refused(sealed(), PackageKey(Secret.random())) == "package-foreign"


def test_a_package_that_has_run_out_is_refused_from_that_second_on():
    assert opened(sealed(), now=199) == CONTENT
    assert refused(sealed(), now=200) == "package-expired"


def test_what_another_signed_is_refused_where_a_key_is_insisted_on():
    other = Signer(NAME, Secret.random())
    assert refused(sealed(), vkey=other.vkey) == "package-unsigned"
    assert refused(sealed(checkpoint=other.sign(f"{NAME}\n6\n{'A' * 43}=\n"))) == "package-unsigned"
    assert refused(sealed(checkpoint=SIGNER.sign(f"amanah/other/1\n6\n{'A' * 43}=\n"))) == "package-unsigned"
    assert refused(sealed(replace(MANIFEST, association="amanah/other/1"))) == "package-unsigned"


def test_a_package_cut_short_is_told_so_wherever_it_is_cut():
    whole = sealed()
    for size in range(12, len(whole)):
        assert refused(whole[:size]) == "package-truncated"
    for size in range(12):
        assert refused(whole[:size]) == "not-a-package"


def test_one_bit_changed_anywhere_is_refused():
    whole = sealed()
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        assert refused(changed) in {"not-a-package", "package-truncated", "package-altered", "package-unsigned"}
    assert refused(whole + b"\x00") == "package-altered"


def test_a_manifest_that_was_changed_does_not_open_even_where_nobody_asks_who_signed_it():
    package = read_package(sealed())
    for change in ({"recipient": "other"}, {"expires": 10**9}, {"serial": 2}, {"association": "amanah/other/1"}, {"fields": ("iban",)}):
        changed = replace(MANIFEST, **change)
        with pytest.raises(PackageRefused, match="package-altered"):
            KEY.opened(replace(package, manifest=changed))


def test_a_manifest_with_a_line_too_many_or_in_another_order_is_none():
    text = MANIFEST.text()
    assert Manifest.parse(text) == MANIFEST
    lines = text.splitlines()
    for changed in (
        [*lines, "more words"],
        [lines[0], lines[2], lines[1], *lines[3:]],
        ["amanah-package/2", *lines[1:]],
        lines[:5],
        [*lines, "entry 1"],
        [line.replace("serial 1", "serial 01") for line in lines],
    ):
        with pytest.raises(Unopenable):
            Manifest.parse("\n".join(changed) + "\n")


@pytest.mark.parametrize("change", [{"recipient": "two words"}, {"purpose": "a\nb"}, {"fields": ()}, {"order": "é"}])
def test_a_part_that_is_no_word_is_not_written(change: dict[str, Any]):
    with pytest.raises(Unsealable):
        sealed(replace(MANIFEST, **change))


def test_a_package_is_sealed_to_the_key_of_its_manifest_and_no_other():
    with pytest.raises(Unsealable):
        seal_package(MANIFEST, PackageKey(Secret.random()).public, CONTENT, SIGNER, CHECKPOINT)


def test_a_content_beyond_the_limit_is_not_sealed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packages, "LARGEST", len(CONTENT) - 1)
    with pytest.raises(Unsealable):
        sealed()


def test_a_public_key_is_checked_when_it_is_given():
    assert checked_key("hpke-x25519", KEY.public) == KEY.public
    small = [bytes(32), b"\x01" + bytes(31), bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    texts = [base64.b64encode(point).decode() for point in small]
    for kind, public in (
        *(("hpke-x25519", text) for text in [*texts, "", "x", KEY.public + "\n", KEY.public.rstrip("="), "eHh4" * 11]),
        *(("age", text) for text in ("", "age1", "age1" + "q" * 58, "AGE1" + "q" * 58, "age1" + "b" * 58, KEY.public)),
        ("rsa", KEY.public),
    ):
        with pytest.raises(Unsealable):
            checked_key(kind, public)


def test_a_base64_text_with_loose_bits_is_no_key():
    loose = KEY.public[:-2] + chr(ord(KEY.public[-2]) + 1) + "="
    assert base64.b64decode(loose) == base64.b64decode(KEY.public)
    with pytest.raises(Unsealable):
        checked_key("hpke-x25519", loose)


def test_a_fingerprint_tells_kind_and_key_apart():
    assert len(KEY.fingerprint) == 32
    assert len({KEY.fingerprint, fingerprint("age", KEY.public), fingerprint("hpke-x25519", KEY.public + "x")}) == 3


def test_a_key_file_is_its_owners_alone_and_reads_back(tmp_path: Path):
    made = PackageKey.create(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o400
    assert PackageKey.read(tmp_path / "key").fingerprint == made.fingerprint
    assert repr(made) == f"PackageKey({made.fingerprint})"
    with pytest.raises(FileExistsError):
        PackageKey.create(tmp_path / "key")
    other = tmp_path / "other"
    other.write_bytes(b"amanah-package-key-1 zz\n")
    other.chmod(0o600)
    with pytest.raises(Unopenable):
        PackageKey.read(other)
    other.chmod(0o644)
    with pytest.raises(PermissionError):
        PackageKey.read(other)


@given(st.binary(max_size=400))
def test_whatever_bytes_come_are_answered_with_a_code(content: bytes):
    codes = {"not-a-package", "package-truncated", "package-altered", "package-unsigned"}
    assert refused(content) in codes
    sizes = struct.pack(">IIQ", len(content), 0, 0)
    assert refused(b"amanah-pkg\x31\x01" + sizes + content) in codes
