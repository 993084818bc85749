"""A vault in a folder of its own, used through its command line and nothing else.

Invariants: only a process started here is ever ended here; the root key lies beside the data, which only a demonstration may do.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from vault.demo.client import Client

READY_SECONDS = 60
_END_SECONDS = 15
_PAUSE = 0.05
_SQLITE = b"SQLite format 3\x00"
_PUBLIC = """\
demonstration = true
[name]
ar = "جمعية العرض التجريبي"
en = "Demonstration association"
"""


class NotServing(Exception):
    """The vault did not open its door; the text is what it said."""


@dataclass(slots=True)
class VaultProcess:
    """One vault: `folder` holds `data`, the root key and what the server said."""

    folder: Path
    root_key: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def found(self, association: str) -> dict[str, Any]:
        """Found the vault with its first association and return the secrets that are printed once. Raises NotServing."""
        made = self.run("init", "--association", association, "--json", "--data-dir", str(self.data), "--root-key-file", str(self.root_key))
        if made.returncode:
            raise NotServing(said(made))
        secrets: dict[str, Any] = json.loads(made.stdout)
        return secrets

    def introduce(self, association: str) -> None:
        """Write what its public pages say of it: a name, and that it is a demonstration. The server reads it as it starts."""
        (self.data / "associations" / association / "public.toml").write_text(_PUBLIC, encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """One command of the vault's command line, to its end."""
        return subprocess.run([*_COMMAND, *arguments], env=self._environment(), capture_output=True, check=False)  # noqa: S603 - our own program

    def serve(self, port: int = 0) -> None:
        """Start the server on this port of the loopback interface, or a free one, and wait until it is ready. Raises NotServing."""
        self.port = port or free_port()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [*_COMMAND, "serve", "--host", "127.0.0.1", "--port", str(self.port)],
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if not self._ready(time.monotonic() + READY_SECONDS):
            self.stop()
            raise NotServing((self.folder / "server.log").read_text(errors="replace")[-800:].strip())

    def stop(self) -> None:
        """End the server that was started here, kindly first; nothing where none runs."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def copy(self, folder: Path) -> "VaultProcess":
        """A copy of this vault as a thief or a restore would have it: the database by SQLite's own backup, the other files as they are."""
        databases = {path for path in self.data.rglob("*") if path.is_file() and is_database(path)}
        beside = {path.name + end for path in databases for end in ("", "-wal", "-shm")}
        shutil.copytree(self.data, folder / "data", ignore=lambda _, names: [name for name in names if name in beside])
        for path in databases:
            with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(folder / "data" / path.relative_to(self.data))) as kept:
                live.backup(kept)
        return VaultProcess(folder, self.root_key)

    def database(self) -> Path:
        """The database's file."""
        return next(path for path in sorted(self.data.rglob("*")) if path.is_file() and is_database(path))

    def _environment(self) -> dict[str, str]:
        ours = {"AMANAH_DATA_DIR": str(self.data), "AMANAH_ROOT_KEY_FILE": str(self.root_key), "HOME": str(self.folder)}
        # What the caller's shell says about a real vault must not reach this one.
        return {name: value for name, value in os.environ.items() if not name.startswith("AMANAH_")} | ours

    def _ready(self, until: float) -> bool:
        with closing(Client(self.port, timeout=5)) as client:
            while time.monotonic() < until and self.process is not None and self.process.poll() is None:
                if _answers(client):
                    return True
                time.sleep(_PAUSE)
        return False


def _answers(client: Client) -> bool:
    """Whether the server says it is ready."""
    try:
        return client.call("GET", "/health/ready").status == HTTPStatus.OK
    except OSError:
        client.close()
        return False


_COMMAND = (sys.executable, "-m", "vault")


def said(run: subprocess.CompletedProcess[bytes]) -> str:
    """What a command said on both streams."""
    return (run.stdout + b"\n" + run.stderr).decode(errors="replace").strip()


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    with path.open("rb") as opened:
        return opened.read(len(_SQLITE)) == _SQLITE


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """A port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
