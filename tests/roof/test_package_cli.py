"""The recipient's commands: no vault, one clear line for each refusal, and the content only where the user says."""

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from click.testing import CliRunner, Result

from keys.age_packages import seal_age_package
from keys.bundles import bundle
from keys.notes import Signer
from keys.packages import AGE, Manifest, PackageKey, fingerprint, seal_package
from keys.secret import Secret
from vault.cli import main

NAME = "amanah/probe/1"
SIGNER = Signer(NAME, Secret(bytes(31) + b"\x07"))
NOW = int(time.time())
CHECKPOINT = SIGNER.sign(f"{NAME}\n6\n{'A' * 43}=\n")
MANIFEST = Manifest(
    association=NAME,
    disclosure="d",
    serial=1,
    recipient="court",
    key="",
    purpose="legal_order",
    basis="judicial_order",
    article="cooperative:4",
    fields=("full_name",),
    issued=NOW,
    expires=NOW + 3600,
    entries=((5, "ab" * 32),),
)
CONTENT = '{"records":[{"full_name":"فاطمة"}]}'


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["package", *arguments])


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    """A key made by the command, and a package for it in a file."""
    told = run("keygen", str(tmp_path / "key"))
    assert told.exit_code == 0, told.output
    public = json.loads(told.stdout)
    key = PackageKey.read(tmp_path / "key")
    assert (public, told.stderr) == ({"type": "hpke-x25519", "public": key.public}, f"fingerprint {key.fingerprint}\n")
    return {"key": tmp_path / "key", "file": package(tmp_path / "package", key), "folder": tmp_path}


def package(path: Path, key: PackageKey, *, lasts: int = 3600, serial: int = 1, **several: Any) -> Path:
    manifest = replace(MANIFEST, key=key.fingerprint, expires=NOW + lasts, serial=serial, **several)
    path.write_bytes(
        seal_package(manifest, key.public, bundle({"content.json": CONTENT.encode(), "page.ar.html": b"<p>"}), SIGNER, CHECKPOINT)
    )
    return path


def test_a_package_opens_on_the_output_or_into_a_new_file_of_its_owner(made: dict[str, Any]):
    shown = run("open", str(made["file"]), "--key", str(made["key"]), "--vkey", SIGNER.vkey)
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, f"{CONTENT}\n", "")
    out = made["folder"] / "content"
    kept = run("open", str(made["file"]), "--key", str(made["key"]), "--out", str(out))
    assert (kept.exit_code, kept.stdout) == (0, "")
    assert "nobody's signature was checked" in kept.stderr
    assert out.read_text(encoding="utf-8") == CONTENT
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = run("open", str(made["file"]), "--key", str(made["key"]), "--out", str(out))
    assert (again.exit_code, "FileExistsError" in again.stderr) == (1, True)
    left = {path.name for path in made["folder"].iterdir()}
    assert left == {"key", "package", "content"}


def test_a_package_is_verified_without_its_key_and_nothing_of_it_shown(made: dict[str, Any]):
    told = run("verify", str(made["file"]), "--vkey", SIGNER.vkey)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("amanah-package/1\nassociation amanah/probe/1\n")
    assert "فاطمة" not in told.output


def test_each_refusal_is_one_clear_line(made: dict[str, Any]):
    folder, content = made["folder"], made["file"].read_bytes()
    other = PackageKey.create(folder / "other")
    bad = {
        "package-truncated": content[:-1],
        "package-altered": content[:-1] + bytes([content[-1] ^ 1]),
        "package-expired": package(folder / "old", PackageKey.read(made["key"]), lasts=0).read_bytes(),
        "package-foreign": package(folder / "foreign", other).read_bytes(),
        "not-a-package": b"hello",
    }
    for code, wrong in bad.items():
        (folder / "bad").write_bytes(wrong)
        told = run("open", str(folder / "bad"), "--key", str(made["key"]))
        assert (told.exit_code, told.stdout) == (1, ""), code
        assert told.stderr.startswith(f"amanah: {code}: ")
        assert told.stderr.count("\n") == 1
    for command in (("open", str(made["file"]), "--key", str(made["key"])), ("verify", str(made["file"]))):
        told = run(*command, "--vkey", Signer(NAME, Secret.random()).vkey)
        assert (told.exit_code, told.stderr.split(":")[1]) == (1, " package-unsigned")


def test_a_key_file_that_is_none_or_lies_open_is_refused(made: dict[str, Any]):
    wrong = made["folder"] / "wrong"
    wrong.write_text("no key", encoding="utf-8")
    wrong.chmod(0o600)
    told = run("open", str(made["file"]), "--key", str(wrong))
    assert (told.exit_code, told.stderr) == (1, "amanah: the key file holds no package key\n")
    wrong.chmod(0o644)
    assert "PermissionError" in run("open", str(made["file"]), "--key", str(wrong)).stderr
    assert "FileNotFoundError" in run("open", str(made["folder"] / "none"), "--key", str(made["key"])).stderr
    assert "FileExistsError" in run("keygen", str(made["key"])).stderr


