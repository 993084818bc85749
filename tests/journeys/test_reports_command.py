"""`amanah reports` as an officer uses it: the queue, a report and the deeds on it, an incident, numbers, a file checked alone."""

import contextlib
import html
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.journeys.served import FIRST, Served
from vault import reports_cli
from vault.access.incident_bundle import Checked
from vault.calling import Person, Service
from vault.reports_cli import reports as command
from vault.reports_tables import Printer

CONTACT = "0555550123"
NARRATIVE = "نُشرت صورة ابنتي في حساب الجمعية \x9b31m دون موافقتي."


@pytest.fixture(scope="module")
def house(founded: Served) -> Served:
    """A served vault with a report of the public's and an incident."""
    founded.start()
    return founded


@pytest.fixture
def run(house: Served, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in this process against the service, in a session that is open already: each sign-in takes a code of its own."""

    @contextlib.contextmanager
    def session(service: Service, _person: Person) -> Iterator[None]:
        with contextlib.closing(service._line):
            service._token = house.session("officer")
            yield

    monkeypatch.setattr(Service, "session", session)
    monkeypatch.setenv("COLUMNS", "200")

    def told(*words: str, typed: str = "") -> Result:
        server = () if words[0] == "check" else ("--server", f"http://127.0.0.1:{house.port}")
        return CliRunner().invoke(command, [*words, *server], input=typed)

    return told


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def reported(house: Served) -> tuple[str, str]:
    """Reference and receipt of a report."""
    told = house.report(narrative=NARRATIVE, contact=CONTACT, category="published_without_consent")
    return told["reference"], told["receipt"]


def incident(house: Served, *reports: str) -> str:
    """The reference of a new incident."""
    answer = house.call("POST", "/v1/incidents", {"summary": "قائمة أسماء", "reports": list(reports)}, token=house.session("officer"))
    assert answer.status == 201, answer.text
    return str(answer.json["reference"])


def test_an_officer_works_through_a_report_by_its_reference(house: Served, run: Callable[..., Result], tmp_path: Path):
    reference, receipt = reported(house)
    queue = said(run("queue"))
    assert (reference in queue, "published without consent" in queue, CONTACT in queue) == (True, True, False)
    arabic = said(run("queue", "--lang", "ar"))
    assert all(words in arabic for words in (reference, "المتبقي", "وارد", "نشر"))
    shown = said(run("show", reference))
    assert f"Contact: {CONTACT}" in shown
    assert "?31m" in shown, "no word of a reporter's commands the terminal"
    assert all(line.isprintable() for line in shown.splitlines())
    assert said(run("acknowledge", reference)) == f"{reference}: acknowledged\n"
    note = tmp_path / "note"
    note.write_text("تحققنا من النشر", encoding="utf-8")
    assert said(run("triage", reference, "--finding", "breach", "--note-file", str(note))) == f"{reference}: triaged\n"
    assert "is answered" in said(run("reply", reference, typed="شكرًا لبلاغكم\n"))
    text = tmp_path / "text"
    text.write_text("حُذفت الصورة", encoding="utf-8")
    assert "رمز إيصاله" in said(run("reply", reference, "--text-file", str(text), "--lang", "ar"))
    public = house.call("POST", f"/v1/public/{FIRST}/breach-reports/status", {"receipt": receipt})
    assert [each["text"] for each in public.json["messages"]] == ["شكرًا لبلاغكم", "حُذفت الصورة"]
    again = said(run("show", reference, "--lang", "ar"))
    assert all(words in again for words in ("تحققنا من النشر", "حُذفت الصورة", "نص البلاغ"))
    told = json.loads(said(run("show", reference, "--json")))
    assert (told["finding"], told["contact"]) == ("breach", CONTACT)


def test_a_report_is_linked_and_the_incident_kept_as_a_file_that_is_checked_alone(
    house: Served, run: Callable[..., Result], tmp_path: Path
):
    reference, _ = reported(house)
    run("acknowledge", reference)
    meant, file = incident(house), tmp_path / "incident.zip"
    assert said(run("link", meant, reference)) == f"{reference} is linked to {meant}.\n"
    shown = said(run("show", meant))
    assert all(words in shown for words in ("suspected", "قائمة أسماء", "Clock at 72 hours", "to be told"))
    id_ = json.loads(said(run("show", meant, "--json")))["id"]
    assert said(run("show", id_)) == said(run("show", meant)), "by its id as well"
    assert meant in said(run("queue"))
    assert json.loads(said(run("queue", "--json")))["incidents"]["items"]
    assert "keep it as what is secret" in said(run("export", meant, "--to", str(file)))
    assert (file.stat().st_mode & 0o777, CONTACT.encode() in file.read_bytes()) == (0o600, False)
    assert "nothing is written over" in run("export", meant, "--to", str(file)).stderr
    vkey = key_of(house)
    assert f"{meant}, suspected" in said(run("check", str(file), "--vkey", vkey))
    assert "مشتبه بها" in said(run("check", str(file), "--vkey", vkey, "--lang", "ar"))
    file.write_bytes(file.read_bytes().replace(b"suspected", b"confirmed"))
    assert run("check", str(file), "--vkey", vkey).stderr.startswith("amanah: proof-malformed: ")
    assert "FileNotFoundError" in run("check", str(tmp_path / "none.zip"), "--vkey", vkey).stderr


def key_of(house: Served) -> str:
    """The key the association signs with, as the officer's page on the log tells it."""
    cookie = {"Cookie": f"__Host-amanah={house.session('officer')}"}
    page = html.unescape(house.call("GET", "/officer/standing?lang=en", headers=cookie).text)
    found = re.search(rf"amanah/{FIRST}/1\+[0-9a-f]{{8}}\+[A-Za-z0-9+/=]{{44}}", page)
    assert found is not None, page
    return found[0]


def test_numbers_are_told_without_the_small_ones(house: Served, run: Callable[..., Result], capsys: pytest.CaptureFixture[str]):
    assert "fewer than 10 reports" in said(run("statistics"))
    assert json.loads(said(run("statistics", "--year", "2025", "--half", "2", "--json")))["year"] == 2025
    cells = {"category": [{"code": "other", "count": 12}], "month": [{"code": "2026-01", "count": None}], "channel": None}
    assert "not over yet" in said(run("statistics", "--year", "2100", "--half", "1"))
    told = {"year": 2026, "half": 1, "over": True, "reports": 12, "acknowledged_hours": {"half": 3, "nine_of_ten": 9}, "tables": cells}
    Printer("en", as_json=False).statistics({**told, "tables": {**cells, "state": [{"code": "received", "count": 12}]}})
    english = capsys.readouterr().out
    assert all(words in english for words in ("12 reports", "within 3 h", "January 2026", "hidden", "not shown", "received"))
    Printer("ar", as_json=False).statistics({**told, "acknowledged_hours": None})
    assert "محجوب" in capsys.readouterr().out


def test_a_queue_says_what_is_kept_back_and_that_there_is_more(capsys: pytest.CaptureFixture[str]):
    clock = {"seconds_left": -7200, "overdue": True, "due_at": "2026-01-04T00:00:00Z"}
    late = {"reference": "IN-1", "state": "closed", "clock": clock, "authority": "late", "people": "open"}
    settled = {"reference": "IN-2", "state": "ruled_out", "clock": None, "authority": "open", "people": "open"}
    reports = {"items": [], "next": "x", "quarantined": 3, "withheld": 1}
    Printer("en", as_json=False).queue({"items": [settled, late], "next": None, "withheld": 1}, reports)
    out = capsys.readouterr().out
    assert out.index("2 h late") < out.index("no clock")
    assert all(words in out for words in ("In quarantine: 3", "excluded from it: 2", "there are more", "Nothing waits."))
    Printer("en", as_json=False).checked(Checked("IN-1", "closed", 0, 0))
    assert "IN-1, closed" in capsys.readouterr().out


def test_what_is_not_there_or_cannot_be_read_is_one_line(run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reports_cli, "PAGE", 1)
    assert run("show", "BR-2026-000000").stderr.startswith("amanah: not-found")
    assert run("show", "IN-2026-000000").stderr.startswith("amanah: not-found")
    assert run("show", "0c9a7ac1-3749-0c2e-b06d-7c4e69b29cbf").stderr.startswith("amanah: not-found")
    assert run("reply", "BR-1", "--text-file", str(tmp_path / "none")).stderr.startswith("amanah: file-unreadable")
    assert run("triage", "BR-1", "--finding", "spam").exit_code == 2
    assert run("triage", "0c9a7ac1-3749-0c2e-b06d-7c4e69b29cbf", "--finding", "breach", "--aware-at", "x").stderr.startswith(
        "amanah: invalid"
    )


def test_it_signs_in_as_a_person_and_is_the_programs_own_command(house: Served):
    account, sign_in = house.secrets[FIRST]["staff"]["officer"], house.folder / "sign-in"
    sign_in.write_text("\n".join((account["username"], account["password"], house.code("officer"))), encoding="utf-8")
    words = ["reports", "queue", "--server", f"http://127.0.0.1:{house.port}", "--sign-in-file", str(sign_in)]
    told = subprocess.run([sys.executable, "-m", "vault", *words], env=house._environment(), capture_output=True, check=False)
    sign_in.unlink()
    assert (told.returncode, b"Reports" in told.stdout) == (0, True), told.stderr
