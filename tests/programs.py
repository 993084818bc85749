"""Programs of the tree as processes of their own, without each of them loading the tree anew: most tests of a whole vault begin several.

One process per test process loads it once and forks for every program; what it forks runs the module as `python -m` does, in a new session,
with the environment, folder and streams it was given, and is this test process's own child, to be waited for and killed. Linux only: a
test process takes in the orphans of its children (prctl(2), PR_SET_CHILD_SUBREAPER). `vault` as a shell begins it is tried where a test
says so, and by the checks from outside.
"""

import atexit
import ctypes
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from vault.storage import engine, group_commit

TREE = Path(__file__).parents[1]
_PR_SET_CHILD_SUBREAPER = 36
_MOST = 1 << 20
LOADED = ("vault.app", "vault.cli", "vault.serving", "uvicorn.lifespan.on", "uvicorn.protocols.http.httptools_impl", "uvloop")
"""What programs of the tree load; a module of the tests that is begun loads the rest by itself."""
OWN_PATIENCE = "TESTS_OWN_PATIENCE"
"""Set in the environment of a program that is to wait for a queue and a lock as long as an operator's does."""
# As in tests/conftest.py: what stands still for seconds on two cores is the machine, and 503 would be its answer.
PATIENCE_SECONDS, BUSY_MS = 30.0, 10_000


class Program:
    """A program that was begun here; `returncode` is its exit code, a signal's number below zero, None while it runs."""

    def __init__(self, pid: int) -> None:
        """Take over a child."""
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """The exit code once it ends. Raises subprocess.TimeoutExpired where it has not ended by then."""
        if seconds is None and self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        until = time.monotonic() + (seconds or 0)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired([str(self.pid)], seconds or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def begin(*words: str, env: Mapping[str, str], out: IO[bytes], err: IO[bytes] | None = None) -> Program:
    """Begin a module with its words: what `python -m` is given; it writes to `out`, and errors to `err` or to `out` too."""
    control = _loaded().control
    ask = json.dumps([words, dict(env)]).encode()
    socket.send_fds(control, [ask], [out.fileno(), (err or out).fileno()])
    pid = int(control.recv(64))
    assert pid, "no program could be begun"
    return Program(pid)


def run(*words: str, env: Mapping[str, str], seconds: float | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a module to its end: exit code and both streams. Raises subprocess.TimeoutExpired where it takes longer."""
    with TemporaryFile() as out, TemporaryFile() as err:
        program = begin(*words, env=env, out=out, err=err)
        try:
            code = program.wait(seconds)
        finally:
            program.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


class _Loaded:
    """The process that has loaded the tree; it ends when the line to it is closed."""

    def __init__(self) -> None:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, "-m", "tests.programs", str(theirs.fileno())]
            self.process = subprocess.Popen(words, cwd=TREE, pass_fds=[theirs.fileno()])
        assert self.control.recv(64) == b"loaded"

    def close(self) -> None:
        """Let it end."""
        self.control.close()
        self.process.wait()


@cache
def _loaded() -> _Loaded:
    loaded = _Loaded()
    atexit.register(loaded.close)
    return loaded


def _serve(control: socket.socket) -> list[str] | None:
    """Fork for whoever asks: returns in each program with its words, and None here at the end."""
    control.send(b"loaded")
    while True:
        asked, streams, _, _ = socket.recv_fds(control, _MOST, 2)
        if not asked:
            return None
        told, tells = os.pipe()
        between = os.fork()
        if between == 0:
            if pid := os.fork():  # the one between ends, and its orphan is taken in by whoever asked
                os.write(tells, str(pid).encode())
                os._exit(0)
            os.close(told)
            os.close(tells)
            words, environment = json.loads(asked)
            _become(control, streams, environment)
            return list(words)
        pid = int(os.read(told, 64))
        os.waitpid(between, 0)
        control.send(str(pid).encode())
        for each in (told, tells, *streams):
            os.close(each)


def _become(control: socket.socket, streams: list[int], environment: dict[str, str]) -> None:
    control.close()
    os.setsid()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    if OWN_PATIENCE not in environment:
        group_commit.PATIENCE_SECONDS, engine.BUSY_MS = PATIENCE_SECONDS, BUSY_MS


def _main(descriptor: int) -> None:
    for name in LOADED:
        __import__(name)
    words = _serve(socket.socket(fileno=descriptor))
    if words is not None:
        sys.argv = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
