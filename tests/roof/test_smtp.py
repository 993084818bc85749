"""What a mail server says of a recipient, and what it says of us: only the first is ever a refusal, and no one else is written to."""

import asyncio
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import AuthResult

from tests.breach_reports.notices import Box, serving
from vault import smtp
from vault.smtp import Declined, Server, Uncarried, Unsure, is_address, send

WHO = "huda@example.org"


class Strict(Box):
    """A server that answers `says` to the sender where it begins with "MAIL", to whom it is for, or to the letter."""

    def __init__(self, says: str) -> None:
        super().__init__()
        self.at, _, self.says = says.partition(" ")

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.at == "MAIL":
            return self.says
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.at == "RCPT":
            return self.says
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return self.says if self.at == "DATA" else await super().handle_DATA(server, session, envelope)


def at(port: int, **more: Any) -> Server:
    given = {"sender": "privacy@example.net", "host": "localhost", "port": port, "security": "none", **more}
    return msgspec.convert(given, Server)


def letter(to: str = WHO) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "privacy@example.net", to
    made.set_content("x")
    return made


@pytest.mark.parametrize(
    "says",
    [
        "MAIL 550 we know no such sender",
        "MAIL 530 5.7.0 authentication required",
        "RCPT 450 come again",
        "RCPT 504 5.5.2 <x>: helo command rejected",
        "RCPT 530 authentication required",
        "RCPT 550 5.1.8 <privacy@example.net>: sender address rejected",
        "RCPT 554 5.7.1 relay access denied",
        "DATA 452 no room just now",
        "DATA 503 5.5.1 bad sequence of commands",
        "DATA 550 5.7.26 the sender is not authenticated",
    ],
)
def test_what_a_server_says_of_us_or_of_this_hour_is_no_refusal(free_port: int, says: str):
    with serving(Strict(says), free_port), pytest.raises(OSError) as met:
        send(at(free_port), letter(), [WHO])
    assert not isinstance(met.value, (Declined, Uncarried))


@pytest.mark.parametrize(
    "says", ["RCPT 550 no such mailbox", "RCPT 501 5.1.3 bad address", "RCPT 550 5.1.10 none", "DATA 554 we take no such letters"]
)
def test_what_it_says_of_the_recipient_for_good_is_one(free_port: int, says: str):
    with serving(Strict(says), free_port), pytest.raises(Declined):
        send(at(free_port), letter(), [WHO])


@pytest.mark.parametrize("says", ["thank you", "2" + "5" * 9000, "199 perhaps", "350 go on"])
def test_a_word_after_the_letter_that_is_neither_yes_nor_no_leaves_it_unsure(free_port: int, says: str):
    with serving(Strict(f"DATA {says}"), free_port), pytest.raises(Unsure):
        send(at(free_port), letter(), [WHO])


class Slow(Box):
    """A server that looks at a letter for half a second before it says that it takes it."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(0.5)
        return await super().handle_DATA(server, session, envelope)


def test_the_word_about_a_letter_is_waited_for_until_the_mail_may_take_no_longer(free_port: int, monkeypatch: pytest.MonkeyPatch):
    box = Slow()
    monkeypatch.setattr(smtp, "PATIENCE", 0.2)
    with serving(box, free_port):
        send(at(free_port), letter(), [WHO])
        assert box.to == [WHO]
        monkeypatch.setattr(smtp, "MOST_SECONDS", 0.3)
        with pytest.raises(Unsure):
            send(at(free_port), letter(), [WHO])


def test_a_server_without_tls_or_names_or_that_does_not_know_us_refused_nobody(free_port: int, tmp_path: Path):
    place = tmp_path / "password"
    place.write_text("word")
    place.chmod(0o600)
    known = {"user": "amanah", "password_file": str(place)}

    def nobody(*_asked: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with serving(Box(), free_port):
        for more in ({"security": "starttls"}, known, {**known, "password_file": str(tmp_path / "none")}):
            with pytest.raises(OSError) as met:
                send(at(free_port, **more), letter(), [WHO])
            assert not isinstance(met.value, (Declined, Uncarried)), more
    with serving(Box(), free_port, authenticator=nobody, auth_require_tls=False), pytest.raises(OSError) as met:
        send(at(free_port, **known), letter(), [WHO])
    assert not isinstance(met.value, (Declined, Uncarried))


def test_an_address_a_server_has_no_way_to_is_said_to_be_one_and_ours_is_our_trouble(free_port: int):
    with serving(Box(), free_port, enable_SMTPUTF8=False):
        with pytest.raises(Uncarried):
            send(at(free_port), letter("هدى@example.org"), ["هدى@example.org"])
        with pytest.raises(OSError) as met:
            send(at(free_port, sender="جمعية@example.net"), letter(), [WHO])
    assert not isinstance(met.value, (Declined, Uncarried))
    box = Box()
    with serving(box, free_port, enable_SMTPUTF8=True):
        send(at(free_port), letter("هدى@example.org"), ["هدى@example.org"])
    assert box.to == ["هدى@example.org"]


def test_a_letter_goes_to_the_address_it_is_given_and_to_none_its_header_makes_of_it(free_port: int):
    box = Box()
    with serving(box, free_port):
        send(at(free_port), letter("=?utf-8?q?victim?=@example.org"), [WHO])
        send(at(free_port), letter(), [WHO], return_path=False)
    assert box.asked == [WHO, WHO]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (WHO, True),
        ("Huda.Al-Otaibi+news@mail.example.org", True),
        ("o'brien@example.org", True),
        ("هدى@example.org", True),
        ("huda@مثال.example.org", True),
        ("=?utf-8?q?victim?=@example.org", False),
        ("=?UTF-8?B?dmljdGlt?=@example.org", False),
        ("a=?utf-8?q?b?=@example.org", True),
        ("=?utf-8?q?=@example.org", True),
        ("=?utf-8?q??=@example.org", False),
        ("=?utf-8?q?=0A?=@example.org", False),
        ("=?utf-8?q?x=0D=0ABcc=3Ay?=@example.org", False),
        ("=?unicode_escape?q?=5Cud800?=@example.org", False),
        ("nobody", False),
        ("huda@example.org, other@example.org", False),
        ("huda@example.org\n", False),
        ("", False),
    ],
)
def test_what_no_header_holds_as_it_is_written_is_no_address(text: str, *, is_one: bool):
    assert is_address(text) == is_one
