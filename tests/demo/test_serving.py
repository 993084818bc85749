"""Serving: what cannot be set up is said, and a server that ends or does not listen is not waited for."""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from tests.demo.wire import Wire
from vault.demo import vault_process
from vault.demo.client import Client
from vault.demo.serving import keep_open
from vault.demo.vault_process import NotServing, VaultProcess

LOGIN = {"username": "officer@demo", "password": "p", "totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
SECRETS = {"association": "demo", "api_key": "amn_demo_x", "staff": {"officer": LOGIN}}
NOTICE = {"id": "n", "version": 1, "texts": {"ar": {"text": "إشعار", "sha256": "ab"}}}
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as opened:
        opened.answer("POST", "/v1/records", 201, {"id": "r"})
        opened.answer("GET", "/v1/notices/current", 200, NOTICE)
        opened.answer("POST", "/v1/records/r/consents", 201, {"id": "c"})
        yield opened


def started(folder: Path, wire: Wire, code: str) -> VaultProcess:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    return VaultProcess(folder, folder / "root", wire.port, process)


def kept(vault: VaultProcess, wire: Wire, console: Console) -> int:
    with closing(Client(wire.port, "key")) as client:
        return keep_open(console, vault, client, SECRETS, ({"full_name": "نورة"}, "1900000017"))


def test_a_server_that_ends_by_itself_is_said(tmp_path: Path, wire: Wire):
    console = Console(file=io.StringIO(), width=300)
    vault = started(tmp_path, wire, "raise SystemExit(3)")
    assert kept(vault, wire, console) == 1
    assert vault.process is not None
    assert vault.process.stdout is not None
    vault.process.stdout.close()
    assert "ended with 3" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_vault_that_was_never_started_is_not_waited_for(tmp_path: Path, wire: Wire):
    assert kept(VaultProcess(tmp_path, tmp_path / "root", wire.port), wire, Console(file=io.StringIO())) == 1


@pytest.mark.parametrize("path", ["/v1/records", "/v1/records/r/consents"])
def test_what_the_vault_does_not_take_is_said(tmp_path: Path, wire: Wire, path: str):
    wire.answer("POST", path, 503, {"code": "busy"})
    with pytest.raises(NotServing, match="busy"):
        kept(VaultProcess(tmp_path, tmp_path / "root", wire.port), wire, Console(file=io.StringIO()))


def test_a_server_deaf_to_kindness_is_ended_all_the_same(tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vault_process, "_END_SECONDS", 0.2)
    vault = started(tmp_path, wire, DEAF)
    process = vault.process
    assert process is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"deaf\n"
    vault.stop()
    process.stdout.close()
    assert process.poll() == -9
    vault.stop()


def test_a_vault_that_cannot_be_founded_says_why(tmp_path: Path):
    with pytest.raises(NotServing, match="invalid"):
        VaultProcess(tmp_path, tmp_path / "root").found("Not A Code")
