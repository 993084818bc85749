"""`amanah mail-intake` against a real IMAP server and a served vault: what arrives becomes a report, once, whenever anything dies."""

import json
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests import programs
from tests.breach_reports.letters import TEXT, letter
from tests.breach_reports.mailbox import DOVECOT, USER, Mailbox, dovecot
from tests.breach_reports.mortal_intake import MOMENTS
from tests.journeys.served import FIRST, Served
from tests.journeys.traces import left_in_files, left_in_postgres
from vault import mail_intake
from vault.errors import VaultError
from vault.mail_intake import Fetched, MailboxFailed, NotTaken, Poller, Vault, _fetched
from vault.mail_settings import FILE, Imap, Secret
from vault.web.times import parse_time

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DOVECOT.exists(), reason="no IMAP server here: dovecot-imapd of .ci/packages is not installed"),
]


@pytest.fixture
def mailbox(free_port: int) -> Iterator[Mailbox]:
    with dovecot(free_port) as box:
        yield box


@pytest.fixture
def vault(unserved: Served, mailbox: Mailbox) -> Served:
    """A served vault whose association has this mailbox."""
    unserved.found()
    unserved.start()
    set_up(unserved, mailbox)
    return unserved


def set_up(vault: Served, mailbox: Mailbox, **more: Any) -> None:
    """The settings as an operator writes them: secrets in files of their own."""
    _, key = vault.client("mail", scopes=["reports:mail"])
    told: dict[str, Any] = {"host": "localhost", "port": mailbox.port, "user": USER, "ca_file": str(mailbox.cert), "every": 5, **more}
    password, key_file = vault.folder / "mail-password", vault.folder / "mail-key"
    for place, secret in ((password, mailbox.password), (key_file, key)):
        place.write_text(secret + "\n")
        place.chmod(0o400)
    lines = [f'provider = "mx.example.net"\n[key]\nfile = "{key_file}"\n[imap]']
    lines += [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    lines.append(f'[imap.password]\nfile = "{password}"\n')
    (vault.data / "associations" / FIRST / FILE).write_text("\n".join(lines))


def intake(vault: Served, *before: str) -> subprocess.CompletedProcess[bytes]:
    """One round of the command, or of its mortal twin."""
    program = before or ("vault",)
    asked = (*program, "mail-intake", "--once", "--server", f"http://127.0.0.1:{vault.port}")
    return programs.run(*asked, env=vault._environment(), seconds=60)


def reports(vault: Served, state: str = "") -> list[dict[str, Any]]:
    path = "/v1/breach-reports?limit=500" + (f"&state={state}" if state else "")
    told: list[dict[str, Any]] = vault.call("GET", path, token=vault.session("officer")).json["items"]
    return told


def test_what_lies_in_the_mailbox_becomes_reports_and_is_put_away(vault: Served, mailbox: Mailbox):
    raws = [letter(number=number) for number in range(3)]
    mailbox.bring(*raws)
    mailbox.bring(letter(number=9), flags=r"(\Seen)")  # that somebody looked at it in the mailbox counts for nothing
    told = intake(vault)
    assert (told.returncode, told.stdout) == (0, b"4 put away\n"), told.stderr
    found = reports(vault)
    assert [(each["channel"], each["grade"], each["state"]) for each in found] == [("email", "unverified", "received")] * 4
    assert all(parse_time(each["seen_at"]) <= parse_time(each["received_at"]) for each in found)
    assert mailbox.lying("INBOX") == []
    assert sorted(mailbox.lying("Amanah")) == sorted([*raws, letter(number=9)])
    assert all(rb"\Seen" in each for each in mailbox.flags("Amanah"))
    read = vault.call("GET", f"/v1/breach-reports/{found[0]['id']}", token=vault.session("officer")).json
    assert read["narrative"] == TEXT
    whole = vault.call("GET", f"/v1/breach-reports/{found[0]['id']}/mail", token=vault.session("officer"))
    assert whole.body in [*raws, letter(number=9)]
    assert intake(vault).stdout == b"0 put away\n"
    vault.stop()
    vault.run("log", "verify")
    left = [*left_in_files(vault.data), *(left_in_postgres(vault.address) if vault.address else ())]
    for canary in (TEXT.encode(), b"huda@example.org", mailbox.password.encode()):
        assert [place for place, content in left if canary in content] == []
        assert canary not in vault.log.read_bytes() + told.stdout + told.stderr


@pytest.mark.parametrize("capability", ["", "IMAP4rev1 UIDPLUS", "IMAP4rev1"])
def test_whenever_the_poller_dies_nothing_is_lost_and_nothing_doubled(unserved: Served, free_port: int, capability: str):
    if unserved.address is not None and capability:
        pytest.skip("what an IMAP server can do has nothing to do with the database; it is tried on SQLite")
    with dovecot(free_port, capability=capability) as mailbox:
        vault = unserved
        vault.found()
        vault.start()
        set_up(vault, mailbox)
        moments = MOMENTS if not capability else ("taken", "copied", "seen")
        rng = random.Random()
        brought: list[bytes] = []
        for moment in moments:
            raws = [letter(number=len(brought) + number) for number in range(3)]
            mailbox.bring(*raws)
            brought += raws
            died = intake(vault, "tests.breach_reports.mortal_intake", moment, str(rng.randrange(1, 4)))
            assert died.returncode == -signal.SIGKILL, (moment, died.stdout, died.stderr)
            again = intake(vault)
            assert again.returncode == 0, again.stderr
            assert len(reports(vault)) == len(brought), moment
            assert mailbox.lying("INBOX") == []
            assert set(mailbox.lying("Amanah")) == set(brought)


def test_junk_becomes_reports_in_quarantine(vault: Served, mailbox: Mailbox):
    set_up(vault, mailbox, folders=["INBOX"], junk=["Junk"], done="Read")
    mailbox.bring(letter(number=1), folder="Junk")
    assert intake(vault).stdout == b"1 put away\n"
    assert (reports(vault), [each["doubt"] for each in reports(vault, "quarantined")]) == ([], ["junk"])
    assert len(mailbox.lying("Read")) == 1


def test_while_the_vault_is_away_messages_stay_where_they_are(vault: Served, mailbox: Mailbox):
    mailbox.bring(letter())
    vault.stop()
    told = intake(vault)
    assert told.returncode == 1
    assert b"service-unreachable" in told.stderr
    assert b"huda" not in told.stderr
    assert mailbox.lying("INBOX") == [letter()]
    assert not any(rb"\Seen" in each for each in mailbox.flags("INBOX"))
    vault.start()
    assert intake(vault).stdout == b"1 put away\n"


def test_a_mailbox_that_is_another_than_its_certificate_says_is_not_spoken_to(vault: Served, mailbox: Mailbox):
    place = vault.data / "associations" / FIRST / FILE
    place.write_text(place.read_text().replace(f'ca_file = "{mailbox.cert}"\n', ""))
    told = intake(vault)
    assert (told.returncode, b"SSLCertVerificationError" in told.stderr) == (1, True)
    assert mailbox.password.encode() not in told.stderr


@dataclass(slots=True)
class Service:
    """A service on the loopback interface that answers each message as it is told to, and takes every other."""

    port: int = 0
    answers: dict[bytes, Callable[[], tuple[int, object] | None]] = field(default_factory=dict)
    brought: list[bytes] = field(default_factory=list)
    retry_after: str = ""


@contextmanager
def serving() -> Iterator[Service]:
    """The service while the block runs; an answer that is None hangs up instead."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            service.brought.append(raw)
            told = service.answers.get(raw, lambda: (201, {"done": True}))()
            if told is None:
                self.close_connection = True
                return
            content = told[1] if isinstance(told[1], bytes) else json.dumps(told[1]).encode()
            self.send_response(told[0])
            self.send_header("Content-Length", str(len(content)))
            if service.retry_after:
                self.send_header("Retry-After", service.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_address[1]
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield service
        server.shutdown()
        running.join()


@dataclass(slots=True)
class Round:
    """A poller over the real mailbox and such a service, its time, and what it said."""

    mailbox: Mailbox
    service: Service
    poller: Poller
    said: list[str]
    now: list[float]


@pytest.fixture
def going(mailbox: Mailbox, tmp_path: Path) -> Iterator[Round]:
    place = tmp_path / "password"
    place.touch(0o600)
    place.write_text(mailbox.password)
    said: list[str] = []
    now = [1_790_000_000.0]
    imap = Imap(host="localhost", port=mailbox.port, user=USER, password=Secret(file=str(place)), ca_file=str(mailbox.cert))
    with serving() as service:
        vault = Vault(f"http://127.0.0.1:{service.port}", "key", sleep=lambda _: None)
        yield Round(mailbox, service, Poller(imap, vault, said.append, lambda: now[0]), said, now)


BAD, GOOD = letter(number=1), letter(number=2)
FAILURES: dict[str, tuple[Callable[[], tuple[int, object] | None], str]] = {
    "the quarantine is full": (lambda: (429, {"code": "intake-full"}), "intake-full"),
    "a fault of the service": (lambda: (500, {"code": "internal"}), "internal"),
    "no room for one as large": (lambda: (503, {"code": "intake-paused"}), "intake-paused"),
    "a proxy's page": (lambda: (502, b"<html>bad gateway</html>"), "status 502"),
    "it hangs up": (lambda: None, "no-answer"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_message_that_fails_keeps_none_behind_it_out_and_rests_longer_each_time(going: Round, what: str):
    answer, code = FAILURES[what]
    going.mailbox.bring(BAD, GOOD)
    going.service.answers[BAD] = answer
    assert going.poller.round() == (1, 1)
    assert going.mailbox.lying("INBOX") == [BAD]
    assert going.said == [f'message 1 of "INBOX" was not taken and is set aside for 10 minutes: {code}']
    going.mailbox.bring(letter(number=3))
    assert going.poller.round() == (1, 0)
    for pause in (10, 20, 40, 60):
        going.now[0] += pause * 60 - 1
        assert going.poller.round() == (0, 0)
        going.now[0] += 1
        assert going.poller.round() == (0, 1)
    del going.service.answers[BAD]
    going.now[0] += 3600
    assert (going.poller.round(), going.mailbox.lying("INBOX")) == ((1, 0), [])


def test_a_message_that_takes_longer_than_the_poller_waits_keeps_none_behind_it_out(going: Round, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mail_intake, "TAKING", 0.5)
    over = threading.Event()
    going.mailbox.bring(BAD, GOOD)
    going.service.answers[BAD] = lambda: None if over.wait(30) else (201, {"done": True})
    assert going.poller.round() == (1, 1)
    over.set()
    assert going.mailbox.lying("INBOX") == [BAD]


def test_a_message_the_mailbox_cannot_give_keeps_none_behind_it_out(going: Round):
    going.mailbox.bring(BAD, GOOD)
    going.mailbox.spoil(BAD)
    assert going.poller.round() == (1, 1)
    assert going.service.brought == [GOOD]
    assert going.said[0].startswith('message 1 of "INBOX" was not taken and is set aside for 10 minutes: ')
    assert "huda" not in "".join(going.said)


def test_a_mailbox_that_hangs_up_at_a_message_is_asked_for_the_others(going: Round, monkeypatch: pytest.MonkeyPatch):
    fetched = mail_intake._fetched

    def hung_up(box: Any, number: str) -> Any:
        if number == "1":
            box.socket().shutdown(socket.SHUT_RDWR)
        return fetched(box, number)

    monkeypatch.setattr(mail_intake, "_fetched", hung_up)
    going.mailbox.bring(BAD, GOOD)
    assert going.poller.round() == (1, 1)
    assert going.mailbox.lying("INBOX") == [BAD]


def test_a_mailbox_that_always_hangs_up_ends_the_round_after_a_few(going: Round, monkeypatch: pytest.MonkeyPatch):
    def hung_up(box: Any, _number: str) -> None:
        box.socket().shutdown(socket.SHUT_RDWR)
        box.noop()

    monkeypatch.setattr(mail_intake, "_fetched", hung_up)
    going.mailbox.bring(*(letter(number=number) for number in range(mail_intake.MOST_LINES + 3)))
    with pytest.raises(MailboxFailed):
        going.poller.round()
    assert len(going.said) == mail_intake.MOST_LINES + 1


def test_a_message_that_cannot_be_put_away_keeps_none_behind_it_out(going: Round, monkeypatch: pytest.MonkeyPatch):
    put_away = Poller._put_away

    def refused(poller: Poller, box: Any, number: str) -> None:
        if number == "1":
            raise MailboxFailed
        put_away(poller, box, number)

    monkeypatch.setattr(Poller, "_put_away", refused)
    going.mailbox.bring(BAD, GOOD)
    assert (going.poller.round(), going.mailbox.lying("INBOX")) == ((1, 1), [BAD])


@pytest.mark.parametrize(
    "answer", [(401, {"code": "unauthenticated"}), (403, {"code": "out-of-scope"}), (503, {"code": "sealed"}), (200, b"welcome")]
)
def test_what_holds_for_every_message_ends_the_round_at_the_first(going: Round, answer: tuple[int, object]):
    going.mailbox.bring(BAD, GOOD)
    going.service.answers |= {BAD: lambda: answer, GOOD: lambda: answer}
    with pytest.raises(NotTaken):
        going.poller.round()
    assert (going.service.brought, len(going.said)) == ([BAD], 1)
    going.service.answers.clear()
    assert going.poller.round() == (2, 0)  # nobody was set aside for it


def test_who_is_asked_to_go_slower_waits_and_goes_on(going: Round):
    told = iter([(429, {"code": "too-many-requests"})])
    going.service.answers[BAD] = lambda: next(told, (201, {"done": True}))
    going.mailbox.bring(BAD, GOOD)
    assert going.poller.round() == (2, 0)


def test_a_message_whose_case_is_full_is_no_reason_to_go_slower(going: Round):
    going.service.answers[BAD] = lambda: (429, {"code": "too-many-requests"})
    going.service.retry_after = "3600"
    going.mailbox.bring(BAD, GOOD)
    assert (going.poller.round(), going.service.brought) == ((1, 1), [BAD, GOOD])
    going.now[0] += 3600
    going.service.retry_after = "1"
    with pytest.raises(NotTaken):
        going.poller.round()


class Told:
    """A line to a mailbox whose one message is told of in these words."""

    def __init__(self, around: bytes, raw: bytes) -> None:
        self.told = [(around, raw), b")"]

    def uid(self, *_asked: str) -> tuple[str, list[Any]]:
        return "OK", self.told


@pytest.mark.parametrize(("size", "is_cut"), [(1, False), (5, False), (6, True)])
def test_a_message_is_cut_where_as_much_came_as_is_taken_and_the_mailbox_has_more(
    monkeypatch: pytest.MonkeyPatch, size: int, *, is_cut: bool
):
    for most, fills in ((5, True), (6, False)):
        monkeypatch.setattr(mail_intake, "MOST_MAIL", most)
        found = _fetched(Told(b"1 (UID 1 RFC822.SIZE %d BODY[]<0> {5}" % size, b"Hello"), "1")  # type: ignore[arg-type]
        assert found is not None
        assert found.cut == (is_cut and fills)


@pytest.mark.parametrize(
    ("told", "arrived"),
    [
        (b'INTERNALDATE "01-Sep-2026 00:00:00 +0300" ', 1_788_210_000_000_000),
        (b'INTERNALDATE "01-Xxx-2026 00:00:00 +0300" ', None),
        (b'INTERNALDATE "45-Sep-9999 00:00:00 +0300" ', None),
        (b'INTERNALDATE "00-Jan-0000 99:99:99 +9999" ', None),
        (b"INTERNALDATE NIL ", None),
        (b"", None),
    ],
)
def test_a_day_of_arrival_that_cannot_be_read_is_unknown_and_its_message_taken(told: bytes, arrived: int | None):
    found = _fetched(Told(b"1 (UID 1 %bRFC822.SIZE 5 BODY[]<0> {5}" % told, b"Hello"), "1")  # type: ignore[arg-type]
    assert found == Fetched(b"Hello", arrived, cut=False)


def test_a_folder_that_is_not_there_keeps_no_other_unread(going: Round):
    going.mailbox.bring(GOOD, folder="Junk")
    going.poller.imap = replace(going.poller.imap, folders=("None",), junk=("Junk",))
    with pytest.raises(VaultError, match="mailbox-failed"):
        going.poller.round()
    assert (going.service.brought, going.mailbox.lying("Junk")) == ([GOOD], [])
