"""Packages for who has the age tool and nothing of ours: the stock tool opens them, and what is altered or made for another is refused."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from keys.age import AgeKey, checked_public, sealed_to
from keys.age_packages import CHECKPOINT, MANIFEST, open_age_package, seal_age_package
from keys.bundles import SUMS, bundle, sums
from keys.errors import Unopenable, Unsealable
from keys.notes import Signer
from keys.packages import AGE, Manifest, PackageRefused, checked_key, fingerprint, require_standing
from keys.secret import Secret

NAME = "amanah/probe/1"
SIGNER = Signer(NAME, Secret(bytes(31) + b"\x07"))
KEY = AgeKey(str(pyrage.x25519.Identity.generate()))
OTHER = AgeKey(str(pyrage.x25519.Identity.generate()))
FILES = {"content.json": '{"records":[{"full_name":"فاطمة"}]}'.encode(), "files/1-deed.pdf": b"%PDF-1.7"}
CHECKPOINT_NOTE = SIGNER.sign(f"{NAME}\n6\n{'A' * 43}=\n")


def manifest(key: AgeKey = KEY) -> Manifest:
    return Manifest(
        association=NAME,
        disclosure="d",
        serial=1,
        recipient="court",
        key=fingerprint(AGE, key.public),
        purpose="legal_order",
        basis="judicial_order",
        article="cooperative:4",
        fields=("full_name",),
        issued=100,
        expires=200,
        entries=((5, "ab" * 32),),
    )


def sealed(key: AgeKey = KEY) -> bytes:
    return seal_age_package(manifest(key), key.public, FILES, SIGNER, CHECKPOINT_NOTE)


def refused(content: bytes, key: AgeKey = KEY) -> str:
    with pytest.raises(PackageRefused) as found:
        open_age_package(content, key)
    assert found.value.__context__ is None
    return found.value.code


def test_it_opens_with_the_key_it_was_sealed_to_and_its_signature_holds():
    package, files = open_age_package(sealed(), KEY)
    assert (package.manifest, files) == (manifest(), FILES)
    require_standing(package, 150, SIGNER.vkey)
    with pytest.raises(PackageRefused, match="package-expired"):
        require_standing(package, 200, SIGNER.vkey)
    with pytest.raises(PackageRefused, match="package-unsigned"):
        require_standing(package, 150, Signer(NAME, Secret.random()).vkey)


def test_the_stock_tool_opens_it_with_a_key_of_its_own_and_each_digest_holds(tmp_path: Path):
    subprocess.run(["age-keygen", "-o", tmp_path / "key.txt"], check=True, capture_output=True)
    key = AgeKey.read(tmp_path / "key.txt")
    (tmp_path / "package.age").write_bytes(sealed(key))
    subprocess.run(["age", "-d", "-i", tmp_path / "key.txt", "-o", tmp_path / "package.zip", tmp_path / "package.age"], check=True)
    with zipfile.ZipFile(tmp_path / "package.zip") as out:
        out.extractall(tmp_path / "out")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=tmp_path / "out", check=True)
    lines = [
        line for line in (tmp_path / "out" / SUMS).read_text().splitlines(keepends=True) if line.split()[1] not in (MANIFEST, CHECKPOINT)
    ]
    signed = (tmp_path / "out" / MANIFEST).read_text(encoding="utf-8")
    assert f"\nsealed {hashlib.sha256(''.join(lines).encode()).hexdigest()}\n" in signed
    assert (tmp_path / "out/content.json").read_bytes() == FILES["content.json"]


def test_what_the_stock_tool_sealed_opens_here(tmp_path: Path):
    (tmp_path / "plain").write_bytes(b"plain")
    subprocess.run(["age", "-r", KEY.public, "-o", tmp_path / "file.age", tmp_path / "plain"], check=True)
    assert KEY.opened((tmp_path / "file.age").read_bytes()) == b"plain"


def test_a_bundle_sealed_anew_for_somebody_else_is_told_to_be_another_s():
    inside = KEY.opened(sealed())
    assert inside is not None
    assert refused(sealed_to(OTHER.public, inside), OTHER) == "package-foreign"


def test_what_is_altered_cut_or_something_else_is_refused():
    whole = sealed()
    assert refused(b"hello") == "not-a-package"
    assert refused(whole, OTHER) == "package-foreign"
    for size in (30, 200, len(whole) - 1):
        assert refused(whole[:size]) == "package-altered"
    for place in range(30, len(whole), 97):
        assert refused(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]) in {"package-altered", "package-foreign"}
    note = SIGNER.sign(f"{manifest().text()}sealed {hashlib.sha256(sums(FILES)).hexdigest()}\n").encode()
    inside = {**FILES, MANIFEST: note, CHECKPOINT: CHECKPOINT_NOTE.encode()}
    assert open_age_package(sealed_to(KEY.public, bundle(inside)), KEY)[1] == FILES
    for wrong in ({"content.json": b"{}"}, {"more": b""}, {MANIFEST: b"no note"}):
        assert refused(sealed_to(KEY.public, bundle({**inside, **wrong}))) == "package-altered", wrong
    for name in (MANIFEST, CHECKPOINT, "content.json"):
        assert refused(sealed_to(KEY.public, bundle({each: inside[each] for each in inside if each != name}))) == "package-altered"


def test_nothing_is_sealed_to_another_key_than_the_manifest_s_or_under_names_of_ours():
    with pytest.raises(Unsealable):
        seal_age_package(manifest(), OTHER.public, FILES, SIGNER, CHECKPOINT_NOTE)
    for name in (MANIFEST, CHECKPOINT):
        with pytest.raises(Unsealable):
            seal_age_package(manifest(), KEY.public, {name: b""}, SIGNER, CHECKPOINT_NOTE)
    with pytest.raises(Unsealable):
        seal_age_package(replace(manifest(), purpose="two words"), KEY.public, FILES, SIGNER, CHECKPOINT_NOTE)


@pytest.mark.parametrize("public", ["", "age1" + "q" * 58, "age1" + "q" * 57, "ssh-ed25519 AAAA", "age1yubikey1q" + "q" * 49, "x" * 62])
def test_what_is_no_plain_key_of_age_s_is_none_to_seal_to(public: str):
    for check in (checked_public, lambda text: checked_key(AGE, text), lambda text: sealed_to(text, b"")):
        with pytest.raises(Unsealable) as found:
            check(public)
        assert found.value.__context__ is None


def test_a_key_file_holds_one_key_and_remarks(tmp_path: Path):
    text = str(pyrage.x25519.Identity.generate())
    file = tmp_path / "key"
    for content, good in (
        (f"# made today\n{text}\n", True),
        (text, True),
        (f"{text}\n{text}\n", False),
        ("# none\n", False),
        (text[:-1], False),
    ):
        file.write_text(content, encoding="utf-8")
        file.chmod(0o600)
        if good:
            assert AgeKey.read(file).public.startswith("age1")
        else:
            with pytest.raises(Unopenable):
                AgeKey.read(file)
    file.chmod(0o644)
    with pytest.raises(PermissionError):
        AgeKey.read(file)
    file.chmod(0o600)
    file.write_bytes(b"\xff")
    with pytest.raises(Unopenable):
        AgeKey.read(file)
