"""Notices of breaches leave a served vault by a real SMTP server; a kill in the middle leaves one letter in doubt and the others go on."""

import asyncio
import json
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.breach_reports.notices import WORDING, Box, serving
from tests.journeys.served import FIRST, Served, moment
from vault.app import House
from vault.notice_mail import FILE, NoticeMail, NoticeMailRefused, read_notice_mail
from vault.notifying import Notifier
from vault.settings import Settings

PEOPLE = 8
RNG = random.Random("notices")


def told(**over: Any) -> str:
    lines = {"sender": "notices@example.org", "host": "localhost", "security": "none", **over}
    return "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in lines.items())


class Halting(Box):
    """A server that has taken the letter of this number and does not say so before it may."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.met, self.may = at, threading.Event(), threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.letters) == self.at:
            self.met.set()
            await asyncio.to_thread(self.may.wait, 30)
        return answer


@pytest.fixture
def served(unserved: Served, free_port: int) -> Iterator[Served]:
    """A founded vault that serves, with a mail server named in its settings."""
    unserved.found()
    (unserved.data / "associations" / FIRST / FILE).write_text(told(port=free_port), encoding="utf-8")
    unserved.start()
    yield unserved
    unserved.stop()


def noticed(vault: Served) -> tuple[str, list[str]]:
    """Where a notice is that two people let go out, and the addresses of the people it is for."""
    officer, records, addresses = vault.session("officer"), [], []
    for number in range(PEOPLE):
        addresses.append(f"someone{number}@example.org")
        records.append(vault.store({**vault.fields(RNG), "email": addresses[-1]})["id"])
    opened = vault.call("POST", "/v1/incidents", {"summary": "وصل ملف إلى من لا شأن له به"}, token=officer)
    place = f"/v1/incidents/{opened.json['id']}/people-notices"
    drafted = vault.call("POST", place, WORDING, token=officer)
    assert drafted.status == 201, drafted.text
    place = f"{place}/{drafted.json['notice']}"
    listed = vault.call("POST", f"{place}/people", {"records": records}, token=officer)
    assert listed.status == 200, listed.text
    seen = {"people": PEOPLE, "list_version": listed.json["list_version"]}
    approved = vault.call("POST", f"{place}/approval", seen, token=vault.approver("second_officer"))
    assert approved.status == 200, approved.text
    return place, addresses


def counts(vault: Served, place: str) -> dict[str, int]:
    answer = vault.call("GET", f"{place}/letters", token=vault.session("officer"))
    assert answer.status == 200, answer.text
    found: dict[str, int] = answer.json["counts"]
    return found


def until(wanted: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_kill_between_server_and_note_leaves_one_letter_in_doubt_and_a_restart_sends_the_rest(served: Served, free_port: int):
    box = Halting(3)
    with serving(box, free_port):
        place, addresses = noticed(served)
        assert box.met.wait(60)
        assert served._process is not None
        os.kill(served._process.pid, signal.SIGKILL)
        served._process.wait(10)
        box.may.set()
        served.start()
        until(lambda: counts(served, place).get("sent") == PEOPLE - 1)
        assert counts(served, place) == {"sent": PEOPLE - 1, "sending": 1}
        assert sorted(box.to) == addresses, "everybody was written to once"
        served.stop()
    log = served.log.read_bytes()
    assert not [address for address in addresses if address.encode() in log]


def test_the_settings_are_read_or_refused(tmp_path: Path):
    assert read_notice_mail(tmp_path) is None
    staff = str(uuid.uuid4())
    (tmp_path / FILE).write_text(told() + f'\nhours = [60, 71]\n[[officers]]\nstaff = "{staff}"\naddress = "o@example.org"\n', "utf-8")
    mail = read_notice_mail(tmp_path)
    assert mail is not None
    assert (sorted(mail.telling.hours), list(mail.telling.staff)) == ([60, 71], [uuid.UUID(staff).hex])
    assert (mail.address(uuid.UUID(staff).hex), mail.address("00")) == ("o@example.org", "")


@pytest.mark.parametrize(
    "text",
    [
        told(host="mail.example.org"),
        told(hours=[61]),
        told(sender="nobody"),
        told(password="x"),
        told() + '\n[[officers]]\nstaff = "x"\naddress = "o@example.org"\n',
        told() + f'\n[[officers]]\nstaff = "{uuid.uuid4()}"\naddress = "nobody"\n',
        "sender = [",
    ],
)
def test_settings_that_would_send_in_the_clear_or_to_nobody_are_refused(tmp_path: Path, text: str):
    (tmp_path / FILE).write_text(text, "utf-8")
    with pytest.raises(NoticeMailRefused):
        read_notice_mail(tmp_path)


def test_doctor_names_letters_that_wait_for_somebody_and_a_supplement_that_is_owed(unserved: Served):
    unserved.found()
    unserved.start()
    officer = unserved.session("officer")
    record = unserved.store({name: value for name, value in unserved.fields(RNG).items() if name != "email"})["id"]
    incident = unserved.call("POST", "/v1/incidents", {"summary": "x", "aware_at": moment(-60)}, token=officer).json
    place = f"/v1/incidents/{incident['id']}"
    draft = unserved.call("POST", f"{place}/authority-notices", {"people": 3}, token=officer).json
    filing = {"filed_at": moment(), "reference": "R", "partial": True, "reasons": "x"}
    assert unserved.call("POST", f"{place}/authority-notices/{draft['notice']}/filing", filing, token=officer).status == 200
    number = unserved.call("POST", f"{place}/people-notices", WORDING, token=officer).json["notice"]
    assert unserved.call("POST", f"{place}/people-notices/{number}/people", {"records": [record]}, token=officer).status == 200
    unserved.stop()
    said = programs.run("vault", "doctor", env=unserved._environment()).stdout
    assert f"incident {incident['reference']}: a supplement is owed to the authority, for 0 hours".encode() in said
    assert b"notice_outbox" not in said


@pytest.mark.asyncio
async def test_what_cannot_be_sent_in_one_association_is_said_and_keeps_no_other_from_sending(vault: Any, free_port: int):
    said: list[str] = []
    house = House(Settings(), vault.database, say=said.append)
    mail = NoticeMail(sender="notices@example.org", host="localhost", port=free_port, security="none")
    house.notifiers["probe"] = Notifier(vault.association, mail, {"ar": "ج", "en": "A"})
    await house.notify()
    assert said == []
    with vault.database.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "UPDATE access_log_head SET mac = newest" if vault.database.is_sqlite else "UPDATE access_log_head SET law = 99"
        )
    await house.notify()
    assert said == ["probe: notices of breaches could not be sent (Unavailable)"]
    house.wire.close()
