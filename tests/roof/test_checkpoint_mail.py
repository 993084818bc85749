"""Checkpoints leave by mail over a real SMTP server: signed, once each, at most hourly, and never in the clear over a network."""

import asyncio
import email
import email.policy
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from keys.notes import Signer
from keys.secret import Secret
from tests import programs
from tests.certificates import self_signed, server_side
from tests.journeys.served import FIRST, Served
from tests.mail_server import mail_server
from vault import checkpoint_mail, smtp
from vault.access_log.checkpoint import Checkpoint, opened, origin
from vault.checkpoint_mail import AGAIN, EVERY, FILE, SENT, MailRefused, Post, read_mail
from vault.smtp import Declined, Unsure

NOW = 1_790_000_000.0
USER, WORD = "vault", "a made-up word"
SIGNER = Signer(origin("first"), Secret(bytes(32)))


def note(size: int) -> str:
    return SIGNER.sign(Checkpoint(origin("first"), size, bytes([size % 256]) * 32).text())


class Box:
    """A mailbox behind a server: what came, over what kind of line."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.sealed: list[bool] = []
        self.refuses = False
        self.unknown: set[str] = set()
        self.late = 0.0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return "451 come again"
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.sealed.append(session.ssl is not None)
        await asyncio.sleep(self.late)
        return "250 taken"


def known(_server: object, _session: object, _envelope: object, _mechanism: str, shown: object) -> AuthResult:
    right = isinstance(shown, LoginPassword) and (shown.login, shown.password) == (USER.encode(), WORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def server(box: Box, port: int, context: ssl.SSLContext | None = None, **how: Any) -> Iterator[None]:
    """A mail server on the loopback interface while the block runs."""
    with mail_server(box, port, tls_context=context, **how):
        yield


def set_up(folder: Path, **over: Any) -> Post:
    """The settings as an operator writes them, and who mails by them."""
    told = {"to": ["auditor@example.org"], "sender": "vault@example.org", "host": "localhost", "security": "none", **over}
    lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
    (folder / FILE).write_text(lines, encoding="utf-8")
    post = Post.of("first", folder)
    assert post is not None
    return post


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Served]:
    """A vault on SQLite, founded and not yet served: mail knows no engine."""
    vault = Served(tmp_path / "vault", None)
    vault.folder.mkdir()
    vault.found()
    yield vault
    vault.stop()


def held(letter: EmailMessage) -> str:
    """The note in a letter's one attachment."""
    (attached,) = letter.iter_attachments()
    content = attached.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def test_whoever_gets_the_mail_holds_a_checkpoint_that_verifies(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    with server(box, free_port):
        assert post.send_if_due(note(7), NOW)
    (letter,) = box.letters
    assert opened(held(letter), SIGNER.vkey, "first").size == 7
    assert (letter["To"], letter["From"], letter["Auto-Submitted"]) == ("auditor@example.org", "vault@example.org", "auto-generated")
    body = letter.get_body(("plain",))
    assert body is not None
    assert "نقطة تحقق" in body.get_content()
    assert "amanah log verify --checkpoint" in body.get_content()


def test_each_checkpoint_once_and_at_most_one_an_hour(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    with server(box, free_port):
        assert post.send_if_due(note(7), NOW)
        assert not post.send_if_due(note(7), NOW + 10 * EVERY)
        assert not post.send_if_due(note(8), NOW + EVERY - 1)
        again = Post("first", tmp_path, post.mail)  # another process, or the same after a start
        assert not again.send_if_due(note(8), NOW + EVERY - 1)
        assert again.send_if_due(note(8), NOW + EVERY)
    assert [opened(held(one), SIGNER.vkey, "first").size for one in box.letters] == [7, 8]


def test_while_another_process_sends_this_one_does_not(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    other = Post("first", tmp_path, post.mail)
    with server(box, free_port), other._turn() as ours:
        assert ours
        assert not post.send_if_due(note(7), NOW)
    assert box.letters == []


def test_what_was_not_taken_is_tried_again_after_ten_minutes(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    box.refuses = True
    with server(box, free_port), pytest.raises(OSError, match="451"):
        post.send_if_due(note(7), NOW)
    assert not (tmp_path / SENT).exists()
    assert post.behind(note(7), NOW)
    box.refuses = False
    with server(box, free_port):
        assert not post.send_if_due(note(7), NOW + AGAIN - 1)
        assert post.send_if_due(note(7), NOW + AGAIN)
    assert not post.behind(note(7), NOW + 10 * EVERY)


def test_a_newer_one_is_behind_only_after_two_hours(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    with server(box, free_port):
        post.send_if_due(note(7), NOW)
    assert [post.behind(note(8), NOW + hours * EVERY) for hours in (1, 2)] == [(), (1,)]


def test_a_clock_that_was_once_ahead_keeps_no_newer_checkpoint_from_its_holder(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port)
    with server(box, free_port):
        assert post.send_if_due(note(7), NOW + 10**8)
        again = Post("first", tmp_path, post.mail)
        assert again.behind(note(8), NOW) == (1,)
        assert again.send_if_due(note(8), NOW)
        assert not again.send_if_due(note(9), NOW + EVERY - 1)
    assert (len(box.letters), again.behind(note(9), NOW + EVERY)) == (2, ())


HOLDERS = ["keeper@example.org", "auditor@example.org"]


def test_each_holder_gets_a_mail_of_his_own_and_one_that_is_refused_is_due_again_for_him_alone(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port, to=HOLDERS)
    box.unknown = {"auditor@example.org"}
    with server(box, free_port), pytest.raises(Declined):
        post.send_if_due(note(7), NOW)
    assert [each["To"] for each in box.letters] == ["keeper@example.org"]
    with server(box, free_port), pytest.raises(Declined):
        Post("first", tmp_path, post.mail).send_if_due(note(8), NOW + AGAIN)  # another process, or the same after a start
    assert [each["To"] for each in box.letters] == ["keeper@example.org"]
    box.unknown = set()
    with server(box, free_port):
        assert not post.send_if_due(note(8), NOW + AGAIN - 1)
        assert post.send_if_due(note(8), NOW + 2 * AGAIN)
        assert not post.send_if_due(note(8), NOW + 3 * AGAIN)
        assert post.send_if_due(note(8), NOW + EVERY)
    assert [(each["To"], opened(held(each), SIGNER.vkey, "first").size) for each in box.letters] == [
        ("keeper@example.org", 7),
        ("auditor@example.org", 8),
        ("keeper@example.org", 8),
    ]


def test_a_holder_who_gets_nothing_is_behind_though_another_has_it(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port, to=HOLDERS)
    with server(box, free_port):
        assert post.send_if_due(note(7), NOW)
        box.unknown = {"auditor@example.org"}
        with pytest.raises(Declined):
            post.send_if_due(note(8), NOW + EVERY)
    assert [post.behind(note(8), NOW + hours * EVERY) for hours in (1, 2)] == [(), (2,)]
    assert set_up(tmp_path, port=free_port, to=[*HOLDERS, "third@example.org"]).behind(note(8), NOW + EVERY) == (3,)


def test_a_server_that_takes_a_mail_and_says_nothing_in_time_gets_it_once_and_the_next_an_hour_later(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "MOST_SECONDS", 0.5)
    box, post = Box(), set_up(tmp_path, port=free_port, to=HOLDERS)
    box.late = 0.8
    with server(box, free_port):
        with pytest.raises(Unsure):
            post.send_if_due(note(7), NOW)
        assert not post.send_if_due(note(7), NOW + AGAIN)
        assert not Post("first", tmp_path, post.mail).send_if_due(note(8), NOW + EVERY - 1)
        assert (len(box.letters), post.behind(note(7), NOW + 3 * EVERY), post.doubtful()) == (2, (), (1, 2))
        box.late = 0
        assert post.send_if_due(note(8), NOW + EVERY)
    assert (len(box.letters), post.doubtful()) == (4, ())


def test_a_full_disk_keeps_no_holder_from_his_mail_and_brings_none_a_second_one(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    box, post = Box(), set_up(tmp_path, port=free_port, to=HOLDERS)
    with server(box, free_port):
        with monkeypatch.context() as broken:
            broken.setattr(checkpoint_mail, "replace", full)
            with pytest.raises(OSError, match="No space"):
                post.send_if_due(note(7), NOW)
        assert not post.send_if_due(note(7), NOW + AGAIN)
        assert not post.send_if_due(note(7), NOW + 2 * EVERY)
        assert [each["To"] for each in box.letters] == HOLDERS
        assert post.send_if_due(note(8), NOW + 3 * EVERY)
    assert Post("first", tmp_path, post.mail).behind(note(8), NOW + 9 * EVERY) == ()


@pytest.mark.parametrize("text", ["[]", "{", '{"keeper@example.org": 7}', "\xff"])
def test_what_nobody_can_read_of_the_last_mails_is_sent_anew(tmp_path: Path, free_port: int, text: str):
    box, post = Box(), set_up(tmp_path, port=free_port)
    (tmp_path / SENT).write_bytes(text.encode("latin-1"))
    with server(box, free_port):
        assert post.send_if_due(note(7), NOW)
    assert post.behind(note(7), NOW + 10 * EVERY) == ()


def test_the_note_of_an_older_version_counts_for_every_holder(tmp_path: Path, free_port: int):
    post = set_up(tmp_path, port=free_port, to=HOLDERS)
    (tmp_path / SENT).write_text(note(7), encoding="utf-8")
    os.utime(tmp_path / SENT, (NOW, NOW))
    assert not post.send_if_due(note(7), NOW + 10 * EVERY)
    assert post.behind(note(8), NOW + 2 * EVERY) == (1, 2)


def test_over_a_network_the_line_is_sealed_and_both_ends_known(tmp_path: Path, free_port: int):
    trusted, key = self_signed(tmp_path)
    context = server_side(trusted, key)
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(WORD, encoding="utf-8")
    box, how = Box(), {"port": free_port, "security": "starttls", "user": USER, "password_file": str(password)}
    with server(box, free_port, context, require_starttls=True, authenticator=known, auth_required=True):
        with pytest.raises(ssl.SSLCertVerificationError):
            set_up(tmp_path, **how).send_if_due(note(7), NOW)
        assert set_up(tmp_path, ca_file=str(trusted), **how).send_if_due(note(7), NOW)
        password.write_text("another", encoding="utf-8")
        with pytest.raises(OSError, match="535"):
            set_up(tmp_path, ca_file=str(trusted), **how).send_if_due(note(8), NOW + 10**9)
    assert box.sealed == [True]


def test_a_server_that_speaks_tls_from_the_first_byte(tmp_path: Path, free_port: int):
    trusted, key = self_signed(tmp_path)
    context = server_side(trusted, key)
    box, how = Box(), {"port": free_port, "security": "tls"}
    with server(box, free_port, ssl_context=context):
        with pytest.raises(ssl.SSLCertVerificationError):
            set_up(tmp_path, **how).send_if_due(note(7), NOW)
        assert set_up(tmp_path, ca_file=str(trusted), **how).send_if_due(note(7), NOW)
    assert len(box.letters) == 1


@contextmanager
def endless(port: int) -> Iterator[None]:
    """A server whose greeting never comes to an end, each line of it in good time."""
    over = threading.Event()

    def greet(listening: socket.socket) -> None:
        line, _ = listening.accept()
        with line, suppress(OSError):
            while not over.wait(0.02):
                line.sendall(b"220-wait\r\n")

    with socket.create_server(("127.0.0.1", port)) as listening:
        talking = threading.Thread(target=greet, args=(listening,))
        talking.start()
        yield
        over.set()
        talking.join()


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_server_that_never_comes_to_an_end_is_hung_up_on(tmp_path: Path, free_port: int, security: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(smtp, "MOST_SECONDS", 0.5)
    post = set_up(tmp_path, port=free_port, security=security)
    with endless(free_port), pytest.raises(OSError, match="closed"):
        post.send_if_due(note(7), NOW)


@contextmanager
def shaking(port: int, *, first: bool) -> Iterator[None]:
    """A server whose TLS handshake never comes to an end, each byte of it in good time; `first` where nothing is said before it."""
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        line, _ = listening.accept()
        with line, suppress(OSError):
            for word in () if first else (b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"):
                line.sendall(word)
                line.recv(1000)
            line.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            # After four seconds it leaves off, so that a line nobody hangs up on fails the test and does not hold it.
            for _ in range(80):
                if over.wait(0.05):
                    break
                line.sendall(b"\x00")

    with socket.create_server(("127.0.0.1", port)) as listening:
        talking = threading.Thread(target=drip, args=(listening,))
        talking.start()
        yield
        over.set()
        talking.join()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_whose_handshake_never_comes_to_an_end_is_hung_up_on(
    tmp_path: Path, free_port: int, security: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "MOST_SECONDS", 0.5)
    post = set_up(tmp_path, port=free_port, security=security)
    with shaking(free_port, first=security == "tls"):
        began = time.monotonic()
        with pytest.raises(OSError, match=r"EOF|closed|reset"):
            post.send_if_due(note(7), NOW)
        assert time.monotonic() - began < 3


def test_a_line_that_comes_about_after_its_time_is_given_up(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(smtp, "MOST_SECONDS", 0.05)
    connect = socket.create_connection

    def late(*to: Any, **how: Any) -> socket.socket:
        time.sleep(0.3)
        return connect(*to, **how)

    post = set_up(tmp_path, port=free_port)
    with server(Box(), free_port):
        monkeypatch.setattr(socket, "create_connection", late)
        with pytest.raises(TimeoutError):
            post.send_if_due(note(7), NOW)


def test_a_server_that_offers_no_sealed_line_gets_nothing(tmp_path: Path, free_port: int):
    box, post = Box(), set_up(tmp_path, port=free_port, security="starttls")
    with server(box, free_port), pytest.raises(OSError, match="STARTTLS"):
        post.send_if_due(note(7), NOW)
    assert box.letters == []


@pytest.mark.parametrize(
    "over",
    [
        {"host": "mail.example.org"},
        {"host": "127.0.0.2"},
        {"to": []},
        {"to": ["nobody"]},
        {"sender": "a@b\nBcc: c@d"},
        {"security": "plain"},
        {"password": "x"},
        {"port": "twenty-five"},
    ],
)
def test_settings_that_would_send_in_the_clear_or_nowhere_are_refused(tmp_path: Path, over: dict[str, Any]):
    with pytest.raises(MailRefused):
        set_up(tmp_path, **over)


def test_without_the_file_nothing_is_mailed(tmp_path: Path):
    assert read_mail(tmp_path) is None
    assert Post.of("first", tmp_path) is None
    (tmp_path / FILE).write_text("to = [", encoding="utf-8")
    with pytest.raises(MailRefused):
        Post.of("first", tmp_path)


def test_a_served_vault_mails_its_checkpoint_and_doctor_says_when_none_leaves(alone: Served, free_port: int):
    set_up(alone.data / "associations" / FIRST, port=free_port, to=HOLDERS)
    assert b"has not been mailed for two hours to number 1, 2 of checkpoint-mail.toml" in doctor(alone)
    box = Box()
    with server(box, free_port):
        alone.start()
        until = time.monotonic() + 60
        while len(box.letters) < len(HOLDERS):
            assert time.monotonic() < until
            time.sleep(0.1)
        alone.stop()
    assert held(box.letters[0]).startswith(f"amanah/{FIRST}/")
    assert b"mailed" not in doctor(alone)
    assert b"mailed" not in alone.log.read_bytes()
    kept = alone.data / "associations" / FIRST / SENT
    mailed = json.loads(kept.read_bytes())
    mailed[HOLDERS[1]]["doubtful"] = True
    kept.write_text(json.dumps(mailed), encoding="utf-8")
    assert b"nobody knows whether the last mail reached number 2 of checkpoint-mail.toml" in doctor(alone)


def test_a_mail_that_cannot_leave_is_said_and_stops_nothing(alone: Served, free_port: int):
    set_up(alone.data / "associations" / FIRST, port=free_port)
    alone.start()
    alone.said(b"first: the checkpoint could not be mailed (ConnectionRefusedError)")
    assert alone.call("GET", "/health/ready").status == 200


def test_while_the_mail_server_keeps_us_waiting_checkpoints_go_out_all_the_same(alone: Served, free_port: int):
    set_up(alone.data / "associations" / FIRST, port=free_port)
    outside = alone.data / "associations" / FIRST / "checkpoint"
    with endless(free_port):
        alone.start()
        before = outside.read_bytes()
        assert alone.call("GET", "/v1/notices/current?purpose=service_delivery", token=alone.key()).status == 200
        alone.sign_in("officer")
        until = time.monotonic() + 60
        while outside.read_bytes() == before:
            assert time.monotonic() < until, "no round was made"
            time.sleep(0.1)
        alone.stop()


def test_a_password_that_is_no_text_is_said_and_ends_no_rounds(alone: Served, free_port: int):
    password = alone.folder / "password"
    password.touch(0o600)
    password.write_bytes(b"\xff\xfe")
    set_up(alone.data / "associations" / FIRST, port=free_port, user=USER, password_file=str(password))
    box = Box()
    with server(box, free_port):
        alone.start()
        outside = alone.data / "associations" / FIRST / "checkpoint"
        alone.said(b"first: the checkpoint could not be mailed (UnicodeDecodeError)")
        before = outside.read_bytes()
        alone.sign_in("officer")
        until = time.monotonic() + 60
        while outside.read_bytes() == before:
            assert time.monotonic() < until, "the rounds are over"
            time.sleep(0.1)
        alone.stop()
    assert box.letters == []


def doctor(vault: Served) -> bytes:
    """What `amanah doctor` says, whether it ends well or not."""
    return programs.run("vault", "doctor", env=vault._environment()).stdout
