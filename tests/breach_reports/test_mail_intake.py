"""`amanah mail-intake` against a real IMAP server and a served vault: what arrives becomes a report, once, whenever anything dies."""

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests import programs
from tests.breach_reports.letters import TEXT, letter
from tests.breach_reports.mailbox import DOVECOT, USER, Mailbox, dovecot
from tests.breach_reports.mortal_intake import MOMENTS
from tests.journeys.served import FIRST, Served
from tests.journeys.traces import left_in_files, left_in_postgres
from vault.mail_settings import FILE
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
