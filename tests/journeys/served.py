"""A vault as an operator runs it: its own folder, its command line, its server on a loopback port, and strangers' HTTP.

Invariants: only a process started here is ended here; people and values are invented; what the server said is kept to be looked through.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp

from tests import foundings, programs
from tests.ports import free_port

READY_SECONDS = 60
END_SECONDS = 20
FIRST = "first"
WORDS = "بتثجحخدذرزسشصضطظعغفقكلمنهو"
NOBODY = "00000000-0000-4000-8000-000000000000"
PDF = b"%PDF-1.7\n"


def word(rng: random.Random, length: int = 12) -> str:
    """A made-up Arabic word of letters that no spelling rule folds: found again wherever it leaks to."""
    return "".join(rng.choice(WORDS) for _ in range(length))


def moment(shift: float = 0) -> str:
    """Now, so many seconds later, as RFC 3339."""
    return datetime.fromtimestamp(time.time() + shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def national_id(rng: random.Random) -> str:
    """An invented national ID with its check digit (Luhn)."""
    body = "1" + "".join(rng.choices("0123456789", k=8))
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body)]
    return body + str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def iban(rng: random.Random) -> str:
    """An invented Saudi IBAN with its check digits (ISO 13616)."""
    account = "80" + "".join(rng.choices("0123456789", k=18))
    return f"SA{98 - int(account + '281000') % 97:02}{account}"


def multipart(content: bytes, name: str = "file", filename: str = "form.pdf") -> tuple[bytes, dict[str, str]]:
    """A form with one file, and the header that says so."""
    mark = b"------------------------journeys"
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: application/pdf\r\n\r\n'.encode()
    body = b"--" + mark + b"\r\n" + head + content + b"\r\n--" + mark + b"--\r\n"
    return body, {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"}


def filled_in(texts: Mapping[str, str], files: Sequence[tuple[str, bytes]]) -> tuple[bytes, dict[str, str]]:
    """A form as a browser sends it, texts before files, and the header that says so."""
    mark = b"------------------------journeys"
    parts = [(f'name="{name}"'.encode(), value.encode()) for name, value in texts.items()]
    parts += [(f'name="file"; filename="{name}"\r\nContent-Type: application/octet-stream'.encode(), content) for name, content in files]
    head = b"\r\nContent-Disposition: form-data; "
    body = b"".join([b"--" + mark + head + told + b"\r\n\r\n" + content + b"\r\n" for told, content in parts])
    return body + b"--" + mark + b"--\r\n", {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers with lower-case names, and the bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The body as JSON; an empty object where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def code(self) -> str:
        """The code of a problem document, "" where it is none."""
        return str(self.json.get("code", ""))

    @property
    def sane(self) -> tuple[int, bytes]:
        """Status and body without the number of the request: what two answers are compared by."""
        return self.status, re.sub(rb'"request_id":"[0-9a-f]{32}"|<code dir="ltr">[0-9a-f]{32}</code>', b"", self.body)


@dataclass(slots=True)
class Served:
    """One vault; `address` is its database's, None for SQLite in its folder; `settings` are more of AMANAH_*; `program` is served.

    `secrets` holds what founding printed, by association.
    """

    folder: Path
    address: str | None
    secrets: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    program: str = "vault"
    port: int = 0
    metrics_port: int = 0
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _steps: dict[tuple[str, str], int] = field(default_factory=dict)
    _stepped_up: dict[tuple[str, str], float] = field(default_factory=dict)
    _process: programs.Program | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def root(self) -> Path:
        """The root key of all its associations, outside the data folder."""
        return self.folder / "root"

    @property
    def log(self) -> Path:
        """What the server said, on both streams."""
        return self.folder / "server.log"

    def said(self, awaited: bytes) -> bytes:
        """The service's output, once it holds what is awaited: the line of a request is written after its answer."""
        until = time.monotonic() + 10
        while awaited not in (said := self.log.read_bytes()):
            assert time.monotonic() < until, f"{awaited!r} was never written"
            time.sleep(0.05)
        return said

    def complaints(self) -> str:
        """What the server said beside the lines of requests."""
        return "\n".join(line for line in self.log.read_text(errors="replace").splitlines() if '"event":"answer"' not in line)

    def run(self, *arguments: str) -> bytes:
        """What a command printed; it must end with 0."""
        made = programs.run("vault", *arguments, env=self._environment())
        assert made.returncode == 0, made.stderr.decode(errors="replace")[-800:]
        return made.stdout

    def found(self, code: str = FIRST) -> None:
        """Found an association: the first with the vault, as a copy where all is as it mostly is, the others beside it."""
        if self.secrets:
            self.secrets[code] = json.loads(self.run("association", "add", code, "--json"))
        elif self.settings or (self.address or "").startswith("sqlite:"):
            self.found_anew(code)
        else:
            made = foundings.founding(init, self.address and foundings.database(self.address, "postgres"), code)
            shutil.copytree(made.folder / self.data.name, self.data)
            shutil.copy2(made.folder / self.root.name, self.root)
            if self.address is not None:
                foundings.copy_database(self.address, made.database)
            self.secrets[code] = deepcopy(made.told)

    def found_anew(self, code: str) -> None:
        """Found the first association by the command itself."""
        self.secrets[code] = json.loads(self.run("init", "--association", code, "--json"))

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        self.port, self.metrics_port = free_port(), free_port()
        with self.log.open("ab") as said:
            ports = ("--port", str(self.port), "--metrics-port", str(self.metrics_port))
            self._process = programs.begin(self.program, "serve", *ports, env=self._environment(), out=said)
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.complaints()[-1500:]}"
            assert time.monotonic() < end, "not ready"
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server that was started here, kindly; nothing where none runs."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def key(self, association: str = FIRST) -> str:
        """The key of the client that founding made."""
        return str(self.secrets[association]["api_key"])

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        raw: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> Answer:
        """The answer to one request on a connection of its own; JSON where a body is given, the bytes as they are where `raw` is."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
            sent["Content-Type"] = "application/json"
        chunked = raw is not None and not isinstance(raw, bytes)
        if chunked:
            sent["Transfer-Encoding"] = "chunked"
        line = self._line(port or self.port)
        try:
            try:
                line.request(method, path, raw, {**sent, **(headers or {})}, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                # An answer that came before all was sent is read all the same; a line that never stood has none.
                if line.sock is None:
                    raise
            found = line.getresponse()
            return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            line.close()

    def code(self, who: str, association: str = FIRST) -> str:
        """A one-time code of this person that was not used yet; waits for the next where those of now are used up.

        The step before this one is still taken, so it comes first as long as it has five seconds left.
        """
        place, secret = (association, who), self.secrets[association]["staff"][who]["totp_secret"]
        while (step := max(self._steps.get(place, 0) + 1, int(time.time() - 25) // 30)) > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        self._steps[place] = step
        return pyotp.HOTP(secret).at(step)

    def sign_in(self, who: str, association: str = FIRST) -> str:
        """A new session's token."""
        account = self.secrets[association]["staff"][who]
        body = {"username": account["username"], "password": account["password"], "code": self.code(who, association)}
        answer = self.call("POST", "/v1/sessions", body)
        assert answer.status == 201, answer.text
        return str(answer.json["token"])

    def session(self, who: str, association: str = FIRST) -> str:
        """The session of this person, opened once."""
        if (association, who) not in self.tokens:
            self.tokens[association, who] = self.sign_in(who, association)
        return self.tokens[association, who]

    def approver(self, who: str, association: str = FIRST) -> str:
        """The session of this person, stepped up if it was not in the last minutes: it may approve."""
        token, place = self.session(who, association), (association, who)
        if self._stepped_up.get(place, 0.0) < time.monotonic() - 200:
            answer = self.call("POST", "/v1/sessions/current/step-up", {"code": self.code(who, association)}, token=token)
            assert answer.status == 200, answer.text
            self._stepped_up[place] = time.monotonic()
        return token

    def openapi(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every operation of the OpenAPI file by method and path."""
        paths = self.call("GET", "/schema/openapi.json").json["paths"]
        return {(method.upper(), path): told for path, methods in paths.items() for method, told in methods.items()}

    def fields(self, rng: random.Random, **over: Any) -> dict[str, Any]:
        """The fields of an invented beneficiary."""
        return {"full_name": f"سارة بنت {word(rng)}", "national_id": national_id(rng), "iban": iban(rng), **over}

    def store(self, fields: Mapping[str, Any], association: str = FIRST, **more: Any) -> dict[str, Any]:
        """Store a beneficiary: `{"id","subject","revision"}`."""
        answer = self.call("POST", "/v1/records", {"type": "beneficiary", "fields": fields, **more}, token=self.key(association))
        assert answer.status == 201, answer.text
        return answer.json

    def consent(self, form: str, purpose: str, fields: list[str], association: str = FIRST, **over: Any) -> dict[str, Any]:
        """The body of a consent given now under the notice in force."""
        told = self.call("GET", f"/v1/notices/current?purpose={purpose}", token=self.key(association)).json
        sha256, at = told["texts"]["ar"]["sha256"], moment()
        electronic = {
            "act": "checkbox",
            "text_sha256": sha256,
            "served_at": at,
            "answered_at": at,
            "proof": {"method": "one_time_code", "verified_at": at},
            "asserted_by": "client",
        }
        written = {
            "original_kept_at": "cabinet 1",
            "template": "written-1",
            "signature": "signature",
            "identity_check": "national_id_card",
            "signed_at": at,
            "place": "القصيم",
            "captured_by": self.secrets[association]["staff"]["officer"]["username"],
        }
        return {
            "purpose": purpose,
            "fields": fields,
            "form": form,
            "explicit": False,
            "notice": {"id": told["id"], "version": told["version"], "language": "ar", "sha256": sha256},
            "given_by": "self",
            "indicated_at": at,
            "evidence": written if form == "written" else electronic,
            **over,
        }

    def grant(self, record: str, body: Mapping[str, Any], association: str = FIRST) -> str:
        """Record a consent and return its id."""
        answer = self.call("POST", f"/v1/records/{record}/consents", body, token=self.key(association))
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def hand_in(self, content: bytes = PDF, association: str = FIRST, *, filename: str = "form.pdf") -> dict[str, Any]:
        """Hand in a scan: `{"id","sha256"}`."""
        raw, headers = multipart(content, filename=filename)
        answer = self.call("POST", "/v1/evidence", raw=raw, token=self.key(association), headers=headers)
        assert answer.status == 201, answer.text
        return answer.json

    def word(self, visitor: str, association: str = FIRST, **over: Any) -> dict[str, Any]:
        """The body of a visitor's consent under the notice in force."""
        told = self.call("GET", "/v1/notices/current?purpose=visitor_analytics", token=self.key(association)).json
        shown = {"id": told["id"], "version": told["version"], "language": "ar", "sha256": told["texts"]["ar"]["sha256"]}
        return {"visitor": visitor, "purpose": "visitor_analytics", "notice": shown, "act": "button", "gpc": False, **over}

    def report(self, association: str = FIRST, **over: Any) -> dict[str, str]:
        """A violation somebody reported: `{"reference","receipt"}`."""
        body = {"category": "other", "narrative": "رأيت ما لا ينبغي أن يراه أحد", "language": "ar", **over}
        answer = self.call("POST", f"/v1/public/{association}/breach-reports", body)
        assert answer.status == 201, answer.text
        told: dict[str, str] = answer.json
        return told

    def client(self, name: str, association: str = FIRST, **over: Any) -> tuple[str, str]:
        """A new API client, proposed by the administrator and approved by the officer: its id and key."""
        wanted = {
            "name": name,
            "party": "INTERNAL",
            "kind": "batch",
            "scopes": ["records:read", "decisions:ask", "notices:read"],
            "purposes": ["service_delivery"],
            "expires_at": moment(3600),
            **over,
        }
        key = {"Idempotency-Key": uuid.uuid4().hex}
        made = self.call("POST", "/v1/clients", wanted, token=self.session("admin", association), headers=key)
        assert made.status == 201, made.text
        done = self.call("POST", f"/v1/clients/{made.json['id']}/approval", token=self.approver("officer", association))
        assert done.status == 200, done.text
        return made.json["id"], made.json["key"]

    def _line(self, port: int) -> http.client.HTTPConnection:
        trusted = self.settings.get("AMANAH_TLS_CERT")
        if trusted is None:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=ssl.create_default_context(cafile=trusted))

    def _is_ready(self) -> bool:
        try:
            return self.call("GET", "/health/ready").status == 200
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        ours = {
            "AMANAH_DATA_DIR": str(self.data),
            "AMANAH_ROOT_KEY_FILE": str(self.root),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
        }
        if self.address is not None:
            file = self.folder / "address"
            file.write_text(self.address, encoding="utf-8")
            ours["AMANAH_DATABASE_URL_FILE"] = str(file)
        # What the caller's shell says about a real vault must not reach this one.
        return {name: value for name, value in os.environ.items() if not name.startswith("AMANAH_")} | ours | self.settings


def init(folder: Path, address: str | None, code: str) -> Any:
    """Found a vault in a folder and a database, None for SQLite; the secrets the command told."""
    vault = Served(folder, address)
    vault.found_anew(code)
    return vault.secrets[code]
