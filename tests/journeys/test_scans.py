"""A large scan over the network: sealed in every file and never whole in memory, broken off, taken up again, erased while it leaves."""

import hashlib
import http.client
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.served import Answer, Served

MIB = 1024 * 1024
CANARY = b"canary-of-a-scan-7f1d"
RNG = random.Random("scans")


def paper(size: int, name: str) -> bytes:
    """A file that looks like a PDF, with a mark in every kilobyte of it."""
    noise = hashlib.shake_256(name.encode()).digest(MIB)
    page = b"".join(noise[at : at + 1024 - len(CANARY)] + CANARY for at in range(0, MIB - 1024, 1024))
    return (b"%PDF-1.7\n" + page * (size // len(page) + 1))[:size]


def cited(vault: Served, content: bytes) -> tuple[str, str]:
    """A person whose written consent rests on this scan: her record and the scan."""
    record = vault.store(vault.fields(RNG))["id"]
    scan = vault.hand_in(content)["id"]
    body = vault.consent("written", "service_delivery", ["full_name"])
    vault.grant(record, {**body, "evidence": {**body["evidence"], "scan": scan}})
    return record, scan


def see(vault: Served, scan: str, **headers: str) -> Answer:
    """The scan, by who can verify."""
    return vault.call("GET", f"/v1/evidence/{scan}", token=vault.session("second_officer"), headers=headers)


def process_of(vault: Served) -> int:
    """The number of the server's process."""
    assert vault._process is not None
    return vault._process.pid


def peak(vault: Served) -> int:
    """The most memory the server has held so far, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process_of(vault)}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def watched(vault: Served) -> Iterator[set[str]]:
    """Every file that the server has open while the block runs, and every one that appears where temporary files go."""
    seen: set[str] = set()
    ended = threading.Event()
    links, temporary = Path(f"/proc/{process_of(vault)}/fd"), vault.folder / "tmp"

    def watch() -> None:
        while not ended.is_set():
            for link in [*links.iterdir()]:
                try:
                    seen.add(str(link.readlink()))
                except OSError:
                    continue  # closed meanwhile
            seen.update(str(one) for one in temporary.rglob("*"))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def test_a_scan_lies_nowhere_unsealed_and_is_never_whole_in_memory(served: Served):
    small = paper(2 * MIB, "small")
    _, first = cited(served, small)
    assert see(served, first).body == small  # what a process grows by once, it has grown by now
    content, before = paper(24 * MIB, "large"), peak(served)
    with watched(served) as opened:
        _, scan = cited(served, content)
        answer = see(served, scan)
    assert (answer.status, answer.headers["content-length"], answer.body == content) == (200, str(len(content)), True)
    assert peak(served) - before < 12 * MIB
    own = (str(served.data), str(served.log), "/dev/", "/proc/")
    strange = {one for one in opened if one.startswith("/") and not one.startswith(own)}
    assert strange == set(), "a temporary file"
    assert not any((served.folder / "tmp").iterdir())
    for file in [one for one in served.data.rglob("*") if one.is_file()]:
        assert CANARY not in file.read_bytes(), file.name


@contextmanager
def begun(vault: Served, scan: str) -> Iterator[http.client.HTTPResponse]:
    """An answer of which next to nothing is taken: the client's window is small."""
    line = http.client.HTTPConnection("127.0.0.1", vault.port, timeout=30)
    line.sock = socket.socket()
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    line.sock.settimeout(30)
    line.sock.connect(("127.0.0.1", vault.port))
    try:
        line.request("GET", f"/v1/evidence/{scan}", headers={"Authorization": f"Bearer {vault.session('second_officer')}"})
        yield line.getresponse()
    finally:
        line.close()


def rest_of(answer: http.client.HTTPResponse) -> bytes:
    """What still comes; short where the answer was cut."""
    try:
        return answer.read()
    except http.client.IncompleteRead as cut:
        return cut.partial


def test_a_broken_download_is_taken_up_and_joins_to_the_whole(served: Served):
    content = paper(20 * MIB, "broken")
    _, scan = cited(served, content)
    with begun(served, scan) as answer:
        tag = answer.headers["ETag"]
        got = answer.read(3 * MIB + 17)
    assert got == content[: len(got)]
    rest = see(served, scan, Range=f"bytes={len(got)}-", **{"If-Range": tag})
    assert (rest.status, got + rest.body == content) == (206, True)
    read = served.call("GET", "/v1/access-log?kind=evidence.read&limit=2", token=served.session("officer")).json["items"]
    assert [one["outcome"] for one in read] == ["allow", "allow"]


def until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it holds within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def lines(vault: Served) -> int:
    """How many clients the server has on its line: not its files, nor its connections to a database, of which it may open more."""
    here = f":{vault.port:04X}"
    table = [row.split() for row in Path(f"/proc/{process_of(vault)}/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    listening, by_inode = "0A", {row[9]: row[3] for row in table if row[1].endswith(here)}
    held = set()
    for link in [*Path(f"/proc/{process_of(vault)}/fd").iterdir()]:
        try:
            held.add(str(link.readlink()))
        except OSError:
            continue  # closed meanwhile
    return sum(f"socket:[{inode}]" in held for inode, state in by_inode.items() if state != listening)


def test_who_hangs_up_ends_the_stream(served: Served):
    content = paper(24 * MIB, "hung up")
    _, scan = cited(served, content)
    assert until(lambda: lines(served) == 0)
    for _ in range(20):  # more than may leave at once: none of them is still on its way
        with begun(served, scan) as answer:
            assert (answer.status, len(answer.read(1000))) == (200, 1000)
            assert lines(served) > 0
    assert until(lambda: see(served, scan, Range="bytes=0-0").status == 206)
    assert until(lambda: lines(served) == 0)


def erase(vault: Served, record: str) -> Any:
    """Her erasure, by two officers; the certificate."""
    body = {"reason": "r", "requested_by": "self"}
    asked = vault.call("POST", f"/v1/records/{record}/erasure", body, token=vault.session("officer"))
    assert asked.status == 202, asked.text
    done = vault.call("POST", f"/v1/erasures/{asked.json['id']}/approval", {}, token=vault.approver("second_officer"))
    assert done.status == 200, done.text
    return done.json


@pytest.mark.parametrize("how", ["locked", "erased", "withdrawn"])
def test_what_was_on_its_way_when_its_ground_moved_comes_short(served: Served, how: str):
    content = paper(24 * MIB, how)
    record, scan = cited(served, content)
    served.approver("second_officer")
    with begun(served, scan) as answer:
        got = answer.read(100_000)
        if how == "erased":
            erase(served, record)
        elif how == "locked":
            served.call("POST", f"/v1/records/{record}/erasure", {"reason": "r", "requested_by": "self"}, token=served.session("officer"))
        else:
            consent = served.call("GET", f"/v1/records/{record}/consents", token=served.key()).json["items"][0]["id"]
            done = served.call("POST", f"/v1/consents/{consent}/withdrawal", {"given_by": "self"}, token=served.key())
            assert done.status == 201, done.text
        got += rest_of(answer)
    assert len(got) < len(content), "it comes short"
    assert got == content[: len(got)], "and what came is true"
    after = see(served, scan, Range=f"bytes={len(got)}-")
    assert after.status == (404 if how == "erased" else 403)
