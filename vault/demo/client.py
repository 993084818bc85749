"""A client of the API as a stranger would write one: plain HTTP over loopback, JSON, nothing of the vault known but its contract.

Invariant: it reads no file and no database of the vault, only answers.
"""

import base64
import hmac
import http.client
import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

STEP_SECONDS = 30
_DIGITS = 6


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
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Client:
    """One kept-alive connection to a vault on this machine; it connects anew where the server has hung up."""

    def __init__(self, port: int, token: str | None = None, timeout: float = 60) -> None:
        """Take the port on 127.0.0.1 and the bearer token that every call carries unless it names another."""
        self.port = port
        self.token = token
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def call(
        self, method: str, path: str, body: object = None, token: str | None = None, *, form: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to one request; a POST carries an idempotency key of its own, so that a repeat makes nothing twice.

        `form` is sent as a browser sends a page's form. Raises OSError where the server cannot be reached or hangs up twice.
        """
        headers = {"Accept-Language": "ar", "Authorization": f"Bearer {token or self.token}"}
        if not (token or self.token):
            del headers["Authorization"]
        content = None
        if form is not None:
            content = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
        if method == "POST" and form is None:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        try:
            return self._exchange(method, path, content, headers)
        except (http.client.HTTPException, ConnectionError):
            # A kept-alive connection may have been closed meanwhile; the idempotency key makes the second try harmless.
            self._connection.close()
        try:
            return self._exchange(method, path, content, headers)
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from error

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _exchange(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        self._connection.request(method, path, content, dict(headers))
        response = self._connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


class Authenticator:
    """The authenticator app of one person: a code for each 30-second step, none of them given out twice (RFC 6238)."""

    def __init__(self, secret: str) -> None:
        """Take the secret in base32."""
        self._secret = secret
        self._last = 0

    def code(self, now: float) -> str | None:
        """A code not given out before, of the present step or a neighbour; None where the three are used up. `now` in seconds."""
        present = int(now // STEP_SECONDS)
        step = max(self._last + 1, present)
        if step > present + 1:
            return None
        self._last = step
        return one_time_code(self._secret, step)


def one_time_code(secret: str, step: int) -> str:
    """The six digits of a 30-second step under a base32 secret (RFC 4226 section 5.3 with the counter of RFC 6238)."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    place = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[place : place + 4])
    return f"{(number & 0x7FFFFFFF) % 10**_DIGITS:0{_DIGITS}d}"


def signed_in(client: Client, login: Mapping[str, str], authenticator: Authenticator, now: float) -> Answer:
    """The answer to signing in with user name, password and a one-time code; `now` in seconds."""
    body = {"username": login["username"], "password": login["password"], "code": authenticator.code(now) or ""}
    return client.call("POST", "/v1/sessions", body)


def token_of(answer: Answer) -> str:
    """The session's token. Raises ConnectionError where signing in failed."""
    if answer.status != HTTPStatus.CREATED:
        raise ConnectionError(f"signing in: {answer.status}")
    return str(answer.json["token"])
