"""`amanah notice publish`: what it sends to whom, what it asks for, and what it says when the answer is no."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.demo.wire import Wire
from tests.publication.damaged import DAMAGED
from vault.calling import Person, Service
from vault.cli import main
from vault.errors import VaultError

SHA256 = hashlib.sha256(DAMAGED.encode()).hexdigest()
SECRETS = ("admin@probe", "a long password", "111111", "222222")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        wire.answer("POST", "/v1/sessions", 201, {"token": "ams_probe_token"})
        wire.answer("POST", "/v1/policies", 201, {"version": 4, "sha256": SHA256, "remarks": []})
        wire.answer("DELETE", "/v1/sessions/current", 204, "")
        yield wire


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "policy.txt"
    path.write_bytes(DAMAGED.encode())
    return path


def publish(wire: Wire | None, document: Path, *more: str, sign_in: str | None = "\n".join(SECRETS), typed: str = "") -> Result:
    """The command as an operator runs it, its sign-in file beside the document."""
    options = ["--approved-by", "مجلس الإدارة", "--on", "1445-01-09"]
    if wire is not None:
        options += ["--server", f"http://127.0.0.1:{wire.port}"]
    if sign_in is not None:
        path = document.parent / "sign-in"
        path.write_text(sign_in, encoding="utf-8")
        options += ["--sign-in-file", str(path)]
    return CliRunner().invoke(main, ["notice", "publish", str(document), *options, *more], input=typed)


def told(result: Result) -> str:
    """What went to the error output, without the frame a terminal gets."""
    return re.sub(r"[│╭╮╰╯─\s]+", " ", result.stderr)


@pytest.mark.parametrize("day", ["yesterday", "1445-13-01", "2999-01-01"])
def test_a_day_that_is_none_is_said_before_anybody_is_asked_for_a_password(wire: Wire, document: Path, day: str):
    result = publish(wire, document, "--on", day, sign_in=None)
    assert result.exit_code == 1
    assert "approved_on" in told(result)
    assert "password" not in told(result).lower()
    assert wire.requests == []


def test_the_document_is_published_signed_in_with_a_code_of_its_own_and_signed_out(wire: Wire, document: Path):
    result = publish(wire, document)
    assert (result.exit_code, result.stdout.splitlines()[:2]) == (0, ["version 4 is published", f"sha256 {SHA256}"])
    assert [(asked.method, asked.path) for asked in wire.requests] == [
        ("POST", "/v1/sessions"),
        ("POST", "/v1/policies"),
        ("DELETE", "/v1/sessions/current"),
    ]
    sign_in, sent, _ = wire.requests
    assert json.loads(sign_in.body) == dict(zip(("username", "password", "code"), SECRETS[:3], strict=True))
    assert json.loads(sent.body) == {"text": DAMAGED, "approved_by": "مجلس الإدارة", "approved_on": "1445-01-09", "code": "222222"}
    assert sent.headers["authorization"] == "Bearer ams_probe_token"
    assert len(sent.headers["idempotency-key"]) >= 16


def test_the_publisher_is_told_of_what_does_not_show(wire: Wire, document: Path):
    said = publish(wire, document).stderr
    assert "controls that turn the reading direction, shown by number: 2, the first in line 15" in said
    assert "Arabic letters written as shapes" in said


def test_what_the_file_does_not_hold_is_asked_for_and_secrets_are_not_shown(wire: Wire, document: Path):
    result = publish(wire, document, sign_in=None, typed="\n".join(SECRETS) + "\n")
    assert result.exit_code == 0, result.output
    assert json.loads(wire.requests[1].body)["code"] == "222222"
    assert not [secret for secret in SECRETS[1:] if secret in result.output]
    assert publish(wire, document, sign_in="\n".join(SECRETS[:3]), typed="333333\n").exit_code == 0
    assert json.loads(wire.requests[4].body)["code"] == "333333"


def test_a_descriptor_serves_as_the_sign_in_file(wire: Wire, document: Path):
    reader, writer = os.pipe()
    os.write(writer, "\n".join(SECRETS).encode())
    os.close(writer)
    try:
        result = publish(wire, document, "--sign-in-file", f"/dev/fd/{reader}", sign_in=None)
    finally:
        os.close(reader)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document-empty"),
        (b"\xff\xfe", "document-unreadable"),
        (b"a\x00", "document-unreadable"),
        (b"a" * 1_048_577, "document-too-large"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anybody_signs_in(wire: Wire, document: Path, content: bytes, code: str):
    document.write_bytes(content)
    result = publish(wire, document)
    assert (result.exit_code, wire.requests) == (1, [])
    assert code in told(result)


def test_a_file_that_is_not_there_is_named(wire: Wire, tmp_path: Path):
    result = publish(wire, tmp_path / "none.txt")
    assert (result.exit_code, wire.requests) == (1, [])
    assert "none.txt" in result.stderr


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, {"code": "step-up-required"}, "step-up-required: "),
        (403, {"code": "out-of-scope"}, "out-of-scope: "),
        (422, {"code": "invalid", "errors": [{"field": "approved_on", "code": "out-of-range"}]}, "invalid (approved_on): "),
        (403, {"code": "a-code-of-tomorrow"}, "a-code-of-tomorrow"),
        (502, "<html>", "service-unreachable: "),
        (500, ["x"], "service-unreachable: "),
        (201, ["x"], "service-unreachable: "),
        (201, {"version": 4, "sha256": "0" * 64}, "the service published other bytes"),
    ],
)
def test_a_no_is_told_by_its_code_in_our_words_and_ends_with_1(wire: Wire, document: Path, status: int, body: Any, said: str):
    wire.answer("POST", "/v1/policies", status, body)
    result = publish(wire, document)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in told(result)
    assert wire.requests[-1].path == "/v1/sessions/current"


def test_who_does_not_get_in_publishes_nothing(wire: Wire, document: Path):
    wire.answer("POST", "/v1/sessions", 401, {"code": "unauthenticated"})
    result = publish(wire, document)
    assert (result.exit_code, [asked.path for asked in wire.requests]) == (1, ["/v1/sessions"])
    assert "unauthenticated" in result.stderr


def test_a_service_that_is_not_there_or_hangs_up_is_told(wire: Wire, document: Path, free_port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMANAH_PORT", str(free_port))
    assert "service-unreachable" in publish(None, document).stderr
    wire.hang_up_next()
    assert "service-unreachable" in publish(wire, document).stderr


@pytest.mark.parametrize("sign_in", ["\n".join([*SECRETS, "more"]), None])
def test_a_sign_in_file_that_is_none_is_refused(wire: Wire, document: Path, sign_in: str | None):
    more = () if sign_in else ("--sign-in-file", str(document.parent / "nowhere"))
    result = publish(wire, document, *more, sign_in=sign_in)
    assert (result.exit_code, wire.requests) == (1, [])
    assert "sign-in-unreadable" in result.stderr


@pytest.mark.parametrize("address", ["http://vault.example.org:8080", "http://192.0.2.1", "http://127.0.0.1.example.org"])
def test_a_password_goes_over_the_network_only_encrypted(address: str):
    with pytest.raises(VaultError) as refused:
        Service(address)
    assert refused.value.code == "service-not-private"


@pytest.mark.parametrize("address", ["https://vault.example.org", "http://localhost:8080", "http://[::1]:8080", "http://127.0.0.1"])
def test_this_machine_and_encrypted_lines_are_taken(address: str):
    Service(address)


@pytest.mark.parametrize("address", ["", "vault.example.org", "ftp://127.0.0.1", "http://127.0.0.1:port", "https://", "http://[::1"])
def test_an_address_that_is_none_is_refused(address: str):
    with pytest.raises(VaultError) as refused:
        Service(address)
    assert refused.value.code == "service-unreachable"


def test_who_signs_in_shows_no_secret():
    person = Person.from_file(None, lambda what, unseen: f"{what} {unseen}")
    assert (person.next("User name", unseen=False), person.next("Password")) == ("User name False", "Password True")
    assert "secret" not in repr(Person(lambda *_: "", ["secret"]))


def test_the_service_of_the_settings_is_asked_over_tls_where_it_serves_tls(document: Path, free_port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMANAH_PORT", str(free_port))
    monkeypatch.setenv("AMANAH_TLS_CERT", "cert.pem")
    assert "service-unreachable" in publish(None, document).stderr
