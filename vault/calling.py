"""Calls the running service as a signed-in person: what a command does that a person answers for (DESIGN 3, doors to the world).

Invariants: password and codes come from a file, a descriptor or the terminal, never from an argument; they are sent to this machine or over
TLS and nowhere else; the session ends with the command.
"""

import contextlib
import http.client
import ipaddress
import json
import ssl
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from vault.errors import FieldError, Invalid, VaultError

SECONDS: Final = 60
# User name, password, the code to sign in with, the next code to approve with.
LINES: Final = 4

Ask = Callable[[str, bool], str]


@dataclass(slots=True)
class Person:
    """Who signs in: user name, password and codes, asked for one by one as they are needed where the file does not hold them.

    `ask` takes what is asked for and whether it is typed unseen.
    """

    ask: Ask = field(repr=False)
    _lines: list[str] = field(default_factory=list, repr=False)

    @classmethod
    def from_file(cls, path: Path | None, ask: Ask) -> "Person":
        """Read up to four lines: user name, password, code, next code. Raises VaultError `sign-in-unreadable`."""
        if path is None:
            return cls(ask)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise VaultError("sign-in-unreadable") from None
        if len(lines) > LINES:
            raise VaultError("sign-in-unreadable")
        return cls(ask, lines)

    def next(self, what: str, *, unseen: bool = True) -> str:
        """Return the next line of the file, else what is typed."""
        return self._lines.pop(0) if self._lines else self.ask(what, unseen)


class Service:
    """The running service at its address; calls are made in a person's session; what is no success is an error of the family."""

    def __init__(self, address: str) -> None:
        """Take `http://` for this machine, `https://` for any. Raises VaultError `service-not-private`, `service-unreachable`."""
        self._token = ""
        try:
            self._line = line_to(urlsplit(address))
        except ValueError:
            raise VaultError("service-unreachable") from None

    @contextlib.contextmanager
    def session(self, person: Person) -> Iterator[None]:
        """Sign in, and out again at the end. Raises as `call` does."""
        body = {
            "username": person.next("User name", unseen=False),
            "password": person.next("Password"),
            "code": person.next("One-time code"),
        }
        with contextlib.closing(self._line):
            self._token = str(self.call("POST", "/v1/sessions", body).get("token", ""))
            try:
                yield
            finally:
                # A session that does not end here ends by itself; what was done stands either way.
                with contextlib.suppress(VaultError):
                    self.call("DELETE", "/v1/sessions/current")

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return the answer's members. Raises VaultError with the answer's code, Invalid with its fields, `service-unreachable`."""
        raw = self.fetch(method, path, body)
        answer = _read(raw) if raw else {}
        if not isinstance(answer, dict):
            raise VaultError("service-unreachable")
        return answer

    def fetch(self, method: str, path: str, body: object = None) -> bytes:
        """Return the answer's bytes, for what is no JSON. Raises as `call`."""
        headers = {"Accept-Language": "en"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        try:
            self._line.request(method, path, content, headers)
            response = self._line.getresponse()
            status, raw = response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._line.close()
            raise VaultError("service-unreachable") from None
        if status >= HTTPStatus.BAD_REQUEST:
            raise _error(_read(raw) if raw else {})
        return raw


def _read(raw: bytes) -> Any:  # noqa: ANN401 - whatever a server sent
    try:
        return json.loads(raw)
    except ValueError:
        raise VaultError("service-unreachable") from None


def line_to(address: SplitResult, seconds: float = SECONDS) -> http.client.HTTPConnection:
    """A line to the service, not yet open; each word of it is waited for so long. Raises ValueError for an address that is none."""
    host = address.hostname or ""
    if address.scheme == "https" and host:
        return http.client.HTTPSConnection(host, address.port, timeout=seconds, context=ssl.create_default_context())
    if address.scheme != "http" or not host:
        raise ValueError("address")
    if host != "localhost" and not _is_loopback(host):
        raise VaultError("service-not-private")
    return http.client.HTTPConnection(host, address.port, timeout=seconds)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _error(answer: Any) -> VaultError:  # noqa: ANN401 - whatever a server sent
    """The problem document as an error of the family; what is none is of no service of ours."""
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, str):
        return VaultError("service-unreachable")
    told = answer.get("errors")
    if isinstance(told, list):
        return Invalid([FieldError(str(each.get("field", "")), str(each.get("code", ""))) for each in told if isinstance(each, dict)], code)
    return VaultError(code)
