"""What an operator writes for the mailbox is believed where no secret lies open and nothing is said in the clear."""

from email.message import EmailMessage
from pathlib import Path

import dns.exception
import dns.message
import dns.resolver
import pytest

from tests.breach_reports.notices import Box, serving
from vault.breach_reports.mail.answer import Refused, Unwritable
from vault.breach_reports.mail.lookups import Unanswered
from vault.mail_dns import Dns
from vault.mail_intake import Fetched, NotTaken, Vault
from vault.mail_settings import CREDENTIALS, FILE, MailIntakeRefused, Secret, postbox_of, read_mail_intake

IMAP = '[imap]\nhost = "mail.example.org"\nuser = "privacy"\n'
PASSWORD = '[imap.password]\nfile = "/nowhere"\n'


def written(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder / FILE


def test_without_a_file_there_is_no_mailbox(tmp_path: Path):
    assert read_mail_intake(tmp_path / FILE) is None
    assert postbox_of(tmp_path) is None


def test_what_is_not_said_has_a_safe_meaning(tmp_path: Path):
    found = read_mail_intake(written(tmp_path, IMAP + PASSWORD))
    assert found is not None
    assert found.imap is not None
    assert (found.imap.port, found.imap.security, found.imap.folders, found.imap.junk, found.imap.done) == (
        993,
        "tls",
        ("INBOX",),
        (),
        "Amanah",
    )
    box = postbox_of(tmp_path)
    assert box is not None
    assert (box.provider, box.send) == ("", None)


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        "unknown = 1",
        IMAP + 'security = "none"\n' + PASSWORD,
        IMAP + 'done = "INBOX"\n' + PASSWORD,
        IMAP + "folders = []\n" + PASSWORD,
        IMAP + 'done = "a\\"b"\n' + PASSWORD,
        IMAP + 'password = "typed into the file"\n',
        IMAP + "every = 0\n" + PASSWORD,
        '[acknowledgement]\nsender = "nobody"\nhost = "mail.example.org"\n',
        '[acknowledgement]\nsender = "a@example.org"\nhost = "mail.example.org"\nsecurity = "none"\n',
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str):
    with pytest.raises(MailIntakeRefused):
        read_mail_intake(written(tmp_path, text))


def test_a_secret_comes_from_a_private_file_or_a_credential_and_from_nowhere_else(tmp_path: Path):
    place = tmp_path / "secret"
    place.write_text("word\n")
    place.chmod(0o600)
    assert Secret(file=str(place)).read() == "word"
    assert Secret(credential="secret").read({CREDENTIALS: str(tmp_path)}) == "word"
    place.chmod(0o644)
    for secret in (
        Secret(file=str(place)),
        Secret(),
        Secret(file=str(place), credential="secret"),
        Secret(credential="../secret"),
        Secret(credential="none"),
    ):
        with pytest.raises(MailIntakeRefused):
            secret.read({CREDENTIALS: str(tmp_path)})
    with pytest.raises(MailIntakeRefused):
        Secret(credential="secret").read({})


@pytest.mark.parametrize(
    ("security", "answer", "raised"),
    [
        ("starttls", "250 ok", OSError),
        ("none", "450 later", OSError),
        ("none", "550 5.7.1 relaying denied", OSError),
        ("none", "550 none", Refused),
        ("none", "554 we take no such letters", Refused),
    ],
)
def test_an_acknowledgement_is_refused_by_the_mailbox_alone(
    tmp_path: Path, free_port: int, security: str, answer: str, raised: type[Exception]
):
    told = f'[acknowledgement]\nsender = "privacy@example.net"\nhost = "localhost"\nport = {free_port}\nsecurity = "{security}"\n'
    written(tmp_path, told)
    box, answers = postbox_of(tmp_path), Box()
    assert box is not None
    assert box.send is not None
    letter = EmailMessage()
    letter["From"], letter["To"] = "privacy@example.net", "huda@example.org"
    letter.set_content("x")
    answers.answers = {"huda@example.org": answer}
    with serving(answers, free_port), pytest.raises(raised):
        box.send(letter, "huda@example.org")


def test_an_address_that_our_own_server_carries_nothing_to_was_refused_by_nobody(tmp_path: Path, free_port: int):
    told = f'[acknowledgement]\nsender = "privacy@example.net"\nhost = "localhost"\nport = {free_port}\nsecurity = "none"\n'
    written(tmp_path, told)
    box = postbox_of(tmp_path)
    assert box is not None
    assert box.send is not None
    letter = EmailMessage()
    letter["From"], letter["To"] = "privacy@example.net", "هدى@example.org"
    letter.set_content("x")
    with serving(Box(), free_port, enable_SMTPUTF8=False), pytest.raises(Unwritable):
        box.send(letter, "هدى@example.org")


class Record:
    strings = (b"v=DKIM1; ", b"p=x")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([Record()], [b"v=DKIM1; p=x"]),
        (dns.resolver.NXDOMAIN(), []),
        (dns.resolver.NoAnswer, []),
        (dns.exception.Timeout(), None),
        (OSError(), None),
    ],
    ids=["a record", "no name", "no record", "silence", "no network"],
)
def test_only_an_answer_of_dns_is_an_answer(monkeypatch: pytest.MonkeyPatch, answer: object, expected: list[bytes] | None):
    def resolve(_self: object, *_asked: object, **_how: object) -> object:
        if answer is dns.resolver.NoAnswer:
            raise dns.resolver.NoAnswer(response=dns.message.make_response(dns.message.make_query("x.example", "TXT")))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(dns.resolver.Resolver, "__init__", lambda _self: None)
    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    if expected is None:
        with pytest.raises(Unanswered):
            Dns().txt("s1._domainkey.example.org")
    else:
        assert Dns().txt("s1._domainkey.example.org") == expected


def test_a_service_that_is_not_there_or_far_away_in_the_clear_takes_nothing(free_port: int):
    message = Fetched(b"x", None, cut=False)
    with pytest.raises(NotTaken, match="service-unreachable"):
        Vault(f"http://127.0.0.1:{free_port}", "key").take(message, junk=False)
    assert "key" not in repr(Vault("https://vault.example.org", "key-key-key")).replace("key=", "")