def test_all_that_is_in_a_package_goes_into_a_new_folder_of_its_owner(made: dict[str, Any]):
    out = made["folder"] / "all"
    told = run("open", str(made["file"]), "--key", str(made["key"]), "--vkey", SIGNER.vkey, "--folder", str(out))
    assert (told.exit_code, told.output) == (0, "")
    assert {path.name for path in out.iterdir()} == {"content.json", "page.ar.html", "manifest.txt", "checkpoint.txt"}
    assert (out / "content.json").read_text(encoding="utf-8") == CONTENT
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    again = run("open", str(made["file"]), "--key", str(made["key"]), "--folder", str(out))
    assert (again.exit_code, "FileExistsError" in again.stderr) == (1, True)


def test_with_a_register_no_package_is_taken_twice(made: dict[str, Any]):
    seen, out = made["folder"] / "seen", made["folder"] / "out"
    command = ("open", str(made["file"]), "--key", str(made["key"]), "--vkey", SIGNER.vkey, "--seen", str(seen))
    out.write_text("is there already", encoding="utf-8")
    assert run(*command, "--out", str(out)).exit_code == 1
    assert not seen.exists()  # what did not get out was not taken
    assert run(*command).stdout == f"{CONTENT}\n"
    assert stat.S_IMODE(seen.stat().st_mode) == 0o600
    again = run(*command)
    assert (again.exit_code, again.stdout, again.stderr.split(":")[1]) == (1, "", " package-replayed")
    assert seen.read_text(encoding="utf-8") == f"{NAME} d 1\n"
    key = PackageKey.read(made["key"])
    package(made["file"], key, serial=3)
    assert run(*command).exit_code == 0
    package(made["file"], key, serial=2)
    assert "package-replayed" in run(*command).stderr
    assert seen.read_text(encoding="utf-8") == f"{NAME} d 1\n{NAME} d 3\n"


def test_the_pages_of_one_disclosure_are_taken_in_any_order_and_each_once(made: dict[str, Any]):
    seen, key = made["folder"] / "seen", PackageKey.read(made["key"])
    command = ("open", str(made["file"]), "--key", str(made["key"]), "--vkey", SIGNER.vkey, "--seen", str(seen))
    for page in (3, 1, 2):
        package(made["file"], key, serial=page, page=page, pages=3, plan="ab" * 32)
        assert run(*command).exit_code == 0, page
        assert "package-replayed" in run(*command).stderr
    told = run("verify", str(made["file"]), "--vkey", SIGNER.vkey)
    assert f"page 2/3\nplan {'ab' * 32}\n" in told.stdout
    assert seen.read_text(encoding="utf-8") == "".join(f"{NAME} d/{page} {page}\n" for page in (3, 1, 2))


def test_a_package_for_age_opens_and_verifies_with_its_key(made: dict[str, Any]):
    folder, identity = made["folder"], pyrage.x25519.Identity.generate()
    (folder / "identity").write_text(f"# made today\n{identity}\n", encoding="utf-8")
    (folder / "identity").chmod(0o600)
    public = str(identity.to_public())
    sealed = seal_age_package(
        replace(MANIFEST, key=fingerprint(AGE, public)), public, {"content.json": CONTENT.encode()}, SIGNER, CHECKPOINT
    )
    (folder / "package.age").write_bytes(sealed)
    told = run("open", str(folder / "package.age"), "--key", str(folder / "identity"), "--vkey", SIGNER.vkey)
    assert (told.exit_code, told.stdout) == (0, f"{CONTENT}\n")
    verified = run("verify", str(folder / "package.age"), "--key", str(folder / "identity"), "--vkey", SIGNER.vkey)
    assert (verified.exit_code, verified.stdout.splitlines()[0]) == (0, "amanah-package/1")
    blind = run("verify", str(folder / "package.age"), "--vkey", SIGNER.vkey)
    assert (blind.exit_code, blind.stderr.split(":")[1]) == (1, " not-a-package")
    wrong = run("open", str(folder / "package.age"), "--key", str(made["key"]))
    assert (wrong.exit_code, wrong.stderr) == (1, "amanah: the key file holds no package key\n")


def test_what_opens_and_is_no_bundle_is_told_to_be_altered(made: dict[str, Any]):
    key = PackageKey.read(made["key"])
    made["file"].write_bytes(seal_package(replace(MANIFEST, key=key.fingerprint), key.public, b"{}", SIGNER, CHECKPOINT))
    told = run("open", str(made["file"]), "--key", str(made["key"]))
    assert (told.exit_code, told.stdout, told.stderr.split(":")[1]) == (1, "", " package-altered")
