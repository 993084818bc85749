"""The recipient's commands: no vault, one clear line for each refusal, and the content only where the user says."""

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from keys.notes import Signer
from keys.packages import Manifest, PackageKey, seal_package
from keys.secret import Secret
from vault.cli import main

NAME = "amanah/probe/1"
SIGNER = Signer(NAME, Secret(bytes(31) + b"\x07"))
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


def package(path: Path, key: PackageKey, *, lasts: int = 3600) -> Path:
    now = int(time.time())
    manifest = Manifest(
        association=NAME,
        disclosure="d",
        serial=1,
        recipient="court",
        key=key.fingerprint,
        purpose="legal_order",
        basis="judicial_order",
        article="cooperative:4",
        fields=("full_name",),
        issued=now,
        expires=now + lasts,
        entries=((5, "ab" * 32),),
    )
    path.write_bytes(seal_package(manifest, key.public, CONTENT.encode(), SIGNER, SIGNER.sign(f"{NAME}\n6\n{'A' * 43}=\n")))
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
